"""Rows of gaps that are adjusted for what the groups are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.block import Setting
from audit.groups import Grouping
from audit.intervals import Contrast
from audit.metrics.core import Layout, Metric
from audit.person_contrasts import contrast_of, satterthwaite, together
from audit.rows import AdjustedGap
from audit.units import GroupedSums
from audit.verdict import MIN_EFFECTIVE

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MOST_GROUPS, MOST_FOR_PAIRS, N_LARGEST = 24, 12, 20
ADJUSTMENTS = {
    "standardised_difference": "sum_a w_a (M_a of the first - M_a of the second) over the strata a "
    "that both groups have with two persons or more. reference: pooled = the mix w of everyone, "
    "which varies with the sample; uniform = the same weight for every stratum; user = a given "
    "mix; the last two are held fixed. Null where over 10 % of the reference is in no common "
    "stratum",
    "kitagawa_mix": "sum_a (q_a - r_a)(M_a + N_a) / 2: the part of the plain difference that comes "
    "from the mixes q and r of the groups (Kitagawa, 1955, doi:10.1080/01621459.1955.10501299)",
    "kitagawa_rate": "sum_a (M_a - N_a)(q_a + r_a) / 2: the part that stays within the strata; "
    "both parts add up to the plain difference",
    "adjusted_difference": "difference of the groups' predictions at the ages of everyone, from "
    "least squares of the error on group x natural cubic spline of the age (knots at the 5, 27.5, "
    "50, 72.5 and 95 % quantiles) and on the other attributes; for ages known as bands on group, "
    "band and the others; cluster-robust by person",
}
"""What the kinds of rows are."""


@dataclass(frozen=True, eq=False)
class Groups:
    """One metric in the groups of a combination, (G,) each: value, faces, persons, effective ones.

    ``metric`` is a mean, so it has ``parts``.
    """

    metric: Metric
    grouping: Grouping
    value: FloatArray
    n: FloatArray
    m: FloatArray
    effective: FloatArray


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of groups to compare, index arrays in text order."""

    i: IntArray
    j: IntArray

    def __len__(self) -> int:
        return len(self.i)


@dataclass(frozen=True, eq=False)
class Kind:
    """What some rows are: their kind, the reference mix and what is held equal."""

    kind: str
    reference: str | None
    adjusts_for: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Estimated:
    """Contrasts of all pairs: values (P,), influences (units, P), variance by part with its df.

    ``parts`` (P, K) are variances that add up but for persons in several parts; ``df`` (K,).
    ``notes`` say why a value or its interval is missing.
    """

    value: FloatArray
    psi: FloatArray
    parts: FloatArray
    df: FloatArray
    notes: Sequence[str | None]


def is_compared(item: Grouping) -> bool:
    """Whether groups of this combination are few enough, and no groups of age."""
    return bool(item.names) and "age" not in item.names and 1 < item.known.sum() <= MOST_GROUPS


def coefficients(layout: Layout, metric: Metric) -> tuple[FloatArray, FloatArray]:
    """What makes a mean's numerator and denominator from the features, (F,) each."""
    assert metric.parts is not None
    top, bottom = metric.parts(layout.unpack(np.eye(layout.size)))
    return np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)


def groups_of(
    layout: Layout, metric: Metric, item: Grouping, totals: FloatArray, persons: GroupedSums
) -> Groups:
    """A mean in every group of a combination.

    Parameters
    ----------
    totals : array (G, F)
        Sums of every group.
    persons : GroupedSums
        The denominator of the mean by person and group, in one column.
    """
    sums = layout.unpack(totals)
    amount = np.asarray(persons.values).ravel()
    size = len(item.groups)
    m = np.bincount(persons.group, amount > 0, size).astype(np.float64)
    total = np.bincount(persons.group, amount, size)
    square = np.bincount(persons.group, amount**2, size)
    effective = np.where(square > 0, total**2 / np.where(square > 0, square, 1.0), 0.0)
    n = metric.counts(sums) if metric.counts is not None else sums["n"]
    return Groups(metric, item, np.asarray(metric.formula(sums)), np.asarray(n), m, effective)


def pairs_of(groups: Groups) -> Pairs:
    """All pairs of at most 12 groups that have a value, else the 20 largest differences."""
    value, item = groups.value, groups.grouping
    usable = np.flatnonzero(item.known & ~np.isnan(value))
    text = np.array(sorted(usable, key=lambda g: tuple(map(str, item.groups[g]))), int)
    first, second = np.triu_indices(len(text), 1)
    i, j = text[first], text[second]
    if len(usable) > MOST_FOR_PAIRS:
        order = np.argsort(-np.round(np.abs(value[i] - value[j]), 12), kind="stable")[:N_LARGEST]
        i, j = i[order], j[order]
    return Pairs(i, j)


def adjusted_rows(
    setting: Setting,
    groups: Groups,
    pairs: Pairs,
    found: Estimated,
    kind: Kind,
    boot: FloatArray,
) -> list[AdjustedGap]:
    """One row for every pair, adjusted for the others of its kind.

    ``boot`` (B, units) are the weights of the resampled units.
    """
    item, metric, who, n = groups.grouping, groups.metric, groups, groups.n
    var = (found.psi**2).sum(axis=0)
    df = satterthwaite(found.parts, found.df)
    var = np.where(np.isnan(found.value) | (var <= 0), np.nan, var)
    c = contrast_of(found.value, var, df)
    few = np.minimum(who.m[pairs.i], who.m[pairs.j]) < setting.min_n
    weak = np.minimum(who.effective[pairs.i], who.effective[pairs.j]) < MIN_EFFECTIVE
    joint = together(setting.adjust, c, var, df, ~few & ~weak, found.psi, boot)
    label = " ".join(part for part in (kind.kind, kind.reference) if part)
    rows = []
    for row in range(len(pairs)):
        bare = bool(np.isnan(c.low[row]))
        notes = [
            found.notes[row],
            "zero_variance" if bare and not found.notes[row] else None,
            "below_min_n" if few[row] else None,
            "low_m_eff" if weak[row] and not few[row] else None,
            None if bare or few[row] or weak[row] else joint.note,
        ]
        i, j = int(pairs.i[row]), int(pairs.j[row])
        rows.append(
            AdjustedGap(
                kind=kind.kind,
                metric=metric.name,
                class_=metric.class_,
                attributes=list(item.names),
                a=item.label(i),
                b=item.label(j),
                value=float(found.value[row]),
                **_limits(c, row),
                method=None if bare else "cluster_t",
                p=None if few[row] else float(c.p[row]),
                p_adjusted=float(joint.p[row]),
                low_adjusted=float(joint.low[row]),
                high_adjusted=float(joint.high[row]),
                min_detectable=float(joint.detectable[row]),
                family=f"{metric.name}/{','.join(item.names)}/{label}",
                reference=kind.reference,
                adjusts_for=list(kind.adjusts_for),
                n_a=round(n[i]),
                n_b=round(n[j]),
                n_subjects_a=round(who.m[i]),
                n_subjects_b=round(who.m[j]),
                note="; ".join(note for note in notes if note) or None,
            )
        )
    return rows


def _limits(c: Contrast, row: int) -> dict[str, float]:
    return {name: float(getattr(c, name)[row]) for name in ("low", "high", "low_90", "high_90")}
