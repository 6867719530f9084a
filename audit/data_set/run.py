"""The audit of a data set: the order of the work.

The record is that of every audit (``hae-audit/audit/1``) and is about ``data``: shares, changes and
copies are metrics by group, what compares all groups stands in ``fairness`` beside its value by
chance, and ages by group are curves. There is no model, hence no gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from audit.bands import bands_from_edges
from audit.concerns import NO_SUBJECTS, source_warnings
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
from audit.data_set.faces import NO_GROUPS, Faces, faces_of, labels_in, with_ages
from audit.data_set.reference import Reference, reference_concerns
from audit.data_set.shares import evenness_rows, reference_rows, share_rows, shares_of
from audit.data_set.specs import CURVES, specs_of, statistic_specs
from audit.errors import InputError
from audit.groups import DEFAULT_ATTRIBUTES
from audit.result import AttributeSpec, AuditResult, RunInfo, Spec
from audit.rows import Concern, CurveRow, FairnessRow, LabelSource, MetricRow

Combination = tuple[str, ...]


@dataclass(frozen=True)
class DataOptions:
    """How a data set is audited.

    ``by`` are attribute combinations such as ``gender,race`` (by default the usual ones that
    exist, each alone), ``sources`` say who assigned an attribute, ``age_bands`` are edges in years
    (by default the bands of the data, or decades).
    """

    by: Sequence[str] | None = None
    sources: Mapping[str, str] | None = None
    age_bands: Sequence[float] | None = None
    max_cells: int = 20_000
    n_boot: int = 1000
    seed: int = 0


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
    options = options or DataOptions()
    frame = with_ages(frame, place)
    labels = labels_in(frame)
    combinations = _combinations(frame, options.by, reference, place)
    names = tuple(dict.fromkeys([*(n for c in combinations for n in c), *labels]))
    edges = tuple(map(float, options.age_bands)) if options.age_bands else None
    faces = faces_of(frame, names, place, edges, options.max_cells)
    found = Found([], [], [], [])
    alone = [(label,) for label in labels if (label,) not in combinations]
    for names_of in (*combinations, *alone):
        meant = reference if reference and {*reference.names} == {*names_of} else None
        _represented(faces, names_of, meant, options.seed, found)
    for names_of in combinations:
        _associated(faces, names_of, labels, options, found)
    if copies is not None:
        groupings = [faces.grouped(names_of) for names_of in ((), *combinations)]
        found.metrics.extend(copy_rows(faces, copies, groupings))
    found.metrics.extend(shared_rows(shared))
    if against is not None:
        wanted = [*combinations, *alone]
        _drifted(faces, with_ages(against, "--against"), wanted, edges, options, found)
    sources = _sources(options.sources or {}, names)
    n_unknown = {name: int((item.codes < 0).sum()) for name, item in faces.attributes.items()}
    return AuditResult(
        task="data",
        run=(run or RunInfo(model=place, seed=0)).model_copy(update={"seed": options.seed}),
        spec=Spec(
            attributes={
                name: AttributeSpec(
                    source=sources.get(name, "unknown"),
                    values=list(item.values),
                    n_unknown=n_unknown[name],
                )
                for name, item in faces.attributes.items()
            },
            combinations=[list(names_of) for names_of in (*combinations, *alone)],
            unit_of_resampling="person" if faces.has_people else "face",
            units="persons",
            estimand="image",
            n_boot=options.n_boot,
            min_n=1,
            families="none: each p stands alone",
            age_bands=[band[0] for band in bands_from_edges(edges)] if edges else None,
            metrics=specs_of(row.metric for row in found.metrics),
            fairness=statistic_specs((row.metric for row in found.fairness), labels),
            curves=CURVES if found.curves else {},
        ),
        metrics=found.metrics,
        gaps=[],
        fairness=found.fairness,
        curves=found.curves,
        warnings=[
            *_concerns(faces, labels),
            *found.concerns,
            *copy_concerns(copies),
            *shared_concerns(shared),
            *source_warnings(sources, n_unknown, len(faces)),
        ],
    )


def _represented(
    faces: Faces, names: Combination, reference: Reference | None, seed: int, found: Found
) -> None:
    """Shares of the groups of one combination."""
    item, group = faces.grouped(names)
    reference = None if reference is None else reference.turned(names)
    column = np.cumsum(item.known) - 1
    rows = np.flatnonzero(item.known[group])
    shares = shares_of(faces.by_person(column[group], int(item.known.sum()), rows))
    found.metrics.extend(share_rows(item, shares, reference, len(faces) - len(rows)))
    found.fairness.extend(evenness_rows(item, shares))
    if len(shares.faces) == 1:
        message = f"all faces whose {','.join(names)} is known are of one group"
        found.concerns.append(
            Concern(code="one_group", severity="warning", message=message, where=",".join(names))
        )
    if reference is not None:
        found.fairness.extend(reference_rows(item, shares, reference, seed))
        found.concerns.extend(reference_concerns(reference, item, shares.faces))


def _associated(
    faces: Faces, names: Combination, labels: Sequence[str], options: DataOptions, found: Found
) -> None:
    """What every label tells of the groups of one combination, and how their ages overlap."""
    item, group = faces.grouped(names)
    for name in labels:
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


def _drifted(
    faces: Faces,
    against: pd.DataFrame,
    combinations: Sequence[Combination],
    edges: Sequence[float] | None,
    options: DataOptions,
    found: Found,
) -> None:
    """Drift of every combination that both data sets have."""
    have = {*against.columns}
    both = [names for names in combinations if {*names} <= have]
    if not both:
        wanted = dict.fromkeys(name for names in combinations for name in names)
        raise InputError(
            f"--against: has none of the columns {', '.join(wanted)}, so nothing can be compared"
        )
    read = tuple(dict.fromkeys(name for names in both for name in names))
    other = faces_of(against, read, "--against", edges, options.max_cells)
    for names in both:
        rows, distances = drift_rows(faces, other, names, options.seed)
        found.metrics.extend(rows)
        found.fairness.extend(distances)
    found.fairness.extend(age_drift(faces, other))


def _combinations(
    frame: pd.DataFrame, by: Sequence[str] | None, reference: Reference | None, place: str
) -> tuple[Combination, ...]:
    usual = [name for name in DEFAULT_ATTRIBUTES if name in frame.columns]
    wanted = [
        tuple(part.strip() for part in text.split(",")) for text in (usual if by is None else by)
    ]
    for names in wanted:
        _check_names(frame, names, "--by", place)
    if reference is not None and {*reference.names} not in [{*names} for names in wanted]:
        _check_names(frame, reference.names, "--reference", place)
        wanted.append(reference.names)
    return tuple(dict.fromkeys(wanted))


def _check_names(frame: pd.DataFrame, names: Combination, option: str, place: str) -> None:
    given = f"{option} {','.join(names)}"
    if len({*names}) != len(names) or not all(names):
        raise InputError(f"{given}: must name different attributes, separated by commas")
    for name in names:
        if name in NO_GROUPS:
            raise InputError(f"{given}: {name} names faces and makes no groups; leave it out")
        if name not in frame.columns:
            have = [str(column) for column in frame.columns if column not in NO_GROUPS]
            raise InputError(
                f"{place}: {given}: no such column {name!r}; the data set has "
                f"{', '.join(have) or 'no attribute'}"
            )


def _sources(sources: Mapping[str, str], names: Sequence[str]) -> dict[str, LabelSource]:
    found: dict[str, LabelSource] = {}
    known = get_args(LabelSource)
    for name, source in sources.items():
        if name not in names:
            raise InputError(
                f"--label-source {name}: is not audited; choose of {', '.join(names) or 'none'}"
            )
        if source not in known:
            raise InputError(f"--label-source {name}={source}: must be one of {', '.join(known)}")
        found[name] = source  # type: ignore[assignment]
    return found


def _concerns(faces: Faces, labels: Sequence[str]) -> list[Concern]:
    found = [] if faces.has_people else [NO_SUBJECTS]
    if not faces.has_ids:
        message = "no sample_id: intervals and p depend on the order of the rows"
        found.append(Concern(code="no_ids", severity="warning", message=message))
    if not labels:
        message = "there is neither age nor expression: no label is set beside the groups"
        found.append(Concern(code="no_labels", severity="warning", message=message))
    return found
