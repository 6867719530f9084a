"""``hae-audit report --faces N``: the largest errors as small pictures, with consent alone."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from audit.errors import InputError
from audit.predictions import Predictions, read_predictions
from audit.result import AuditResult
from audit.worst import worst_rows
from hae.data.core import Manifest
from hae.data.readers import read_data
from reports.faces import Thumbnail, shown_truth, with_faces
from reports.format import group_value, number, plain
from reports.html import Page
from reports.language import say

SIDE = 96
BLUR = SIDE / 16
"""Standard deviation of the blur, in pixels: features go, position and light stay."""


def shown_faces(
    record: Any, n: int, table: Path | None, data: str | None, split: str | None, *,
    consent: bool, plain: bool,
) -> Callable[[Page], Page]:  # fmt: skip
    """What adds the n largest errors to a page.

    Raises
    ------
    InputError
        Something that is needed was not given, nobody stated the consent, the table is another one
        than that of the audit, or a face is not in the data.
    """
    if not isinstance(record, AuditResult) or record.task == "data":
        raise InputError("--faces: shows the largest errors of a model; give the audit of one")
    if table is None or data is None:
        missing = "--predictions FILE" if table is None else "--data NAME:ROOT"
        raise InputError(f"--faces {n}: a record holds no faces; add {missing}")
    manifest = read_data(data, split)
    if not manifest.drawn and not consent:
        raise InputError(
            f"--faces {n}: would show faces of {manifest.label}; add --faces-consent if these "
            "people agreed to be shown"
        )
    predictions = read_predictions(table, task=record.task)
    if predictions.sample_id is None:
        raise InputError(f"{table.name}: no sample_id, by which faces are found; predict again")
    rows = worst_rows(predictions, n)
    places = _places(predictions, rows, manifest, table)
    blurred = not (plain or manifest.drawn)
    pixels = manifest.faces(places, (SIDE, SIDE), 1.0)
    names = list(record.spec.attributes)

    def add(page: Page) -> Page:
        found = [
            Thumbnail(_png(face, blurred=blurred), _caption(predictions, row, names))
            for row, face in zip(rows.tolist(), pixels, strict=True)
            if not isinstance(face, str)
        ]
        return with_faces(page, found, blurred=blurred, drawn=manifest.drawn)

    return add


def _places(
    predictions: Predictions, rows: np.ndarray, manifest: Manifest, table: Path
) -> list[int]:
    """Where the faces of some rows are in the data."""
    assert predictions.sample_id is not None
    wanted = predictions.sample_id.iloc[rows]
    found = pd.Index(manifest.frame["sample_id"]).get_indexer(pd.Index(wanted))
    if (found < 0).any():
        name = wanted.iloc[int(np.argmax(found < 0))]
        raise InputError(
            f"{table.name}: face {name!r} is not in {manifest.label}; give the data of this table"
        )
    return [int(place) for place in found]


def _caption(predictions: Predictions, row: int, names: list[str]) -> str:
    """Truth, estimate and groups of a face; never its name."""
    frame = predictions.other
    groups = [group_value(frame[name].iloc[row]) for name in names if name in frame]
    if predictions.task == "age":
        assert predictions.truth is not None
        assert predictions.estimate is not None
        low, high = predictions.truth.low[row], predictions.truth.high[row]
        true = years(low, high)
        said = years(predictions.estimate.low[row], predictions.estimate.high[row])
    else:
        assert predictions.y_true is not None
        assert predictions.y_pred is not None
        true = plain(predictions.classes[predictions.y_true[row]])
        said = plain(predictions.classes[predictions.y_pred[row]])
    return " · ".join([shown_truth(true, said), *groups])


def years(low: float, high: float) -> str:
    """An age or a band of ages, whose upper end may be open."""
    if low == high:
        return number(low, "years")
    return f"{low:g}–{high:g}" if np.isfinite(high) else say("{age} and older", age=f"{low:g}")


def _png(pixels: np.ndarray, *, blurred: bool) -> bytes:
    image = Image.fromarray(pixels)
    if blurred:
        image = image.filter(ImageFilter.GaussianBlur(BLUR))
    stream = BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()
