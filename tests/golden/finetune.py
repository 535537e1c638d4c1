"""Twenty steps of finetuning in eager PyTorch, as appendix E.2 and the released code have them, in float64: `finetune.json`.

    python finetune.py > finetune.json

A backbone in small, a pool over its last map, a linear layer; cross-entropy; SGD or Adam; BatchNorm in training. Weights, clips and classes
are in closed form (README.md). Needs PyTorch alone.
"""

import json
import math
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "xtask" / "gpu"))
from twin import AudioBlock, VideoBlock  # noqa: E402

BATCH, CLASSES, EPOCH, WIDTH = 8, 5, 5, 4


def stream(name, count):
    """The first numbers of a stream in [-1, 1)."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = (start ^ byte) * 0x100000001B3 % (1 << 64)

    def signed(number):
        return number - (1 << 64) if number >> 63 else number

    def shifted(z, by):
        """To the right, zeros from the left: numbers of 64 bits have a sign here."""
        return (z >> by) & ((1 << (64 - by)) - 1)

    z = torch.arange(1, count + 1) * signed(0x9E3779B97F4A7C15) + signed(start)
    z = (z ^ shifted(z, 30)) * signed(0xBF58476D1CE4E5B9)
    z = (z ^ shifted(z, 27)) * signed(0x94D049BB133111EB)
    return shifted(z ^ shifted(z, 31), 40).double() / 2**23 - 1


class Backbone(nn.Module):
    """A stem, a maximum and four stages of one block each, up to the last map."""

    def __init__(self, stem, pool, block, stages):
        super().__init__()
        self.conv1, self.pool, self.stages = stem, pool, stages
        channels = WIDTH
        for at, name in enumerate(stages):
            setattr(self, name, nn.Sequential(block(channels, WIDTH << at, 1 if at == 0 else 2)))
            channels = WIDTH << at

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        for name in self.stages:
            x = getattr(self, name)(x)
        return x


class Tuned(nn.Module):
    """A backbone with a classifier, by the names of a checkpoint."""

    def __init__(self, modality, pool):
        super().__init__()
        if modality == "v":
            stem = nn.Sequential(nn.Conv3d(3, WIDTH, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(WIDTH))
            first = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
            self.video_backbone = Backbone(stem, first, VideoBlock, ["conv2x", "conv3x", "conv4x", "conv5x"])
            self.pool = {"max": nn.AdaptiveMaxPool3d(1), "mean": nn.AdaptiveAvgPool3d(1)}[pool]
        else:
            stem = nn.Sequential(nn.Conv2d(1, WIDTH, 7, 2, 3, bias=False), nn.BatchNorm2d(WIDTH))
            self.audio_backbone = Backbone(stem, nn.MaxPool2d(3, 2, 1), AudioBlock, ["block1", "block2", "block3", "block4"])
            self.pool = {"max": nn.AdaptiveMaxPool2d(1), "mean": nn.AdaptiveAvgPool2d(1)}[pool]
        self.classifier = nn.Linear(8 * WIDTH, CLASSES)

    def forward(self, x):
        backbone = getattr(self, "video_backbone", None) or self.audio_backbone
        return self.classifier(self.pool(backbone(x)).flatten(1))


def fill(model):
    """Weights of convolutions and linear layers by their names, in float32; the layer's bias begins at zero."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                bound = math.sqrt(6 / parameter[0].numel())
                values = (stream(name, parameter.numel()) * bound).float()
                parameter.copy_(values.reshape(parameter.shape))
        model.classifier.bias.zero_()


def batch(modality, step):
    """The clips of a step and their classes."""
    shape = {"v": (BATCH, 3, 4, 64, 64), "a": (BATCH, 1, 64, 80)}[modality]
    values = stream(f"finetune.{modality}.{step}", math.prod(shape)).float().double().reshape(shape)
    classes = torch.arange(BATCH).add(step).remainder(CLASSES)
    # What tells the classes apart: how bright they are.
    return values + classes.reshape(-1, *[1] * (len(shape) - 1)) / 4, classes


def tune(modality, pool, optimiser, milestones, gamma, steps=20):
    model = Tuned(modality, pool).double().train()
    fill(model)
    optimiser = optimiser(model.parameters())
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, milestones, gamma)
    losses = []
    for step in range(steps):
        clips, classes = batch(modality, step)
        optimiser.zero_grad()
        loss = F.cross_entropy(model(clips), classes)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if (step + 1) % EPOCH == 0:
            schedule.step()
    model.eval()
    with torch.no_grad():
        softmax = model(batch(modality, steps)[0]).softmax(1)
    norm = lambda tensor: tensor.double().norm().item()  # noqa: E731
    values = lambda tensor: tensor.flatten()[:4].double().tolist()  # noqa: E731
    state = {name: {"l2": norm(of), "first4": values(of)} for name, of in model.state_dict().items()}
    return {"losses": losses, "softmax": softmax.tolist(), "state": state}


def main():
    torch.manual_seed(0)
    sgd = lambda of: torch.optim.SGD(of, lr=0.005, momentum=0.9)  # noqa: E731
    adam = lambda of: torch.optim.Adam(of, lr=0.0005, weight_decay=0.01)  # noqa: E731
    found = {
        "torch": torch.__version__,
        "v": tune("v", "max", sgd, [1, 3], 0.3),
        "a": tune("a", "mean", adam, [2], 0.5),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
