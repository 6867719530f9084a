"""Curves add up to the values of the same record."""

from __future__ import annotations

import pytest

from audit import AuditResult, audit
from tests.audit.frames import CLASSES, expression_table, metric


def test_curves_add_up(age_result: AuditResult) -> None:
    r = audit(expression_table(4, weights=False), task="expression", by=["gender"], n_boot=0)
    for group in ({}, {"gender": "f"}):
        reliability = [c for c in r.curves if c.name == "reliability" and c.group == group]
        assert sum(c.n for c in reliability) == metric(r, "ece", group).n
        assert sum(c.z for c in reliability) == pytest.approx(1.0)
        ece = sum(c.z * abs(c.x - c.y) for c in reliability)
        assert ece == pytest.approx(metric(r, "ece", group).value, rel=1e-12)
        confusion = [c for c in r.curves if c.name == "confusion" and c.group == group]
        assert len(confusion) == len(CLASSES) ** 2
        right = sum(c.z for c in confusion if c.x == c.y) / sum(c.z for c in confusion)
        assert right == pytest.approx(metric(r, "accuracy", group).value, rel=1e-12)
    by_age = [c for c in age_result.curves if c.name == "mae_by_age" and c.group == {}]
    assert [c.x for c in by_age] == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    assert sum(c.n for c in by_age) == metric(age_result, "mae").n
