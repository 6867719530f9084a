"""What training did with each face: importance, relabelling and known label noise of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.classes import Probabilities
from audit.columns import as_number, numbers_of
from audit.errors import InputError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
SHARES = ("importance", "low_group")
MARKS = ("relabelled", "flipped", "corrected")
COLUMNS = (*SHARES, *MARKS)
RAW = "raw_logit_"


@dataclass(frozen=True, eq=False)
class Cure:
    """Training's treatment of every face, shape (n,), NaN where unknown; absent columns ``None``.

    ``importance`` is the weight of the face in [0, 1]; ``low_group`` the share of its visits in
    which it was in the low-importance group; ``relabelled`` 0 or 1; ``flipped`` 1 where injected
    noise had changed the label; ``corrected`` 1 where relabelling gave the true label back.
    """

    importance: FloatArray | None = None
    low_group: FloatArray | None = None
    relabelled: FloatArray | None = None
    flipped: FloatArray | None = None
    corrected: FloatArray | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The columns that the table has, in the order of the contract."""
        return tuple(name for name in COLUMNS if getattr(self, name) is not None)


def read_cure(frame: pd.DataFrame, place: str) -> Cure | None:
    """The cure columns of an expression table, checked, or ``None`` without any.

    Raises
    ------
    InputError
        A share outside [0, 1], a mark that is not 0 or 1, ``corrected`` without ``relabelled`` and
        ``flipped``, or a face that is corrected but not both of them.
    """
    names = [name for name in COLUMNS if name in frame.columns]
    if not names:
        return None
    found = {name: _column(frame, name, place) for name in names}
    if "corrected" in found:
        lacking = [name for name in ("relabelled", "flipped") if name not in found]
        if lacking:
            raise InputError(
                f"{place}: column 'corrected' needs {' and '.join(map(repr, lacking))}, which the "
                "table lacks; a corrected face is one that was flipped and relabelled"
            )
        _check_corrected(found, place)
    return Cure(**found)


def _column(frame: pd.DataFrame, name: str, place: str) -> FloatArray:
    if name in SHARES:
        rule = "must be between 0 and 1; empty if unknown"
        return numbers_of(frame, name, place, lambda x: (x < 0) | (x > 1), rule)
    rule = "must be 0 or 1; empty if unknown"
    return numbers_of(frame, name, place, lambda x: ~np.isnan(x) & (x != 0) & (x != 1), rule)


def _check_corrected(found: dict[str, FloatArray], place: str) -> None:
    both = (found["relabelled"] == 1) & (found["flipped"] == 1)
    wrong = (found["corrected"] == 1) & ~both
    if wrong.any():
        row = int(wrong.argmax())
        which = "relabelled" if found["relabelled"][row] != 1 else "flipped"
        raise InputError(
            f"{place} row {row + 1}: corrected is 1 but {which} is {_shown(found[which][row])}; a "
            "corrected face must be flipped and relabelled, set corrected to 0 or mend the others"
        )
    missing = both & np.isnan(found["corrected"])
    if missing.any():
        row = int(missing.argmax())
        raise InputError(
            f"{place} row {row + 1}: corrected is empty, must be 0 or 1 where relabelled and "
            "flipped are 1; say whether the new label is the true one"
        )


def _shown(value: float) -> str:
    return "empty" if np.isnan(value) else f"{value:g}"


def read_raw(
    frame: pd.DataFrame, scores: Probabilities | None, processed: BoolArray, place: str
) -> tuple[Probabilities | None, list[str]]:
    """Scores of the ``raw_logit_<class>`` columns in the order of ``scores``, and the columns.

    Raises
    ------
    InputError
        The classes are not those of the ordinary scores, or a processed face lacks a raw logit.
    """
    columns = [name for name in map(str, frame.columns) if name.startswith(RAW)]
    if not columns:
        return None, []
    found = [name.removeprefix(RAW) for name in columns]
    have = () if scores is None else scores.classes
    if scores is None or sorted(found) != sorted(have):
        raise InputError(
            f"{place} row 1: {RAW}* are of the classes {', '.join(found)}, must be those of the "
            f"class scores ({', '.join(have) or 'none given'}); give logit_ and {RAW} columns of "
            "the same classes"
        )
    columns = [RAW + name for name in scores.classes]
    logits = np.column_stack([as_number(frame[name], place) for name in columns])
    lacking = np.isnan(logits) & processed[:, None]
    if lacking.any():
        row, column = (int(part[0]) for part in np.nonzero(lacking))
        raise InputError(
            f"{place} row {row + 1}: {columns[column]} is empty, must be a finite number where the "
            "face was processed; give all raw logits or empty the prediction"
        )
    return Probabilities.of_logits(scores.classes, logits), columns
