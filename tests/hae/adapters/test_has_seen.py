"""A model knows the data it was trained on, copied, packed, or taken into another table."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hae.adapters.checkpoint import load_checkpoint
from hae.data.core import Manifest, content_hash, faces_hash
from hae.data.manifest import write_manifest
from hae.data.packs.write import write_pack
from hae.data.readers import read_data
from hae.data.sets.fer_votes import COLUMNS
from tests.hae.adapters.test_checkpoint import written
from tests.hae.training.toys import write_faces

Place = dict[str, str]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One data set in many forms: ``NAME:ROOT`` of each."""
    folder = tmp_path_factory.mktemp("seen")
    table = write_faces(folder / "own", 8, size=16)
    frame = pd.read_csv(table)
    frame.assign(split=np.where(frame.index < 8, "train", "test")).to_csv(table, index=False)
    own = read_data(f"manifest:{table}")
    drawn = own.frame.assign(split=["train", "test"] * (len(own) // 2))
    write_manifest(replace(own, frame=drawn), folder / "drawn.csv", "by hand")
    turned = own.frame.assign(split=["test", "train"] * (len(own) // 2))
    write_manifest(replace(own, frame=turned), folder / "turned.csv", "by hand")
    write_pack(own, folder / "pack", 16)
    write_pack(read_data(f"manifest:{folder / 'drawn.csv'}"), folder / "drawn-pack", 16)
    shutil.copytree(folder / "own", folder / "copy")
    other = write_faces(folder / "other", 8, size=16)
    more = pd.read_csv(other)
    more.assign(age=more["age"] + 1, split=frame.index % 2).to_csv(other, index=False)
    (folder / "utk").mkdir()
    for k in range(8):
        pixels = np.full((16, 16, 3), 30 * k, np.uint8)
        Image.fromarray(pixels).save(folder / "utk" / f"{20 + k}_0_1_2017010920503959{k}.jpg")
    named = read_data(f"utkface:{folder / 'utk'}")
    for name, parts in (("named", ["train", "test"]), ("turned", ["test", "train"])):
        taken = replace(named, frame=named.frame.assign(split=parts * 4))
        write_manifest(taken, folder / f"utk-{name}.csv", "by hand")
    write_pack(named, folder / "utk-pack", 16)
    usages, pixels = ["Training", "PublicTest"] * 2, " ".join(["7"] * 48 * 48)
    fer = {"emotion": 3, "pixels": pixels, "Usage": usages}
    names = [f"fer{k}.png" for k in range(4)]
    plus = {"Usage": usages, "Image name": names, **dict.fromkeys(COLUMNS, 0), "happiness": 10}
    for name, rows in (("fer2013.csv", fer), ("fer2013new.csv", plus)):
        (folder / "fer").mkdir(exist_ok=True)
        pd.DataFrame(rows).to_csv(folder / "fer" / name, index=False)
    return {
        "fer2013": f"fer2013:{folder / 'fer'}",
        "ferplus": f"ferplus:{folder / 'fer'}",
        "named": f"utkface:{folder / 'utk'}",
        "named-table": f"manifest:{folder / 'utk-named.csv'}",
        "named-turned": f"manifest:{folder / 'utk-turned.csv'}",
        "named-pack": f"pack:{folder / 'utk-pack'}",
        "own": f"manifest:{table}",
        "copy": f"manifest:{folder / 'copy' / 'faces.csv'}",
        "drawn": f"manifest:{folder / 'drawn.csv'}",
        "turned": f"manifest:{folder / 'turned.csv'}",
        "pack": f"pack:{folder / 'pack'}",
        "drawn-pack": f"pack:{folder / 'drawn-pack'}",
        "other": f"manifest:{other}",
    }


@pytest.mark.parametrize(
    ("trained", "audited", "seen"),
    [
        (("own", "train"), ("own", "train"), True),
        (("own", "train"), ("own", "test"), False),
        (("own", "train"), ("copy", "train"), True),
        (("own", "train"), ("copy", "test"), False),
        (("own", "train"), ("pack", "train"), True),  # the same faces, packed
        (("own", "train"), ("pack", "test"), False),
        (("pack", "train"), ("own", "train"), True),
        (("pack", "train"), ("own", "test"), False),
        (("pack", "train"), ("own", None), True),  # the whole holds the part
        (("pack", "train"), ("drawn-pack", "test"), True),  # another split of the same table
        (("drawn", "train"), ("drawn-pack", "test"), False),
        (("drawn-pack", "train"), ("drawn", "test"), False),
        (("drawn-pack", "train"), ("drawn", "train"), True),
        (("drawn", "train"), ("turned", "test"), True),
        (("own", "train"), ("drawn", "test"), True),
        (("drawn", "train"), ("own", "test"), True),
        (("own", None), ("drawn", "test"), True),
        (("own", "train"), ("other", None), False),
        (("drawn-pack", "train"), ("other", None), False),
        (("named", None), ("named-table", "test"), True),  # no label files: by content
        (("named-table", "train"), ("named", None), True),
        (("named-table", "train"), ("named-turned", "test"), True),
        (("named-table", "train"), ("named-table", "test"), False),
        (("named", None), ("named-pack", None), True),
        (("named-pack", None), ("named", None), True),
        (("named-pack", None), ("named-table", "test"), True),
        (("named", None), ("own", "test"), False),
        (("ferplus", "train"), ("fer2013", "train"), True),  # the same faces with other labels
        (("ferplus", "train"), ("fer2013", "valid"), False),
        (("ferplus", "train"), ("fer2013", None), True),
        (("ferplus", None), ("fer2013", "valid"), True),
        (("fer2013", "valid"), ("ferplus", "valid"), True),
        (("fer2013", "valid"), ("own", "test"), False),
    ],
)
def test_seen(
    tmp_path: Path,
    places: Place,
    trained: tuple[str, str | None],
    audited: tuple[str, str | None],
    seen: bool,
) -> None:
    def read(place: tuple[str, str | None]) -> Manifest:
        return read_data(places[place[0]], place[1])

    found = read(trained)
    model = load_checkpoint(written(tmp_path / "m.safetensors"))
    made = model.header.provenance.model_copy(
        update={
            "data": found.label,
            "files": list(found.label_files),
            "origins": [faces_hash(found), *found.origins],
            "content": [content_hash(found)],
        }
    )
    model = replace(model, header=model.header.model_copy(update={"provenance": made}))
    assert model.has_seen(read(audited)) is seen
