"""A reference mix of ages, such as that of a population, to which groups are standardised."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from audit.bands import Band, band_label, parse_band
from audit.errors import InputError
from audit.tables import read_table

FloatArray = npt.NDArray[np.float64]
SHARES = ("share", "weight", "count", "population")


def read_reference(path: Path) -> dict[str, float]:
    """Read a CSV or Parquet table of ages and their shares.

    Parameters
    ----------
    path : Path
        A column ``age`` (years or bands such as 20-29) and one of ``share``, ``weight``, ``count``
        or ``population``; they need not sum to 1.

    Raises
    ------
    InputError
        A column is missing, an age is none, occurs twice, or a share is negative or not finite.
    """
    frame = read_table(path)
    name = next((name for name in SHARES if name in frame.columns), None)
    if "age" not in frame.columns or name is None:
        raise InputError(
            f"{path.name}: a reference needs a column 'age' and one of {', '.join(SHARES)}; "
            f"the table has {', '.join(map(str, frame.columns))}"
        )
    found: dict[str, float] = {}
    for row, (age, share) in enumerate(zip(frame["age"], frame[name], strict=True), start=1):
        text = str(age).strip()
        if text in found:
            raise InputError(f"{path.name} row {row}: age {text!r} occurs twice; give it once")
        try:
            found[text] = float(share)
        except (TypeError, ValueError):
            raise InputError(
                f"{path.name} row {row}: {name} is {share!r}, must be a number of at least 0"
            ) from None
    checked_reference(found, path.name)
    return found


def checked_reference(reference: Mapping[str, float], place: str) -> dict[Band, float]:
    """The bands of a reference and their shares, which sum to 1.

    Raises
    ------
    InputError
        An age is no age, a share is negative or not finite, or all of them are 0.
    """
    found: dict[Band, float] = {}
    for text, share in reference.items():
        band = _band(text)
        if band is None:
            raise InputError(
                f"{place}: {text!r} is no age; give whole years or bands such as 20-29 or 70+"
            )
        if not (math.isfinite(share) and share >= 0):
            raise InputError(
                f"{place}: the share of {text} is {share}, must be a number of at least 0"
            )
        found[band] = found.get(band, 0.0) + share
    total = sum(found.values())
    if total <= 0:
        raise InputError(f"{place}: every share is 0; give at least one age a share above 0")
    return {band: share / total for band, share in found.items()}


def _band(text: str) -> Band | None:
    band = parse_band(text)
    if band is None and text.replace(".0", "").isdecimal():
        year = float(text)
        return year, year + 1
    return band


def weights_of(
    reference: Mapping[str, float], strata: Sequence[Band], place: str = "--reference"
) -> tuple[FloatArray, float]:
    """The reference's share of each stratum (A,), and what lies in none of them.

    Raises
    ------
    InputError
        A band of the reference lies across the edge of a stratum.
    """
    found, outside = np.zeros(len(strata)), 0.0
    for (low, high), share in checked_reference(reference, place).items():
        meets = [k for k, band in enumerate(strata) if low < band[1] and band[0] < high]
        if not meets:
            outside += share
            continue
        first = strata[meets[0]]
        if len(meets) > 1 or low < first[0] or high > first[1]:
            raise InputError(
                f"{place}: the age {band_label((low, high))} lies across the age band "
                f"{band_label(first)} of the audit; give finer ages, or set --age-bands"
            )
        found[meets[0]] += share
    return found, outside


def check_reference(reference: Mapping[str, float], strata: Iterable[str] | None) -> None:
    """Refuse a reference that does not fit the age bands of a table, before the long work.

    Raises
    ------
    InputError
        As :func:`weights_of`, or the table has no ages to standardise.
    """
    if strata is None:
        raise InputError("--reference: the faces of this table are not cut by age; leave it out")
    weights_of(reference, [parse_band(text) or (0.0, 0.0) for text in strata])
