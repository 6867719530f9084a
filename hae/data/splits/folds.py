"""Protocols of several folds, one table each, and their test predictions pooled into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from audit.errors import InputError
from hae.data.splits.divide import Divided, Units, need_people, with_columns
from hae.data.splits.leaks import PHOTO, SPLIT, SUBJECT, refuse_leaks, texts
from hae.data.splits.parting import parts_by_person

FOLD, FOLDER, PROTOCOL = "fold", "folder", "protocol"
FOLDERS = 10
BENCH5: tuple[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]], ...] = (
    ((0, 1, 2, 3, 4, 5), (6, 7), (8, 9)),
    ((2, 3, 4, 5, 6, 7), (8, 9), (0, 1)),
    ((4, 5, 6, 7, 8, 9), (0, 1), (2, 3)),
    ((5, 6, 7, 8, 9, 0), (1, 2), (3, 4)),
    ((6, 7, 8, 9, 0, 1), (2, 3), (4, 5)),
)
"""Folders of train, val and test in each fold: Paplham and Franc, CVPR 2024, arXiv 2307.04570.

The test sets are no partition: folders 3 and 4 are tested twice, 6 and 7 never.
"""
REPEATS = ("bench5",)
"""Protocols that test some faces in several folds."""
MOST_FOLDS = 1000


def bench5(units: Units, strata: Sequence[str], seed: int) -> list[Divided]:
    """Five folds over ten folders of people, drawn anew here: the publication's are lists of files.

    Each table has ``split`` (train, val, test), ``fold``, ``folder`` and ``protocol``.
    """
    folder = parts_by_person(units.person, strata, (1 / FOLDERS,) * FOLDERS, seed)
    empty = set(range(FOLDERS)) - set(folder[units.usable].tolist())
    if empty:
        raise InputError(
            f"--protocol bench5: {len(folder):,} faces leave {len(empty)} of {FOLDERS} folders "
            "empty; give more people"
        )
    made = f"bench5 by {units.word}, seed {seed}"
    tables = []
    for number, parts in enumerate(BENCH5):
        split = np.empty(FOLDERS, dtype=object)
        for name, folders in zip(("train", "val", "test"), parts, strict=True):
            split[list(folders)] = name
        columns = {SPLIT: split[folder], FOLD: number, FOLDER: folder, PROTOCOL: "bench5"}
        tables.append(_table(units, columns, made, len(BENCH5)))
    return tables


def lopo(units: Units) -> list[Divided]:
    """Leave one person out: a fold for each person, in text order, who is its test part.

    People whose faces lie in one image file are left out together.
    """
    need_people(units, "lopo")
    names = texts(units.manifest.frame, SUBJECT)[units.usable]
    first = names.groupby(units.person[units.usable]).min().sort_values(kind="stable")
    people = first.index.to_numpy()
    if not 2 <= len(people) <= MOST_FOLDS:
        raise InputError(
            f"--protocol lopo: a fold for each of {len(people):,} people, must be 2 to "
            f"{MOST_FOLDS:,}; take bench5 or ratio"
        )
    tables = []
    for number, person in enumerate(people):
        split = np.where(units.person == person, "test", "train").astype(object)
        columns = {SPLIT: split, FOLD: number, PROTOCOL: "lopo"}
        tables.append(_table(units, columns, "lopo", len(people)))
    return tables


def _table(units: Units, columns: dict[str, Any], made: str, folds: int) -> Divided:
    manifest = with_columns(units, columns)
    number = int(manifest.frame[FOLD].iloc[0])
    shared = units.leaks(manifest.frame)
    refuse_leaks(shared, f"--protocol {columns[PROTOCOL]}, fold {number}")
    return Divided(manifest, f"{made}, fold {number} of {folds}", shared, fold=number)


def pool_folds(
    tables: Sequence[pd.DataFrame], places: Sequence[str], *, repeats: bool = False
) -> pd.DataFrame:
    """The test predictions of all folds as one table with a column ``fold``.

    A table's fold is that of its column ``fold``, else its number in the given order. A face that
    several folds tested, as bench5 does, keeps all its rows: they are called ``ID@fold3`` and so
    on, and their ``subject_id`` is that of the face, or ``photo:`` and its ID where it has none, so
    that intervals by person count them as one person.

    A person whom two folds tested was in the training part of each, unless the protocol has it so.

    Parameters
    ----------
    tables : sequence of DataFrame
        One per fold, with ``sample_id``.
    places : sequence of str
        How they are called in errors.
    repeats : bool
        Whether faces and people may be tested in several folds though the tables do not name such
        a protocol.

    Raises
    ------
    InputError
        Columns differ, a row is not of the test part, a fold is there twice, or a face or a person
        is.
    """
    frames = [
        _fold(frame, number, place)
        for number, (frame, place) in enumerate(zip(tables, places, strict=True))
    ]
    _check_columns(frames, places)
    numbers = [frame[FOLD].iloc[0] for frame in frames]
    for number, place in zip(numbers, places, strict=True):
        if numbers.count(number) > 1:
            raise InputError(f"{place}: fold {number} is there twice; give each fold once")
    pooled = pd.concat(frames, ignore_index=True)
    names = pooled["sample_id"].astype("str")
    twice = names.duplicated(keep=False)
    repeats = repeats or bool(texts(pooled, PROTOCOL).isin(REPEATS).all())
    if not twice.any():
        if not repeats:
            _refuse_people(pooled, places)
        return pooled
    if not repeats or pooled.duplicated(["sample_id", FOLD]).any():
        raise InputError(
            f"{places[0]} and others: {names[twice].nunique():,} faces are tested more than once, "
            f"such as sample_id {names[twice].iloc[0]!r}; --repeats keeps them all"
        )
    person = texts(pooled, SUBJECT)
    own = person.where(~twice | (person != ""), PHOTO + names)
    pooled["sample_id"] = names.where(~twice, names + "@fold" + pooled[FOLD].astype("str"))
    return pooled.assign(**{SUBJECT: own.where(own != "", None)})


def _refuse_people(pooled: pd.DataFrame, places: Sequence[str]) -> None:
    person = texts(pooled, SUBJECT).str.normalize("NFC")
    folds = pooled[FOLD][person != ""].groupby(person[person != ""]).nunique()
    several = folds.index[folds > 1]
    if len(several):
        first = person[person.isin(several)].iloc[0]
        raise InputError(
            f"{places[0]} and others: {len(several):,} people are tested in more than one fold, "
            f"such as subject_id {first!r}, so each was in training too; divide by person, or "
            "--repeats pools them all the same"
        )


def _fold(frame: pd.DataFrame, number: int, place: str) -> pd.DataFrame:
    if "sample_id" not in frame.columns:
        raise InputError(f"{place}: no column 'sample_id'; folds are pooled by it")
    split = set(texts(frame, SPLIT)) if SPLIT in frame.columns else {"test"}
    if split != {"test"}:
        other = min(split - {"test"}) or "(empty)"
        raise InputError(f"{place}: holds faces of the split {other}; predict with --split test")
    if FOLD not in frame.columns:
        return frame.assign(**{FOLD: str(number)})
    folds = texts(frame, FOLD)
    if folds.nunique() != 1 or folds.iloc[0] == "":
        raise InputError(f"{place}: column 'fold' must hold one value; it is the fold's table")
    return frame.assign(**{FOLD: folds})


def _check_columns(frames: Sequence[pd.DataFrame], places: Sequence[str]) -> None:
    first = list(frames[0].columns)
    for frame, place in zip(frames, places, strict=True):
        odd = sorted(set(first) ^ set(frame.columns))
        if odd:
            has = "has" if odd[0] in frame.columns else "lacks"
            raise InputError(
                f"{place}: {has} the column {odd[0]!r}, unlike {places[0]}; predict every fold "
                "with the same options"
            )
