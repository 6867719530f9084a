"""Intervals of age that a table states: ``interval_90_low`` and ``interval_90_high``.

They are the closed intervals of somebody's method at a nominal level in percent, such as those of
conformal prediction. An audit asks how often they hold the true age, and how wide they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.columns import MAX_ESTIMATE, as_number
from audit.errors import InputError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
_NAME = re.compile(r"interval_(\d{1,2}(?:\.\d+)?)_(low|high)")


@dataclass(frozen=True, eq=False)
class StatedIntervals:
    """Closed intervals [low, high] in years, (n, L), at nominal levels in percent, rising (L,)."""

    levels: tuple[float, ...]
    low: FloatArray
    high: FloatArray

    def take(self, rows: npt.NDArray[np.int64]) -> StatedIntervals:
        """Some of the faces."""
        return StatedIntervals(self.levels, self.low[rows], self.high[rows])

    def columns(self) -> dict[str, FloatArray]:
        """As columns of a table."""
        return {
            f"interval_{level:g}_{end}": values[:, k]
            for k, level in enumerate(self.levels)
            for end, values in (("low", self.low), ("high", self.high))
        }


def read_intervals(
    frame: pd.DataFrame, processed: BoolArray, place: str
) -> tuple[StatedIntervals | None, list[str]]:
    """The stated intervals of an age table, checked, and the columns that held them.

    Raises
    ------
    InputError
        A level has one end only or is not between 0 and 100, or an interval of a processed face is
        missing, not finite, or upside down.
    """
    found: dict[float, dict[str, str]] = {}
    for name in map(str, frame.columns):
        match = _NAME.fullmatch(name)
        if match:
            found.setdefault(float(match[1]), {})[match[2]] = name
    if not found:
        return None, []
    for level, ends in found.items():
        if len(ends) < 2 or level == 0:
            name = next(iter(ends.values()))
            raise InputError(
                f"{place}: column {name!r} needs its other end and a level between 0 and 100; give "
                "interval_90_low and interval_90_high"
            )
    levels = tuple(sorted(found))
    low, high = (
        np.column_stack([as_number(frame[found[level][end]], place) for level in levels])
        for end in ("low", "high")
    )
    wrong = processed[:, None] & ~((low <= high) & (np.abs(low) + np.abs(high) <= MAX_ESTIMATE))
    if wrong.any():
        row, k = (int(index[0]) for index in np.nonzero(wrong))
        raise InputError(
            f"{place} row {row + 1}: interval_{levels[k]:g} is [{low[row, k]:g}, {high[row, k]:g}],"
            " must be two finite ages, the lower first, where the face was processed"
        )
    return StatedIntervals(levels, low, high), [c for ends in found.values() for c in ends.values()]
