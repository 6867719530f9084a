"""Pictures of noise in a folder, their table, and what is compared of their packs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from hae.data.core import Manifest
from hae.data.manifest import read_manifest
from hae.data.packs.info import PIXELS, RECORD, TABLE

NONE: Mapping[str, str] = {}
FILES = [PIXELS, TABLE, TABLE + ".card.json", RECORD]
N, SIDE = 23, 24


def noise(path: Path, seed: int, size: tuple[int, int] = (40, 32)) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def faces(folder: Path, **columns: object) -> Manifest:
    """Pictures of noise, 32 wide and 40 high, and their table."""
    for number in range(N):
        noise(folder / "images" / f"{number}.png", number)
    frame = pd.DataFrame(
        {
            "sample_id": [f"f{number:03d}" for number in range(N)],
            "path": [f"images/{number}.png" for number in range(N)],
            "age": [f"{20 + number}.25" for number in range(N)],
            "gender": ["NA", "", "007", "b"] * 5 + ['ü, "x"', "c", "d"],
            "split": ["train", "test"] * 11 + [""],
        }
    )
    frame.assign(**columns).to_csv(folder / "t.csv", index=False)
    return read_manifest(folder / "t.csv", None, NONE)


def pixels_of(manifest: Manifest, side: int = SIDE, keep: float = 1.0) -> list[np.ndarray | str]:
    return list(manifest.faces(range(len(manifest)), (side, side), keep))


def same_faces(found: list[np.ndarray | str], wanted: list[np.ndarray | str]) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert isinstance(a, str) == isinstance(b, str)
        np.testing.assert_array_equal(a, b)


def bytes_of(folder: Path) -> dict[str, bytes]:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    return {name: (folder / name).read_bytes() for name in FILES}
