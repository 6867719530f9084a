"""Small faces that are not faces, whose age is their brightness, and a run on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from audit.configs import checked, read_toml
from hae.config import RunConfig
from hae.data.readers import read_data
from hae.settings import with_settings
from hae.training.faces import Faces
from hae.training.run import CACHE, Order

CONFIG = """
steps = 24
batch_size = 8
validate_every = 8
save_every = 2
selection_views = 2
[model]
size = 32
embedding = 16
[model.backbone]
name = "small_resnet"
[model.aggregator]
layers = 1
heads = 2
feedforward = 16
dropout = 0.3
[model.head]
hidden = 16
[model.views]
k = 2
[optimizer]
name = "ranger"
lr = 1e-3
warmup = 4
"""


def write_faces(folder: Path, people: int = 24, photos: int = 2, size: int = 32) -> Path:
    """Write images and a manifest; the table's path."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for person in range(people):
        age = float(rng.integers(5, 80))
        for photo in range(photos):
            name = f"{person:03d}-{photo}.png"
            pixels = rng.normal(40 + 2 * age, 20, (size, size, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name)
            group = "ab"[person % 2]
            rows.append({"path": name, "subject_id": f"p{person}", "age": age, "group": group})
    table = folder / "faces.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    return table


def write_config(folder: Path, more: str = "") -> Path:
    """Write the config of a tiny run; ``more`` goes on top."""
    path = folder / "tiny.toml"
    path.write_text(more + CONFIG, encoding="utf-8")
    return path


SHORT = ("steps=6", "optimizer.warmup=2", "validate_every=6", "model.views.k=1", "model.size=16")
"""Settings of a run of a third of a second."""


@dataclass
class Told:
    """A ``Report`` that remembers."""

    stages: list[str] = field(default_factory=list)
    steps: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def stage(self, text: str, total: int) -> Callable[[int], object]:
        self.stages.append(text)
        return lambda done: None

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        self.steps.append((step, dict(figures)))

    def notice(self, text: str) -> None:
        self.notices.append(text)


def order(
    table: Path,
    out: Path,
    *settings: str,
    split: str | None = None,
    val_split: str | None = None,
    init: Path | None = None,
    cache: Path | None = None,
) -> Order:
    """An order for the tiny run with other settings."""
    config = write_config(table.parent)
    content = with_settings(read_toml(config, "a config"), settings)
    text = f"manifest:{table}"
    return Order(
        train=read_data(text, split),
        validation=read_data(text, val_split) if val_split else None,
        config=checked(RunConfig, content, "toys"),
        out=out,
        cache=cache or out / CACHE,
        init=init,
        devices=1,
        versions={"toys": "1"},
    )


def grey_faces(n: int, people: int, size: int = 16) -> Faces:
    """Faces in memory, ``n`` of ``people`` persons in turn, each of its own grey."""
    rng = np.random.default_rng(1)
    store = np.repeat(rng.integers(0, 256, (n, 1, 1, 3), dtype=np.uint8), size, axis=1)
    sample = rng.permutation(n).astype(np.uint64) * np.uint64(7919)
    person = (np.arange(n) % people).astype(np.uint64) + np.uint64(1_000_003)
    age = rng.uniform(5, 80, n).astype(np.float32)
    rows = np.arange(n)
    return Faces(np.repeat(store, size, axis=2), rows, sample, person, age, age.copy())
