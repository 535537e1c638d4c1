"""Grad-CAM and Smooth Grad-CAM++ of narrow networks in PyTorch, in float64: `saliency.json`.

    python tests/golden/saliency.py > tests/golden/saliency.json

Networks, clips and noise are in closed form (README.md). Gradients at the last map are what autograd gives of the whole forward pass; weights
and maps are written out place by place, as the three papers print them. Needs PyTorch and NumPy.
"""

import json

import torch
from torch import nn
from torch.nn import functional as F

from finetune import WIDTH, AudioBlock, Backbone, VideoBlock
from weights import filled, tensor

CLIPS = {"v": [1, 3, 16, 96, 96], "a": [1, 1, 80, 120]}
COPIES, NOISE = 3, 0.5


def video():
    """R(2+1)D of depth 10."""
    stem = nn.Sequential(nn.Conv3d(3, WIDTH, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(WIDTH))
    first = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
    return Backbone(stem, first, VideoBlock, ["conv2x", "conv3x", "conv4x", "conv5x"])


def audio():
    """A ResNet of depth 10."""
    stem = nn.Sequential(nn.Conv2d(1, WIDTH, 7, 2, 3, bias=False), nn.BatchNorm2d(WIDTH))
    return Backbone(stem, nn.MaxPool2d(3, 2, 1), AudioBlock, ["block1", "block2", "block3", "block4"])


class Encoder(nn.Module):
    """A backbone and its projector; `forward` gives the last map, the output and the embedding."""

    def __init__(self, prefix, backbone):
        super().__init__()
        self.backbone = filled(backbone.double(), f"{prefix}_backbone")
        layers = nn.ModuleDict({"layer1": nn.Sequential(nn.Linear(8 * WIDTH, 4), nn.BatchNorm1d(4))})
        self.projector = filled(layers.double(), f"{prefix}_projector")

    def forward(self, x):
        last = self.backbone(x)
        last.retain_grad()
        output = last.flatten(2).mean(-1)
        return last, output, self.projector["layer1"](output)


def slope(encoder, clip, target):
    """The target, the map and the gradient there: a number, and `[C, P]` twice."""
    last, output, embedding = encoder(clip.requires_grad_(True))
    value = target(output, embedding)
    value.backward()
    return value.item(), last.detach()[0].flatten(1), last.grad[0].flatten(1)


def highlight(features, channel_weights):
    """What is left above zero of the weighted sum of the channels, place by place."""
    channels, places = features.shape
    sums = [sum(channel_weights[k] * features[k, p].item() for k in range(channels)) for p in range(places)]
    return [max(value, 0.0) for value in sums]


def gradcam(features, gradient):
    """Selvaraju et al. 2017, equations 1 and 2."""
    return highlight(features, [row.mean().item() for row in gradient])


def smooth(features, gradients):
    """Omeiza et al. 2019 over the alphas of Chattopadhay et al. 2018, equation 19."""
    n = len(gradients)
    channels, places = features.shape
    made = []
    for k in range(channels):
        total = features[k].sum().item()
        weight = 0.0
        for p in range(places):
            g = [gradient[k, p].item() for gradient in gradients]
            d1, d2, d3 = (sum(x**power for x in g) / n for power in (1, 2, 3))
            if d1 > 0:
                weight += d2 / (2 * d2 + total * d3) * d1
        made.append(weight)
    return highlight(features, made)


def main():
    encoders = {
        "v": Encoder("video", video()),
        "a": Encoder("audio", audio()),
    }
    cases = []
    for name, other in [("v", "a"), ("a", "v")]:
        clip = {key: tensor(f"saliency.{key}", shape) for key, shape in CLIPS.items()}
        with torch.no_grad():
            beside = encoders[other].projector["layer1"](encoders[other].backbone(clip[other]).flatten(2).mean(-1))
        targets = {
            "agreement": lambda output, z: F.cosine_similarity(z, beside).sum(),
            "activation": lambda output, z: output.norm(),
        }
        for target, of in targets.items():
            value, features, gradient = slope(encoders[name], clip[name].clone(), of)
            copies = [
                clip[name] + NOISE * tensor(f"saliency.noise.{k}", CLIPS[name]) for k in range(COPIES)
            ]
            gradients = [slope(encoders[name], copy, of)[2] for copy in copies]
            cases.append(
                {
                    "modality": name,
                    "target": target,
                    "value": value,
                    "gradcam": gradcam(features, gradient),
                    "smooth": smooth(features, gradients),
                }
            )
    print(json.dumps({"clips": CLIPS, "copies": COPIES, "noise": NOISE, "cases": cases}))


if __name__ == "__main__":
    main()
