"""Attributes and their groups."""

from __future__ import annotations

import pandas as pd

from audit import audit
from tests.audit.frames import age_table, expression_table, gap, gaps


def test_attributes_by_default() -> None:
    table = age_table(2, 40).assign(hair="brown")
    assert audit(table, task="age", n_boot=0).spec.combinations == [["gender"], ["race"], ["age"]]
    faces = expression_table(2, 40)
    assert audit(faces, task="expression", n_boot=0).spec.combinations == [["gender"], ["race"]]
    assert audit(table, task="age", by=[], n_boot=0).spec.combinations == []


def test_age_as_an_attribute() -> None:
    table = pd.DataFrame({"age": [2, 12.9, 13, 17.9, 18, 70, None], "age_pred": [3] * 7})
    result = audit(table, task="age", by=["age"], n_boot=0, age_bands=[0, 13, 18])
    counts = {
        row.group["age"]: row.n for row in result.metrics if row.metric == "mae" and row.group
    }
    assert counts == {"0-12": 2, "13-17": 2, "18+": 2, None: 0}
    assert list(counts) == ["0-12", "13-17", "18+", None]
    decades = audit(table, task="age", by=["age"], n_boot=0)
    values = [row.group["age"] for row in decades.metrics if row.metric == "mae" and row.group]
    assert values == ["0-9", "10-19", "70-79", None]
    assert all(
        "regression_to_mean" in row.note for row in gaps(decades, metric="bias", kind="difference")
    )
    assert gap(decades, metric="pearson", kind="worst_minus_best").note == "range_restricted"


def test_a_single_text_is_one_combination() -> None:
    table = age_table(2, 20)
    one, two = (
        audit(table, task="age", by=by, n_boot=0) for by in ("gender,race", ["gender,race"])
    )
    assert one.spec.combinations == two.spec.combinations == [["gender", "race"]]
