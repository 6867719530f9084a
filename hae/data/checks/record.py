"""The record of a check: what ``data check --json`` prints."""

from __future__ import annotations

from typing import Literal

from audit.data_set.copies import Shared
from hae.config import Strict

Severity = Literal["serious", "warning", "info"]


class Count(Strict):
    """Usable faces (or people) of a group in a part of the data set ("" for all of it)."""

    part: str
    group: str
    found: int
    published: int | None = None


class Finding(Strict):
    """Something to know or to mend, and how many faces or files it concerns."""

    code: str
    severity: Severity
    message: str
    n: int


class ImageCheck(Strict):
    """What reading every image showed; ``pairs``, ``groups`` and ``faces`` of near-duplicates.

    ``differing``: how many of the pairs disagree on a label; ``differ``: on each.
    """

    read: int
    unreadable: dict[str, int]
    same_bytes: int
    near: int
    pairs: int
    groups: int
    faces: int
    differing: int
    differ: dict[str, int]


class DataCheck(Strict):
    """The record of ``data check --json``; ``youngest`` and ``oldest`` in years, of usable faces.

    ``oldest`` is None where the highest band is open. ``failed``: why labels cannot be used, and
    how many; ``missing``: empty cells by column; ``images`` is None where they were not read.
    ``nameless``: faces without ``subject_id``, or whose person is only known as that of a photo.
    ``made``: what the reader left out or does not know, or how the table came about.
    """

    format: Literal["hae-audit/data-check/1"] = "hae-audit/data-check/1"
    data: str
    terms: str | None
    crop: str
    made: str | None = None
    faces: int
    usable: int
    people: int
    nameless: int
    youngest: float | None
    oldest: float | None
    counts: list[Count]
    missing: dict[str, int]
    failed: dict[str, int]
    leaks: list[Shared]
    images: ImageCheck | None
    findings: list[Finding]


def finding(code: str, severity: Severity, n: int, noun: str, rest: str = "") -> list[Finding]:
    """One finding if it concerns anything.

    ``noun`` is what is counted, ``one|many`` where the plural is not made by an s.

    Examples
    --------
    >>> finding("x", "info", 1200, "copy|copies", ", such as a.jpg")[0].message
    '1,200 copies, such as a.jpg'
    >>> finding("x", "info", 1, "age", " outside 0 to 130")[0].message
    '1 age outside 0 to 130'
    """
    one, _, many = noun.partition("|")
    message = f"{n:,} {one if n == 1 else many or one + 's'}{rest}"
    return [Finding(code=code, severity=severity, n=n, message=message)] if n else []
