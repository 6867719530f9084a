"""Leaks: one person on both sides of a split, counted; and people whose labels contradict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.data_set.copies import IMAGE, Shared
from audit.errors import InputError
from audit.hashing import Keys, text_keys

PHOTO = "photo:"
"""Begins the ``subject_id`` that stands for the unknown person on several copies of one photo."""
SUBJECT, SPLIT = "subject_id", "split"
MOST_PARTS = 20
"""Of more parts only those pairs are told that share somebody."""
IntArray = npt.NDArray[np.int64]
_ROLES = (("test", "tst", "testing"), ("val", "valid", "validation", "dev"))
_LEARNT = ("train", "trn", "training")


def texts(frame: pd.DataFrame, column: str) -> pd.Series:
    """A column as text, "" where it is missing or blank, and everywhere if there is none."""
    if column not in frame.columns:
        return pd.Series("", index=frame.index, dtype="str")
    found = frame[column].astype("str").fillna("")
    return found.where(found.str.strip() != "", "")


def person_keys(frame: pd.DataFrame) -> Keys:
    """A key per face: its person's, or its own where ``subject_id`` is empty."""
    names = texts(frame, SUBJECT)
    own = text_keys(frame["sample_id"].tolist(), "sample")
    return np.where((names != "").to_numpy(), text_keys(names.tolist(), "subject"), own)


def images_of(paths: Sequence[Path]) -> IntArray:
    """The number of each face's image file, (n,); two ways to write one path are one file."""
    names = np.array([os.path.normpath(path) for path in paths], dtype=object)
    number: IntArray = pd.factorize(names)[0].astype(np.int64)
    return number


def leaks(
    frame: pd.DataFrame,
    person: Keys | None = None,
    word: str = "person",
    names: pd.Series | None = None,
) -> tuple[Shared, ...]:
    """Who is in several parts: one entry for each pair of values of the column ``split``.

    The part that is judged comes first: test before validation, training last. Faces whose split
    is empty count nowhere. Of more than ``MOST_PARTS`` parts only the pairs that share are told.

    Parameters
    ----------
    frame : DataFrame
        With ``sample_id``, ``split`` and, where people are known, ``subject_id``.
    person : (n,) keys, optional
        Of the person, or the group of copies, on each face; default: those of ``subject_id``.
    word : str
        What the keys are of.
    names : Series of str, optional
        What an example is called; default: its ``subject_id``, else its ``sample_id``.
    """
    split = texts(frame, SPLIT)
    parts = sorted(set(split) - {""}, key=_role)
    if len(parts) < 2:
        return ()
    keys = person_keys(frame) if person is None else person
    rows = np.flatnonzero(split != "")
    part = split.iloc[rows].map({name: k for k, name in enumerate(parts)}).to_numpy(np.int64)
    faces = np.bincount(part).tolist()
    if names is None:
        subject = texts(frame, SUBJECT)
        names = subject.where(subject != "", frame["sample_id"])
    found = _shared(keys[rows], part)
    pairs = combinations(range(len(parts)), 2) if len(parts) <= MOST_PARTS else sorted(found)
    told = []
    for a, b in pairs:
        shared, people, first = found.get((a, b), (0, 0, -1))
        example = str(names.iloc[rows[first]]) if people else None
        told.append(Shared(parts[a], parts[b], faces[a], shared, people, example, word))
    return tuple(told)


def image_leaks(frame: pd.DataFrame, image: IntArray) -> tuple[Shared, ...]:
    """Which parts have faces of one image file, by its number: only the pairs that share some."""
    if len(np.unique(image)) == len(image):
        return ()
    told = leaks(frame, image.astype(np.uint64), IMAGE, frame["path"])
    return tuple(leak for leak in told if leak.shared)


def _role(part: str) -> tuple[int, str]:
    name = part.lower()
    known = [rank for rank, names in enumerate(_ROLES) if name in names]
    return (known[0] if known else 3 if name in _LEARNT else 2), part


def _shared(keys: Keys, part: IntArray) -> dict[tuple[int, int], tuple[int, int, int]]:
    """For two parts a < b that share: how many faces of a, how many people, a's first such row."""
    _, person = np.unique(keys, return_inverse=True)
    entry, first, faces = np.unique(
        np.stack([person, part], axis=1), axis=0, return_index=True, return_counts=True
    )
    parts = np.bincount(entry[:, 0])[entry[:, 0]]  # how many the person of an entry is in
    later = np.arange(len(entry)) - np.searchsorted(entry[:, 0], entry[:, 0])
    after = parts - 1 - later  # the entries of a person are in the order of parts
    a = np.repeat(np.arange(len(entry)), after)
    b = a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(after) - after, after)
    pairs, at = np.unique(np.stack([entry[a, 1], entry[b, 1]], axis=1), axis=0, return_inverse=True)
    at = at.reshape(-1)
    shared = np.zeros(len(pairs), dtype=np.int64)
    np.add.at(shared, at, faces[a])
    row = np.full(len(pairs), len(keys), dtype=np.int64)
    np.minimum.at(row, at, first[a])
    people = np.bincount(at, minlength=len(pairs))
    values = zip(shared.tolist(), people.tolist(), row.tolist(), strict=True)
    return dict(zip(map(tuple, pairs.tolist()), values, strict=True))


def refuse_leaks(found: Sequence[Shared], place: str) -> None:
    """Refuse one person in two parts.

    Raises
    ------
    InputError
        Names the first leak and one of its people.
    """
    for leak in found:
        if leak.shared:
            raise InputError(
                f"{place}: {leak}, such as {leak.example!r}; a split by person must not do that"
            )


def contradictions(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, tuple[int, int]]:
    """For each column, how many people have two values of it, and on how many faces.

    Copies of a photo whose person is unknown are no people; empty cells contradict nothing.
    """
    person = texts(frame, SUBJECT)
    known = (person != "") & ~person.str.startswith(PHOTO)
    found = {}
    for column in columns:
        values = texts(frame, column)
        told = pd.DataFrame({"person": person, "value": values})[known & (values != "")]
        several = told.groupby("person")["value"].nunique()
        people = several.index[several > 1]
        if len(people):
            found[column] = (len(people), int(person.isin(people).sum()))
    return found
