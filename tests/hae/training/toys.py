"""Small faces that are not faces, whose age is their brightness, and a run on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

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
            rows.append({"path": name, "subject_id": f"p{person}", "age": age, "group": "ab"[person % 2]})
    table = folder / "faces.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    return table


def write_config(folder: Path, more: str = "") -> Path:
    """Write the config of a tiny run; ``more`` goes on top."""
    path = folder / "tiny.toml"
    path.write_text(more + CONFIG, encoding="utf-8")
    return path
