"""Files of weights as PyTorch writes them with what its networks make of an input, for the test of imports and exports.

    python tests/golden/weights.py write                                 the small files beside this one
    python tests/golden/weights.py write --full --authors DIR --to OUT   the networks of the released code and of torchvision, at full size
    CRISSCROSS_GOLDEN_WEIGHTS=OUT cargo test --test golden weights       imports them, compares, and exports into OUT/exported
    python tests/golden/weights.py check --authors DIR --to OUT          loads what was exported there and compares again

Needs PyTorch and safetensors; `--full` torchvision and a checkout of `pritamqu/CrissCross` too. All values are in the closed form of
README.md.
"""

import argparse
import collections
import importlib.util
import json
import os
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 1e-5


def module(name, path):
    """A Python file as a module."""
    spec = importlib.util.spec_from_file_location(name, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


twin = module("twin", os.path.join(HERE, "..", "..", "xtask", "gpu", "twin.py"))


def sym(name, count):
    """The closed form of README.md: `count` values in [-1, 1)."""
    with numpy.errstate(over="ignore"):
        h = numpy.uint64(0xCBF29CE484222325)
        for byte in name.encode():
            h = (h ^ numpy.uint64(byte)) * numpy.uint64(0x100000001B3)
        z = h + (numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return (z >> numpy.uint64(40)).astype(numpy.float64) / 2**23 - 1


def tensor(name, shape):
    """A tensor of the closed form."""
    count = int(numpy.prod(shape)) if len(shape) else 1
    return torch.from_numpy(sym(name, count)).reshape(list(shape))


def filled(net, name):
    """The network with values of its own everywhere, running statistics included."""
    with torch.no_grad():
        for part, value in net.state_dict().items():
            drawn = tensor(f"{name}.{part}", value.shape)
            if part.endswith("num_batches_tracked"):
                value.fill_(7)
            elif part.endswith("running_var"):
                value.copy_(1 + 0.5 * drawn)
            elif value.dim() == 1 and part.endswith("weight"):
                value.copy_(1 + 0.2 * drawn)
            elif value.dim() == 1:
                value.copy_(0.1 * drawn)
            else:
                value.copy_(drawn * (6 / value[0].numel()) ** 0.5)
    return net.eval()


class Narrow(nn.Module):
    """A backbone of either kind of any width, a block a stage, by the names of the released code."""

    def __init__(self, stem, pool, block, stages, width, is_list):
        super().__init__()
        self.conv1, self.pool, self.stages = stem, pool, stages
        channels = width
        for stage, name in enumerate(stages):
            outputs = width << stage
            one = block(channels, outputs, 1 if stage == 0 else 2)
            setattr(self, name, nn.Sequential(one) if is_list else one)
            channels = outputs

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        for name in self.stages:
            x = getattr(self, name)(x)
        return x


def video(width, is_list):
    """R(2+1)D of depth 10; the released code's has no lists of one block."""
    stem = nn.Sequential(nn.Conv3d(3, width, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(width))
    pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
    return Narrow(stem, pool, twin.VideoBlock, ["conv2x", "conv3x", "conv4x", "conv5x"], width, is_list)


def audio(width):
    """A ResNet of depth 10."""
    stem = nn.Sequential(nn.Conv2d(1, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width))
    return Narrow(stem, nn.MaxPool2d(3, 2, 1), twin.AudioBlock, ["block1", "block2", "block3", "block4"], width, True)


INPUTS = {"v": [2, 3, 4, 32, 32], "a": [2, 1, 80, 40]}


def features(net, modality):
    """The mean of the last map of the input in closed form, in float64."""
    with torch.no_grad():
        made = net.double()(tensor(f"input.{modality}", INPUTS[modality]))
    net.float()
    return made.flatten(2).mean(-1).tolist() if made.dim() > 2 else made.tolist()


class Schedule:
    """An object of a class that no reader knows."""

    def __init__(self):
        self.steps = [1, 2, 3]


class Code:
    """What runs a command where it is unpickled: `touch` makes a file that must not be there."""

    def __reduce__(self):
        return os.system, ("touch weights-code-was-run",)


SMALL = """pretrain small = crisscross with {
  precision = fp64
  v.f = r2plus1d(depth: 10, width: 2) - fc(4)-bn              v.h = fc(4)-bn-relu - fc(4)
  a.f = resnet(depth: 10, width: 2, channels: 1) - fc(4)-bn   a.h = fc(4)-bn-relu - fc(4)
}"""


def small(to):
    """Files of narrow networks: a training's checkpoint, one backbone in the old container, one in halves, and code beside tensors."""
    v, a = filled(video(2, True), "video_backbone"), filled(audio(2), "audio_backbone")
    projector = filled(nn.ModuleDict({"layer1": nn.Sequential(nn.Linear(16, 4), nn.BatchNorm1d(4))}), "video_projector")
    whole = collections.OrderedDict()
    for name, net in [("video_backbone", v), ("video_encoder.0", v), ("video_projector", projector), ("video_encoder.2", projector), ("audio_backbone", a)]:
        for part, value in net.state_dict().items():
            whole[f"module.{name}.{part}"] = value
    optimiser = {"state": {0: {"step": 3, "exp_avg": torch.zeros(4)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    training = {"optimizer": optimiser, "model": whole, "lr_scheduler": Schedule(), "epoch": 3}
    torch.save(training, os.path.join(to, "training.pth.tar"))
    bare = filled(video(2, False), "vid")
    torch.save(bare.state_dict(), os.path.join(to, "vid.pth.tar"), _use_new_zipfile_serialization=False)
    halves = {name: value.half() if value.is_floating_point() else value for name, value in a.state_dict().items() if "num_batches" not in name}
    torch.save({"state_dict": halves}, os.path.join(to, "aud.pth"))
    rounded = audio(2).eval()
    rounded.load_state_dict(halves, strict=False)
    torch.save({"conv1.0.weight": torch.zeros(2, 1, 7, 7), "extra": Code()}, os.path.join(to, "code.pth"))
    cases = [
        {"name": "a training's checkpoint", "files": ["training.pth.tar"], "pretrain": SMALL,
         "features": {"v": features(v, "v"), "a": features(a, "a")}},
        {"name": "a backbone each", "files": ["vid.pth.tar", "aud.pth"], "pretrain": SMALL,
         "features": {"v": features(bare, "v"), "a": features(rounded, "a")}},
    ]
    return {"inputs": INPUTS, "cases": cases, "exports": []}


FULL = """pretrain full = crisscross with { precision = fp64 }"""


def full(to, checkout):
    """The released code's backbones and torchvision's ResNet at full size."""
    v, a = authors(checkout, "video"), authors(checkout, "audio")
    filled(v, "video_backbone"), filled(a, "audio_backbone")
    torch.save(v.state_dict(), os.path.join(to, "vid.pth.tar"))
    torch.save(a.state_dict(), os.path.join(to, "aud.pth.tar"))
    vision = filled(torchvision_net(), "torchvision")
    torch.save(vision.state_dict(), os.path.join(to, "resnet18.pth"))
    cases = [
        {"name": "the released files", "files": ["vid.pth.tar", "aud.pth.tar"], "pretrain": FULL,
         "features": {"v": features(v, "v"), "a": features(a, "a")}},
        {"name": "torchvision's ResNet", "files": ["resnet18.pth"], "pretrain": FULL, "features": {"a": features(vision, "a")}},
    ]
    exports = [
        {"case": 0, "names": "authors", "network": "v", "file": "video.safetensors"},
        {"case": 0, "names": "authors", "network": "a", "file": "audio.safetensors"},
        {"case": 0, "names": "torchvision", "network": "a", "file": "torchvision.safetensors"},
    ]
    return {"inputs": INPUTS, "cases": cases, "exports": exports}


def authors(checkout, modality):
    """A backbone of the released code, of which no line is here."""
    sys.path.insert(0, os.path.join(checkout, "crisscross", "train", "models"))
    import backbones

    return (backbones.R2Plus1D if modality == "video" else backbones.ResNet)(18).eval()


def torchvision_net():
    """torchvision's ResNet-18 of one channel, without its classifier."""
    import torchvision

    net = torchvision.models.resnet18()
    net.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    net.fc = nn.Identity()
    return net


def check(to, checkout):
    """Loads what was exported with the classes of others, and compares features."""
    import safetensors.torch

    told = json.load(open(os.path.join(to, "cases.json")))
    worst = 0.0
    for export in told["exports"]:
        state = safetensors.torch.load_file(os.path.join(to, "exported", export["file"]))
        is_video = export["network"] == "v"
        net = torchvision_net() if export["names"] == "torchvision" else authors(checkout, "video" if is_video else "audio")
        print(export["file"], net.load_state_dict(state))
        made = torch.tensor(features(net.eval(), export["network"]))
        wanted = torch.tensor(told["cases"][export["case"]]["features"][export["network"]])
        apart = ((made - wanted).abs() / wanted.abs().clamp(min=1)).max().item()
        worst = max(worst, apart)
        print(f"  {made.shape[1]} features, up to {wanted.abs().max():.3g}, apart by {apart:.1e} at most")
    sys.exit(0 if worst < TOLERANCE else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["write", "check"])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--authors")
    parser.add_argument("--to", default=os.path.join(HERE, "weights"))
    given = parser.parse_args()
    if given.what == "check":
        check(given.to, given.authors)
    os.makedirs(given.to, exist_ok=True)
    told = full(given.to, given.authors) if given.full else small(given.to)
    with open(os.path.join(given.to, "cases.json"), "w") as file:
        json.dump(told, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
