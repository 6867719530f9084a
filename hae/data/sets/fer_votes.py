"""The votes of FERPlus: its two forms of label files, and the publisher's majority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hae.data.sets.fer_pixels import split_of
from hae.data.sets.lines import cells_of, csv_lines
from hae.data.sets.names import label_rows

LABELS, LABEL = "fer2013new.csv", "label.csv"
VOTED = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
COLUMNS = (*VOTED, "unknown", "NF")
NO_VOTES, NO_MAJORITY = "it has no votes", "its votes have no majority"
NO_LABEL = {"unknown": "the majority cannot tell it", "NF": "the majority sees no face"}


@dataclass(frozen=True)
class Voted:
    """A face and its ten votes as written; ``row`` is its row in its label file, from 0."""

    row: int
    name: str
    split: str
    votes: tuple[str, ...]


def voted_of_table(table: Path) -> list[Voted]:
    """The faces of ``fer2013new.csv``, those without a name too."""
    rows = label_rows(table, ("Usage", "Image name", *COLUMNS), "ferplus")
    return [
        Voted(
            row=number,
            name=row["Image name"],
            split=split_of(row["Usage"], f"{table} row {number + 1}"),
            votes=tuple(row[column] for column in COLUMNS),
        )
        for number, row in enumerate(rows)
    ]


def voted_of_folders(files: Sequence[Path], splits: Sequence[str]) -> list[Voted]:
    """The faces of a ``label.csv`` for each split."""
    what = "name, box, ten votes"
    found = []
    for path, split in zip(files, splits, strict=True):
        for number, line in csv_lines(path, "ferplus"):
            cells = cells_of(path, number, line, 2 + len(COLUMNS), what)
            found.append(Voted(number - 1, cells[0], split, tuple(cells[2:])))
    return found


def majority(votes: Sequence[str]) -> tuple[str, str]:
    """The expression of ten votes as written and "", or "" and why there is none.

    Examples
    --------
    >>> majority("4 0 0 1 3 2 0 0 0 0".split())  # 4 is not more than half of 4 + 3 + 2
    ('', 'its votes have no majority')
    >>> majority("5 0 0 1 4 0 0 0 0 0".split())
    ('neutral', '')
    """
    for name, text in zip(COLUMNS, votes, strict=True):
        if not text.isdecimal():
            return "", f"its votes for {name} are {text!r}, must be a whole number"
    counts = [int(text) for text in votes]
    if not any(counts):
        return "", NO_VOTES
    left = [count if count > 1 else 0 for count in counts]
    most = max(left)
    if 2 * most <= sum(left):
        return "", NO_MAJORITY
    name = COLUMNS[left.index(most)]
    return ("", NO_LABEL[name]) if name in NO_LABEL else (name, "")
