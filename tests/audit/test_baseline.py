"""Beside a baseline only what is worse fails; what fails as before is a warning."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from audit.baseline import independent
from audit.errors import InputError
from audit.findings import Finding
from audit.rows import Better
from tests.audit.gate_records import by_gender, judged, metric, record, rule

MAE = 'metric = "mae"\nattribute = "gender"\n'


def finding(
    value: float, low: float | None, high: float | None, kind: str = "difference"
) -> Finding:
    return Finding.model_validate(
        {"rule": "r", "index": 0, "metric": "mae", "attributes": ["gender"], "kind": kind,
         "value": value, "low": low, "high": high, "bound": 1.0, "outcome": "failed"}
    )  # fmt: skip


def test_the_change_by_hand() -> None:
    # sizes 3 [2.7, 3.4] and 1 [0.6, 1.3]: 2 - hypot(0.3, 0.3), 2 + hypot(0.4, 0.4)
    change = independent(finding(3.0, 2.7, 3.4), finding(1.0, 0.6, 1.3), "lower")
    assert change.value == pytest.approx(2.0)
    assert change.low == pytest.approx(2 - 0.3 * math.sqrt(2))
    assert change.high == pytest.approx(2 + 0.4 * math.sqrt(2))
    assert (change.how, change.before, change.failed_before) == ("independent", 1.0, True)


def test_symmetric_intervals_add_as_standard_errors_do() -> None:
    """z = 1.96: half-widths 1.96 s1 and 1.96 s2 give 1.96 sqrt(s1^2 + s2^2)."""
    one, two = (
        finding(3.0, 3 - 1.96 * 0.3, 3 + 1.96 * 0.3),
        finding(2.0, 2 - 1.96 * 0.4, 2 + 1.96 * 0.4),
    )
    change = independent(one, two, "lower")
    assert change.low is not None
    assert change.low == pytest.approx(1 - 1.96 * 0.5)


@pytest.mark.parametrize(
    ("new", "old", "kind", "better", "value"),
    [
        ((2.0, 1.9, 2.1), (-1.0, -1.1, -0.9), "difference", "lower", 1.0),  # size, not sign
        ((-2.0, -2.1, -1.9), (-1.0, -1.1, -0.9), "difference", "lower", 1.0),
        ((0.5, 0.4, 0.625), (1.25, 1.2, 1.3), "ratio", "lower", 0.75),  # 2 to 1 beside 1.25 to 1
        ((6.0, 5.9, 6.1), (5.0, 4.9, 5.1), "value", "lower", 1.0),
        ((0.6, 0.5, 0.7), (0.8, 0.7, 0.9), "value", "higher", 0.2),
        ((-3.0, -3.1, -2.9), (1.0, 0.9, 1.1), "value", "zero", 2.0),
    ],
)
def test_more_is_worse_on_every_scale(
    new: tuple[float, float, float],
    old: tuple[float, float, float],
    kind: str,
    better: Better,
    value: float,
) -> None:
    change = independent(finding(*new, kind), finding(*old, kind), better)
    assert change.value == pytest.approx(value)
    back = independent(finding(*old, kind), finding(*new, kind), better)
    assert back.value == pytest.approx(-value)
    assert (change.low, change.high) == pytest.approx((-(back.high or 0), -(back.low or 0)))
    assert (change.low or 0) < value < (change.high or 0)


def test_an_interval_with_both_signs_begins_at_no_gap() -> None:
    change = independent(finding(0.5, -0.5, 1.5), finding(0.5, 0.4, 0.6), "lower")
    assert change.low == pytest.approx(-math.hypot(0.5, 0.1))
    assert change.high == pytest.approx(math.hypot(1.0, 0.1))
    ratio = independent(finding(1.2, 0.8, 1.5, "ratio"), finding(1.2, 1.2, 1.2, "ratio"), "lower")
    assert ratio.low == pytest.approx(-0.2)


def test_no_interval_no_limits() -> None:
    change = independent(finding(3.0, None, None), finding(1.0, 0.9, 1.1), "lower")
    assert (change.value, change.low, change.high) == (2.0, None, None)
    change = independent(finding(0.0, 0.0, 0.1, "ratio"), finding(1.0, 0.9, 1.1, "ratio"), "lower")
    assert (change.value, change.low) == (None, None)


# new gap 2.0 [1.9, 2.1], margin 0.5: fails alone
@pytest.mark.parametrize(
    ("old", "worse_by", "outcome", "reason"),
    [
        ((6.0, 4.0), 0.0, "warned", "fails as the baseline does, and is not shown to be worse"),
        ((6.5, 4.0), 0.0, "warned", "fails as the baseline does"),
        ((5.95, 4.0), 0.0, "warned", "fails as the baseline does"),  # grew, within chance
        ((5.0, 4.0), 0.0, "failed", "worse than the baseline"),
        ((5.0, 4.0), 1.0, "warned", "fails as the baseline does"),  # by less than matters
        ((4.2, 4.0), 0.0, "failed", "the baseline passes this"),
    ],
)
def test_only_what_is_worse_fails(
    tmp_path: Path, old: tuple[float, float], worse_by: float, outcome: str, reason: str
) -> None:
    declared = rule(tmp_path, f"{MAE}margin = 0.5\nworse_by = {worse_by}")
    new = by_gender("mae", 6.0, 4.0)
    assert not judged(new, declared).passed
    result = judged(new, declared, by_gender("mae", *old))
    found = result.findings[0]
    assert found.outcome == outcome
    assert reason in str(found.reason)
    assert result.passed == (outcome != "failed")
    assert result.compared == ["independent"]
    assert found.change is not None
    assert found.change.value == pytest.approx(2.0 - abs(old[0] - old[1]))
    assert any("a growth may go unseen" in remark for remark in result.remarks)


def test_a_largest_gap_between_other_groups_is_the_same_gap(tmp_path: Path) -> None:
    declared = rule(tmp_path, MAE + "margin = 0.5")
    result = judged(by_gender("mae", 6.0, 4.0), declared, by_gender("mae", 4.0, 6.0))
    assert result.findings[0].outcome == "warned"


def test_what_passes_is_not_compared(tmp_path: Path) -> None:
    declared = rule(tmp_path, MAE + "margin = 5")
    result = judged(by_gender("mae", 6.0, 4.0), declared, by_gender("mae", 4.0, 4.0))
    assert (result.findings[0].outcome, result.findings[0].change) == ("passed", None)


def test_a_failing_row_that_the_baseline_lacks_fails(tmp_path: Path) -> None:
    declared = rule(tmp_path, MAE + "limit = 5")
    rows = [metric("mae", {"gender": name}, 6.0) for name in "fmx"]
    result = judged(record(rows), declared, record(rows[:2]))
    assert [one.outcome for one in result.findings] == ["warned", "warned", "failed"]
    assert result.findings[2].reason == "the baseline has no such row"
    bare = record([metric("mae", {"gender": "f"}, 6.0, None)])
    found = judged(record(rows[:1]), declared, bare).findings[0]
    assert (found.outcome, found.reason) == (
        "failed",
        "the change since the baseline has no interval",
    )


def test_a_rule_that_judges_nothing_is_never_excused(tmp_path: Path) -> None:
    declared = rule(tmp_path, MAE + "margin = 5")
    empty = record([metric("mae", {"gender": "f"}, 6.0)])
    result = judged(empty, declared, empty)
    assert not result.passed


def test_failures_in_one_record_only(tmp_path: Path) -> None:
    """Without failed faces a record has no cs5_all; cs5 is the same number there."""
    declared = rule(tmp_path, 'metric = "cs5"\nlimit = 0.9')
    new = record([metric("cs5", {}, 0.8, 0.02), metric("cs5_all", {}, 0.7, 0.02)])
    old = record([metric("cs5", {}, 0.7, 0.02)])
    found = judged(new, declared, old).findings[0]
    assert (found.outcome, found.metric) == ("warned", "cs5_all")


def test_baselines_that_answer_another_question_are_refused(tmp_path: Path) -> None:
    declared = rule(tmp_path, MAE + "margin = 0.5")
    new = by_gender("mae", 6.0, 4.0)

    def spec(**changes: object) -> object:
        return new.model_copy(update={"spec": new.spec.model_copy(update=changes)})

    with pytest.raises(InputError, match="its task is expression, that of the record age"):
        judged(new, declared, new.model_copy(update={"task": "expression"}))
    with pytest.raises(InputError, match="its estimand is a random subject"):
        judged(new, declared, spec(estimand="subject"))  # type: ignore[arg-type]
    other = {"mae": new.spec.metrics["mae"].model_copy(update={"unit": "months"})}
    with pytest.raises(InputError, match="mae of rule 'mae by gender' is 'mae' there"):
        judged(new, declared, spec(metrics=other))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"--baseline: .*attribute 'gender' was not audited"):
        judged(new, declared, spec(combinations=[["gender", "race"]]))  # type: ignore[arg-type]


def test_a_baseline_of_other_data_is_told(tmp_path: Path) -> None:
    declared = rule(tmp_path, MAE + "margin = 0.5")
    new = by_gender("mae", 6.0, 4.0)
    old = new.model_copy(update={"run": new.run.model_copy(update={"data": "other faces"})})
    assert "the baseline is of other faces" in judged(new, declared, old).remarks
