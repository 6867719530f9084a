"""Aggregate rows: the spread of a metric over all groups, beside what noise alone would show.

``null_expected`` is the mean of the aggregate in a world where every group has the same true value,
the mean over all faces of these groups, and the estimates have the noise and the common persons of
the data: the cluster-robust covariance; of rates, the variance of the common rate at their
effective number of faces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from audit.block import RANGE_LIMITED, Block, Setting, possible, values_of
from audit.estimates import estimate, influence, persons_of
from audit.families import MIN_REPLICATES
from audit.intervals import Estimates
from audit.largest import eligible_groups, range_estimates
from audit.metrics.core import Metric
from audit.metrics.one_vs_rest import ONE_VS_REST, error_rates
from audit.metrics.spread import (
    fdr,
    garbe,
    gei_between,
    gei_total,
    gini,
    inequity,
    sd_between,
    tau2,
)
from audit.null_world import null_draws, scaled
from audit.rows import AggregateGap

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_TWO_RATES = {"garbe": garbe, "fdr": fdr, "inequity": inequity}
_FEW_ERRORS = 5


def aggregate_rows(setting: Setting, block: Block, classes: Sequence[str]) -> list[AggregateGap]:
    """Aggregates of one attribute combination, over its known groups of at least min_n persons.

    ``sd_between`` and ``tau2`` of every metric that has gaps; ``gini`` of positive errors and of
    shares, ``gei_between`` where those are means over faces; ``garbe``, ``fdr`` and ``inequity`` of
    each class's false positive and false negative rate.
    """
    rows: list[AggregateGap] = []
    for metric in possible(setting):
        if metric.interval != "none":
            rows += _of_metric(setting, block, metric)
    for name, pair in zip(classes, error_rates(classes), strict=True):
        rows += two_rate_rows(setting, block, pair, ONE_VS_REST, name)
    return rows


def kinds_of(metric: Metric) -> tuple[str, ...]:
    """The aggregates that a metric has."""
    share = metric.interval == "wilson" and metric.better in {"lower", "higher"}
    error = metric.interval in {"log_t", "logit_t", "percentile"} and metric.better == "lower"
    kinds = ("sd_between", "tau2")
    if not (share or error):
        return kinds
    return (*kinds, "gini", *(("gei_between",) if metric.parts else ()))


def _of_metric(setting: Setting, block: Block, metric: Metric) -> list[AggregateGap]:
    kinds = kinds_of(metric)
    if metric.name in RANGE_LIMITED and "age" in block.grouping.names:
        return [_row(block, metric.name, metric.class_, kind, "range_restricted") for kind in kinds]
    there = int((block.grouping.known & ~np.isnan(values_of(block, metric))).sum())
    chosen = eligible_groups(setting, block, metric)
    few = "few_per_class" if metric.masked else "below_min_n"
    if len(chosen) < 2:
        reason = "single_group" if there < 2 else few
        return [_row(block, metric.name, metric.class_, kind, reason) for kind in kinds]
    e, covariance, _ = range_estimates(setting, block, metric, chosen)
    np.fill_diagonal(covariance, e.var)
    if metric.quantile is not None and setting.n_boot < MIN_REPLICATES:
        covariance[:] = np.nan
    flipped = metric.interval == "wilson" and metric.better == "higher"
    weights = _weights(setting, block, metric, chosen)
    centre = np.full(len(chosen), np.average(e.value, weights=weights))
    noise = _null_covariance(metric, e, covariance, centre)
    share = 1 - e.value if flipped else e.value
    of_share = np.full(len(chosen), np.average(share, weights=weights))
    worlds = {
        positive: null_draws(around, noise, weights, setting.seed, positive=positive)
        for positive, around in ((False, centre), (True, of_share))
        if not positive or "gini" in kinds
    }
    left_out = f"{few}: {there - len(chosen)} groups left out" if there > len(chosen) else None
    rows = []
    for kind in kinds:
        positive = kind in {"gini", "gei_between"}
        value = share if positive else e.value
        found, null = _single(kind, value, worlds[positive], covariance, weights)
        notes = [_single_note(kind, found, null), left_out]
        notes += ["of_errors"] if positive and flipped else []
        row = _row(block, metric.name, metric.class_, kind, "; ".join(x for x in notes if x))
        if kind == "gei_between" and not np.isnan(found):
            mean = float(np.average(value, weights=weights))
            square = _mean_square(setting, block, metric, chosen, mean)
            within = None if square is None else gei_total(mean, square) - found
            row = row.model_copy(update={"within": within})
        rows.append(row.model_copy(update=_numbers(found, null)))
    return rows


def _single(
    kind: str, value: FloatArray, drawn: FloatArray, covariance: FloatArray, weights: FloatArray
) -> tuple[float, float]:
    """An aggregate and its mean without true differences."""
    if kind == "tau2":
        return float(tau2(value, covariance)), 0.0
    of: dict[str, Callable[[FloatArray], FloatArray]] = {
        "sd_between": sd_between,
        "gini": gini,
        "gei_between": lambda x: gei_between(x, weights),
    }
    return float(of[kind](value)), float(of[kind](drawn).mean())


def _single_note(kind: str, value: float, null: float) -> str:
    if np.isnan(value):
        undefined = {"tau2": "too_few_replicates", "inequity": "zero_minimum"}
        return undefined.get(kind, "zero_denominator")
    if np.isnan(null):
        return "null_unknown" if kind in _TWO_RATES else "too_few_replicates"
    return "noise_removed" if kind == "tau2" else "biased_extreme"


def two_rate_rows(
    setting: Setting, block: Block, pair: tuple[Metric, Metric], name: str, class_: str | None
) -> list[AggregateGap]:
    """GARBE, Fairness Discrepancy Rate and inequity rate of two error rates.

    Parameters
    ----------
    pair : (Metric, Metric)
        Two proportions with ``parts``, such as false positive and false negative rate, whose
        persons the setting counts.
    name, class_ : str
        What the rows are called.
    """
    whole = block.moments
    counted, known = whole.wanted.coefficients, block.grouping.known
    who = persons_of(pair, setting.layout, whole.tally, counted, known)
    m = np.stack([who[metric.key][0].m for metric in pair])
    there = block.grouping.known & (m > 0).all(axis=0)
    chosen = np.flatnonzero(there & (m >= setting.min_n).all(axis=0))
    if len(chosen) < 2:
        reason = "single_group" if there.sum() < 2 else "below_min_n"
        return [_row(block, name, class_, kind, reason) for kind in _TWO_RATES]
    found, slopes = [], []
    for metric in pair:
        people = who[metric.key][0].take(chosen)
        e, slope = estimate(metric, setting.layout, block.panels.groups.take(chosen), people)
        full = np.zeros((block.grouped.n_groups, slope.shape[1]))
        full[chosen] = slope
        found.append(e)
        slopes.append(influence(block.grouped, full)[:, chosen])
    psi = np.concatenate([slope.toarray().T for slope in slopes])
    weights = np.concatenate([_weights(setting, block, metric, chosen) for metric in pair])
    g = len(chosen)
    a_rate, b_rate = (e.value for e in found)
    common = [
        np.average(e.value, weights=w) for e, w in zip(found, np.split(weights, 2), strict=True)
    ]
    centre = np.repeat(common, g)
    n_eff = np.concatenate([e.n_eff for e in found])
    shared = np.tile(block.moments.shares[np.ix_(chosen, chosen)], (2, 2))
    noise = scaled(np.where(shared, psi @ psi.T, 0.0), centre * (1 - centre) / n_eff)
    drawn = null_draws(centre, noise, weights, setting.seed, positive=True)
    a, b = drawn[:, :g], drawn[:, g:]
    rare = (centre * n_eff < _FEW_ERRORS).any()
    left_out = f"below_min_n: {there.sum() - g} groups left out" if there.sum() > g else None
    rows = []
    for kind, of in _TWO_RATES.items():
        value = float(of(a_rate, b_rate))
        null = np.nan if kind == "inequity" and rare else float(of(a, b).mean())
        notes = [_single_note(kind, value, null), left_out]
        row = _row(block, name, class_, kind, "; ".join(x for x in notes if x))
        rows.append(row.model_copy(update=_numbers(value, null)))
    return rows


def _null_covariance(
    metric: Metric, e: Estimates, covariance: FloatArray, centre: FloatArray
) -> FloatArray:
    if metric.interval != "wilson":
        return covariance
    return scaled(covariance, centre * (1 - centre) / e.n_eff)


def _weights(setting: Setting, block: Block, metric: Metric, chosen: IntArray) -> FloatArray:
    """Weight of each group: the denominator of its value."""
    sums = setting.layout.unpack(block.panels.groups.totals[chosen])
    return np.asarray(metric.parts(sums)[1] if metric.parts else sums["w"], dtype=np.float64)


def _mean_square(
    setting: Setting, block: Block, metric: Metric, chosen: IntArray, mean: float
) -> float | None:
    """Mean square over single faces: a share's is its mean; of |e| it is the mean of e^2."""
    if metric.interval == "wilson":
        return mean
    if metric.name != "mae":
        return None
    sums = setting.layout.unpack(block.panels.groups.totals[chosen])
    return float(sums["error2"].sum() / sums["w"].sum())


def _numbers(value: float, null: float) -> dict[str, float | None]:
    if np.isnan(value):
        return {"value": None, "null_expected": None}
    return {"value": value, "null_expected": None if np.isnan(null) else null}


def _row(block: Block, metric: str, class_: str | None, kind: str, note: str) -> AggregateGap:
    names = block.grouping.names
    return AggregateGap(
        kind=kind,
        metric=metric,
        class_=class_,
        attributes=list(names),
        value=None,
        family=f"{metric}/{','.join(names)}",
        note=note,
    )
