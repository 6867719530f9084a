"""Point values equal an independent implementation in every group, or both are undefined."""

from __future__ import annotations

import pytest
from fairlearn.metrics import MetricFrame
from sklearn import metrics as sk

from audit import audit
from audit.cure import COLUMNS, RAW
from audit.metrics.age import age_metrics
from audit.metrics.expression import expression_metrics
from audit.verdict import MIN_EFFECTIVE
from tests.audit.frames import BY, DATA, expression_table, gap, metric
from tests.audit.oracles import CASES, ORACLES, REAL, compared

TOLERANCE = 1e-12
EXTRAS = (*COLUMNS, RAW)


def test_every_metric_has_an_oracle() -> None:
    engine = {
        "age": {metric.name for metric in age_metrics()},
        "expression": {metric.name for metric in expression_metrics(["a", "b"], EXTRAS)},
    }
    assert {task: set(oracles) for task, oracles in ORACLES.items()} == engine


@pytest.mark.parametrize("case", CASES)
def test_values_equal_their_oracle(case: str, request: pytest.FixtureRequest) -> None:
    if case in REAL and not DATA.is_dir():
        pytest.skip("the real data is not there: ../shared/data beside the checkout")
    table = CASES[case]()
    result = (
        request.getfixturevalue("heritage_result")
        if case == "biased-heritage"
        else audit(table, by=BY, n_boot=0)
    )
    found = list(compared(table, result))
    wrong = [item for item in found if item.difference > TOLERANCE]
    assert not wrong, f"{len(wrong)} of {len(found)}: {wrong[:5]}"
    for name in {item.metric for item in found if item.note != "open_band"}:
        assert sum(item.ours is not None for item in found if item.metric == name) >= 3


def test_values_by_group_equal_fairlearn() -> None:
    """MetricFrame cuts the groups itself, so membership gets a second opinion too."""
    faces = expression_table(2, failures=False, unknown=False)
    result = audit(faces, task="expression", by=BY, n_boot=0, min_n=2)
    metrics = {"accuracy": sk.accuracy_score, "mcc": sk.matthews_corrcoef}
    for names in (["gender"], ["race"], ["gender", "race"]):
        frame = MetricFrame(
            metrics=metrics,
            y_true=faces["expression"],
            y_pred=faces["expression_pred"],
            sensitive_features=faces[names],
            sample_params={name: {"sample_weight": faces["weight"]} for name in metrics},
        )
        tested: list[float] = []
        for group, values in frame.by_group.iterrows():
            parts = [group] if isinstance(group, str) else list(group)
            label = dict(zip(names, parts, strict=True))
            for name in metrics:
                row = metric(result, name, label)
                assert row.value == pytest.approx(values[name], abs=1e-12)
                if name == "accuracy" and row.m_eff >= MIN_EFFECTIVE:
                    tested.append(values[name])
        value = gap(result, kind="worst_minus_best", metric="accuracy", attributes=names).value
        assert len(tested) > 1
        assert value == pytest.approx(max(tested) - min(tested), abs=1e-12)
