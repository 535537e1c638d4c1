use paper
pretrain narrow = crisscross with { a.f = resnet(depth: 18, width: 32, channels: 1) - fc(2048)-bn }
eval right = linear2s with { features = conv5 - maxpool(1, 4, stride: 4)   dim = 768 }
eval wrong = linear2s with { features = conv5 - maxpool(1, 4, stride: 4)   dim = 2048 }
table sizes {
  of     = narrow
  scores = [right on ESC50]
  row
}
table again {
  of     = crisscross
  scores = [wrong on ESC50]
  row
}
