"""What is in a data set, beside what was published of it, and what is wrong with it.

A finding is no error: real data sets hold contradictions, and a user's copy differs from the public
one. Everything is counted and said, nothing is dropped or mended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.columns import MAX_AGE
from audit.data_set.copies import Shared
from hae.data.checks.counts import ages_of, counts_of, people_of, usable_rows
from hae.data.checks.images import Scan, Stray, image_check, scan_findings, stray_findings
from hae.data.checks.record import Count, DataCheck, Finding, Severity, finding
from hae.data.core import Manifest
from hae.data.splits.leaks import (
    PHOTO,
    SPLIT,
    SUBJECT,
    contradictions,
    image_leaks,
    images_of,
    leaks,
    texts,
)

LASTING = ("gender", "sex", "race", "ethnicity", "birth_year", "dob")
"""What does not change from photo to photo of a person."""


def label_findings(manifest: Manifest, counts: Sequence[Count]) -> list[Finding]:
    """What the labels alone show: failed rows, ages, gaps, differing counts, people."""
    frame, usable = manifest.frame, usable_rows(manifest)
    low, _ = ages_of(frame)
    has_age = "age" in frame.columns or "age_low" in frame.columns
    written = texts(frame, "age" if "age" in frame.columns else "age_low") != ""
    odd = usable & written.to_numpy() & np.isnan(low)
    outside = usable & ((low < 0) | (low > MAX_AGE))
    differ = [c for c in counts if c.published is not None and c.found != c.published]
    split = texts(frame, SPLIT)
    found = finding("label_failed", "warning", int((~usable).sum()), "unusable label")
    found += finding(
        "no_age", "serious", int(odd.sum()), "unreadable age", f", such as {_first(frame, odd)}"
    )
    found += finding(
        "age_range",
        "serious",
        int(outside.sum()),
        "age",
        f" outside 0 to {MAX_AGE:g}, such as {_first(frame, outside)}",
    )
    if has_age:
        n = int((usable & ~written.to_numpy()).sum())
        found += finding("age_missing", "warning", n, "usable face", " without age")
    found += finding(
        "counts_differ",
        "warning",
        len(differ),
        "count",
        " unlike the published: another release, a part of it, or a damaged copy",
    )
    if split.any():
        n = int((split == "").sum() - (~usable & (split == "")).sum())
        found += finding("no_split", "info", n, "usable face", " in no split")
    return found


def people_findings(frame: pd.DataFrame, shared: Sequence[Shared]) -> list[Finding]:
    """Who is in several splits, and people of whom two photos say different things."""
    found: list[Finding] = []
    for leak in shared:
        if leak.shared:
            message = f"{leak}, such as {leak.example!r}"
            found.append(
                Finding(
                    code=f"{leak.word}_leak", severity="serious", n=leak.shared, message=message
                )
            )
    for column, (people, faces) in contradictions(frame, LASTING).items():
        rest = f" with more than one {column} ({faces:,} faces)"
        found += finding("contradiction", "warning", people, "person|people", rest)
    return found


def name_findings(manifest: Manifest) -> list[Finding]:
    """People whose ids hardly differ, and images that show several people."""
    frame = manifest.frame
    person = texts(frame, SUBJECT).str.normalize("NFC")
    known = person[(person != "") & ~person.str.startswith(PHOTO)]
    names = pd.Series(known.unique(), dtype="str")
    bare = names.map(lambda name: " ".join(name.split()).casefold())
    alike = bare.duplicated(keep=False)
    pair = names[bare == bare[alike].iloc[0]].tolist()[:2] if alike.any() else []
    such = " and ".join(map(repr, pair))
    found = finding(
        "alike_ids",
        "warning",
        int(alike.sum()),
        "subject_id",
        f" that differ only in blanks or case, such as {such}: one person, or several?",
    )
    image = pd.Series(images_of(manifest.paths()), index=frame.index)[known.index]
    people = known.groupby(image).nunique()
    among = image.isin(people.index[people > 1])
    such = str(frame["path"][among.index[among][0]]) if among.any() else ""
    cut = manifest.crop.region == "box"
    return found + finding(
        "several_people",
        "info" if cut else "warning",
        int((people > 1).sum()),
        "image file",
        f" with several people, such as {such}: data split keeps "
        + ("them together" if cut else "them together, but one face is one person"),
    )


def _first(frame: pd.DataFrame, among: npt.NDArray[np.bool_]) -> str:
    if not among.any():
        return ""
    row = int(among.argmax())
    value = texts(frame, "age" if "age" in frame.columns else "age_low").iloc[row]
    return f"{value!r} of {frame['sample_id'].iloc[row]}"


def check_data(
    manifest: Manifest, published: Mapping[str, Mapping[str, int]], scan: Scan | None, stray: Stray
) -> DataCheck:
    """Check a data set.

    Parameters
    ----------
    manifest : Manifest
        The faces.
    published : mapping
        The published counts by split, see :class:`hae.data.sets.names.DataSet`.
    scan : Scan, optional
        What reading all images showed.
    stray : Stray
        Which files are missing or unnamed.
    """
    frame, usable = manifest.frame, usable_rows(manifest)
    counts = counts_of(manifest, published)
    low, high = ages_of(frame)
    known = usable & ~np.isnan(low)
    oldest = float(high[known].max(initial=-np.inf))
    names = texts(frame, SUBJECT)
    reasons = pd.Series([manifest.failure(row) for row in range(len(frame))], dtype="str")
    shared = shared_of(manifest, scan)
    findings = [
        *label_findings(manifest, counts),
        *people_findings(frame, shared),
        *name_findings(manifest),
        *stray_findings(stray),
        *([] if scan is None else scan_findings(scan, frame)),
    ]
    if manifest.leaky:
        findings += finding("leaky_split", "serious", len(frame), "face", f": {manifest.leaky}")
    unnamed = int(((names == "") | names.str.startswith(PHOTO)).sum())
    rest = " without a person: subject-exclusive impossible; data split keeps copies together"
    findings += finding("nameless", "info", unnamed, "face", rest)
    if manifest.split:
        rest = f" of {manifest.split} alone: copies and people across splits cannot be seen"
        findings += finding("one_split", "info", len(frame), "face", rest)
    return DataCheck(
        data=manifest.label,
        terms=manifest.terms,
        crop=manifest.crop.described(),
        made=manifest.made,
        faces=len(frame),
        usable=int(usable.sum()),
        people=people_of(frame),
        nameless=unnamed,
        youngest=float(low[known].min()) if known.any() else None,
        oldest=oldest if np.isfinite(oldest) else None,
        counts=counts,
        missing=_missing(frame[usable]),
        failed={str(why): int(n) for why, n in reasons[reasons != ""].value_counts().items()},
        leaks=shared,
        images=None if scan is None else image_check(scan, frame),
        findings=sorted(findings, key=lambda found: get_args(Severity).index(found.severity)),
    )


def shared_of(manifest: Manifest, scan: Scan | None) -> list[Shared]:
    """Who is in several splits, and which photos are: by their ids, or better by a scan."""
    frame = manifest.frame
    people = leaks(frame) if people_of(frame) else ()
    files = image_leaks(frame, images_of(manifest.paths()))
    if scan is not None:
        return [*people, *leaks(frame, scan.keys, "photo"), *files]
    return [*(people or leaks(frame, word="photo")), *files]


def _missing(frame: pd.DataFrame) -> dict[str, int]:
    empty = {str(name): int((texts(frame, name) == "").sum()) for name in frame.columns}
    return {name: n for name, n in empty.items() if n}
