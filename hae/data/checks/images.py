"""What reading every image of a data set shows: damaged, missing, unnamed and doubled ones."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.hashing import Keys
from hae.data.checks.counts import ages_of
from hae.data.checks.record import Finding, ImageCheck, Severity, finding
from hae.data.core import Manifest
from hae.data.sets.names import SUFFIXES
from hae.data.splits.duplicates import NEAR, groups_of, hashes_of, pairs_among, same_bytes
from hae.data.splits.leaks import texts

COMPARED = ("gender", "sex", "race", "ethnicity")
GONE = "no such file"
YEAR = 1.0
"""Exact ages of two copies may differ by so much, years: it may have been a birthday."""
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scan:
    """Why faces cannot be read ("" where they can), pairs of near-duplicates, equal files.

    ``read``: how many could be; a face whose label cannot be used is not read and has no reason.
    ``first``: the number of the first file, in text order of paths, with the same bytes as each.
    """

    reasons: tuple[str, ...]
    read: int
    pairs: IntArray
    near: int
    paths: tuple[Path, ...]
    first: IntArray

    @property
    def groups(self) -> IntArray:
        """The group of near-duplicates of each face: its first row."""
        return groups_of(self.pairs, len(self.reasons))

    @property
    def keys(self) -> Keys:
        """The same as keys."""
        return self.groups.astype(np.uint64)


@dataclass(frozen=True)
class Stray:
    """Labels whose file is missing, and image files that no label names; None: not looked for."""

    missing: tuple[Path, ...]
    unnamed: tuple[Path, ...] | None
    labelled: int = 0
    """How many files the labels name."""


def scan(
    manifest: Manifest,
    near: int = NEAR,
    read: Callable[[int], object] = lambda done: None,
    compared: Callable[[int], object] = lambda done: None,
) -> Scan:
    """Read every face of a manifest once, compare all pairs, and compare the files' bytes."""
    hashes, found = hashes_of(manifest, read)
    reasons = tuple("" if manifest.failure(row) else why for row, why in enumerate(found))
    pairs = pairs_among(hashes, found, near, compared)
    paths = tuple(sorted(set(manifest.paths()))) if manifest.images is None else ()
    return Scan(reasons, found.count(""), pairs, near, paths, same_bytes(paths))


def stray_files(manifest: Manifest, *, whole: bool) -> Stray:
    """Compare labels with the files in the folders that they name.

    ``whole`` says that the manifest holds all faces of these folders, not one split of them.
    """
    if manifest.images is not None:
        return Stray((), None)
    paths = dict.fromkeys(Path(os.path.normpath(path)) for path in manifest.paths())
    missing = tuple(path for path in paths if not path.is_file())
    if not whole:
        return Stray(missing, None, len(paths))
    folders = sorted({path.parent for path in paths if path.parent.is_dir()})
    there = (path for folder in folders for path in folder.iterdir())
    unnamed = (
        path
        for path in there
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("._") and path not in paths
    )
    return Stray(missing, tuple(sorted(unnamed)), len(paths))


def stray_findings(stray: Stray) -> list[Finding]:
    """Missing and unnamed files."""
    missing, unnamed = stray.missing, stray.unnamed or ()
    gone: Severity = "serious" if len(missing) == stray.labelled else "warning"
    folder = ": is the folder right?" if gone == "serious" else ""
    return [
        *finding(
            "missing_files", gone, len(missing), "image file", f" missing{_one(missing)}{folder}"
        ),
        *finding(
            "unnamed_files", "info", len(unnamed), "image file", f" without label{_one(unnamed)}"
        ),
    ]


def _one(paths: Sequence[Path]) -> str:
    return f", such as {paths[0].name}" if paths else ""


def image_check(scan: Scan, frame: pd.DataFrame) -> ImageCheck:
    """Count what a scan found."""
    sizes = np.bincount(scan.groups, minlength=1)
    bad = Counter(why for why in scan.reasons if why)
    differ, none = disagreements(frame, scan.pairs), np.zeros(len(scan.pairs), dtype=np.bool_)
    return ImageCheck(
        read=scan.read,
        unreadable=dict(bad.most_common()),
        same_bytes=int((scan.first != np.arange(len(scan.first))).sum()),
        near=scan.near,
        pairs=len(scan.pairs),
        groups=int((sizes > 1).sum()),
        faces=int(sizes[sizes > 1].sum()),
        differing=int(np.logical_or.reduce([none, *differ.values()]).sum()),
        differ={name: int(pairs.sum()) for name, pairs in differ.items()},
    )


def disagreements(frame: pd.DataFrame, pairs: IntArray) -> dict[str, npt.NDArray[np.bool_]]:
    """In which pairs a label differs where both have it, (p,) for each column where any does.

    Exact ages differ by more than a year; bands, or an age and a band, if they do not overlap.
    """
    a, b = pairs[:, 0], pairs[:, 1]
    found = {"age": _apart(frame, a, b)}
    for name in COMPARED:
        values = texts(frame, name).to_numpy()
        found[name] = (values[a] != values[b]) & (values[a] != "") & (values[b] != "")
    return {name: differ for name, differ in found.items() if differ.any()}


def _apart(frame: pd.DataFrame, a: IntArray, b: IntArray) -> npt.NDArray[np.bool_]:
    low, high = ages_of(frame)
    exact = (low == high)[a] & (low == high)[b]
    end = np.where(low == high, np.nextafter(low, np.inf), high)
    bands = np.maximum(low[a], low[b]) >= np.minimum(end[a], end[b])
    return np.where(exact, np.abs(low[a] - low[b]) > YEAR, bands)


def scan_findings(scan: Scan, frame: pd.DataFrame) -> list[Finding]:
    """Unreadable images, copies, and what their labels say."""
    found = image_check(scan, frame)
    bad = {why: n for why, n in found.unreadable.items() if why != GONE}
    first = next(iter(bad), "")
    groups = f"{found.groups:,} group{'' if found.groups == 1 else 's'}"
    near = f"up to {scan.near} of 256 bits apart or mirrored"
    differ = ", ".join(f"{n:,} in {name}" for name, n in found.differ.items())
    copies = np.flatnonzero(scan.first != np.arange(len(scan.first)))
    return [
        *finding("unreadable", "warning", sum(bad.values()), "unreadable image", f": {first}"),
        *finding(
            "same_bytes",
            "warning",
            len(copies),
            "byte-for-byte copy|byte-for-byte copies",
            _one([scan.paths[row] for row in copies[:1]]),
        ),
        *finding(
            "near_duplicates",
            "warning",
            found.faces,
            "near-duplicate",
            f" in {groups} ({near}): keep each group together",
        ),
        *finding(
            "labels_differ",
            "warning",
            found.differing,
            "pair",
            f" of {found.pairs:,} near-duplicates with different labels: {differ}",
        ),
    ]
