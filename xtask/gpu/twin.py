"""The same step in eager PyTorch: the paper's networks, loss and optimiser, written from its tables, for comparison.

    python twin.py losses --state state.safetensors --batch 4 --steps 20 --device cuda [--amp bf16]
    python twin.py speed  --batch 256 --steps 10 --device cuda --amp bf16 [--channels-last]

Prints one JSON object. Needs PyTorch alone.
"""

import argparse
import json
import statistics
import struct
import time

import torch
from torch import nn
from torch.nn import functional as F


class VideoBlock(nn.Module):
    """Two pairs of a spatial and a temporal convolution around a shortcut (Table S5)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        spatial = dict(kernel_size=(1, 3, 3), padding=(0, 1, 1), bias=False)
        temporal = dict(kernel_size=(3, 1, 1), padding=(1, 0, 0), bias=False)
        self.spt_conv1 = nn.Conv3d(inputs, outputs, stride=(1, stride, stride), **spatial)
        self.spt_bn1 = nn.BatchNorm3d(outputs)
        self.tmp_conv1 = nn.Conv3d(outputs, outputs, stride=(stride, 1, 1), **temporal)
        self.tmp_bn1 = nn.BatchNorm3d(outputs)
        self.spt_conv2 = nn.Conv3d(outputs, outputs, **spatial)
        self.spt_bn2 = nn.BatchNorm3d(outputs)
        self.tmp_conv2 = nn.Conv3d(outputs, outputs, **temporal)
        self.out_bn = nn.BatchNorm3d(outputs)
        changes = stride != 1 or inputs != outputs
        self.res_conv = nn.Conv3d(inputs, outputs, 1, stride=stride, bias=False) if changes else None

    def forward(self, x):
        h = F.relu(self.spt_bn1(self.spt_conv1(x)), inplace=True)
        h = F.relu(self.tmp_bn1(self.tmp_conv1(h)), inplace=True)
        h = F.relu(self.spt_bn2(self.spt_conv2(h)), inplace=True)
        h = self.tmp_conv2(h) + (x if self.res_conv is None else self.res_conv(x))
        return F.relu(self.out_bn(h), inplace=True)


class AudioBlock(nn.Module):
    """ResNet's basic block (Table S6)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        changes = stride != 1 or inputs != outputs
        shortcut = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.downsample = nn.Sequential(*shortcut) if changes else None

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)), inplace=True)
        h = self.bn2(self.conv2(h)) + (x if self.downsample is None else self.downsample(x))
        return F.relu(h, inplace=True)


class Backbone(nn.Module):
    """A stem, a maximum, four stages of two blocks, a mean: 512 features."""

    def __init__(self, stem, pool, block, stages):
        super().__init__()
        self.conv1, self.pool, self.stages = stem, pool, stages
        channels = 64
        for stage, name in enumerate(stages):
            width = 64 << stage
            blocks = [block(channels, width, 1 if stage == 0 else 2), block(width, width, 1)]
            setattr(self, name, nn.Sequential(*blocks))
            channels = width

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x), inplace=True))
        for name in self.stages:
            x = getattr(self, name)(x)
        return x.flatten(2).mean(-1)


def head(name, widths, last_bn):
    """Linear layers with BatchNorm and ReLU between them (Tables S7 and S8)."""
    layers = nn.Sequential()
    for at in range(1, len(widths)):
        last = at == len(widths) - 1
        parts = [nn.Linear(widths[at - 1], widths[at])]
        if not last or last_bn:
            parts.append(nn.BatchNorm1d(widths[at]))
        if not last:
            parts.append(nn.ReLU(inplace=True))
        layers.add_module(f"layer{at}", nn.Sequential(*parts) if len(parts) > 1 else parts[0])
    return layers


class Twin(nn.Module):
    """Both encoders and predictors, by the names of a checkpoint."""

    def __init__(self):
        super().__init__()
        stem = nn.Sequential(nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(64))
        pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.video_backbone = Backbone(stem, pool, VideoBlock, ["conv2x", "conv3x", "conv4x", "conv5x"])
        stem = nn.Sequential(nn.Conv2d(1, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64))
        pool = nn.MaxPool2d(3, 2, 1)
        self.audio_backbone = Backbone(stem, pool, AudioBlock, ["block1", "block2", "block3", "block4"])
        for modality in ("video", "audio"):
            setattr(self, f"{modality}_projector", head("projector", [512, 2048, 2048, 2048], True))
            setattr(self, f"{modality}_predictor", head("predictor", [2048, 512, 2048], False))

    def forward(self, views):
        """Equations 1 to 5 over all pairs of four views: the mean of the distances, each both ways."""
        targets, predictions = [], []
        for modality, x in views:
            z = getattr(self, f"{modality}_projector")(getattr(self, f"{modality}_backbone")(x))
            predictions.append(getattr(self, f"{modality}_predictor")(z).float())
            targets.append(z.detach().float())
        with torch.autocast(views[0][1].device.type, enabled=False):
            pairs = [(p, z) for p in range(4) for z in range(4) if p != z]
            similar = [F.cosine_similarity(predictions[p], targets[z], -1, 1e-8).mean() for p, z in pairs]
            return -torch.stack(similar).mean()


class Descent:
    """LARC in clip mode (trust 0.001, decay 1e-4) over Adam, a rate for backbones with projectors and one for predictors."""

    def __init__(self, model, rates, device):
        self.groups = []
        for part, rate in rates.items():
            own = [p for name, p in model.named_parameters() if ("predictor" in name) == (part == "h")]
            fused = device == "cuda"
            self.groups.append((own, rate, torch.optim.Adam(own, lr=rate, betas=(0.9, 0.999), fused=fused)))

    @torch.no_grad()
    def step(self, trust=0.001, decay=1e-4):
        for parameters, rate, adam in self.groups:
            gradients = [p.grad for p in parameters]
            p, g = (torch.stack(torch._foreach_norm(list(tensors))) for tensors in (parameters, gradients))
            scaled = (p != 0) & (g != 0)
            factors = (trust * p / (g + decay * p + 1e-8) / rate).clamp(max=1.0)
            factors = torch.where(scaled, factors, torch.ones_like(factors))
            decayed = torch._foreach_mul(parameters, list((scaled * decay).unbind()))
            torch._foreach_add_(gradients, decayed)
            torch._foreach_mul_(gradients, list(factors.unbind()))
            adam.step()


def read(path):
    """The tensors of a safetensors file."""
    with open(path, "rb") as file:
        raw = file.read()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    kinds = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}
    tensors = {}
    for name, of in header.items():
        if name == "__metadata__":
            continue
        begin, end = of["data_offsets"]
        part = bytearray(raw[8 + length + begin : 8 + length + end])
        tensors[name] = torch.frombuffer(part, dtype=kinds[of["dtype"]]).reshape(of["shape"])
    return tensors


def amp(name, device):
    kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(device, dtype=kinds.get(name, torch.bfloat16), enabled=name != "none")


def lie_last(model, views):
    for name, module in model.named_children():
        if name == "video_backbone":
            module.to(memory_format=torch.channels_last_3d)
        if name == "audio_backbone":
            module.to(memory_format=torch.channels_last)
    formats = {5: torch.channels_last_3d, 4: torch.channels_last}
    return [(modality, x.contiguous(memory_format=formats[x.dim()])) for modality, x in views]


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["losses", "speed"])
    parser.add_argument("--state")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--amp", choices=["none", "bf16", "fp16"], default="none")
    parser.add_argument("--rate-f", type=float, default=2e-4)
    parser.add_argument("--rate-h", type=float, default=2e-3)
    parser.add_argument("--channels-last", action="store_true")
    asked = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    model = Twin()
    if asked.what == "losses":
        tensors = read(asked.state)
        inputs = {name: tensors.pop(name) for name in list(tensors) if name.startswith("input.")}
        model.load_state_dict(tensors)
        views = [({"v": "video", "a": "audio"}[name[6]], inputs[name]) for name in sorted(inputs)]
    else:
        clip, sound = (asked.batch, 3, 8, 112, 112), (asked.batch, 1, 80, 200)
        views = [("audio", torch.randn(sound)), ("audio", torch.randn(sound))]
        views += [("video", torch.randn(clip)), ("video", torch.randn(clip))]
    model.to(asked.device).train()
    views = [(modality, x.to(asked.device)) for modality, x in views]
    if asked.channels_last:
        views = lie_last(model, views)
    descent = Descent(model, {"f": asked.rate_f, "h": asked.rate_h}, asked.device)
    losses, times = [], []
    warm_up = 3 if asked.what == "speed" else 0
    for _ in range(warm_up + asked.steps):
        wait(asked.device)
        start = time.perf_counter()
        model.zero_grad(set_to_none=True)
        with amp(asked.amp, asked.device):
            loss = model(views)
        loss.backward()
        descent.step()
        if asked.what == "losses":
            losses.append(loss.item())
        wait(asked.device)
        times.append(time.perf_counter() - start)
    found = {"batch": asked.batch, "amp": asked.amp, "channels_last": asked.channels_last, "torch": torch.__version__}
    if asked.what == "losses":
        found["losses"] = losses
    else:
        step = statistics.median(times[warm_up:])
        found.update(step_ms=1e3 * step, samples_per_s=asked.batch / step)
        if asked.device == "cuda":
            found["peak_memory_bytes"] = torch.cuda.max_memory_allocated()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
