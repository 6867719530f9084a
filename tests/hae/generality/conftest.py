"""Faces that the grids of these tests are of."""

from __future__ import annotations

import pandas as pd
import pytest

from hae.data.core import Manifest
from hae.data.readers import read_data
from tests.hae.training.toys import write_faces


@pytest.fixture(scope="package")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Manifest]:
    """Four parts of other people each."""
    table = write_faces(tmp_path_factory.mktemp("faces"), people=32)
    frame = pd.read_csv(table)
    number = frame["subject_id"].str[1:].astype(int) % 4
    found = {}
    for i, name in enumerate(("train", "validation", "test", "others")):
        path = table.with_name(f"{name}.csv")
        frame[number == i].to_csv(path, index=False)
        found[name] = read_data(f"manifest:{path}")
    return found
