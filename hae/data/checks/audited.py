"""A manifest as the audit of a data set takes it: its usable faces, copies and shared people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from audit.data_set.copies import Copies, Shared
from audit.data_set.faces import with_ages
from audit.data_set.prepare import DataOptions, prepare
from audit.data_set.reference import Reference
from audit.data_set.run import audit_prepared
from audit.groups import DEFAULT_ATTRIBUTES
from audit.result import AuditResult, RunInfo
from audit.rows import Concern
from hae.data.checks.counts import people_of, usable_rows
from hae.data.checks.images import Scan
from hae.data.checks.run import shared_of
from hae.data.core import Manifest
from hae.data.splits.leaks import leaks


@dataclass(frozen=True, eq=False)
class Listed:
    """Faces that are listed somewhere: those whose label can be used, and what to know of them.

    ``manifest`` is None for a table without images.
    """

    label: str
    frame: pd.DataFrame
    files: tuple[Path, ...]
    manifest: Manifest | None = None
    concerns: tuple[Concern, ...] = ()


def listed(manifest: Manifest) -> Listed:
    """The usable faces of a manifest; the others are counted in a warning."""
    usable = usable_rows(manifest)
    found = []
    n = int((~usable).sum())
    if n:
        why = manifest.failure(int(np.flatnonzero(~usable)[0]))
        message = (
            f"{n:,} of {len(manifest):,} faces cannot be used and are left out, such as: {why}"
        )
        found.append(Concern(code="failures", severity="warning", message=message))
    if manifest.drawn:
        message = "drawn faces: nothing here describes real people"
        found.append(Concern(code="simulated", severity="info", message=message))
    if manifest.leaky:
        message = f"{manifest.label}: {manifest.leaky}"
        found.append(Concern(code="leaky_split", severity="serious", message=message))
    return Listed(manifest.label, manifest.frame[usable], manifest.files, manifest, tuple(found))


def copies_in(manifest: Manifest, scan: Scan) -> Copies:
    """What a scan says of the usable faces."""
    usable = usable_rows(manifest)
    sizes = np.bincount(scan.groups, minlength=1)
    read = np.array([not why for why in scan.reasons], dtype=np.bool_)
    return Copies(
        read=read[usable],
        double=(sizes[scan.groups] > 1)[usable],
        files=len(scan.paths),
        same_bytes=int((scan.first != np.arange(len(scan.first))).sum()),
        near=scan.near,
    )


def _people_shared(frame: pd.DataFrame) -> tuple[Shared, ...]:
    """Who is in several splits of a table without images, where people are known."""
    if "sample_id" not in frame.columns:
        frame = frame.assign(sample_id=[str(row) for row in range(len(frame))])
    return leaks(frame) if people_of(frame) else ()


def audit_listed(
    faces: Listed,
    options: DataOptions,
    *,
    scan: Callable[[Manifest], Scan] | None = None,
    reference: Reference | None = None,
    against: Listed | None = None,
    run: RunInfo | None = None,
) -> AuditResult:
    """Audit listed faces; by default by what the data set calls attributes, and the usual ones.

    Without ``scan`` no image is read.
    """
    frame, manifest = with_ages(faces.frame, faces.label), faces.manifest
    stated = {} if manifest is None else manifest.sources
    if options.by is None:
        usual = dict.fromkeys([*stated, *DEFAULT_ATTRIBUTES])
        by = [name for name in usual if name in frame.columns and name != "expression"]
        options = replace(options, by=by)
    named = {name.strip() for text in options.by or () for name in text.split(",")}
    known = {name: source for name, source in stated.items() if name in named}
    options = replace(options, sources={**known, **(options.sources or {})})
    other = None if against is None else against.frame
    prepared = prepare(frame, options, reference=reference, against=other, place=faces.label)
    copies: Copies | None = None
    shared: Sequence[Shared] = _people_shared(frame)
    if manifest is not None:
        seen = None if scan is None else scan(manifest)
        copies = None if seen is None else copies_in(manifest, seen)
        shared = shared_of(manifest, seen)
    result = audit_prepared(prepared, copies=copies, shared=shared, run=run)
    told = list(faces.concerns)
    if against is not None:
        told += [c.model_copy(update={"where": against.label}) for c in against.concerns]
    return result.model_copy(update={"warnings": [*told, *result.warnings]})
