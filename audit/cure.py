"""What training did with each face: importance, relabelling and known label noise of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.classes import Probabilities, class_codes
from audit.columns import as_number, numbers_of
from audit.errors import InputError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
SHARES = ("importance", "low_group")
MARKS = ("relabelled", "flipped", "corrected")
COLUMNS = (*SHARES, *MARKS)
BEFORE, AFTER = "expression_given", "expression_final"
"""Labels at the start and at the end of training; read only together and with ``relabelled``."""
FLOW = "relabel_flow"
"""Says among the columns of a table that both are there."""
RAW = "raw_logit_"


@dataclass(frozen=True, eq=False)
class Cure:
    """Training's treatment of every face, shape (n,), NaN where unknown; absent columns ``None``.

    ``importance`` is the weight of the face in [0, 1]; ``low_group`` the share of its visits in
    which it was in the low-importance group; ``relabelled`` 0 or 1; ``flipped`` 1 where injected
    noise had changed the label; ``corrected`` 1 where relabelling gave the true label back.
    ``before`` and ``after`` are the codes of the label at the start and at the end, -1 where
    unknown.
    """

    importance: FloatArray | None = None
    low_group: FloatArray | None = None
    relabelled: FloatArray | None = None
    flipped: FloatArray | None = None
    corrected: FloatArray | None = None
    before: IntArray | None = None
    after: IntArray | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """What the table has, in the order of the contract."""
        found = tuple(name for name in COLUMNS if getattr(self, name) is not None)
        return found if self.before is None else (*found, FLOW)

    def columns(self, classes: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
        """The columns of the contract, by name."""
        found = {name: getattr(self, name) for name in COLUMNS if getattr(self, name) is not None}
        names = np.array([*classes, None], dtype=object)
        if self.before is not None and self.after is not None:
            found |= {BEFORE: names[self.before], AFTER: names[self.after]}
        return found

    def recoded(self, lookup: IntArray) -> Cure:
        """The same with other codes of the classes; ``lookup[-1]`` is -1."""
        if self.before is None or self.after is None:
            return self
        return replace(self, before=lookup[self.before], after=lookup[self.after])


def read_cure(frame: pd.DataFrame, classes: tuple[str, ...], place: str) -> Cure | None:
    """The cure columns of an expression table, checked, or ``None`` without any.

    Raises
    ------
    InputError
        A share outside [0, 1], a mark that is not 0 or 1, ``corrected`` without ``relabelled`` and
        ``flipped``, a face that is corrected but not both of them, or labels before and after that
        contradict ``relabelled``.
    """
    names = [name for name in COLUMNS if name in frame.columns]
    if not names:
        return None
    found: dict[str, Any] = {name: _column(frame, name, place) for name in names}
    if "corrected" in found:
        lacking = [name for name in ("relabelled", "flipped") if name not in found]
        if lacking:
            raise InputError(
                f"{place}: column 'corrected' needs {' and '.join(map(repr, lacking))}, which the "
                "table lacks; a corrected face is one that was flipped and relabelled"
            )
        _check_corrected(found, place)
    cure = Cure(**found)
    if "relabelled" not in found or not {BEFORE, AFTER} <= set(frame.columns):
        return cure
    before, after = (class_codes(frame[name], classes, place) for name in (BEFORE, AFTER))
    _check_flow(found["relabelled"], before, after, place)
    return replace(cure, before=before, after=after)


def _check_flow(relabelled: FloatArray, before: IntArray, after: IntArray, place: str) -> None:
    known = ~np.isnan(relabelled) & (before >= 0) & (after >= 0)
    wrong = known & ((before != after) != (relabelled == 1))
    if wrong.any():
        row = int(wrong.argmax())
        what = "the same" if before[row] == after[row] else "different"
        raise InputError(
            f"{place} row {row + 1}: relabelled is {relabelled[row]:g} but {BEFORE} and {AFTER} "
            f"are {what}; mend one of them"
        )


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
