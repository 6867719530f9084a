"""Runs that differ in their seed alone: the mean over seeds, and training's share of its error.

A setting is a population of trainings, of which k were drawn. The variance of their mean M is
s^2 / k, s the standard deviation between seeds, plus that of drawing other people, from the mean
influence of every person; t has k - 1 degrees of freedom, since few trainings say little of s. Both
count the chance that is a seed's and a face's together, so the interval is a little too wide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array
from scipy.special import stdtr, stdtrit

from audit.block import Setting, possible
from audit.comparison import SeedRow
from audit.errors import InputError
from audit.groups import Grouping
from audit.metrics.core import Metric
from audit.paired import Places, Sides, sides_of, squares
from audit.paired_sums import Reading, RunSums, on_faces_of_all, pair_of
from audit.ranges import choose
from audit.verdict import MIN_EFFECTIVE

FloatArray = npt.NDArray[np.float64]
LEAST = 5


@dataclass(frozen=True, eq=False)
class _Mean:
    """One metric of the runs of a setting in every group: values (k, G), mean influence (U, G)."""

    values: FloatArray
    psi: csc_array
    first: Sides


def check_settings(settings: Mapping[str, Sequence[str]], runs: Sequence[str]) -> None:
    """Refuse settings that are not at least 5 of the runs, each in one setting.

    Raises
    ------
    InputError
        With the setting and the run.
    """
    of: dict[str, str] = {}
    for name, found in settings.items():
        place = f"--seeds-of {name}"
        if name in runs:
            raise InputError(f"{place}: a run is called so; name the setting otherwise")
        for run in found:
            if run not in runs:
                raise InputError(f"{place}: no run {run!r}; the runs are {', '.join(runs)}")
            if run in of:
                raise InputError(f"{place}: {run!r} is named twice (in {of[run]}); a run is once")
            of[run] = name
        if len(found) < LEAST:
            raise InputError(
                f"{place}: {len(found)} runs; at least {LEAST} seeds are needed to tell how much "
                "training varies"
            )


def seed_rows(
    setting: Setting,
    sums: Mapping[str, RunSums],
    settings: Mapping[str, Sequence[str]],
    reading: Reading,
) -> list[SeedRow]:
    """Each setting, and each against the baseline: its setting, or the run if it is alone.

    On the faces that all runs processed; a metric that counts failures is read off all faces.
    Quantiles have no influence of single persons, and so no such row.
    """
    names = list(sums)
    common = dict(zip(names, on_faces_of_all(list(sums.values()), reading), strict=True))
    baseline = next((s for s, found in settings.items() if names[0] in found), names[0])
    members = {name: list(found) for name, found in settings.items()}
    members.setdefault(baseline, [names[0]])
    rows: list[SeedRow] = []
    for item in sums[names[0]].groupings(reading):
        for metric in possible(setting):
            if metric.quantile is not None or metric.interval == "none":
                continue
            used = sums if metric.counts_failures else common
            means = {
                name: _mean(setting, metric, [used[run] for run in found], item)
                for name, found in members.items()
            }
            for name in settings:
                rows += _rows(setting, metric, item, name, means[name], None, None)
                if name != baseline:
                    rows += _rows(
                        setting, metric, item, name, means[name], baseline, means[baseline]
                    )
    return rows


def _mean(setting: Setting, metric: Metric, runs: Sequence[RunSums], item: Grouping) -> _Mean:
    places = Places(np.arange(len(item.groups)))
    parts = [sides_of(setting, pair_of(run, run, item), metric, places) for run in runs]
    psi = csc_array(sum((part.psi[0] for part in parts[1:]), start=parts[0].psi[0]) / len(parts))
    return _Mean(np.stack([part.values[0] for part in parts]), psi, parts[0])


def _rows(
    setting: Setting,
    metric: Metric,
    item: Grouping,
    name: str,
    mean: _Mean,
    against: str | None,
    other: _Mean | None,
) -> list[SeedRow]:
    rows = [
        _row(metric, item, name, against, _tested(mean, other, g), group=item.label(g))
        for g in range(len(item.groups))
    ]
    # a setting's own extremes would flatter: they are taken from what it is compared with
    pair = None if other is None else _extremes(setting, metric, item, other)
    if pair is not None:
        kind = "max_minus_min" if metric.better in {"zero", "none"} else "worst_minus_best"
        sides = {"a": item.label(pair[0]), "b": item.label(pair[1])}
        sign = -1 if metric.better == "higher" else 1
        found = _tested(mean, other, *pair, sign=sign)
        more = {"kind": kind, "attributes": list(item.names), **sides}
        note = "chosen_from_baseline"
        rows.append(_row(metric, item, name, against, found, group={}, note=note, **more))
    return rows


def _extremes(
    setting: Setting, metric: Metric, item: Grouping, mean: _Mean
) -> tuple[int, int] | None:
    """The worst and the best group."""
    value, who = mean.values.mean(axis=0), mean.first
    enough = (who.m >= setting.min_n) & (who.m_eff >= MIN_EFFECTIVE)
    chosen = np.flatnonzero(item.known & enough & ~np.isnan(value))
    if len(chosen) < 2 or not metric.has_gaps:
        return None
    names = [str(item.groups[g]) for g in chosen]
    top, bottom = (
        int(chosen[choose(value[chosen], who.m[chosen], names, largest=largest)])
        for largest in (True, False)
    )
    return (bottom, top) if metric.better == "higher" else (top, bottom)


def _tested(
    mean: _Mean, other: _Mean | None, a: int, b: int | None = None, sign: int = 1
) -> dict[str, float | int]:
    """Value and interval of one group, or of the difference between two."""

    def of(part: _Mean) -> tuple[FloatArray, csc_array]:
        values, psi = part.values[:, a], part.psi[:, [a]]
        if b is None:
            return values, psi
        return sign * (values - part.values[:, b]), sign * (psi - part.psi[:, [b]])

    values, psi = of(mean)
    value, k = float(values.mean()), len(values)
    spread = float(values.var(ddof=1)) / k
    df = k - 1
    if other is not None:
        theirs, their_psi = of(other)
        value, psi = value - float(theirs.mean()), psi - their_psi
        if len(theirs) > 1:
            spread += float(theirs.var(ddof=1)) / len(theirs)
            df = min(df, len(theirs) - 1)
    sampling = float(squares(csc_array(psi))[0])
    se = np.sqrt(spread + sampling)
    found: dict[str, float | int] = {
        "value": value,
        "sd_seeds": float(values.std(ddof=1)),
        "se_faces": float(np.sqrt(sampling)),
        "n_seeds": k,
        "n": round(mean.first.n[a] + (0 if b is None else mean.first.n[b])),
        "n_subjects": round(mean.first.m[a] + (0 if b is None else mean.first.m[b])),
    }
    if np.isfinite(value) and se > 0:
        half, half_90 = (float(stdtrit(df, 0.5 + level / 2)) * se for level in (0.95, 0.90))
        found |= {"low": value - half, "high": value + half}
        found |= {"low_90": value - half_90, "high_90": value + half_90}
        if other is not None:
            found["p"] = float(2 * stdtr(df, -abs(value) / se))
    return found


def _row(
    metric: Metric,
    item: Grouping,
    name: str,
    against: str | None,
    found: Mapping[str, float | int],
    *,
    note: str | None = None,
    **more: object,
) -> SeedRow:
    undefined = metric.undefined if not np.isfinite(found["value"]) else None
    agree = "runs_agree" if undefined is None and "low" not in found else None
    notes = [part for part in (note, undefined, agree) if part]
    return SeedRow.model_validate(
        {
            "metric": metric.name,
            "class": metric.class_,
            "setting": name,
            "against": against,
            "note": "; ".join(notes) or None,
            **found,
            **more,
        }
    )
