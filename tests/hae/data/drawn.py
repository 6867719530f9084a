"""A folder of drawn faces as image files, with a table of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from PIL import Image, ImageOps

from hae.data.readers import read_data

COLUMNS = ["sample_id", "path", "subject_id", "age", "gender", "race"]


def drawn_faces(folder: Path, people: int = 40, photos: int = 1, seed: int = 1) -> pd.DataFrame:
    """Write every face as a PNG and all as ``faces.csv``; ages are whole years."""
    manifest = read_data(f"rendered:people={people},photos={photos},seed={seed}")
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, face in enumerate(manifest.faces(range(len(manifest)), (64, 64), 1.0)):
        assert not isinstance(face, str)
        path = f"f{number:03}.png"
        Image.fromarray(face).save(folder / path)
        known = manifest.frame.iloc[number]
        rows.append(
            (
                path.removesuffix(".png"),
                path,
                known["subject_id"],
                str(int(known["age"])),
                known["presentation"],
                known["group"],
            )
        )
    return written(folder, pd.DataFrame(rows, columns=COLUMNS))


def written(folder: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Write the table, over the one that is there."""
    frame.to_csv(folder / "faces.csv", index=False)
    return frame


def copied(folder: Path, path: str, name: str, how: str = "smaller") -> str:
    """Write a near-duplicate of an image; returns its path."""
    with Image.open(folder / path) as opened:
        image = opened.convert("RGB")
    if how == "smaller":
        image.resize((48, 48), Image.Resampling.BICUBIC).save(folder / name)
    elif how == "larger":
        image.resize((160, 160), Image.Resampling.BICUBIC).save(folder / name)
    elif how == "encoded":
        image.save(folder / name, format="JPEG", quality=50)
    elif how == "brighter":
        image.point(lambda value: min(255, round(1.15 * value))).save(folder / name)
    elif how == "mirrored":
        ImageOps.mirror(image).save(folder / name)
    elif how == "grey":
        image.convert("L").save(folder / name)
    else:
        raise AssertionError(how)
    return name


def with_copies(folder: Path, frame: pd.DataFrame, *, of: int, copies: int) -> pd.DataFrame:
    """The table with smaller copies of the first faces; nobody's person is known."""
    rows = [frame.drop(columns="subject_id")]
    for copy in range(copies):
        names = [
            copied(folder, path, f"copy{copy}-{path}", ("smaller", "mirrored")[copy % 2])
            for path in frame["path"][:of]
        ]
        again = frame[:of].assign(path=names, sample_id=[name[:-4] for name in names])
        rows.append(again.drop(columns="subject_id"))
    return written(folder, pd.concat(rows, ignore_index=True))
