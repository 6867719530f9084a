"""How many faces a data set has of each group, beside the published numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.bands import band_label, bands_from_edges, parse_band
from hae.data.checks.record import Count
from hae.data.core import Manifest
from hae.data.splits.leaks import PHOTO, SPLIT, SUBJECT, texts

ATTRIBUTES = ("gender", "sex", "race", "ethnicity", "skin_tone", "expression", "age")
MOST_VALUES = 40
"""A column of more values than this is no attribute to count by."""
DECADES = bands_from_edges(range(0, 140, 10))
FloatArray = npt.NDArray[np.float64]


def ages_of(frame: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """[low, high) of each face in years, equal where the age is exact, NaN where it is none."""
    if "age" not in frame.columns:
        low = pd.to_numeric(texts(frame, "age_low"), errors="coerce").to_numpy(np.float64)
        high = pd.to_numeric(texts(frame, "age_high"), errors="coerce").to_numpy(np.float64)
        return low, np.where(np.isnan(high) & ~np.isnan(low), np.inf, high)
    text = texts(frame, "age")
    years = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
    bands = {value: parse_band(value) or (np.nan, np.nan) for value in text.unique()}
    table = np.array([bands[value] for value in text], dtype=np.float64).reshape(-1, 2)
    exact = ~np.isnan(years)
    return np.where(exact, years, table[:, 0]), np.where(exact, years, table[:, 1])


def usable_rows(manifest: Manifest) -> npt.NDArray[np.bool_]:
    """Whose label can be used, (n,)."""
    return np.array([not manifest.failure(row) for row in range(len(manifest))], dtype=np.bool_)


def people_of(frame: pd.DataFrame) -> int:
    """How many people are known; copies of a photo of somebody unknown are nobody."""
    names = texts(frame, SUBJECT)
    return int(names[(names != "") & ~names.str.startswith(PHOTO)].nunique())


def counts_of(manifest: Manifest, published: Mapping[str, Mapping[str, int]]) -> list[Count]:
    """Usable faces by group, of the whole and of each split, beside the published numbers."""
    frame = manifest.frame[usable_rows(manifest)]
    columns = {
        name: _groups(frame, name)
        for name in dict.fromkeys([*manifest.sources, *ATTRIBUTES])
        if name in frame.columns or (name == "age" and "age_low" in frame.columns)
    }
    whole = manifest.split or ""
    found = _counts(frame, whole, columns, published.get(whole, {}))
    split = texts(frame, SPLIT)
    for part in sorted(set(split) - {"", whole}):
        of_part = frame[split == part]
        found += _counts(of_part, part, {}, published.get(part, {}))
    return found


def _groups(frame: pd.DataFrame, name: str) -> pd.Series:
    """The group of each face by a column, "" where it has none; exact ages by decades."""
    if name != "age":
        return texts(frame, name)
    low, high = ages_of(frame)
    decades = np.array([band_label(band) for band in DECADES], dtype=object)
    at = np.searchsorted([band[0] for band in DECADES], low, side="right") - 1
    text = texts(frame, "age").to_numpy(dtype=object)
    if "age" not in frame.columns:
        ends = zip(low, high, strict=True)
        text = np.array([band_label(band) if band[1] > band[0] else "" for band in ends])
    inside = (low == high) & (low >= 0)
    return pd.Series(np.where(inside, decades[at.clip(0)], text), index=frame.index, dtype="str")


def _counts(
    frame: pd.DataFrame,
    part: str,
    columns: Mapping[str, pd.Series],
    published: Mapping[str, int],
) -> list[Count]:
    found = {"usable": len(frame)}
    people = people_of(frame)
    if people or "people" in published:
        found["people"] = people
    for name, values in columns.items():
        if values.nunique() <= MOST_VALUES:
            sizes = values[values != ""].value_counts()
            order = sorted(sizes.index, key=_band_order) if name == "age" else sizes.index
            found |= {f"{name}={value}": int(sizes[value]) for value in order}
    for group in published:
        if group not in found:
            name, _, value = group.partition("=")
            found[group] = int((texts(frame, name) == value).sum())
    return [
        Count(part=part, group=group, found=n, published=published.get(group))
        for group, n in found.items()
    ]


def _band_order(text: str) -> tuple[float, str]:
    band = parse_band(text)
    return (band[0] if band else np.inf), text
