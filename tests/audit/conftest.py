"""Tables and audits that several test files read; none of them may be changed by a test."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from audit import AuditResult, Predictions, audit, read_predictions
from tests.audit.frames import BY, DATA, age_table, expression_table

HERITAGE = {"sample_id": "id", "expression": "y_true", "expression_pred": "y_pred"}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, or a skip with the reason."""
    if not DATA.is_dir():
        pytest.skip("the real data is not there: ../shared/data beside the checkout")
    return DATA


@pytest.fixture(scope="session")
def heritage(shared_data: Path) -> Predictions:
    """Predictions of one expression model on 3,488 real faces (arin-upna/biased-heritage)."""
    path = shared_data / "biased-heritage" / "multistereo-sa-female-f0.0-r0.csv"
    return read_predictions(path, task="expression", mapping=HERITAGE, logits="logits")


@pytest.fixture(scope="session")
def heritage_result(heritage: Predictions) -> AuditResult:
    """The audit of the issue, with few replicates."""
    return audit(heritage, by=["gender", "race", "age", "gender,race"], n_boot=100)


@pytest.fixture(scope="session")
def ages() -> pd.DataFrame:
    """Simulated ages with failures, weights and unknown groups."""
    return age_table()


@pytest.fixture(scope="session")
def age_result(ages: pd.DataFrame) -> AuditResult:
    """Their audit by gender, race and both."""
    return audit(ages, task="age", by=BY, n_boot=100, min_n=10)


@pytest.fixture(scope="session")
def expressions() -> pd.DataFrame:
    """Simulated expressions with failures, weights and unknown groups."""
    return expression_table()


@pytest.fixture(scope="session")
def expression_result(expressions: pd.DataFrame) -> AuditResult:
    """Their audit by gender, race and both."""
    return audit(expressions, task="expression", by=BY, n_boot=100, min_n=10)
