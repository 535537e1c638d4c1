use paper
modality t = audio(clip: 1s @ 16kHz, spectrogram: logmel(bands: 64, hop: 10ms, fft: 1024samples, centre: no))
table three {
  of = crisscross
  row modalities = [v, a, t], t.augment = VJ, t.f = resnet18 - proj
}
