"""Audits that several tests of the report read: small, and made once."""

from __future__ import annotations

import pytest

from audit import AuditResult
from tests.audit.frames import age_table, distribution_table
from tests.reports.sections_of import audited

BY = ["gender", "race", "gender,race"]


@pytest.fixture(scope="session")
def points() -> AuditResult:
    """Ages in years by gender, race and both, without a distribution and without gates."""
    return audited(age_table(3, 400, weights=False), task="age", by=BY)


@pytest.fixture(scope="session")
def gated() -> AuditResult:
    """Predicted distributions of ages, two gates with a target, and a margin."""
    return audited(
        distribution_table(3, 400, grid=True),
        task="age",
        by=[*BY, "age"],
        gates=["18", "21:25"],
        gate_target=0.6,
        margins={"mae": 0.5},
    )
