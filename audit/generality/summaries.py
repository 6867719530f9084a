"""Rows over backbones: whether a gain, or the change of a gap, holds on every one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, hstack

from audit.families import LEVEL, holm
from audit.generality.blocks import Blocks
from audit.generality.concordance import concordance
from audit.generality.differences import Part
from audit.generality.effects import LEAST, RandomEffects, random_effects
from audit.generality.record import ConcordanceRow, SummaryRow, Worst
from audit.metrics.core import Metric
from audit.paired_content import family_name
from audit.paired_family import moved

FloatArray = npt.NDArray[np.float64]


def summary_rows(blocks: Blocks, metric: Metric, parts: Sequence[Part]) -> list[SummaryRow]:
    """Every aggregator in every group, over the backbones."""
    known = np.flatnonzero(blocks.grouping.known)
    rows = [
        _row(blocks, metric, own, int(g), {"kind": "value", "group": blocks.grouping.label(int(g))})
        for own in _by_contrast(parts)
        for g in known
    ]
    return _adjusted(rows, less=metric.better == "lower")


def gap_summaries(
    blocks: Blocks, metric: Metric, pair: tuple[int, int], parts: Sequence[Part]
) -> list[SummaryRow]:
    """The change of the gap with every aggregator, over the backbones."""
    about = {
        "kind": "worst_minus_best",
        "attributes": list(blocks.grouping.names),
        "a": blocks.grouping.label(pair[0]),
        "b": blocks.grouping.label(pair[1]),
    }
    rows = [_row(blocks, metric, own, 0, about) for own in _by_contrast(parts)]
    return _adjusted(rows, less=True)


def _by_contrast(parts: Sequence[Part]) -> list[list[Part]]:
    found: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        found.setdefault((part.aggregator, part.against), []).append(part)
    return list(found.values())


def _row(
    blocks: Blocks, metric: Metric, parts: Sequence[Part], g: int, about: dict[str, Any]
) -> SummaryRow:
    values = np.array([part.found.value[g] for part in parts])
    less = metric.better == "lower" or about["kind"] != "value"
    better = values < 0 if less else values > 0
    found, note = _effects(parts, values, g)
    verdict = None
    if found is not None and found.p is not None:
        verdict = "inconclusive"
    family = family_name(parts[0].blocks[0], metric.name)
    return SummaryRow.model_validate(
        {
            "metric": metric.name,
            "aggregator": parts[0].aggregator,
            "against": parts[0].against,
            "n_backbones": int((~np.isnan(values)).sum()),
            "n_better": int(better.sum()),
            "n_worse": int(((values != 0) & ~better & ~np.isnan(values)).sum()),
            "family": f"{family}/gap" if about["kind"] != "value" else family,
            "note": note,
            "verdict": verdict,
            **about,
            **_numbers(found),
        }
    )


def _effects(
    parts: Sequence[Part], values: FloatArray, g: int
) -> tuple[RandomEffects | None, str | None]:
    if np.isnan(values).any():
        return None, "undefined_group"
    if not all(part.tested[g] for part in parts):
        return None, "below_min_n"
    covariance = covariance_of(parts, g)
    if not (np.diag(covariance) > 0).all():
        return None, "runs_agree"
    found = random_effects(values, covariance)
    return found, "few_backbones" if found.k < LEAST else None


def covariance_of(parts: Sequence[Part], g: int) -> FloatArray:
    """Covariance of the differences of one group between backbones, from the same persons."""
    columns = []
    for part in parts:
        assert part.found.psi is not None
        columns.append(part.found.psi[:, [g]])
    psi = csc_array(hstack(columns))
    pads = [0.0 if part.found.pad is None else float(part.found.pad[g]) for part in parts]
    return np.asarray((psi.T @ psi).toarray() + np.diag(pads))


def _numbers(found: RandomEffects | None) -> dict[str, Any]:
    if found is None:
        return {"value": None}
    numbers: dict[str, Any] = {"value": found.value, "tau": float(np.sqrt(found.tau2))}
    for names, ends in (
        (("low", "high"), found.limits),
        (("low_90", "high_90"), found.limits_90),
        (("low_new", "high_new"), found.predicted),
    ):
        if ends is not None:
            numbers |= dict(zip(names, ends, strict=True))
    if found.p is not None:
        numbers |= {"p": found.p, "i2": found.i2, "scale": found.scale}
        numbers["method"] = "hartung_knapp (paired)"
    return numbers


def _adjusted(rows: Sequence[SummaryRow], *, less: bool) -> list[SummaryRow]:
    """Holm over the rows, and the verdict that holds for them together; ``less`` is better."""
    p = holm(np.array([np.nan if row.p is None else row.p for row in rows]))
    found = []
    for row, own in zip(rows, p, strict=True):
        if np.isnan(own):
            found.append(row)
            continue
        update: dict[str, Any] = {"p_adjusted": float(own)}
        if own < 1 - LEVEL:
            assert row.value is not None
            words = ("better", "worse") if row.kind == "value" else ("narrower", "wider")
            update["verdict"] = words[0] if (row.value < 0) == less else words[1]
        found.append(row.model_copy(update=update))
    return found


def concordance_rows(blocks: Blocks, metric: Metric, parts: Sequence[Part]) -> list[ConcordanceRow]:
    """Kendall's W of every aggregator, the control first, over groups tested on all backbones."""
    control = blocks.sums.grid.control
    against = [part for part in parts if part.against == control]
    own: dict[str, list[tuple[Part, int]]] = {control: []}
    for part in against:
        if part.backbone not in {seen.backbone for seen, _ in own[control]}:
            own[control].append((part, 0))
        own.setdefault(part.aggregator, []).append((part, 1))
    return [_concordance(blocks, metric, name, found) for name, found in own.items()]


def _concordance(
    blocks: Blocks, metric: Metric, name: str, parts: Sequence[tuple[Part, int]]
) -> ConcordanceRow:
    grouping = blocks.grouping
    inside = np.logical_and.reduce([part.tested for part, _ in parts])
    chosen = np.flatnonzero(inside)
    about = {
        "metric": metric.name,
        "attributes": list(grouping.names),
        "aggregator": name,
        "n_backbones": len(parts),
        "n_groups": len(chosen),
    }
    if len(chosen) < 2 or len(parts) < 2:
        why = "single_group" if len(chosen) < 2 else "few_backbones"
        return ConcordanceRow.model_validate({**about, "value": None, "note": why})
    values = np.array([part.mean.sides.values[run][chosen] for part, run in parts])
    weights = blocks.sums.tables.weights
    drawn = [moved(csc_array(part.mean.sides.psi[run][:, chosen]), weights) for part, run in parts]
    found = concordance(values, np.stack(drawn, axis=1))
    sign = 1.0 if metric.better == "lower" else -1.0
    worst = [
        Worst(backbone=part.backbone, group=grouping.label(int(chosen[g])), value=float(row[g]))
        for (part, _), row in zip(parts, values, strict=True)
        for g in [int(np.argmax(sign * row))]
    ]
    note = "too_few_replicates" if found.w is not None and found.low is None else None
    return ConcordanceRow.model_validate(
        {
            **about,
            "value": found.w,
            "low": found.low,
            "high": found.high,
            "null_expected": found.null_expected,
            "p": found.p,
            "worst": worst,
            "note": note if found.w is not None else "zero_variance",
        }
    )
