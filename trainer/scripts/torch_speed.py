#!/usr/bin/env python3
"""The trainer's network and loss in PyTorch, timed: milliseconds a step on random pictures.

    torch_speed.py teach.toml [--device cpu|cuda] [--steps 20]

`teach.toml` is a run's configuration (RECIPE.run/teach.toml): network, batch and weights of the loss are read from it.
Threads of the CPU: OMP_NUM_THREADS. Needs Python 3.11 and PyTorch.
"""

import argparse
import statistics
import time
import tomllib

import torch
import torch.nn.functional as F
from torch import nn


class Memory(nn.Module):
    """Partition memory bank with channel queries; see trainer/src/network/memory.rs."""

    def __init__(self, grid, items, feature, temperature):
        super().__init__()
        dimension = (feature // grid) ** 2
        self.grid, self.temperature = grid, temperature
        self.values = nn.Parameter(torch.empty(grid * grid, items, dimension).uniform_(-1, 1) / dimension**0.5)

    def forward(self, x):
        n, c, s, _ = x.shape
        g, h = self.grid, s // self.grid
        query = x.reshape(n * c, g, h, g, h).permute(1, 3, 0, 2, 4).reshape(g * g, n * c, h * h)
        cosine = F.normalize(query, dim=2) @ F.normalize(self.values, dim=2).transpose(1, 2)
        weights = torch.softmax(cosine / self.temperature, 2)
        best = weights.detach().amax(2, keepdim=True).clamp(max=1 / weights.shape[2])
        kept = weights * (weights.detach() >= best)
        address = kept / kept.sum(2, keepdim=True)
        entropy = -(address * (address + 1e-12).log()).sum() / (g * g * n * c)
        y = (address @ self.values).reshape(g, g, n * c, h, h).permute(2, 0, 3, 1, 4).reshape(n, c, s, s)
        return y, entropy


class Coder(nn.Module):
    """Encoder and decoder with side paths; see trainer/src/network/model.rs."""

    def __init__(self, size, inputs, outputs, widths, sides, grids, items, temperature):
        super().__init__()
        self.sides, levels = sides, len(widths)
        before = [inputs] + widths[:-1]
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1, bias=False) for i, o in zip(before, widths))
        self.down_norm = nn.ModuleList(nn.BatchNorm2d(w) for w in widths)

        def joined(level):
            alone = level + 1 == levels or sides[level] == "none"
            return widths[level] if alone else 2 * widths[level]

        order = range(levels - 1, 0, -1)
        self.up = nn.ModuleList(nn.ConvTranspose2d(joined(l), widths[l - 1], 4, 2, 1, bias=False) for l in order)
        self.up_norm = nn.ModuleList(nn.BatchNorm2d(widths[l - 1]) for l in order)
        self.last = nn.ConvTranspose2d(joined(0), outputs, 4, 2, 1)
        self.memories = nn.ModuleDict(
            {
                str(l): Memory(grids[l], items, size >> (l + 1), temperature)
                for l in range(levels)
                if sides[l] == "pmb"
            }
        )

    def forward(self, x):
        features, entropy, levels = [], x.new_zeros(()), len(self.down)
        for down, norm in zip(self.down, self.down_norm):
            x = F.relu(norm(down(x)))
            features.append(x)
        if str(levels - 1) in self.memories:
            x, entropy = self.memories[str(levels - 1)](x)
        for up, norm, level in zip(self.up, self.up_norm, range(levels - 2, -1, -1)):
            x = F.relu(norm(up(x)))
            if str(level) in self.memories:
                side, more = self.memories[str(level)](features[level])
                x, entropy = torch.cat([x, side], 1), entropy + more
            elif self.sides[level] == "skip":
                x = torch.cat([x, features[level]], 1)
        return self.last(x), entropy


class Model(nn.Module):
    """Reconstruction and learned difference."""

    def __init__(self, net):
        super().__init__()
        shape = (net["items"], net["temperature"])
        size, channels = net["size"], net["channels"]
        self.coder = Coder(size, channels, channels, net["widths"], net["sides"], net["grids"], *shape)
        head = net.get("head", [])
        sides = ["skip"] * (len(head) - 1) + ["none"]
        self.head = Coder(size, 2 * channels, 1, head, sides, [1] * len(head), *shape) if head else None

    def forward(self, x):
        picture, entropy = self.coder(x)
        if self.head is None:
            return picture, entropy, None
        seen = picture.detach().clamp(-1, 127 / 128)
        return picture, entropy, self.head(torch.cat([x, seen], 1))[0]


def window(size, device):
    """The Gaussian window of SSIM as a banded matrix, rows sum to 1."""
    at = torch.arange(size, device=device)
    apart = (at[:, None] - at[None, :]).float()
    taps = torch.exp(-(apart**2) / 4.5) * (apart.abs() <= 5)
    return taps / taps.sum(1, keepdim=True)


def loss(out, target, mask, weights, taps):
    """See trainer/src/train/loss.rs."""
    picture, entropy, odds = out
    mse = F.mse_loss(picture, target)

    def blur(x):
        return taps @ x @ taps.T

    a, b = blur(picture), blur(target)
    covariance = blur(picture * target) - a * b
    variances = blur(picture**2 + target**2) - a**2 - b**2
    c1, c2 = 0.02**2, 0.06**2
    ssim = ((2 * a * b + c1) * (2 * covariance + c2) / ((a**2 + b**2 + c1) * (variances + c2))).mean()
    total = weights["mse"] * mse + weights["ssim"] * (1 - ssim) + weights["entropy"] * entropy
    if odds is None:
        return total
    z, m = odds.flatten(1), mask.flatten(1)
    p = torch.sigmoid(z)
    surprise = F.binary_cross_entropy_with_logits(z, m, reduction="none")
    right = p * m + (1 - p) * (1 - m)
    focal = 10 * ((0.25 + 0.5 * m) * (1 - right) ** 2 * surprise).mean()
    dice = 1 - ((2 * (p * m).sum(1) + 1) / ((p + m).sum(1) + 1)).mean()
    return total + weights.get("head", 1.0) * (focal + dice)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    with open(args.config, "rb") as file:
        train = tomllib.load(file)["train"]
    net, batch = train["network"], train["batch"]
    torch.manual_seed(train["seed"])
    model = Model(net).to(args.device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=train["learning_rate"], weight_decay=train["weight_decay"])
    taps = window(net["size"], args.device)
    shape = (batch, net["channels"], net["size"], net["size"])
    seconds = []
    for _ in range(args.steps + 3):
        picture = torch.rand(shape).mul(2).sub(1).to(args.device)
        mask = (torch.rand(batch, 1, *shape[2:]) < 0.05).float().to(args.device)
        start = time.perf_counter()
        value = loss(model(picture), picture, mask, train["loss"], taps)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        value.item()
        seconds.append(time.perf_counter() - start)
    where = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"PyTorch {torch.__version__}, {where}: {1e3 * statistics.median(seconds[3:]):.1f} ms a step")


if __name__ == "__main__":
    main()
