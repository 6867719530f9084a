"""What must not change the numbers: order, shards, names, units of weight, a constant shift."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, audit, predictions_from_frame
from tests.audit.compare import NUMBERS, assert_same, close
from tests.audit.frames import (
    age_table,
    distribution_table,
    expression_table,
    interval_table,
    metric,
)

TABLES: dict[str, tuple[str, Callable[..., pd.DataFrame]]] = {
    "ages": ("age", age_table),
    "bands": ("age", interval_table),
    "distributions": ("age", distribution_table),
    "probabilities": ("age", partial(distribution_table, grid=True)),
    "expressions": ("expression", expression_table),
}
RANGES = ("worst_minus_best", "max_minus_min")
TURNED = ("value", "low", "high", "low_90", "high_90", "low_adjusted", "high_adjusted")


def run(table: Any, task: str, **options: Any) -> AuditResult:
    given = {"by": ["gender"], "n_boot": 60, "min_n": 10}
    return audit(table, task=task, **(given | options))


@pytest.mark.parametrize("name", TABLES)
def test_order_of_rows(name: str) -> None:
    task, make = TABLES[name]
    table = make(5)
    shuffled = table.sample(frac=1, random_state=1)
    by = {"by": ["gender", "race"]}
    assert_same(run(table, task, **by), run(shuffled, task, **by))


@pytest.mark.parametrize("name", TABLES)
def test_seven_shards(name: str) -> None:
    task, make = TABLES[name]
    table = make(6)
    part = np.random.default_rng(0).integers(0, 7, len(table))
    shards = [table[part == k] for k in range(7)]
    whole, by = run(table, task, by=["race"]), {"by": ["race"]}
    assert_same(whole, run(shards, task, **by))
    assert_same(whole, run(shards[::-1], task, **by))


@pytest.mark.parametrize("name", TABLES)
def test_shards_with_the_subject_as_estimand(name: str) -> None:
    task, make = TABLES[name]
    table = make(7)
    shards = [table.iloc[k::7] for k in range(7)]  # most persons lie in several shards
    whole = run(table, task, estimand="subject", n_boot=0)
    assert_same(whole, run(shards, task, estimand="subject", n_boot=0))


def test_shards_by_age_and_intersections() -> None:
    table = age_table(6, n_persons=80)
    shards = [table.iloc[k::7] for k in range(7)]
    by = {"by": ["age", "gender,race"], "n_boot": 0}
    assert_same(run(table, "age", **by), run(shards, "age", **by))


def test_shards_of_mixed_truth() -> None:
    """A shard that happens to hold single years only is of the same table as the bands."""
    table = pd.DataFrame({"age": ["20-29", "40-49", "33", "51"], "age_pred": [25, 52, 33.5, 40]})
    table["sample_id"] = list("abcd")
    options = {"task": "age", "by": ["age"], "n_boot": 0}
    assert_same(audit(table, **options), audit([table[:2], table[2:]], **options))
    assert_same(audit(table, **options), audit([table[2:], table[:2]], **options))


def test_an_unlabelled_shard_fits_bands() -> None:
    table = pd.DataFrame({"age": [None, None, "20-29", "30-39"], "age_pred": [25, 32, 33.5, 40]})
    table["sample_id"] = list("abcd")
    options = {"task": "age", "by": ["age"], "n_boot": 0}
    for shards in ([table[:2], table[2:]], [table[2:], table[:2]]):
        assert_same(audit(table, **options), audit(shards, **options))


def test_without_sample_ids_persons_still_make_the_order_irrelevant() -> None:
    table = age_table(8, n_persons=80).drop(columns="sample_id")
    assert_same(run(table, "age"), run(table.sample(frac=1, random_state=2), "age"))


@pytest.mark.parametrize("name", ["ages", "expressions"])
def test_columns_in_another_order_and_type(name: str) -> None:
    task, make = TABLES[name]
    table = make(9, n_persons=60)
    scores = [name for name in table if name.startswith("prob_")]  # they order the classes
    moved = table[[*table.columns.drop(scores)[::-1], *scores]].assign(
        gender=table["gender"].astype("category")
    )
    assert_same(run(table, task), run(moved, task))


def _renamed(result: AuditResult) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Gaps by their unordered pair, turned so that Zf is always on the first side."""
    found = {}
    for row in result.gaps:
        values = {k: getattr(row, k, None) for k in NUMBERS}
        a, b = row.a, row.b
        if a and b and row.kind not in RANGES and a["gender"][-1] == "m":
            a, b = b, a
            turn = (lambda x: 1 / x) if row.kind == "ratio" else (lambda x: -x)
            for ends in (("low", "high"), ("low_90", "high_90"), ("low_adjusted", "high_adjusted")):
                values |= dict(zip(ends, [values[name] for name in ends[::-1]], strict=True))
            for name in (*TURNED, *(() if row.kind == "ratio" else ("effect_size",))):
                values[name] = None if values[name] is None else turn(values[name])
        sides = tuple(None if s is None else s["gender"][-1] for s in (a, b))
        key = (row.metric, row.class_, row.kind, sides, getattr(row, "reference", None))
        assert key not in found, key
        found[key] = values
    return found


@pytest.mark.parametrize("name", ["ages", "expressions"])
def test_groups_renamed(name: str) -> None:
    task, make = TABLES[name]
    table = make(10)
    other = table.assign(gender=table["gender"].map({"f": "Zf", "m": "Am"}))  # text order turns
    first, second = (run(t, task, by=["gender"]) for t in (table, other))
    a, b = _renamed(first), _renamed(second)
    assert a.keys() == b.keys()
    for key, values in a.items():
        assert close([*values.values()], [*b[key].values()]), (key, values, b[key])
    for row in first.metrics:
        label = {k: {"f": "Zf", "m": "Am"}[str(v)] for k, v in row.group.items()}
        same = metric(second, row.metric, label, row.class_)
        assert close((row.value, row.low, row.high), (same.value, same.low, same.high))


def test_chunks_of_predictions_objects_equal_frames() -> None:
    table = age_table(21, n_persons=80)
    checked = [predictions_from_frame(table.iloc[k::3], task="age") for k in range(3)]
    assert_same(run(table, "age"), run(checked, "age"))
