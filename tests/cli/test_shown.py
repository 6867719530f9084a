"""``report --faces``: faces only where somebody answers for it, small, blurred, without names."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit import AuditResult, audit
from audit.errors import InputError
from hae.cli.shown import SIDE, shown_faces, years
from reports.html import html_of
from reports.page import page_of
from tests.cli.running import Command, refused


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty striped images that stand for photos, a table of predictions, and an audit."""
    folder = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    ids = [f"secret-{i}" for i in range(40)]
    for i, name in enumerate(ids):
        stripes = np.zeros((64, 64, 3), np.uint8)
        stripes[:, ::2] = 6 * i
        Image.fromarray(stripes).save(folder / f"{name}.png")
    table = pd.DataFrame({
        "sample_id": ids, "path": [f"{name}.png" for name in ids], "age": rng.uniform(20, 60, 40),
        "gender": ["<b>f</b>", "m"] * 20,
    })  # fmt: skip
    table.to_csv(folder / "manifest.csv", index=False)
    predicted = table.drop(columns="path").assign(age_pred=table["age"] + np.arange(40.0))
    predicted.to_csv(folder / "predictions.csv", index=False)
    audit(predicted, task="age", by=["gender"], n_boot=0).write(folder / "audit.json")
    return folder


def _page(place: Path, n: int, *, plain: bool = False) -> str:
    record = AuditResult.read(place / "audit.json")
    add = shown_faces(record, n, place / "predictions.csv", f"manifest:{place / 'manifest.csv'}",
                      None, consent=True, plain=plain)  # fmt: skip
    return html_of(add(page_of(record)), "none", "audit.json")


def _pixels(page: str) -> list[np.ndarray]:
    found = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


def test_the_largest_errors_are_shown_small_blurred_and_without_names(place: Path) -> None:
    page = _page(place, 3)
    faces = _pixels(page)
    assert [face.shape for face in faces] == [(SIDE, SIDE, 3)] * 3
    # The largest errors are those of the last images; stripes are gone, their mean stays.
    assert [face.mean() for face in faces] == pytest.approx([117, 114, 111], abs=3)
    assert all(face[8:-8, 8:-8].std() < 8 for face in faces)
    assert "This page shows faces of real people." in page
    assert "secret-" not in page
    assert "&lt;b&gt;f&lt;/b&gt;" in page
    assert page == _page(place, 3)


def test_plain_faces_keep_their_features(place: Path) -> None:
    assert _pixels(_page(place, 1, plain=True))[0].std() > 50
    assert 'class="faces"' not in html_of(page_of(AuditResult.read(place / "audit.json")), "none")


def test_nothing_is_shown_without_consent_or_from_other_data(place: Path, tmp_path: Path) -> None:
    record = AuditResult.read(place / "audit.json")
    data, table = f"manifest:{place / 'manifest.csv'}", place / "predictions.csv"
    with pytest.raises(InputError, match="add --faces-consent if these people agreed"):
        shown_faces(record, 3, table, data, None, consent=False, plain=False)
    with pytest.raises(InputError, match="add --predictions FILE"):
        shown_faces(record, 3, None, data, None, consent=True, plain=False)
    other = pd.read_csv(table).assign(sample_id=lambda frame: frame["sample_id"] + "x")
    other.to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(InputError, match=r"face 'secret-39x' is not in"):
        shown_faces(record, 3, tmp_path / "other.csv", data, None, consent=True, plain=False)


def test_the_command_refuses_and_keeps_the_old_page(hae_audit: Command, place: Path) -> None:
    old = place / "report.html"
    old.write_text("old", encoding="utf-8")
    table, data = place / "predictions.csv", f"manifest:{place / 'manifest.csv'}"
    asked = ("report", place / "audit.json", "--faces", 2, "--predictions", table, "--data", data)
    assert "--faces-consent" in refused(hae_audit(*asked))
    assert old.read_text(encoding="utf-8") == "old"
    assert hae_audit(*asked, "--faces-consent", "--plotly", "none").returncode == 0
    assert 'class="faces"' in old.read_text(encoding="utf-8")


def test_bands_are_said_whole_and_may_be_open() -> None:
    said = [years(31.0, 31.0), years(20.0, 30.0), years(70.0, float("inf"))]
    assert said == ["31.00", "20–30", "70 and older"]
