use paper
modality w = audio(clip: 2s, rate: 16000, spectrogram: logmel(bands: 80, hop: 10ms, fft: 1024samples, centre: no))
