"""Representation: the share of every group, evenness, and the distance to a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array
from scipy.stats import chi2

from audit.data_set.faces import Faces
from audit.data_set.reference import Reference
from audit.estimates import Panel, Persons, estimate
from audit.groups import Grouping
from audit.intervals import Estimates, limits
from audit.metrics.core import Layout, Metric, ratio_of
from audit.metrics.fairness import nsd
from audit.metrics.representation import (
    chi_square,
    effective_groups,
    evenness,
    jensen_shannon,
    tv_distance,
)
from audit.rows import FairnessRow, Group, MetricRow

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NULL_DRAWS = 200
LAYOUT = Layout({"hits": (), "n": ()})
SHARE = Metric(
    name="share",
    interval="wilson",
    unit="share",
    better="none",
    definition="faces of the group over the faces whose attributes are known",
    source="standard",
    features=("hits", "n"),
    formula=ratio_of(lambda sums: (sums["hits"], sums["n"])),
    parts=lambda sums: (sums["hits"], sums["n"]),
)


@dataclass(frozen=True, eq=False)
class Shares:
    """Faces and people by group (G,), and the share of each, with its variance by person.

    ``counts`` (m, G) are the faces of each person, ``slope`` (G, 2) the gradient of each share.
    """

    faces: FloatArray
    people: FloatArray
    found: Estimates
    counts: csr_array
    slope: FloatArray

    def influence(self, persons: IntArray) -> FloatArray:
        """The part of some persons in the error of each share, (persons, G)."""
        some = self.counts[persons]
        size = np.asarray(some.sum(axis=1)).ravel()
        return np.asarray(some.todense()) * self.slope[:, 0] + size[:, None] * self.slope[:, 1]

    @property
    def mean_design(self) -> float:
        """The mean design effect of photos per person, by which chi-square is divided; at least 1.

        sum_g (1 - p_g) deff_g / (G - 1) (Rao and Scott, 1981, doi:10.1080/01621459.1981.10477633).
        """
        used = self.faces > 0
        value, var = self.found.value[used], self.found.var[used]
        if len(value) < 2 or not np.isfinite(var).all():
            return 1.0
        effects = var * self.faces.sum() / value
        return max(1.0, float(effects.sum() / (len(value) - 1)))

    def fields(self, g: int, times: float = 1.0) -> dict[str, Any]:
        """The value of a row and its limits, times a constant, and their method."""
        one = self.found.take(np.array([g]))
        pairs = [limits("wilson", one, level) for level in (0.95, 0.90)]
        ends = [float(end[0]) * times for pair in pairs for end in pair]
        method = "wilson_neff" if np.isfinite(ends).all() else None
        names = ("low", "high", "low_90", "high_90")
        value = float(one.value[0]) * times
        return {"value": value, "method": method, **dict(zip(names, ends, strict=True))}


def shares_of(counts: csr_array) -> Shares:
    """Shares of faces from the faces of every person by group, (m, G)."""
    size = np.asarray(counts.sum(axis=1)).ravel()
    columns = csc_array(counts)
    faces = np.asarray(columns.sum(axis=0)).ravel()
    people = np.diff(columns.indptr).astype(np.float64)
    full = columns.data == size[columns.indices]
    only = np.bincount(np.repeat(np.arange(len(faces)), np.diff(columns.indptr))[full],
                       minlength=len(faces))  # fmt: skip
    square = np.asarray(columns.power(2).sum(axis=0)).ravel()
    both = np.asarray(columns.T @ size).ravel()
    m, n, whole = float((size > 0).sum()), size.sum(), (size**2).sum()
    shape = (len(faces),)
    moments = np.array([[square, both], [both, np.full(shape, whole)]]).transpose(2, 0, 1)
    effective = n**2 / whole if whole > 0 else 0.0
    who = Persons(np.full(shape, m), np.full(shape, effective), np.minimum(people, m - only))
    totals = np.column_stack([faces, np.full(shape, n)])
    found, slope = estimate(SHARE, LAYOUT, Panel(totals, moments, np.arange(2)), who)
    return Shares(faces, people, found, counts, slope)


def whole_row(faces: Faces) -> MetricRow:
    """All faces, so that the record says how many there are."""
    return MetricRow(
        metric="share",
        group={},
        value=1.0,
        n=len(faces),
        n_subjects=len(faces.keys),
        m_eff=faces.m_eff,
        n_failed=0,
        n_unlabelled=0,
        note="descriptive",
    )


def share_rows(
    item: Grouping, shares: Shares, reference: Reference | None, n_unknown: int
) -> list[MetricRow]:
    """The share of every group, and beside a reference the ratio to it."""
    rows = []
    known = np.flatnonzero(item.known)
    for g, at in enumerate(known):
        common = {
            "group": item.label(int(at)),
            "n": round(shares.faces[g]),
            "n_subjects": round(shares.people[g]),
            "m_eff": float(shares.found.m_eff[g]),
            "n_unlabelled": n_unknown,
        }
        rows.append(_metric("share", common, shares.fields(g)))
        if reference is None:
            continue
        given = reference.shares.get(item.groups[at], 0.0)
        fields = shares.fields(g, 1 / given) if given > 0 else {"value": None}
        note = None if given > 0 else "outside_reference"
        rows.append(_metric("representation_ratio", common, fields, note))
    if reference is not None:
        here = {item.groups[at] for at in known}
        for group, share in reference.shares.items():
            if share > 0 and group not in here:
                label: Group = dict(zip(item.names, group, strict=True))
                common = {"group": label, "n": 0, "n_subjects": 0, "n_unlabelled": n_unknown}
                rows.append(_metric("representation_ratio", common, {"value": 0.0}, "absent_group"))
    return rows


def _metric(
    name: str, common: Mapping[str, Any], fields: Mapping[str, Any], note: str | None = None
) -> MetricRow:
    bare = "few_effective" if fields.get("method") is None else None
    return MetricRow(metric=name, n_failed=0, note=note or bare, **common, **fields)


def evenness_rows(item: Grouping, found: Shares) -> list[FairnessRow]:
    """Unevenness, evenness, and the number of equal groups with the same entropy."""
    sizes = found.faces
    several = len(sizes) > 1
    values = {
        "nsd": float(nsd(sizes)),
        "evenness": float(evenness(sizes)),
        "effective_groups": float(effective_groups(sizes)) if sizes.sum() > 0 else np.nan,
    }
    note = "descriptive" if several else "single_group"
    return [statistic(name, item.names, value, sizes, note) for name, value in values.items()]


def reference_rows(
    item: Grouping, found: Shares, reference: Reference, seed: int
) -> list[FairnessRow]:
    """Distances to the reference, and a chi-square test of it that allows for photos per person.

    Expected by chance: samples of as many independent faces from the reference, their number
    divided by the mean design effect.
    """
    observed = dict(zip((item.groups[g] for g in np.flatnonzero(item.known)), found.faces,
                        strict=True))  # fmt: skip
    every = [*observed, *(group for group in reference.shares if group not in observed)]
    counts = np.array([observed.get(group, 0.0) for group in every])
    given = np.array([reference.shares.get(group, 0.0) for group in every])
    n, design = counts.sum(), found.mean_design
    names = ("tv_reference", "js_reference", "chi2_reference")
    if n == 0:
        return [statistic(name, item.names, np.nan, counts, "empty_group") for name in names]
    draws = np.random.default_rng(seed).multinomial(max(1, round(n / design)), given, NULL_DRAWS)
    drawn = draws / draws.sum(axis=1, keepdims=True)
    note = "biased_extreme" if (given[counts > 0] > 0).any() else "disjoint"
    rows = [
        statistic(
            name, item.names, float(distance(counts / n, given)), counts, note,
            null_expected=float(distance(drawn, given).mean()),
        )
        for name, distance in zip(names, (tv_distance, jensen_shannon), strict=False)
    ]  # fmt: skip
    square = float(chi_square(counts, n * given)) / design
    df = int((given > 0).sum()) - 1
    outside = "outside_reference" if np.isnan(square) else "single_group" if df < 1 else None
    p = np.nan if outside else float(chi2.sf(square, df))
    null = None if outside else float(df)
    return [
        *rows,
        statistic(
            names[2], item.names, square if df >= 1 else np.nan, counts,
            outside or "biased_extreme", null_expected=null, p=p,
        ),
    ]  # fmt: skip


def statistic(
    metric: str,
    names: tuple[str, ...],
    value: float,
    sizes: FloatArray,
    note: str | None,
    **more: Any,
) -> FairnessRow:
    """A row of one statistic over groups of so many faces."""
    return FairnessRow(
        metric=metric,
        attributes=list(names),
        value=value,
        n=round(sizes.sum()),
        n_groups=int((sizes > 0).sum()),
        note=note,
        **more,
    )
