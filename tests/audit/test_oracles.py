"""Point values equal an independent implementation in every group, or both are undefined."""

from __future__ import annotations

import pytest

from audit import audit
from audit.metrics.age import age_metrics
from audit.metrics.expression import expression_metrics
from tests.audit.frames import BY, DATA
from tests.audit.oracles import CASES, ORACLES, REAL, compared

TOLERANCE = 1e-12


def test_every_metric_has_an_oracle() -> None:
    engine = {
        "age": {metric.name for metric in age_metrics()},
        "expression": {metric.name for metric in expression_metrics(["a", "b"])},
    }
    assert {task: set(oracles) for task, oracles in ORACLES.items()} == engine


@pytest.mark.parametrize("case", CASES)
def test_values_equal_their_oracle(case: str) -> None:
    if case in REAL and not DATA.is_dir():
        pytest.skip("the real data is not there: ../shared/data beside the checkout")
    table = CASES[case]()
    found = list(compared(table, audit(table, by=BY, n_boot=0)))
    wrong = [item for item in found if item.difference > TOLERANCE]
    assert not wrong, f"{len(wrong)} of {len(found)}: {wrong[:5]}"
    for name in {item.metric for item in found if item.note != "open_band"}:
        assert sum(item.ours is not None for item in found if item.metric == name) >= 5
