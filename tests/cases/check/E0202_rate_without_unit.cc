use paper
modality b = audio(clip: 2s @ 16000, spectrogram: logmel(bands: 80, hop: 10ms, fft: 1024samples, centre: no))
