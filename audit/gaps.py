"""Gap rows: pairs, each group against the rest, and the largest gap of an attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.adjusted import Adjusted, adjusted_pairs, adjusted_rest
from audit.block import RANGE_LIMITED, Block, Setting, faces, possible
from audit.effect import face_sd
from audit.estimates import Persons
from audit.intervals import Contrast
from audit.largest import Resampled, eligible_pairs, largest_row, range_row
from audit.metrics.core import Metric
from audit.pairs import MAX_GROUPS_FOR_PAIRS, N_LARGEST, Listed, listed_pairs_of, without
from audit.permutation import Permuted
from audit.rest import Rest, usable_groups
from audit.rows import AdjustedGap, AggregateGap, PairGap, RangeGap, RestGap
from audit.verdict import MIN_EFFECTIVE

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
AnyGap = PairGap | RestGap | RangeGap | AggregateGap | AdjustedGap


def gap_rows(
    setting: Setting,
    block: Block,
    resampled: Resampled,
    permuted: Mapping[str, Permuted] | None = None,
) -> list[AnyGap]:
    """Every gap of one attribute combination."""
    bare = {m.key: _no_gaps(block, m) for m in possible(setting) if m.interval != "none"}
    metrics = [m for m in possible(setting) if m.key in bare]
    compared = [m for m in metrics if bare[m.key] is None]
    listed = {m.key: listed_pairs_of(setting, block, m) for m in compared}
    eligible = {m.key: eligible_pairs(setting, block, m, resampled) for m in compared}
    pairs = adjusted_pairs(setting, block, compared, listed, eligible)
    rest = adjusted_rest(setting, compared, resampled)
    rows: list[AnyGap] = []
    for metric in metrics:
        note = bare[metric.key]
        if note is not None:
            rows.append(range_row(block, metric, None, note))
            continue
        sd = face_sd(setting, block, metric)
        rows += _pair_rows(setting, block, metric, listed[metric.key], pairs[metric.key], sd)
        against = resampled.rest[metric.key], rest[metric.key]
        rows += _rest_rows(setting, block, metric, *against, sd, (permuted or {}).get(metric.key))
        classes = sum(m.name == metric.name for m in compared)
        rows.append(
            largest_row(setting, block, metric, resampled, eligible[metric.key], sd, classes)
        )
    return rows


def _no_gaps(block: Block, metric: Metric) -> str | None:
    """Why a metric has no gaps in this combination."""
    if metric.name in RANGE_LIMITED and "age" in block.grouping.names:
        return "range_restricted"
    return "single_group" if len(usable_groups(block, metric)) < 2 else None


def listed_pairs(gaps: Sequence[AnyGap]) -> list[AnyGap]:
    """Of all pairs only those that a record lists: above 12 groups the 20 largest differences."""

    def family(gap: AnyGap) -> tuple[str, str | None, tuple[str, ...]]:
        return gap.metric, gap.class_, tuple(gap.attributes)

    def sides(gap: PairGap) -> str:
        return f"{gap.a} {gap.b}"

    by_family: dict[tuple[str, str | None, tuple[str, ...]], list[PairGap]] = {}
    for gap in gaps:
        if isinstance(gap, PairGap) and gap.kind == "difference":
            by_family.setdefault(family(gap), []).append(gap)
    most = MAX_GROUPS_FOR_PAIRS * (MAX_GROUPS_FOR_PAIRS - 1) // 2
    kept = {
        key: {sides(gap) for gap in sorted(rows, key=lambda r: -abs(r.value or 0.0))[:N_LARGEST]}
        for key, rows in by_family.items()
        if len(rows) > most
    }
    return [
        gap
        for gap in gaps
        if not isinstance(gap, PairGap)
        or family(gap) not in kept
        or sides(gap) in kept[family(gap)]
    ]


@dataclass(frozen=True, eq=False)
class _Rows:
    """What the rows of some contrasts of one metric have in common; ``j`` -1 is the rest."""

    i: IntArray
    j: IntArray
    who: tuple[Persons, Persons]
    n: tuple[FloatArray, FloatArray]
    few: BoolArray
    family: str


def _pair_rows(
    setting: Setting,
    block: Block,
    metric: Metric,
    listed: Listed,
    adjusted: Adjusted,
    sd: float | None,
) -> list[AnyGap]:
    n = faces(setting, metric, block.panels.groups)
    counts = n[listed.i], n[listed.j]
    common = _Rows(
        listed.i, listed.j, listed.who, counts, listed.few, _family(block, metric, "/pairs")
    )
    method = _method(metric)
    rows = _rows(setting, block, metric, common, listed.difference, "difference", method)
    found: list[AnyGap] = [
        PairGap(kind="difference", **row) for row in _extended(rows, adjusted, sd)
    ]
    if listed.ratio is not None:
        method = "mover_wilson" if metric.interval == "wilson" else method
        rows = _rows(setting, block, metric, common, listed.ratio, "ratio", f"{method} (log)")
        found += [PairGap(kind="ratio", **row) for row in rows]
    return found


def _rest_rows(
    setting: Setting,
    block: Block,
    metric: Metric,
    rest: Rest,
    adjusted: Adjusted,
    sd: float | None,
    permuted: Permuted | None,
) -> list[AnyGap]:
    n = tuple(
        faces(setting, metric, p)[rest.groups] for p in (block.panels.groups, block.panels.rest)
    )
    j = np.full(len(rest.groups), -1)
    common = _Rows(rest.groups, j, rest.who, (n[0], n[1]), rest.few, _family(block, metric))
    own = without(rest.own, rest.few)
    rows = _rows(setting, block, metric, common, own, "vs_rest", _method(metric))
    rows = _extended(rows, adjusted, sd)
    if permuted is not None:
        for row, g, tested in zip(rows, rest.groups, rest.tested, strict=True):
            if tested and permuted.p is not None:
                row["p_permutation"] = float(permuted.p[g])
            row["note"] = _joined(row["note"], permuted.note)
    return [RestGap(kind="vs_rest", **row) for row in rows]


def _family(block: Block, metric: Metric, which: str = "") -> str:
    return f"{metric.name}/{','.join(block.grouping.names)}{which}"


def _method(metric: Metric) -> str:
    if metric.quantile is not None:
        return "percentile"
    return "score_neff" if metric.interval == "wilson" else "cluster_t"


def _extended(
    rows: list[dict[str, Any]], adjusted: Adjusted, sd: float | None
) -> list[dict[str, Any]]:
    """Rows with what their family makes of them, and the size of the effect."""
    for k, row in enumerate(rows):
        row["p_adjusted"] = float(adjusted.p[k])
        row["low_adjusted"] = float(adjusted.low[k])
        row["high_adjusted"] = float(adjusted.high[k])
        row["min_detectable"] = float(adjusted.detectable[k])
        row["effect_size"] = None if sd is None else row["value"] / sd
        row["note"] = _joined(row["note"], adjusted.notes[k])
    return rows


def _joined(*notes: str | None) -> str | None:
    parts = [part for note in notes if note for part in note.split("; ")]
    return "; ".join(dict.fromkeys(parts)) or None


def _rows(
    setting: Setting,
    block: Block,
    metric: Metric,
    common: _Rows,
    c: Contrast,
    kind: str,
    method: str,
) -> list[dict[str, Any]]:
    by_age = metric.name == "bias" and "age" in block.grouping.names
    who_a, who_b = common.who
    rows: list[dict[str, Any]] = []
    for row in range(len(common.i)):
        small = min(who_a.m[row], who_b.m[row]) < setting.min_n
        uneven = min(who_a.effective[row], who_b.effective[row]) < MIN_EFFECTIVE
        bare = np.isnan(c.low[row]) or np.isnan(c.high[row])
        notes = [
            _gap_note(metric, c, common, row, kind),
            "below_min_n" if small else "low_m_eff" if uneven else None,
            "regression_to_mean" if by_age else None,
        ]
        content = {
            "metric": metric.name,
            "class": metric.class_,
            "attributes": list(block.grouping.names),
            "a": block.grouping.label(int(common.i[row])),
            "value": float(c.value[row]),
            "low": float(c.low[row]) if not bare else None,
            "high": float(c.high[row]) if not bare else None,
            "low_90": float(c.low_90[row]) if not bare else None,
            "high_90": float(c.high_90[row]) if not bare else None,
            "method": None if bare else method,
            "p": None if small or uneven else float(c.p[row]),
            "family": common.family,
            "n_a": round(common.n[0][row]),
            "n_b": round(common.n[1][row]),
            "n_subjects_a": round(who_a.m[row]),
            "n_subjects_b": round(who_b.m[row]),
            "note": _joined(*notes),
        }
        if common.j[row] >= 0:
            content["b"] = block.grouping.label(int(common.j[row]))
        rows.append(content)
    return rows


def _gap_note(metric: Metric, c: Contrast, common: _Rows, row: int, kind: str) -> str | None:
    who_a, who_b = common.who
    if np.isnan(c.value[row]):
        return "denominator_near_zero" if kind == "ratio" else "undefined_group"
    if not (np.isnan(c.low[row]) or np.isnan(c.high[row])):
        return None
    if common.few[row]:
        return "few_per_class"
    if kind == "ratio" and c.value[row] == 0:
        return "zero_value"
    if min(who_a.m[row], who_b.m[row]) <= 1:
        return "one_subject"
    if min(who_a.effective[row], who_b.effective[row]) < 2 and metric.quantile is None:
        return "few_effective"
    return "zero_variance" if metric.quantile is None else "too_few_replicates"
