"""Overall error against the largest gap: which runs are worse than another in both, and surely so.

The largest gap of one run need not lie between the groups of another's. That of run s is smaller
than that of run r if every difference of groups in s is smaller than some one difference in r. So
the latter is looked for among all pairs, at the level that allows for looking, and then every pair
of s, either way round, must be smaller by a paired one-sided test (intersection-union tests:
Berger, 1982, doi:10.1080/00401706.1982.10487790).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, hstack
from scipy.special import stdtrit

from audit.block import Setting, build_block
from audit.comparison import Missing, ParetoPoint
from audit.groups import Grouping
from audit.intervals import Contrast
from audit.largest import eligible_pairs, largest_row
from audit.metrics.core import Metric
from audit.paired import Sides, all_groups, sides_of
from audit.paired_sums import Reading, RunSums, on_faces_of_all, pair_of
from audit.paired_tests import between_runs
from audit.resample import Weightings, resample, weightings
from audit.rows import MetricRow, RangeGap
from audit.units import bucketed, group_sums
from audit.values import metric_rows
from audit.verdict import MIN_EFFECTIVE

FloatArray = npt.NDArray[np.float64]
HEADLINES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("age", "both"): ("mae", "within_band_accuracy", "band_distance"),
    ("expression", "both"): ("accuracy",),
    ("age", "worst"): ("within_band_accuracy_all", "within_band_accuracy"),
    ("expression", "worst"): ("accuracy_all", "accuracy"),
}
"""The metric that runs are compared by at a glance: the first that exists."""

LEVEL = 0.05
MOST_PAIRS = 20


@dataclass(frozen=True, eq=False)
class _Point:
    """One run in one combination."""

    row: MetricRow
    gap: RangeGap

    @property
    def widest(self) -> float | None:
        """The largest gap without what chance adds to it, where that is known."""
        return self.gap.value if self.gap.debiased is None else self.gap.debiased


def headline_of(setting: Setting, task: str, missing: Missing) -> Metric | None:
    """The metric of the view."""
    found = {m.name: m for m in setting.metrics if m.name not in setting.impossible}
    return next((found[name] for name in HEADLINES[task, missing] if name in found), None)


def pareto_points(
    setting: Setting, metric: Metric, sums: Mapping[str, RunSums], reading: Reading
) -> list[ParetoPoint]:
    """Every run in every combination, on the faces that all runs processed.

    A metric that counts failures is read off all faces.
    """
    names = list(sums)
    runs = list(sums.values())
    if not metric.counts_failures:
        runs = on_faces_of_all(runs, reading)
    small = replace(setting, metrics=(metric,), columns=setting.layout.columns(*metric.features))
    weights = weightings(small, runs[0].persons.sums)
    items = runs[0].groupings(reading)
    tests = len(names) * (len(names) - 1)
    changes = {
        (r, s): _overall(small, metric, (runs[r], runs[s]), items[0])
        for r in range(len(names))
        for s in range(len(names))
        if r != s
    }
    rows = []
    for item in items[1:]:
        points = [_point(small, metric, run, (items[0], item), weights) for run in runs]
        for r, name in enumerate(names):
            surely: list[str] = []
            perhaps: list[str] = []
            for s, other in enumerate(names):
                if s == r or not _looks_better(metric, points[r], points[s]):
                    continue
                change = changes[r, s]
                better = bool(change.p[0] < LEVEL / tests)
                pair = pair_of(runs[r], runs[s], item)
                sides = sides_of(small, pair, metric, all_groups(pair))
                narrower = better and gap_is_smaller(small, item, sides, LEVEL / tests)
                (surely if narrower else perhaps).append(other)
            rows.append(_row(metric, item, name, points[r], surely, perhaps))
    return rows


def _overall(
    setting: Setting, metric: Metric, runs: tuple[RunSums, RunSums], everyone: Grouping
) -> Contrast:
    pair = pair_of(*runs, everyone)
    return between_runs(metric, sides_of(setting, pair, metric, all_groups(pair))).contrast


def _point(
    setting: Setting,
    metric: Metric,
    run: RunSums,
    items: tuple[Grouping, Grouping],
    weights: Weightings,
) -> _Point:
    sums = run.persons.sums
    whole, block = (build_block(setting, item, group_sums(sums, item), {}) for item in items)
    row = metric_rows(setting, whole, (), {})[0]
    # persons have the same weights in every run, so the runs' gaps are resampled together
    own = replace(weights, sums=bucketed(sums))
    resampled = resample(setting, block, own)
    tested = eligible_pairs(setting, block, metric, resampled)
    return _Point(row, largest_row(setting, block, metric, resampled, tested, None, 1))


def _looks_better(metric: Metric, own: _Point, other: _Point) -> bool:
    x, y, gap, theirs = own.row.value, other.row.value, own.widest, other.widest
    if x is None or y is None or gap is None or theirs is None or gap <= theirs:
        return False
    return y > x if metric.better == "higher" else y < x


def gap_is_smaller(setting: Setting, item: Grouping, sides: Sides, level: float) -> bool:
    """Whether the second run's largest gap is surely smaller than the first's.

    Both largest gaps are over the groups with persons enough. For shares, each group's variance is
    raised by 1 / (m_eff + 1)^2, so that a group without an error is not taken for certain.
    """
    enough = (sides.m >= setting.min_n) & (sides.m_eff >= MIN_EFFECTIVE)
    chosen = np.flatnonzero(item.known & enough & ~np.isnan(sides.values).any(axis=0))
    k = len(chosen)
    if k < 2:
        return False
    here = sides.take(chosen)
    psi = csc_array(hstack(here.psi))
    covariance = np.asarray((psi.T @ psi).toarray())
    if setting.metrics[0].interval == "wilson":
        covariance += np.diag(np.tile(1 / (here.m_eff + 1) ** 2, 2))
    i, j = np.triu_indices(k, 1)
    gaps = here.values[0, i] - here.values[0, j]
    i, j = np.where(gaps >= 0, i, j), np.where(gaps >= 0, j, i)
    first, second = np.nonzero(~np.eye(k, dtype=np.bool_))
    critical = float(stdtrit(float(np.min(here.df)), 1 - level / 2 / len(i)))
    unit = np.eye(2 * k)
    theirs = unit[k + first] - unit[k + second]
    value = here.values.reshape(-1)
    for pair in np.argsort(-np.abs(gaps), kind="stable")[:MOST_PAIRS]:
        contrast = unit[i[pair]] - unit[j[pair]] - theirs
        var = np.einsum("pi,ij,pj->p", contrast, covariance, contrast)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (contrast @ value) / np.sqrt(np.maximum(var, 0))
        if np.all(z > critical):
            return True
    return False


def _row(
    metric: Metric,
    item: Grouping,
    name: str,
    point: _Point,
    surely: Sequence[str],
    perhaps: Sequence[str],
) -> ParetoPoint:
    row, gap = point.row, point.gap
    return ParetoPoint(
        metric=metric.name,
        attributes=list(item.names),
        run=name,
        value=row.value,
        low=row.low,
        high=row.high,
        gap=gap.value,
        gap_low=gap.low,
        gap_high=gap.high,
        gap_debiased=gap.debiased,
        a=gap.a,
        b=gap.b,
        n=row.n,
        n_subjects=row.n_subjects,
        dominated_by=list(surely),
        not_settled=list(perhaps),
        note=gap.note or row.note,
    )
