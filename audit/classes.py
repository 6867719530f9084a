"""Expression classes and their probabilities: names or indices, prob_* columns or logits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import log_softmax

from audit.columns import as_number, as_text
from audit.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
PROB, LOGIT = "prob_", "logit_"
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Class scores of every row, shape (n, K): probabilities and, from logits, their logarithms."""

    classes: tuple[str, ...]
    proba: FloatArray
    logits: FloatArray | None = None

    @classmethod
    def of_logits(cls, classes: tuple[str, ...], logits: FloatArray) -> Probabilities:
        """The softmax of logits (n, K)."""
        return cls(classes, np.exp(log_softmax(logits, axis=1)), logits)

    def log_proba(self) -> FloatArray | None:
        """Log-softmax of the logits, or ``None`` for a table of probabilities."""
        return None if self.logits is None else log_softmax(self.logits, axis=1)


def read_probabilities(
    frame: pd.DataFrame, logits: str | None, classes: Sequence[str] | None, place: str
) -> tuple[Probabilities | None, list[str]]:
    """Class probabilities of a table, and the columns that held them.

    ``logits`` names a column of JSON lists, several columns (comma separated), or the prefix of
    one column per class. Without it, ``prob_<class>`` or ``logit_<class>`` columns are taken.
    """
    if logits is not None and logits in frame.columns:
        scores = _json_scores(frame[logits], place)
        names = _names(classes, [str(index) for index in range(scores.shape[1])], place)
        return Probabilities.of_logits(names, scores), [logits]
    if logits is not None:
        columns = logits.split(",") if "," in logits else _prefixed(frame, logits)
        missing = [name for name in columns if name not in frame.columns]
        if missing or not columns:
            raise InputError(
                f"{place}: --logits {logits}: no column or prefix {(missing or [logits])[0]!r}; "
                f"the table has {', '.join(map(str, frame.columns))}"
            )
        scores = np.column_stack([as_number(frame[name], place) for name in columns])
        stripped = [name.removeprefix(logits).lstrip("_") or name for name in columns]
        return Probabilities.of_logits(_names(classes, stripped, place), scores), columns
    if columns := _prefixed(frame, LOGIT):
        return _columns(frame, columns, LOGIT, classes, place), [
            *columns,
            *_prefixed(frame, PROB),
        ]
    columns = [name for name in _prefixed(frame, PROB) if not name.startswith("prob_age_")]
    return (_columns(frame, columns, PROB, classes, place), columns) if columns else (None, [])


def _prefixed(frame: pd.DataFrame, prefix: str) -> list[str]:
    return [name for name in frame.columns if str(name).startswith(prefix) and name != prefix]


def _columns(
    frame: pd.DataFrame, columns: list[str], prefix: str, classes: Sequence[str] | None, place: str
) -> Probabilities:
    found = [name.removeprefix(prefix) for name in columns]
    if classes is not None and sorted(classes) == sorted(found):
        columns, found = [prefix + name for name in classes], list(classes)
    names = _names(classes, found, place)
    scores = np.column_stack([as_number(frame[name], place) for name in columns])
    if prefix == LOGIT:
        return Probabilities.of_logits(names, scores)
    _check_sums(scores, place)
    return Probabilities(names, scores)


def _names(classes: Sequence[str] | None, found: list[str], place: str) -> tuple[str, ...]:
    if classes is None:
        return tuple(found)
    if len(classes) != len(found):
        raise InputError(
            f"{place}: {len(found)} class scores per row but {len(classes)} names in --classes; "
            "give one name per class, in order"
        )
    return tuple(classes)


def _json_scores(column: pd.Series, place: str) -> FloatArray:
    rows = [_json_row(cell, index, str(column.name), place) for index, cell in enumerate(column)]
    size = max((len(row) for row in rows if row is not None), default=0)
    scores = np.full((len(rows), size), np.nan)
    for index, row in enumerate(rows):
        if row is None:
            continue
        if len(row) != size:
            raise InputError(
                f"{place} row {index + 1}: {column.name} holds {len(row)} numbers, "
                f"other rows {size}; every row needs one per class"
            )
        scores[index] = row
    return np.where(np.isfinite(scores), scores, np.nan)


def _json_row(cell: object, index: int, name: str, place: str) -> list[float] | None:
    try:
        if isinstance(cell, str) and cell.strip():
            parsed = json.loads(cell)
            if not isinstance(parsed, list):
                raise TypeError
            return [float(value) for value in parsed]
        if isinstance(cell, list | tuple | np.ndarray):
            return [float(value) for value in cell]
        return None
    except (ValueError, TypeError):
        raise InputError(
            f"{place} row {index + 1}: {name} is {str(cell)[:40]!r}, must be a JSON list of numbers"
        ) from None


def _check_sums(proba: FloatArray, place: str) -> None:
    outside = (proba < 0) | (proba > 1 + SUM_TOLERANCE)
    total = proba.sum(axis=1)
    wrong = outside.any(axis=1) | (np.abs(total - 1) > SUM_TOLERANCE)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"{place} row {row + 1}: prob_* sum to {total[row]:.4g} "
            f"(smallest {proba[row].min():.4g}), must be 1 +- {SUM_TOLERANCE}; "
            "were logits saved? use --logits"
        )


def as_classes(column: pd.Series, place: str) -> pd.Series:
    """The classes that a column names, without blanks around them; missing where there is none."""
    texts = as_text(column, place).str.strip()
    return texts.mask(texts == "")


def are_places(column: pd.Series, classes: Sequence[str], place: str) -> bool:
    """Whether a column has numbers where the classes have names: places in their order."""
    if all(name.isdecimal() for name in classes):
        return False
    values = {str(value) for value in as_classes(column, place).dropna().unique()}
    return bool(values) and not values & {*classes} and all(map(str.isdecimal, values))


def class_codes(column: pd.Series, classes: tuple[str, ...], place: str) -> IntArray:
    """Index of each row's class, -1 where the cell is empty; names or indices are accepted."""
    texts = as_classes(column, place)
    codes, values = pd.factorize(texts)
    known = {name: index for index, name in enumerate(classes)}
    by_name = all(value in known for value in values)
    named = not all(name.isdecimal() for name in classes)
    by_index = named and all(str(v).isdecimal() and int(v) < len(classes) for v in values)
    if not by_name and not by_index:
        unknown = [value for value in values if value not in known]
        indices = named and all(str(value).isdecimal() for value in values)
        odd = next(v for v in unknown if not indices or int(v) >= len(classes))
        row = int((texts == odd).to_numpy(dtype=bool, na_value=False).argmax())
        raise InputError(
            f"{place} row {row + 1}: {column.name} is {odd!r}, which is no known class; "
            f"must be one of {', '.join(classes)}"
            + (f", or an index below {len(classes)}" if named else "")
            + " (set the names with --classes)"
        )
    lookup = [known[value] if by_name else int(value) for value in values]
    return np.array([*lookup, -1], dtype=np.int64)[codes]


def observed_classes(*columns: pd.Series) -> tuple[str, ...]:
    """The distinct classes that occur, indices in numeric order."""
    values = {str(value) for column in columns for value in column.dropna().unique()}
    numeric = all(value.isdecimal() for value in values)
    return tuple(sorted(values, key=int) if numeric else sorted(values))
