"""Tiny networks of torch and their specs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SIZE = (32, 24)  # height, width: unequal, so that a swap shows
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
SPEC = """\
name = "tiny"
terms = "free"

[weights]
kind = "KIND"
file = "FILE"

[input]
size = [32, 24]
mean = [0.5, 0.4, 0.3]
std = [0.2, 0.3, 0.4]

[outputs.age]
centres = [10, 20, 40]
softmax = true
"""
CENTRES = torch.tensor([10.0, 20.0, 40.0], dtype=torch.float64)


class Tiny(nn.Module):
    """Logits (b, 3), or what ``form`` says."""

    def __init__(self, form: str = "logits") -> None:
        super().__init__()
        torch.manual_seed(1)
        self.form = form
        self.conv = nn.Conv2d(3, 8, 5, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 3)
        nn.init.normal_(self.fc.weight, std=3.0)  # so that faces differ by years
        self.register_buffer("centres", CENTRES.float())

    def forward(self, x: Tensor) -> object:
        hidden = nn.functional.gelu(self.norm(self.conv(x)), approximate="tanh").mean((2, 3))
        logits = self.fc(hidden)
        if self.form == "value":
            return (logits.softmax(1) * self.centres).sum(1, keepdim=True) / 100
        if self.form == "dict":
            return {"hidden": hidden, "age": logits}
        return (hidden, logits) if self.form == "tuple" else logits


def spec_of(kind: str, file: str, extra: str = "") -> str:
    """A spec; ``extra`` are further lines of [weights]."""
    return SPEC.replace("KIND", kind).replace('"FILE"', f'"{file}"\n{extra}')


def write(folder: Path, text: str, name: str = "m.toml") -> str:
    """Write a spec; its path as the user would type it."""
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def faces(n: int, seed: int = 0) -> np.ndarray:
    """n faces of noise, each of its own brightness."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (n, *SIZE, 3))
    return (noise * rng.uniform(0.2, 1, (n, 1, 1, 3))).astype(np.uint8)


def by_hand(module: nn.Module, batch: np.ndarray) -> Tensor:
    """What a module gives, normalised here by the definition."""
    x = torch.from_numpy(batch).permute(0, 3, 1, 2) / 255
    x = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    with torch.inference_mode():
        return module.eval()(x).double()


def ages(logits: Tensor) -> np.ndarray:
    """Expectation over the spec's centres."""
    return (logits.softmax(1) * CENTRES).sum(1).numpy()
