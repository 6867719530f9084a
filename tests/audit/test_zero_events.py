"""Nothing went wrong, and still the interval is no point."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import audit
from audit.intervals import wilson
from tests.audit.frames import gap, metric


def test_wilson_of_0_and_5_events() -> None:
    """Brown, Cai and DasGupta (2001): z^2 / (n + z^2) for 0 of n; 5 of 50 from audit_metrics 12."""
    z = np.array([1.959963984540054])
    low, high = wilson(np.array([0.0]), np.array([30.0]), z)
    assert (low[0], high[0]) == (0.0, pytest.approx(0.11351339317, abs=1e-11))
    low, high = wilson(np.array([0.1]), np.array([50.0]), z)
    assert low[0] == pytest.approx(0.04347576493, abs=1e-10)
    assert high[0] == pytest.approx(0.21360231437, abs=1e-10)


def test_no_failure_among_30_against_none_among_30() -> None:
    n = 60
    table = pd.DataFrame({"age": [30] * n, "age_pred": [31] * n, "g": ["x", "y"] * 30})
    table["sample_id"] = [f"s{i}" for i in range(n)]
    result = audit(table, task="age", by=["g"], n_boot=200)
    row = metric(result, "failure_rate", {"g": "x"})
    assert (row.value, row.low, row.high) == (0.0, 0.0, pytest.approx(0.11351339317, abs=1e-9))
    difference = gap(result, metric="failure_rate", kind="difference")
    # MOVER from two Wilson intervals at 0: sqrt(0^2 + 0.1135^2) on either side
    assert difference.value == 0.0
    assert difference.high == pytest.approx(0.11351339317, abs=1e-9)
    assert difference.low == pytest.approx(-0.11351339317, abs=1e-9)
    assert difference.p is not None
    assert difference.p > 0.99
    widest = gap(result, metric="failure_rate", kind="worst_minus_best")
    assert (widest.low, widest.high) == (0.0, pytest.approx(0.11351339317, abs=1e-9))
