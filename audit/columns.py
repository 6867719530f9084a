"""Columns of a foreign table as the contract's types: text ids, numbers, ages or bands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.bands import Band, parse_band
from audit.errors import InputError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
_NO_NUMBER = {"nan", "none", "null", "na", "n/a", "inf", "-inf", "infinity", "-infinity"}
MAX_AGE = 130.0
MAX_ESTIMATE = 1e6


@dataclass(frozen=True, eq=False)
class AgeColumn:
    """Ages as points (``low`` is ``high``) or as intervals [low, high); NaN where not known."""

    low: FloatArray
    high: FloatArray
    is_band: bool
    mixed: bool = False

    @property
    def known(self) -> BoolArray:
        """Where an age is given, shape (n,)."""
        return ~np.isnan(self.low)


def as_text(column: pd.Series, place: str, *, is_id: bool = False) -> pd.Series:
    """A column as text exactly as written; only an empty cell is missing.

    Integers become their decimal form. A floating id is refused: 7.0 and 007 may be one person.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    may_float = is_id and not isinstance(column.dtype, pd.StringDtype)
    floating = [value for value in column.dropna() if isinstance(value, float)] if may_float else []
    if floating:
        raise InputError(
            f"{place}: column {column.name!r} holds floating-point numbers such as {floating[0]}; "
            "ids must be text or integers"
        )
    present = column.notna()
    text = column.astype("str").where(present)
    return text.mask(text == "")


def as_number(column: pd.Series, place: str) -> FloatArray:
    """A column as float64; missing and non-finite become NaN, other text is an error."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(column, np.isnan(numbers) & _odd_text(column), place, "must be a number")
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _odd_text(column: pd.Series) -> BoolArray:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return np.zeros(len(column), dtype=np.bool_)
    lowered = column.astype("str").str.strip().str.lower()
    return np.asarray(column.notna() & ~lowered.isin(_NO_NUMBER | {""}), dtype=np.bool_)


def _refuse(column: pd.Series, wrong: BoolArray, place: str, rule: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        value = column.iloc[row]
        shown = value.item() if isinstance(value, np.generic) else value
        raise InputError(f"{place} row {row + 1}: {column.name} is {shown!r}, {rule}")


def as_ages(column: pd.Series, place: str) -> AgeColumn:
    """Ages in years, or bands, or both: then a single whole year n means [n, n + 1)."""
    odd = _odd_text(column)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    if not (odd & np.isnan(numbers)).any():
        return AgeColumn(numbers, numbers, is_band=False)
    bands = _bands_of(column)
    missing = odd & np.isnan(numbers) & np.isnan(bands[:, 0])
    _refuse(column, missing, place, "must be an age in years or a band such as 20-29 or 70+")
    single = ~np.isnan(numbers)
    _refuse(
        column,
        single & (numbers != np.floor(numbers)),
        place,
        "must be a whole year where other rows hold bands",
    )
    low = np.where(single, numbers, bands[:, 0])
    high = np.where(single, numbers + 1, bands[:, 1])
    return AgeColumn(low, high, is_band=True, mixed=bool(single.any()))


def as_bands(ages: AgeColumn, place: str) -> AgeColumn:
    """Single whole years n as [n, n + 1), for a table that holds bands elsewhere."""
    if ages.is_band:
        return ages
    odd = ages.known & (ages.low != np.floor(ages.low))
    if odd.any():
        row = int(odd.argmax())
        raise InputError(
            f"{place} row {row + 1}: age {ages.low[row]:g} must be a whole year where other "
            "shards hold bands"
        )
    return AgeColumn(ages.low, ages.low + 1, is_band=True, mixed=bool(ages.known.any()))


def _bands_of(column: pd.Series) -> FloatArray:
    codes, texts = pd.factorize(column.astype("str").where(column.notna()))
    parsed: list[Band] = [parse_band(text) or (np.nan, np.nan) for text in texts]
    table = np.array([*parsed, (np.nan, np.nan)], dtype=np.float64)
    return table[codes]


def checked_truth(ages: AgeColumn, column: pd.Series, place: str) -> AgeColumn:
    """True ages must lie in 0..130; raises with the first row that does not."""
    rule = f"must be between 0 and {MAX_AGE:.0f} years; empty if unknown"
    _refuse(column, (ages.low < 0) | (ages.low > MAX_AGE), place, rule)
    return ages


def checked_estimate(ages: AgeColumn, column: pd.Series, place: str) -> AgeColumn:
    """Any plausible estimate is kept, a negative one too; a million years is a broken file."""
    rule = f"must be an age in years, within +- {MAX_ESTIMATE:.0e}; empty if it failed"
    _refuse(column, np.abs(ages.low) > MAX_ESTIMATE, place, rule)
    return ages


def numbers_of(
    frame: pd.DataFrame, name: str, place: str, check: Callable[[FloatArray], BoolArray], rule: str
) -> FloatArray:
    """A numeric column whose values pass a check."""
    numbers = as_number(frame[name], place)
    _refuse(frame[name], check(numbers), place, rule)
    return numbers
