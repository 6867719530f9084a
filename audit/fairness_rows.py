"""Rows of the fairness statistics: a value beside its null, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.block import Block, Setting
from audit.disparity import (
    expected_nmi,
    expected_nmi_of_many,
    expected_values,
    rates_of,
    values_of,
)
from audit.groups import MAX_DRAWN
from audit.metrics.fairness import nmi, npmi, nsd
from audit.metrics.fairness_list import STATISTICS, Statistic
from audit.rows import FairnessRow
from audit.units import GroupedSums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MOST = 200


def fairness_rows(setting: Setting, block: Block, classes: Sequence[str]) -> list[FairnessRow]:
    """Every fairness statistic of one attribute combination.

    Extremes are taken over the known groups of at least ``min_n`` persons, as the largest gap is;
    stereotypes over all known groups.
    """
    return [*_extremes(setting, block, classes), *_stereotypes(setting, block, classes)]


def _extremes(setting: Setting, block: Block, classes: Sequence[str]) -> list[FairnessRow]:
    m = block.who["accuracy"][0].m
    there = block.grouping.known & (m > 0)
    chosen = np.flatnonzero(there & (m >= setting.min_n))
    reason = None
    if len(chosen) < 2:
        reason = "single_group" if there.sum() < 2 else "below_min_n"
    elif len(chosen) > MOST:
        reason = "too_many_groups"
    if reason is not None:
        return [_row(block, item.name, None, len(chosen), 0, reason) for item in STATISTICS]
    confusion = block.sums(setting.layout)["confusion"][chosen]
    n = round(block.sums(setting.layout)["n"][chosen].sum())
    values = values_of(rates_of(confusion))
    columns = setting.layout.columns("confusion")
    expected = expected_values(block.grouped, chosen, columns, len(classes), setting.seed)
    left_out = int(there.sum()) - len(chosen)
    skipped = f"below_min_n: {left_out} groups left out" if left_out else None
    groups_with = (confusion.sum(axis=-1) > 0).sum(axis=0)
    excluded = [name for name, g in zip(classes, groups_with, strict=True) if g < 2]
    rows: list[FairnessRow] = []
    for item in STATISTICS:
        value, null = values[item.name], expected[item.name]
        if not item.by_class:
            note = _note(item, float(value), excluded)
            notes = "; ".join(part for part in (note, skipped) if part)
            rows.append(
                _row(block, item.name, float(value), len(chosen), n, notes, null=float(null))
            )
            continue
        for k, name in enumerate(classes):
            absent = item.reads == "rows" and groups_with[k] < len(chosen)
            lacking = f"class_absent: in {len(chosen) - groups_with[k]} groups" if absent else None
            plain = None if np.isnan(value[k]) else "biased_extreme"
            notes = "; ".join(part for part in (plain, lacking, skipped) if part)
            found = (float(value[k]), len(chosen), n, notes)
            rows.append(_row(block, item.name, *found, null=float(null[k]), class_=name))
    return rows


def _note(item: Statistic, value: float, excluded: Sequence[str]) -> str:
    if np.isnan(value):
        return "zero_denominator" if item.name == "accuracy_ratio" else "undefined_classes"
    if item.reads == "rows" and excluded:
        names = ", ".join(excluded).replace("; ", ", ")  # notes are parted by it
        return f"biased_extreme; classes_excluded: {names}"
    return "biased_extreme"


def _stereotypes(setting: Setting, block: Block, classes: Sequence[str]) -> list[FairnessRow]:
    confusion = block.sums(setting.layout)["confusion"]
    there = block.grouping.known & (confusion.sum(axis=(1, 2)) > 0)
    groups = np.flatnonzero(there)
    tables = {"labels": confusion[groups].sum(axis=2), "predictions": confusion[groups].sum(axis=1)}
    n = round(block.sums(setting.layout)["n"][groups].sum())
    if len(groups) < 2:
        names = ("nsd", *(f"nmi_{of}" for of in tables))
        return [_row(block, name, None, len(groups), n, "single_group") for name in names]
    size = float(nsd(tables["labels"].sum(axis=1)))
    rows = [_row(block, "nsd", size, len(groups), n, "descriptive")]
    if setting.in_buckets:  # sums of buckets are no persons that could change their group
        m = block.who["accuracy"][0].m[groups]
        moments = _class_moments(setting, block, groups)
        expected = np.array([expected_nmi_of_many(m, second) for second in moments])
    else:
        counts = _entry_counts(block.grouped, setting.layout.columns("confusion"), len(classes))
        expected = expected_nmi(block.grouped, there, counts, setting.seed)
    for (of, table), null in zip(tables.items(), expected, strict=True):
        value = float(nmi(table))
        note = "one_value" if np.isnan(value) else "biased_extreme"
        rows.append(_row(block, f"nmi_{of}", value, len(groups), n, note, null=float(null)))
    if len(groups) <= MAX_DRAWN:
        for of, table in tables.items():
            rows += _pointwise(block, f"npmi_{of}", npmi(table), groups, classes, n)
    return rows


def _class_moments(setting: Setting, block: Block, groups: IntArray) -> list[FloatArray]:
    """Second moments over persons of faces by true and by predicted class, with the totals."""
    panel, layout = block.panels.groups, setting.layout
    k = layout.shapes["confusion"][0]
    at = np.searchsorted(panel.columns, layout.columns("confusion"))
    moment = panel.moments[groups].sum(axis=0)[np.ix_(at, at)].reshape(k, k, k, k)
    confusion = layout.unpack(panel.totals)["confusion"][groups].sum(axis=0)
    return [
        np.concatenate([moment.sum(axis=(1, 3)), confusion.sum(axis=1)[None]]),
        np.concatenate([moment.sum(axis=(0, 2)), confusion.sum(axis=0)[None]]),
    ]


def _entry_counts(grouped: GroupedSums, columns: IntArray, k: int) -> FloatArray:
    """Faces by true and by predicted class of every (person, group): shape (2, entries, K)."""
    every = np.eye(k * k).reshape(k, k, k * k)
    found = grouped.values[:, columns]
    return np.stack([np.asarray(found @ every.sum(axis=axis).T) for axis in (1, 0)])


def _pointwise(
    block: Block, name: str, value: FloatArray, groups: IntArray, classes: Sequence[str], n: int
) -> list[FairnessRow]:
    rows = []
    for i, g in enumerate(groups):
        for k, class_ in enumerate(classes):
            note = "class_absent" if np.isnan(value[i, k]) else "descriptive"
            found = _row(block, name, float(value[i, k]), len(groups), n, note, class_=class_)
            rows.append(found.model_copy(update={"group": block.grouping.label(int(g))}))
    return rows


def _row(
    block: Block,
    name: str,
    value: float | None,
    n_groups: int,
    n: int,
    note: str,
    **more: Any,
) -> FairnessRow:
    return FairnessRow(
        metric=name,
        class_=more.get("class_"),
        attributes=list(block.grouping.names),
        value=value,
        null_expected=more.get("null"),
        n=n,
        n_groups=n_groups,
        note=note,
    )
