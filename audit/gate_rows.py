"""Curves of age gates, the challenge age that meets a target, and what a gate leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.age_plan import AgePlan, plan_curve_layout
from audit.collect import Collected
from audit.groups import Grouping, grouping
from audit.intervals import Estimates, limits
from audit.metrics.core import Layout
from audit.metrics.gate_features import BUFFERS, YEARS, GatePlan, sides, straddling
from audit.predictions import Predictions
from audit.rates import column_rates
from audit.result import MetricSpec
from audit.rows import Code, Concern, CurveRow, MetricRow
from audit.units import GroupedSums, group_sums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
CHALLENGE, EVERY = "challenge_age", "challenge_age_every_group"
_WORDS = (
    f"the least challenge age, in whole years up to {BUFFERS - 1} above the legal age, from which "
    "on the upper 95 % limit of gate_fpr is at most the target"
)


def challenge_specs(target: float) -> dict[str, MetricSpec]:
    """What the rows of the challenge age are."""
    common = {"unit": "years", "better": "lower", "scale": "identity", "interval": "none"}
    source = "NIST IR 8525 (2024), challenge age; fixed-sequence testing from the highest age down"
    words = f"{_WORDS} of {target:g}; class: the legal age"
    return {
        CHALLENGE: MetricSpec(definition=words, source=source, **common),
        EVERY: MetricSpec(
            definition=f"the largest {CHALLENGE} of the groups of single attributes: it meets the "
            f"target of {target:g} in each; class: the legal age",
            source=source,
            **common,
        ),
    }


@dataclass(frozen=True, eq=False)
class _Side:
    """One error rate of one legal age along the challenge age, in every group of a combination."""

    e: Estimates
    low: FloatArray
    high: FloatArray
    persons: FloatArray


def gate_rows(
    plan: AgePlan,
    table: Collected,
    names: Sequence[str],
    target: float | None,
    min_n: int,
) -> tuple[list[MetricRow], list[CurveRow]]:
    """Curves of everyone and of each attribute, and the challenge ages that meet a target."""
    layout, gates = plan_curve_layout(plan), plan.gates
    if gates is None or gates.predicted_bands or layout is None or table.curves is None:
        return [], []
    curves: list[CurveRow] = []
    reached: dict[float, list[MetricRow]] = {legal: [] for legal in gates.legal}
    for combination in ((), *((name,) for name in names if name != "age")):
        item = grouping(table.curves.cells, table.attributes, combination, table.order)
        grouped = group_sums(table.curves, item)
        for k, legal in enumerate(gates.legal):
            fpr = _side(layout, grouped, "minor", "pass", k)
            fnr = _side(layout, grouped, "adult", "stop", k)
            curves += _operating("gate_fpr", item, fpr, legal)
            curves += _operating("gate_fnr", item, fnr, legal)
            if target is not None:
                reached[legal] += _challenge(item, fpr, legal, target)
        curves += _by_year(layout, gates, item, grouped) if gates.exact else []
    rows = [row for found in reached.values() for row in found]
    if target is not None:
        rows += [_every(found, legal, min_n) for legal, found in reached.items()]
    return rows, curves


def _side(layout: Layout, grouped: GroupedSums, side: str, hit: str, k: int) -> _Side:
    hits = layout.columns(f"gate_{side}_{hit}")[k * BUFFERS : (k + 1) * BUFFERS]
    base, n = (np.full(BUFFERS, layout.columns(f"gate_{side}_{part}")[k]) for part in ("w", "n"))
    e, persons = column_rates(grouped, hits, base, n)
    low, high = limits("wilson", e, 0.95)
    return _Side(e, low, high, persons[:, 0])


def _operating(name: str, item: Grouping, side: _Side, legal: float) -> list[CurveRow]:
    return [
        CurveRow(
            name=name,
            class_=f"{legal:g}",
            group=item.label(g),
            x=legal + b,
            y=float(side.e.value[g, b]),
            low=float(side.low[g, b]),
            high=float(side.high[g, b]),
            n=round(side.e.n[g, b]),
            n_subjects=round(side.persons[g]),
        )
        for g in range(len(item.groups))
        if side.e.n[g, 0] > 0
        for b in range(BUFFERS)
    ]


def _challenge(item: Grouping, fpr: _Side, legal: float, target: float) -> list[MetricRow]:
    rows = []
    for g in range(len(item.groups)):
        n, m = round(fpr.e.n[g, 0]), fpr.e.m_eff[g, 0]
        meets = np.nan_to_num(fpr.high[g], nan=1.0) <= target
        onwards = np.logical_and.accumulate(meets[::-1])[::-1]
        note = "no_minors" if n == 0 else None if onwards.any() else "target_not_reached"
        rows.append(
            MetricRow(
                metric=CHALLENGE,
                class_=f"{legal:g}",
                group=item.label(g),
                value=None if note else legal + int(onwards.argmax()),
                n=n,
                n_subjects=round(fpr.persons[g]),
                m_eff=float(m) if n else 0.0,
                n_failed=0,
                n_unlabelled=0,
                note=note or "descriptive",
            )
        )
    return rows


def _every(rows: Sequence[MetricRow], legal: float, min_n: int) -> MetricRow:
    """The largest challenge age of all groups that have enough persons to be judged."""
    known = [row for row in rows if None not in row.group.values()]
    judged = [row for row in known if (row.n_subjects or 0) >= min_n]
    missed = [row for row in judged if row.value is None]
    small = len(known) - len(judged)
    value = None if missed or not judged else max(row.value or 0.0 for row in judged)
    names = "; ".join(" ".join(map(str, row.group.values())) or "everyone" for row in missed[:3])
    notes = [
        f"target_not_reached: {names.replace('; ', ', ')}" if missed else None,
        f"below_min_n: {small} groups left out" if small else None,
        None if missed or small else "descriptive",
    ]
    everyone = rows[0]
    return everyone.model_copy(
        update={
            "metric": EVERY,
            "value": value,
            "note": "; ".join(note for note in notes if note),
        }
    )


def _by_year(
    layout: Layout, gates: GatePlan, item: Grouping, grouped: GroupedSums
) -> list[CurveRow]:
    rows: list[CurveRow] = []
    base, n = layout.columns("year_w"), layout.columns("year_n")
    for k, gate in enumerate(gates.gates):
        hits = layout.columns("year_error")[k * YEARS : (k + 1) * YEARS]
        e, persons = column_rates(grouped, hits, base, n)
        low, high = limits("wilson", e, 0.95)
        rows += [
            CurveRow(
                name="gate_fpr_by_year" if year < gate.legal else "gate_fnr_by_year",
                class_=gate.name,
                group=item.label(g),
                x=float(year),
                y=float(e.value[g, year]),
                low=float(low[g, year]),
                high=float(high[g, year]),
                n=round(e.n[g, year]),
                n_subjects=round(persons[g, year]),
            )
            for g in range(len(item.groups))
            for year in np.flatnonzero(e.n[g] > 0).tolist()
        ]
    return rows


def gate_warnings(shards: Sequence[Predictions], gates: GatePlan) -> list[Concern]:
    """Bands across a legal age, and legal ages outside the data."""
    found = []
    total = sum(int(shard.labelled.sum()) for shard in shards)
    for legal in gates.legal:
        across = sum(straddling(shard, legal) for shard in shards)
        if across:
            message = (
                f"{across} of {total} true age bands lie across {legal:g} years; left out of its "
                "gates, as nobody knows on which side they are"
            )
            found.append(_concern("gate_straddled", message))
        for side, name in enumerate(("under", "of at least")):
            if not any(sides(shard, legal)[side].any() for shard in shards):
                message = (
                    f"nobody is known to be {name} {legal:g} years: its gates have no such rate"
                )
                found.append(_concern("gate_outside_data", message))
    return found


def _concern(code: Code, message: str) -> Concern:
    return Concern(code=code, severity="warning", message=message)
