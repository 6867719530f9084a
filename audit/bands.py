"""Age bands: how people write them, and the half-open interval [low, high) that they mean."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

Band = tuple[float, float]
"""[low, high) in years; ``high`` is infinite for an open top band."""

_MONTHS = {
    name: number
    for number, name in enumerate(
        re.findall("...", "janfebmaraprmayjunjulaugsepoctnovdec"), start=1
    )
}
_CLOSED = re.compile(r"^[(\[]?\s*(\d{1,3})\s*(?:-|\u2013|to|,)\s*(\d{1,3})\s*\]?\)?$")
_HALF_OPEN = re.compile(r"^\[\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?|inf)\s*\)$")
_OPEN_TOP = re.compile(r"^(?:more than|over|above)\s*(\d{1,3})$|^(\d{1,3})\s*\+$")
_OPEN_BOTTOM = re.compile(r"^(?:less than|under|below)\s*(\d{1,3})$")
_DATE = re.compile(r"^(?:(\d{1,2})-([a-z]{3})|([a-z]{3})-(\d{1,2}))$")


def parse_band(text: str) -> Band | None:
    """The interval that a band's text means, or ``None`` when it is no band.

    Whole years are inclusive: ``20-29`` is [20, 30), ``00-02`` is [0, 3), ``70+`` and
    ``more than 70`` are [70, inf), ``under 18`` is [0, 18), ``[20, 30)`` is itself. A spreadsheet's
    ``03-Sep`` and ``Oct-19`` are read as the bands 3-9 and 10-19 that they once were.

    Examples
    --------
    >>> parse_band("20-29"), parse_band("00-02"), parse_band("more than 70")
    ((20.0, 30.0), (0.0, 3.0), (70.0, inf))
    >>> parse_band("03-Sep"), parse_band("adult")
    ((3.0, 10.0), None)
    """
    text = text.strip().lower()
    if match := _HALF_OPEN.match(text):
        low, high = float(match[1]), float(match[2])
        return (low, high) if high > low else None
    if match := _CLOSED.match(text):
        return _inclusive(int(match[1]), int(match[2]))
    if match := _OPEN_TOP.match(text):
        return float(match[1] or match[2]), math.inf
    if match := _OPEN_BOTTOM.match(text):
        return 0.0, float(match[1])
    if match := _DATE.match(text):
        month, day = _MONTHS.get(match[2] or match[3]), int(match[1] or match[4])
        return _inclusive(min(month, day), max(month, day)) if month else None
    return None


def _inclusive(low: int, high: int) -> Band | None:
    return (float(low), float(high + 1)) if high >= low else None


def band_label(band: Band) -> str:
    """How a band is shown: ``20-29``, ``70+``, and ``[0.5, 3)`` where edges are not whole years.

    Examples
    --------
    >>> band_label((20.0, 30.0)), band_label((70.0, math.inf)), band_label((5.0, 6.0))
    ('20-29', '70+', '5')
    """
    low, high = band
    if math.isinf(high):
        return f"{low:g}+"
    if low != int(low) or high != int(high):
        return f"[{low:g}, {high:g})"
    return f"{low:g}" if high == low + 1 else f"{low:g}-{high - 1:g}"


def bands_from_edges(edges: Sequence[float]) -> tuple[Band, ...]:
    """Bands between consecutive edges from 0 on, the last one open.

    Examples
    --------
    >>> bands_from_edges([18, 60])
    ((0.0, 18.0), (18.0, 60.0), (60.0, inf))
    """
    full = [*([] if edges[0] == 0 else [0.0]), *map(float, edges)]
    return tuple(zip(full, [*full[1:], math.inf], strict=True))


def distinct_bands(lows: Iterable[float], highs: Iterable[float]) -> tuple[Band, ...]:
    """The sorted distinct bands that occur."""
    return tuple(sorted(set(zip(map(float, lows), map(float, highs), strict=True))))


def overlap(bands: Sequence[Band]) -> bool:
    """Whether two of the sorted bands overlap, so that neighbours are not defined."""
    return any(first[1] > second[0] for first, second in pairwise(bands))


DECADES: tuple[float, ...] = tuple(float(year) for year in range(0, 100, 10))
