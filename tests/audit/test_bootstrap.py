"""The joint bootstrap agrees with the linearised standard errors."""

from __future__ import annotations

import numpy as np
import pytest

from audit import audit, predictions_from_frame
from audit.bands import DECADES
from audit.bootstrap import Request, boot_weights, replicate
from audit.collect import collect_table, table_bands
from audit.groups import grouping
from audit.metrics.age import age_metrics
from audit.metrics.age_features import age_layout
from audit.metrics.expression import expression_layout, expression_metrics
from audit.predictions import Predictions
from audit.units import group_sums
from tests.audit.frames import age_table, expression_table


def bootstrapped(table: Predictions, n_boot: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Replicates of every metric of sums in every group of gender."""
    age = table.task == "age"
    layout = age_layout() if age else expression_layout(len(table.classes))
    metrics = age_metrics() if age else expression_metrics(table.classes)
    chosen = [m for m in metrics if m.quantile is None and m.interval != "none"]
    bands = table_bands([table], DECADES)
    found = collect_table([table], ("gender",), None, bands, "image", 20_000)
    item = grouping(found.sums.cells, found.attributes, ("gender",), found.order)
    grouped = group_sums(found.sums, item)
    weights = boot_weights(grouped.keys, 1, n_boot).T
    requests = [Request(metric, np.arange(2)) for metric in chosen]
    found = replicate(requests, layout, grouped, weights, item.known)
    values = {metric.key: part.values for metric, part in zip(chosen, found, strict=True)}
    return values, [str(g[0]) for g in item.groups]


@pytest.mark.parametrize("task", ["age", "expression"])
def test_bootstrap_sd_equals_the_linearised_standard_error(task: str) -> None:
    """Every metric of sums, 300 persons and 1,500 replicates: the ratio is 1 within 10 %."""
    table = age_table(5, 300) if task == "age" else expression_table(5, 300)
    checked = predictions_from_frame(table, task=task)
    found, groups = bootstrapped(checked, 1500)
    result = audit(checked, by=["gender"], n_boot=0)
    compared = 0
    for row in result.metrics:
        key = row.metric if row.class_ is None else f"{row.metric}[{row.class_}]"
        if row.group == {} or key not in found or not str(row.method).startswith("cluster_t"):
            continue
        half = (row.high_90 - row.low_90) / 2
        if "log" in str(row.method):
            half = np.log(row.high_90 / row.low_90) / 2 * row.value
        elif "Fisher" in str(row.method):
            half = (np.arctanh(row.high_90) - np.arctanh(row.low_90)) / 2 * (1 - row.value**2)
        sd = np.nanstd(found[key][:, groups.index(str(row.group["gender"]))], ddof=1)
        slack = 0.2 if row.metric == "squared_ce" else 0.1  # a product curves more than a mean
        assert sd * 1.66 / half == pytest.approx(1.0, abs=slack), key  # t of about 100 persons
        compared += 1
    assert compared >= 8
