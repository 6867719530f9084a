"""Leaks: one person on both sides of a split, counted; and people whose labels contradict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.errors import InputError
from audit.hashing import Keys, text_keys

PHOTO = "photo:"
"""Begins the ``subject_id`` that stands for the unknown person on several copies of one photo."""
SUBJECT, SPLIT = "subject_id", "split"
_ROLES = (("test", "tst", "testing"), ("val", "valid", "validation", "dev"))
_LEARNT = ("train", "trn", "training")


@dataclass(frozen=True)
class Shared:
    """How many faces of a part show somebody who is in another part too."""

    part: str
    other: str
    faces: int
    """Of the part."""
    shared: int
    """Of these, whose person is in the other part."""
    people: int
    """Who are in both."""
    example: str | None = None
    word: str = "person"
    """What they share: ``person``, or ``photo`` where people are unknown."""

    def __str__(self) -> str:
        """In words.

        Examples
        --------
        >>> str(Shared("test", "train", 4741, 0, 0))
        '0 of 4,741 test faces share a person with train'
        >>> str(Shared("test", "train", 200, 3, 2))
        '3 of 200 test faces (1.5 %) share a person with train'
        """
        share = f" ({100 * self.shared / self.faces:.1f} %)" if self.shared else ""
        return (
            f"{self.shared:,} of {self.faces:,} {self.part} faces{share} share a {self.word} with "
            f"{self.other}"
        )


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


def leaks(
    frame: pd.DataFrame, person: Keys | None = None, word: str = "person"
) -> tuple[Shared, ...]:
    """Who is in several parts: one entry for each pair of values of the column ``split``.

    The part that is judged comes first: test before validation, training last. Faces whose split
    is empty count nowhere.

    Parameters
    ----------
    frame : DataFrame
        With ``sample_id``, ``split`` and, where people are known, ``subject_id``.
    person : (n,) keys, optional
        Of the person, or the group of copies, on each face; default: those of ``subject_id``.
    word : str
        What the keys are of.
    """
    keys = person_keys(frame) if person is None else person
    split = texts(frame, SPLIT).to_numpy()
    return tuple(
        _shared(frame, keys, split == part, split == other, (part, other, word))
        for part, other in combinations(sorted(set(split) - {""}, key=_role), 2)
    )


def _role(part: str) -> tuple[int, str]:
    name = part.lower()
    known = [rank for rank, names in enumerate(_ROLES) if name in names]
    return (known[0] if known else 3 if name in _LEARNT else 2), part


def _shared(
    frame: pd.DataFrame,
    keys: Keys,
    a: npt.NDArray[np.bool_],
    b: npt.NDArray[np.bool_],
    words: tuple[str, str, str],
) -> Shared:
    among = a & np.isin(keys, keys[b])
    row = int(among.argmax())
    example = texts(frame, SUBJECT).iloc[row] or frame["sample_id"].iloc[row]
    part, other, word = words
    return Shared(
        part,
        other,
        faces=int(a.sum()),
        shared=int(among.sum()),
        people=len(np.unique(keys[among])),
        example=str(example) if among.any() else None,
        word=word,
    )


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
