"""Gaps on equal terms: what stays when groups differ in age, or show other expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from audit.age_mix import mix_of, mixed_metrics, standardised_rows
from audit.age_regression import regression_rows
from audit.block import Setting
from audit.bootstrap import boot_weights
from audit.class_mix import class_mix
from audit.collect import Collected
from audit.groups import Grouping, grouping
from audit.mix_rows import coefficients, groups_of, is_compared, pairs_of
from audit.rows import AdjustedGap
from audit.units import UnitSums, bucket_keys, bucketed, group_sums

FloatArray = npt.NDArray[np.float64]


def equal_terms_rows(
    setting: Setting,
    table: Collected,
    groupings: Sequence[Grouping],
    classes: Sequence[str],
    reference: Mapping[str, float] | None,
) -> list[AdjustedGap]:
    """Standardised, split and adjusted differences of every combination that is not of age.

    None of combinations of over 24 groups, or where the cells are not cut by age. ``reference`` is
    the user's mix of ages.
    """
    compared = [item for item in groupings if is_compared(item)]
    if not compared or (not classes and "age" not in table.attributes):
        return []
    keys = table.sums.by_unit[0]
    keys = np.unique(bucket_keys(keys, len(keys)))
    boot = boot_weights(keys, setting.seed, setting.n_boot)
    names = tuple(dict.fromkeys(name for item in groupings for name in item.names))
    rows: list[AdjustedGap] = []
    for item in compared:
        if classes:
            rows += _class_rows(setting, table, item, classes, boot)
        else:
            others = tuple(name for name in names if name not in {*item.names, "age"})
            rows += _age_rows(setting, table, item, others, reference, boot)
    return rows


def _narrow(sums: UnitSums, columns: npt.NDArray[np.int64]) -> UnitSums:
    return replace(sums, values=sums.values[:, columns], rows=None)


def _amounts(sums: UnitSums, of: FloatArray) -> UnitSums:
    """One linear combination of the features, as the only column."""
    return replace(sums, values=np.asarray(sums.values @ of).reshape(-1, 1), rows=None)


def _totals(sums: UnitSums, item: Grouping) -> FloatArray:
    at, n = item.of_cell[sums.cell], len(sums.cell)
    indicator = csr_array((np.ones(n), (at, np.arange(n))), shape=(len(item.groups), n))
    found = indicator @ sums.values
    return np.asarray(found.todense() if isinstance(found, csr_array) else found)


def _age_rows(
    setting: Setting,
    table: Collected,
    item: Grouping,
    others: tuple[str, ...],
    reference: Mapping[str, float] | None,
    boot: FloatArray,
) -> list[AdjustedGap]:
    metrics = mixed_metrics(setting)
    of = {metric.key: coefficients(setting.layout, metric) for metric in metrics}
    if not of:
        return []
    columns = np.flatnonzero(np.any([part != 0 for pair in of.values() for part in pair], axis=0))
    narrow, totals = _narrow(table.sums, columns), _totals(table.sums, item)
    by_age = grouping(table.sums.cells, table.attributes, (*item.names, "age"), table.order)
    persons, small = group_sums(narrow, by_age), bucketed(narrow)
    small_by_age = group_sums(small, by_age)
    rows: list[AdjustedGap] = []
    for metric in metrics:
        top, bottom = (part[columns] for part in of[metric.key])
        base = group_sums(_amounts(narrow, bottom), item)
        groups = groups_of(setting.layout, metric, item, totals, base)
        pairs = pairs_of(groups)
        if not len(pairs):
            continue
        mix = mix_of(persons, by_age, item, tuple(table.order["age"]), top, bottom)
        rows += standardised_rows(setting, groups, mix, pairs, small_by_age, boot, reference)
        if not metric.name.startswith("gate"):
            rows += regression_rows(setting, table, others, groups, mix, pairs, small, boot)
    return rows


def _class_rows(
    setting: Setting, table: Collected, item: Grouping, classes: Sequence[str], boot: FloatArray
) -> list[AdjustedGap]:
    metric = next(m for m in setting.metrics if m.name == "accuracy")
    _, bottom = coefficients(setting.layout, metric)
    base = group_sums(_amounts(table.sums, bottom), item)
    totals = _totals(table.sums, item)
    groups = groups_of(setting.layout, metric, item, totals, base)
    pairs = pairs_of(groups)
    if not len(pairs):
        return []
    columns = setting.layout.columns("confusion")
    narrow = _narrow(table.sums, columns)
    mix = class_mix(group_sums(narrow, item), groups, classes)
    small = group_sums(bucketed(narrow), item)
    return standardised_rows(setting, groups, mix, pairs, small, boot, None, over="class")
