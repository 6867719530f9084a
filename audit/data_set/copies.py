"""Copies of one picture, and people or pictures that are in several parts of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.data_set.faces import Faces
from audit.groups import Grouping
from audit.rows import Concern, MetricRow

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
IMAGE = "image"


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
    """What they share: ``person``, ``photo`` where people are unknown, or ``image``, a file."""

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
        what = f"an {self.word}" if self.word == IMAGE else f"a {self.word}"
        return (
            f"{self.shared:,} of {self.faces:,} {self.part} faces{share} share {what} with "
            f"{self.other}"
        )


@dataclass(frozen=True, eq=False)
class Copies:
    """What reading the images showed: whether each face (n,) was read, and is a near-duplicate.

    ``same_bytes`` is the number of files, of ``files``, that are another one byte for byte;
    ``near`` is the number of bits in which two near-duplicates may differ.
    """

    read: BoolArray
    double: BoolArray
    files: int
    same_bytes: int
    near: int


def copy_rows(
    faces: Faces, copies: Copies, groupings: Sequence[tuple[Grouping, IntArray]]
) -> list[MetricRow]:
    """The share of faces that have a near-duplicate, of everyone and by group.

    Without an interval: how many copies a collection has is no property of the people in it.
    """
    rows = [_row(faces, "unread_images", {}, ~copies.read, np.arange(len(faces)))]
    if copies.files:
        one = rows[0].model_copy(
            update={"metric": "same_bytes", "value": copies.same_bytes / copies.files,
                    "n": copies.files}
        )  # fmt: skip
        rows.append(one)
    for item, group in groupings:
        for g in range(len(item.groups)):
            inside = np.flatnonzero(copies.read & (group == g))
            rows.append(_row(faces, "near_duplicates", item.label(g), copies.double, inside))
    return rows


def _row(faces: Faces, metric: str, group: dict[str, str | None], hits: BoolArray, rows: IntArray
         ) -> MetricRow:  # fmt: skip
    return MetricRow(
        metric=metric,
        group=group,
        value=float(hits[rows].mean()) if len(rows) else None,
        n=len(rows),
        n_subjects=len(np.unique(faces.unit[rows])),
        n_failed=0,
        n_unlabelled=0,
        note="descriptive" if len(rows) else "empty_group",
    )


def copy_concerns(copies: Copies | None) -> list[Concern]:
    """What reading the images showed, in words."""
    if copies is None:
        message = "the images were not read: copies and damaged images are not known"
        return [Concern(code="images_unread", severity="info", message=message)]
    found = []
    unread, n = int((~copies.read).sum()), len(copies.read)
    if unread:
        none = ": none can be read; is the folder right?" if unread == n else ""
        message = f"{unread:,} of {n:,} images are missing or cannot be read{none}"
        severity = "serious" if unread == n else "warning"
        found.append(Concern(code="images_unread", severity=severity, message=message))
    double = int((copies.double & copies.read).sum())
    if double or copies.same_bytes:
        message = (
            f"faces with a near-duplicate (up to {copies.near} of 256 bits apart, or mirrored): "
            f"{double:,}; files that are another one byte for byte: {copies.same_bytes:,}"
        )
        found.append(Concern(code="copies", severity="warning", message=message))
    return found


def shared_rows(shared: Sequence[Shared]) -> list[MetricRow]:
    """The share of each part's faces that another part shares; ``class`` is the other part."""
    names = {"person": "shared_people", "photo": "shared_photos", IMAGE: "shared_images"}
    return [
        MetricRow(
            metric=names[found.word],
            class_=found.other,
            group={"split": found.part},
            value=found.shared / found.faces,
            n=found.faces,
            n_subjects=found.people,
            n_failed=0,
            n_unlabelled=0,
            note="descriptive",
        )
        for found in shared
    ]


def shared_concerns(shared: Sequence[Shared]) -> list[Concern]:
    """What is shared between parts, in words."""
    rest = ": a model tested on them looks better than it is"
    return [
        Concern(code="splits_share", severity="serious", message=f"{found}{rest}", where=found.part)
        for found in shared
        if found.shared
    ]
