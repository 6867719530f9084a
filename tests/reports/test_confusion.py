"""Confusion of the worst group beside that of the best."""

from __future__ import annotations

import pandas as pd
import pytest

from reports.sections.confusion import build
from tests.reports.sections_of import audited, figures_of


def _table(people: int) -> pd.DataFrame:
    """Group a takes a quarter of x for y; group b is always right."""
    rows = []
    for group in ("a", "b"):
        for i in range(people):
            true = "xy"[i % 2]
            wrong = group == "a" and i % 8 == 0
            rows.append((f"{group}{i}", group, true, "y" if wrong else true))
    return pd.DataFrame(rows, columns=["subject_id", "side", "expression", "expression_pred"])


def test_the_difference_is_that_of_the_shares_worst_minus_best() -> None:
    found = build(audited(_table(80), task="expression", by=["side"]))
    assert found is not None
    figure = next(f for f in figures_of(found) if f.id == "confusion-1-difference")
    trace = figure.panels[0].spec["data"][0]
    assert trace["z"][0] == pytest.approx([-0.25, 0.25])
    assert trace["z"][1] == pytest.approx([0.0, 0.0])
    assert trace["text"] == [["−0.25", "+0.25"], ["0.00", "0.00"]]
    assert figure.title == "Difference of confusions: a minus b"
    assert [cell.text for cell in figure.table.rows[0]] == ["x", "x", "−0.250"]


def test_groups_that_are_not_tested_have_no_difference() -> None:
    found = build(audited(_table(16), task="expression", by=["side"], min_n=30))
    assert found is not None
    assert [f.id for f in figures_of(found)] == ["confusion-0-figure", "confusion-1-figure"]
