"""Rows and curves of the calibration of predicted age distributions, one combination at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from audit.age_plan import AgePlan, plan_curve_layout
from audit.block import Setting, build_block
from audit.groups import MAX_DRAWN, Grouping
from audit.intervals import limits
from audit.metrics.core import Layout, divide
from audit.metrics.distribution_calibration import (
    calibration_of_distributions,
    expected_ence,
    uniformity,
)
from audit.metrics.distribution_curves import OVER_BINS, PIT_BINS
from audit.metrics.distribution_features import DistributionPlan
from audit.predictions import Predictions
from audit.rates import column_rates
from audit.rows import Code, Concern, CurveRow, MetricRow
from audit.units import GroupedSums, UnitSums, group_sums
from audit.values import metric_rows

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def curve_setting(setting: Setting, plan: AgePlan) -> Setting | None:
    """The setting of the sums of the curves, or ``None`` without a distribution."""
    layout = plan_curve_layout(plan)
    if layout is None or plan.distribution is None:
        return None
    metrics = calibration_of_distributions(plan.distribution)
    columns = layout.columns("pit")
    return replace(
        setting, metrics=metrics, impossible={}, layout=layout, columns=columns, counted=()
    )


def distribution_rows(
    setting: Setting, plan: DistributionPlan, sums: UnitSums, item: Grouping
) -> tuple[list[MetricRow], list[CurveRow]]:
    """Metric rows and curves of one combination; ``setting`` is that of the curves' sums."""
    grouped = group_sums(sums, item)
    block = build_block(setting, item, grouped, {})
    totals = block.sums(setting.layout)
    columns = setting.layout.columns("pit")
    tests = [uniformity(np.asarray(grouped.of(g)[:, columns].todense())) for g in _all(grouped)]
    expected = {"pit_distance": np.array([test[1] for test in tests])}
    if not plan.is_band:
        expected["ence"] = expected_ence(totals)
    rows = metric_rows(setting, block, (), expected)
    p = {tuple(item.label(g).items()): tests[g][0] for g in _all(grouped)}
    rows = [
        row.model_copy(update={"p": _finite(p[tuple(row.group.items())])})
        if row.metric == "pit_distance" and row.value is not None
        else row
        for row in rows
    ]
    if len(item.groups) > MAX_DRAWN:
        return rows, []
    return rows, [*_pit(setting, grouped, item), *_over(setting, plan, grouped, item, totals)]


def distribution_warnings(
    shards: Sequence[Predictions], layout: Layout, sums: UnitSums
) -> list[Concern]:
    """What the distributions of a table leave out: ages beyond the grid, faces without spread."""
    beyond = sum(_beyond(shard) for shard in shards)
    totals = layout.unpack(np.asarray(sums.values.sum(axis=0)).ravel())
    n, floored = round(float(totals["n"])), round(float(totals["floored_n"]))
    flat = n - round(float(totals["z_n"])) if "z_n" in totals else 0
    found = []
    if beyond:
        centres = shards[0].distribution.centres if shards[0].distribution else ()
        found.append(
            _concern(
                "beyond_centres",
                f"{beyond} of {n} true ages lie wholly beyond the ages {centres[0]:g} to "
                f"{centres[-1]:g} that the model gives probabilities to; they count as they are",
            )
        )
    if floored:
        message = f"{floored} of {n} true age bands have probability below 2^-52; raised to it"
        found.append(_concern("band_nll_floored", message))
    if flat:
        message = f"{flat} of {n} predicted distributions sit on a single age; left out of z"
        found.append(_concern("unspread", message))
    return found


def _beyond(shard: Predictions) -> int:
    """Faces whose true age, or all of its band, is below the first or above the last centre."""
    truth, dist = shard.truth, shard.distribution
    if truth is None or dist is None or not dist.centres:
        return 0
    used = shard.labelled & shard.processed
    under = (truth.high <= dist.centres[0]) if truth.is_band else truth.low < dist.centres[0]
    return int((used & (under | (truth.low > dist.centres[-1]))).sum())


def _concern(code: Code, message: str) -> Concern:
    return Concern(code=code, severity="warning", message=message)


def _all(grouped: GroupedSums) -> range:
    return range(grouped.n_groups)


def _finite(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def _pit(setting: Setting, grouped: GroupedSums, item: Grouping) -> list[CurveRow]:
    layout = setting.layout
    every = np.ones(PIT_BINS, dtype=np.int64)
    base, n = layout.columns("w")[0] * every, layout.columns("n")[0] * every
    e, persons = column_rates(grouped, layout.columns("pit"), base, n)
    low, high = limits("wilson", e, 0.95)
    return [
        CurveRow(
            name="pit",
            group=item.label(g),
            x=b / PIT_BINS,
            y=float(e.value[g, b]),
            z=1 / PIT_BINS,
            low=float(low[g, b]),
            high=float(high[g, b]),
            n=round(e.n[g, b]),
            n_subjects=round(persons[g, b]),
        )
        for g in _all(grouped)
        if e.n[g, 0] > 0
        for b in range(PIT_BINS)
    ]


def _over(
    setting: Setting,
    plan: DistributionPlan,
    grouped: GroupedSums,
    item: Grouping,
    totals: dict[str, FloatArray],
) -> list[CurveRow]:
    if not plan.legal:
        return []
    shape = (grouped.n_groups, len(plan.legal), OVER_BINS)
    names = ("over_bin_h", "over_bin_w", "over_bin_n")
    e, persons = column_rates(grouped, *(setting.layout.columns(name) for name in names))
    low, high = (part.reshape(shape) for part in limits("wilson", e, 0.95))
    y, n, m = (part.reshape(shape) for part in (e.value, e.n, persons))
    w = totals["over_bin_w"]
    mean = divide(totals["over_bin_q"], w)
    share = divide(w, np.broadcast_to(w.sum(axis=-1)[..., None], w.shape))
    return [
        CurveRow(
            name="age_over_reliability",
            class_=f"{age:g}",
            group=item.label(g),
            x=float(mean[g, k, b]),
            y=float(y[g, k, b]),
            z=float(share[g, k, b]),
            low=float(low[g, k, b]),
            high=float(high[g, k, b]),
            n=round(n[g, k, b]),
            n_subjects=round(m[g, k, b]),
        )
        for g in _all(grouped)
        for k, age in enumerate(plan.legal)
        for b in np.flatnonzero(w[g, k] > 0)
    ]
