"""The audit of a data set: the order of the work.

The record is that of every audit (``hae-audit/audit/1``) and is about ``data``: shares, changes and
copies are metrics by group, what compares all groups stands in ``fairness`` beside its value by
chance, and ages by group are curves. There is no model, hence no gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit.bands import bands_from_edges
from audit.concerns import MIN_EFFECTIVE_SHARE, NO_SUBJECTS, source_warnings
from audit.data_set.associations import (
    age_curves,
    age_overlap_rows,
    association_rows,
    by_chance,
    crossed,
)
from audit.data_set.copies import (
    Copies,
    Shared,
    copy_concerns,
    copy_rows,
    shared_concerns,
    shared_rows,
)
from audit.data_set.drift import age_drift, drift_rows
from audit.data_set.faces import Faces
from audit.data_set.prepare import Combination, DataOptions, Prepared, prepare
from audit.data_set.reference import Reference, reference_concerns
from audit.data_set.shares import evenness_rows, reference_rows, share_rows, shares_of, whole_row
from audit.data_set.specs import CURVES, specs_of, statistic_specs
from audit.result import AttributeSpec, AuditResult, RunInfo, Spec
from audit.rows import Concern, CurveRow, FairnessRow, MetricRow
from audit.verdict import MIN_EFFECTIVE

UNITS = "persons"
FAMILIES = "none: each p stands alone"


@dataclass(frozen=True)
class Found:
    """The rows of a record, as they are found."""

    metrics: list[MetricRow]
    fairness: list[FairnessRow]
    curves: list[CurveRow]
    concerns: list[Concern]


def audit_data(
    frame: pd.DataFrame,
    options: DataOptions | None = None,
    *,
    reference: Reference | None = None,
    against: pd.DataFrame | None = None,
    copies: Copies | None = None,
    shared: Sequence[Shared] = (),
    place: str = "data set",
    run: RunInfo | None = None,
) -> AuditResult:
    """Audit a data set: who is in it, what its labels tell of them, and what is in it twice.

    Parameters
    ----------
    frame : DataFrame
        One row per face: ``sample_id``, ``subject_id``, ``age`` (or ``age_low`` and ``age_high``),
        ``expression`` and attributes, as far as known. Weights are not used: what is audited is
        what is there.
    reference : Reference, optional
        Shares of groups elsewhere; their combination is audited too.
    against : DataFrame, optional
        Another data set, for drift.
    copies, shared : optional
        What reading the images and comparing the parts showed.

    Returns
    -------
    AuditResult
        A record about ``data``.

    Raises
    ------
    InputError
        With place, rule, value and remedy.

    Examples
    --------
    >>> frame = pd.DataFrame({"gender": list("ffm"), "expression": ["sad", "happy", "happy"]})
    >>> result = audit_data(frame)
    >>> [(r.group["gender"], round(r.value, 3)) for r in result.metrics if "gender" in r.group]
    [('f', 0.667), ('m', 0.333)]
    """
    prepared = prepare(
        frame, options or DataOptions(), reference=reference, against=against, place=place
    )
    return audit_prepared(prepared, copies=copies, shared=shared, run=run)


def audit_prepared(
    prepared: Prepared,
    *,
    copies: Copies | None = None,
    shared: Sequence[Shared] = (),
    run: RunInfo | None = None,
) -> AuditResult:
    """The audit of a data set that was checked before; see :func:`audit_data`."""
    faces, options, labels = prepared.faces, prepared.options, prepared.labels
    found = Found([whole_row(faces)], [], [], [])
    for names in prepared.every:
        _represented(prepared, names, found)
    for names in prepared.combinations:
        _associated(prepared, names, found)
    if copies is not None:
        groupings = [faces.grouped(names) for names in ((), *prepared.combinations)]
        found.metrics.extend(copy_rows(faces, copies, groupings))
    found.metrics.extend(shared_rows(shared))
    if prepared.other is not None:
        _drifted(prepared, prepared.other, found)
    n_unknown = {name: int((item.codes < 0).sum()) for name, item in faces.attributes.items()}
    info = run or RunInfo(model=prepared.place, seed=options.seed)
    return AuditResult(
        task="data",
        run=info.model_copy(update={"seed": options.seed}),
        spec=_spec(prepared, n_unknown, found),
        metrics=found.metrics,
        gaps=[],
        fairness=found.fairness,
        curves=found.curves,
        warnings=[
            *_concerns(faces, labels),
            *found.concerns,
            *copy_concerns(copies),
            *shared_concerns(shared),
            *source_warnings(prepared.sources, n_unknown, len(faces)),
        ],
    )


def _spec(prepared: Prepared, n_unknown: Mapping[str, int], found: Found) -> Spec:
    edges = prepared.options.age_bands
    return Spec(
        attributes={
            name: AttributeSpec(
                source=prepared.sources.get(name, "unknown"),
                values=list(item.values),
                n_unknown=n_unknown[name],
            )
            for name, item in prepared.faces.attributes.items()
        },
        combinations=[list(names) for names in prepared.every],
        unit_of_resampling="person" if prepared.faces.has_people else "face",
        units=UNITS,
        estimand="image",
        n_boot=prepared.options.n_boot,
        min_n=1,
        families=FAMILIES,
        age_bands=[band[0] for band in bands_from_edges(edges)] if edges else None,
        metrics=specs_of(row.metric for row in found.metrics),
        fairness=statistic_specs((row.metric for row in found.fairness), prepared.labels),
        curves=CURVES if found.curves else {},
    )


def _represented(prepared: Prepared, names: Combination, found: Found) -> None:
    """Shares of the groups of one combination."""
    faces, reference = prepared.faces, prepared.reference
    item, group = faces.grouped(names)
    column = np.cumsum(item.known) - 1
    rows = np.flatnonzero(item.known[group])
    shares = shares_of(faces.by_person(column[group], int(item.known.sum()), rows))
    meant = reference.turned(names) if reference and {*reference.names} == {*names} else None
    found.metrics.extend(share_rows(item, shares, meant, len(faces) - len(rows)))
    found.fairness.extend(evenness_rows(item, shares))
    if len(shares.faces) == 1:
        message = f"all faces whose {','.join(names)} is known are of one group"
        found.concerns.append(
            Concern(code="one_group", severity="warning", message=message, where=",".join(names))
        )
    if meant is not None:
        found.fairness.extend(reference_rows(item, shares, meant, prepared.options.seed))
        found.concerns.extend(reference_concerns(meant, item, shares.faces))


def _associated(prepared: Prepared, names: Combination, found: Found) -> None:
    """What every label tells of the groups of one combination, and how their ages overlap."""
    faces, options = prepared.faces, prepared.options
    item, group = faces.grouped(names)
    for name in prepared.labels:
        if name in names:
            continue
        label = faces.attributes[name]
        cross = crossed(faces, item, group, label)
        chance = by_chance(cross, options.seed)
        found.fairness.extend(
            association_rows(cross, item, label, chance, options.seed, options.n_boot)
        )
        if name == "age":
            found.fairness.extend(age_overlap_rows(cross, item, chance))
            found.curves.extend(age_curves(faces, item, group))


def _drifted(prepared: Prepared, other: Faces, found: Found) -> None:
    """Drift of every combination that both data sets have."""
    for names in prepared.every:
        if {*names} <= {*other.attributes}:
            rows, distances = drift_rows(prepared.faces, other, names, prepared.options.seed)
            found.metrics.extend(rows)
            found.fairness.extend(distances)
    found.fairness.extend(age_drift(prepared.faces, other))


def _concerns(faces: Faces, labels: Sequence[str]) -> list[Concern]:
    found = [] if faces.has_people else [NO_SUBJECTS]
    if not faces.has_ids:
        message = "no sample_id: intervals and p depend on the order of the rows"
        found.append(Concern(code="no_ids", severity="warning", message=message))
    m, effective = len(faces.keys), faces.m_eff
    if effective < MIN_EFFECTIVE or effective < MIN_EFFECTIVE_SHARE * m:
        message = (
            "intervals may be too narrow where photos are shared out unequally or people are few: "
            f"{m:,} people, m_eff {effective:.1f}"
        )
        found.append(Concern(code="few_effective_subjects", severity="serious", message=message))
    if not labels:
        message = "there is neither age nor expression: no label is set beside the groups"
        found.append(Concern(code="no_labels", severity="warning", message=message))
    return found
