"""The log of a training that changed labels, laid beside a table of the faces it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from audit.columns import as_text
from audit.cure import AFTER, BEFORE
from audit.errors import InputError
from audit.tables import read_table

RUN = "run"
"""Column of a training table and of its log that says which run they are of."""
LOG = ("sample_id", "epoch", "from", "to", "importance", RUN)
"""Columns of the log, a row for every change of a label, in order of time."""


def read_relabels(path: Path) -> pd.DataFrame:
    """Read a log; one without a row says that no label was changed.

    Raises
    ------
    InputError
        It is no such log, or holds rows of several runs.
    """
    log = read_table(path, empty=True)
    missing = [name for name in LOG if name not in log.columns]
    if missing:
        raise InputError(f"{path}: has no column {missing[0]!r}; give the relabels.csv of a run")
    runs = _runs(log, path.name)
    if len(runs) > 1:
        raise InputError(f"{path}: is of the runs {runs[0]} and {runs[1]}; give the log of one")
    return log


def with_relabels(frame: pd.DataFrame, path: Path, place: str) -> pd.DataFrame:
    """A table with the labels before and after training, and whether they differ, from its log.

    ``expression_given`` is the first label that was changed, ``expression_final`` the last that it
    was changed to; a face that is not in the log keeps ``expression_given``, or, without that
    column, its ``expression``. What the table itself says of them must agree.

    Raises
    ------
    InputError
        The log is of another run, of faces that the table lacks, or contradicts the table.
    """
    log = read_relabels(path)
    for name in ("sample_id", "expression"):
        if name not in frame.columns:
            raise InputError(f"{place}: has no column {name!r}, which --relabels needs; name it")
    own, runs = _runs(frame, place), _runs(log, path.name)
    if own and runs and list(own) != list(runs):
        raise InputError(
            f"{path}: is the log of run {runs[0]}, {place} is of run {own[0]}; give the log that "
            "lies beside the table"
        )
    faces = as_text(log["sample_id"], path.name, is_id=True)
    names = as_text(frame["sample_id"], place, is_id=True)
    strange = faces[~faces.isin(names)]
    if len(strange):
        raise InputError(
            f"{path}: {strange.nunique():,} of its {faces.nunique():,} faces are not in {place}, "
            f"such as {strange.iloc[0]!r}; give the log of the run that the table is of, and all "
            "faces of its training"
        )
    first, last = log.groupby(faces)["from"].first(), log.groupby(faces)["to"].last()
    given = frame[BEFORE] if BEFORE in frame.columns else frame["expression"]
    before = names.map(first).astype(object).where(names.isin(first.index), given)
    after = names.map(last).astype(object).where(names.isin(last.index), given)
    for name, found in ((BEFORE, before), (AFTER, after)):
        _check_agrees(frame, name, found, path, place)
    changed = (before != after).astype("int64").where(before.notna() & after.notna())
    if "relabelled" in frame.columns:
        return frame.assign(**{BEFORE: before, AFTER: after})
    return frame.assign(**{BEFORE: before, AFTER: after, "relabelled": changed})


def _runs(table: pd.DataFrame, place: str) -> Sequence[str]:
    """The runs that a table is of; none where it does not say."""
    if RUN not in table.columns:
        return ()
    return tuple(as_text(table[RUN], place).dropna().unique())


def _check_agrees(frame: pd.DataFrame, name: str, found: pd.Series, path: Path, place: str) -> None:
    if name not in frame.columns:
        return
    own = as_text(frame[name], place)
    wrong = (own.notna() & found.notna() & (own != found)).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"{path}: says that the {name} of sample_id {frame['sample_id'].iloc[row]!r} is "
            f"{found.iloc[row]!r}, in {place} it is {own.iloc[row]!r}; give the log of this run"
        )
