"""Gates: every way from a row to an outcome, on records written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.errors import InputError
from audit.findings import Finding
from tests.audit.gate_records import by_gender, gap, judged, metric, policy, record, rule

MAE = 'metric = "mae"\nattribute = "gender"\n'


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


# largest gap 1.0, 90 % [0.92, 1.08], adjusted [0.88, 1.12]
@pytest.mark.parametrize(
    ("margin", "inconclusive", "verdict", "outcome"),
    [
        (0.8, "fail", "gap", "failed"),
        (0.8, "pass", "gap", "failed"),
        (0.8, "warn", "gap", "failed"),
        (1.0, "fail", "inconclusive", "failed"),
        (1.0, "warn", "inconclusive", "warned"),
        (1.0, "pass", "inconclusive", "passed"),
        (1.2, "fail", "no material gap", "passed"),
    ],
)
def test_a_margin_on_the_largest_gap(
    tmp_path: Path, margin: float, inconclusive: str, verdict: str, outcome: str
) -> None:
    text = f'{MAE}margin = {margin}\ninconclusive = "{inconclusive}"'
    result = judged(by_gender("mae", 5.0, 4.0), rule(tmp_path, text))
    found = only(result.findings)
    assert (found.verdict, found.outcome) == (verdict, outcome)
    assert (found.a, found.b, found.value) == ({"gender": "f"}, {"gender": "m"}, 1.0)
    assert result.passed == (outcome != "failed")
    assert result.counts[outcome] == 1  # type: ignore[index]
    expected = (0.88, 1.12) if verdict == "gap" else (0.92, 1.08)
    assert found.ends == pytest.approx(expected)
    assert found.interval == ("family-adjusted 95 %" if verdict == "gap" else "90 %")


@pytest.mark.parametrize(("kind", "n"), [("difference", 1), ("vs_rest", 2)])
def test_other_kinds_judge_every_row(tmp_path: Path, kind: str, n: int) -> None:
    text = f'{MAE}margin = 0.5\nkind = "{kind}"'
    found = judged(by_gender("mae", 4.0, 5.0), rule(tmp_path, text)).findings
    assert [one.verdict for one in found] == ["gap"] * n


def test_a_signed_metric_is_judged_by_its_range(tmp_path: Path) -> None:
    declared = rule(tmp_path, MAE.replace("mae", "bias") + "margin = 0.5")
    found = only(judged(by_gender("bias", 1.0, -1.0), declared).findings)
    assert (found.verdict, found.value) == ("gap", 2.0)


def test_a_ratio(tmp_path: Path) -> None:
    rows = [metric("mae", {"gender": g}, 4.0) for g in "fm"]
    one = record(rows, [gap("mae", "f", "m", 1.4, 0.05, "ratio")])
    declared = rule(tmp_path, MAE + 'kind = "ratio"\nmargin = 1.2')
    found = only(judged(one, declared).findings)
    assert (found.verdict, found.unit) == ("gap", "")


def test_a_limit_overall_and_by_group(tmp_path: Path) -> None:
    result = by_gender("mae", 5.0, 4.0)  # overall 4.5 [4.4, 4.6]
    found = only(judged(result, rule(tmp_path, 'metric = "mae"\nlimit = 4.6')).findings)
    assert (found.verdict, found.outcome, found.a) == ("within the limit", "passed", {})
    found = judged(result, rule(tmp_path, MAE + "limit = 4.5")).findings
    assert [(one.a, one.verdict) for one in found] == [
        ({"gender": "f"}, "beyond the limit"),
        ({"gender": "m"}, "within the limit"),
    ]
    assert [(one.low, one.interval) for one in found] == [(4.9, "95 %"), (3.9, "90 %")]


def test_a_limit_on_what_should_be_high(tmp_path: Path) -> None:
    result = by_gender("accuracy", 0.9, 0.5)
    found = judged(result, rule(tmp_path, MAE.replace("mae", "accuracy") + "limit = 0.7"))
    assert [one.outcome for one in found.findings] == ["passed", "failed"]


def test_an_unknown_group_is_not_judged(tmp_path: Path) -> None:
    rows = [metric("mae", {"gender": g}, 4.0) for g in ("f", "m")]
    result = record([*rows, metric("mae", {"gender": None}, 50.0)])
    found = judged(result, rule(tmp_path, MAE + "limit = 5")).findings
    assert [one.a for one in found] == [{"gender": "f"}, {"gender": "m"}]


# f has 20 persons: no difference between f and m, but too few to say so
@pytest.mark.parametrize(
    ("kind", "extra", "outcome"),
    [
        ("difference", "", "failed"),
        ("difference", "min_persons = 20", "passed"),
        ("difference", 'inconclusive = "warn"', "warned"),
        ("vs_rest", "min_persons = 20", "passed"),
        ("worst_minus_best", "", "failed"),
        ("worst_minus_best", "min_persons = 20", "passed"),
        ("worst_minus_best", 'inconclusive = "pass"', "passed"),
        ("worst_minus_best", 'small_groups = "skip"', "passed"),
        ("worst_minus_best", 'small_groups = "skip"\nmin_persons = 20', "passed"),
    ],
)
def test_too_few_persons(tmp_path: Path, kind: str, extra: str, outcome: str) -> None:
    side = {"n_subjects_a": 20}
    rows = [metric("mae", {"gender": "f"}, 4.0, n_subjects=20), metric("mae", {"gender": "m"}, 4.0)]
    one = record(
        rows, [gap("mae", "f", None if kind == "vs_rest" else "m", 0.0, 0.1, kind, **side)]
    )
    text = f'{MAE}margin = 1\nkind = "{kind}"\n{extra}'
    found = only(judged(one, rule(tmp_path, text)).findings)
    assert found.outcome == outcome
    if "min_persons" in extra:
        assert found.reason is None
        assert found.verdict == "no material gap"
    else:
        assert "20" in str(found.reason)


def test_few_persons_do_not_hide_a_gap(tmp_path: Path) -> None:
    rows = [metric("mae", {"gender": "f"}, 6.0, n_subjects=5), metric("mae", {"gender": "m"}, 4.0)]
    one = record(rows, [gap("mae", "f", "m", 2.0, n_subjects_a=5)])
    text = f'{MAE}margin = 1\nkind = "difference"\nsmall_groups = "skip"'
    assert only(judged(one, rule(tmp_path, text)).findings).outcome == "failed"
    found = judged(one, rule(tmp_path, MAE + 'limit = 5\nsmall_groups = "skip"')).findings
    assert [one.outcome for one in found] == ["failed", "passed"]


def small_and_large(n_small: int, note: str | None) -> Any:
    rows = [
        metric("mae", {"gender": name}, 4.0, n_subjects=n)
        for name, n in (("a", 100), ("b", 100), ("c", n_small))
    ]
    return record(rows, [gap("mae", "a", "b", 0.0, 0.1, "worst_minus_best", note=note)])


def test_what_the_record_left_out_of_the_largest_gap(tmp_path: Path) -> None:
    """The record tests from 30 persons on; c has 20 and so was never compared."""
    left_out = small_and_large(20, "below_min_n: 1 groups left out")
    skip = 'margin = 1\nsmall_groups = "skip"\n'
    assert only(judged(left_out, rule(tmp_path, MAE + "margin = 1")).findings).outcome == "failed"
    found = only(judged(left_out, rule(tmp_path, MAE + skip)).findings)
    assert found.outcome == "passed"
    assert found.reason == "left out: 1 of 3 groups have under 30 persons: c (20)"
    # from 10 persons on the rule wants c judged, which the record has not done
    found = only(judged(left_out, rule(tmp_path, MAE + skip + "min_persons = 10")).findings)
    assert (found.outcome, found.verdict) == ("failed", "inconclusive")
    assert found.note == "below_min_n: 1 groups left out"


def test_a_group_left_out_for_another_reason_is_no_small_group(tmp_path: Path) -> None:
    rows = [metric("mae", {"gender": name}, 4.0) for name in "ab"]
    rows.append(metric("mae", {"gender": "c"}, None, note="empty_group"))
    note = "below_min_n: 1 groups left out"
    one = record(rows, [gap("mae", "a", "b", 0.0, 0.1, "worst_minus_best", note=note)])
    text = MAE + 'margin = 1\nsmall_groups = "skip"'
    assert only(judged(one, rule(tmp_path, text)).findings).outcome == "failed"


def test_few_effective_persons_are_never_skipped(tmp_path: Path) -> None:
    one = small_and_large(20, "low_m_eff; below_min_n: 1 groups left out")
    text = MAE + 'margin = 1\nsmall_groups = "skip"'
    assert only(judged(one, rule(tmp_path, text)).findings).outcome == "failed"
    few = record([metric("mae", {}, 4.0, m_eff=12.0)])
    found = only(judged(few, rule(tmp_path, 'metric = "mae"\nlimit = 5')).findings)
    assert (found.outcome, found.reason) == ("failed", "fewer than 20 effective persons")


# a rule that judges nothing fails, whatever it says of inconclusive rows
LAX = 'inconclusive = "pass"\nsmall_groups = "skip"\n'


def test_a_rule_without_rows_fails(tmp_path: Path) -> None:
    bare = record([metric("mae", {"gender": "f"}, 4.0)])
    for text in ("margin = 1", 'margin = 1\nkind = "vs_rest"', 'margin = 1.5\nkind = "ratio"'):
        result = judged(bare, rule(tmp_path, MAE + LAX + text))
        assert not result.passed
        reason = only(result.findings).reason
        assert reason == "nothing was judged: the record has no such row for mae"
    result = judged(bare, rule(tmp_path, MAE.replace("gender", "race") + LAX + "limit = 1"))
    assert not result.passed


def test_a_rule_whose_rows_have_no_value_fails(tmp_path: Path) -> None:
    rows = [metric("mae", {"gender": g}, None, note="interval_truth") for g in "fm"]
    empty = gap("mae", None, None, None, kind="worst_minus_best", note="single_group")
    result = judged(record(rows, [empty]), rule(tmp_path, MAE + LAX + "margin = 1"))
    assert [one.outcome for one in result.findings] == ["passed", "failed"]
    assert result.findings[1].reason == "nothing was judged: 0 rows left out, 1 without a value"
    assert not result.passed
    result = judged(record(rows), rule(tmp_path, MAE + LAX + "limit = 1"))
    assert not result.passed
    assert result.findings[0].note == "interval_truth"


def test_a_rule_whose_rows_are_all_skipped_fails(tmp_path: Path) -> None:
    rows = [metric("mae", {"gender": g}, 4.0, n_subjects=9) for g in "fm"]
    result = judged(record(rows), rule(tmp_path, MAE + LAX + "limit = 9"))
    assert [one.outcome for one in result.findings] == ["skipped", "skipped", "failed"]
    assert not result.passed


def test_a_group_without_a_value_is_in_no_gap_and_is_told(tmp_path: Path) -> None:
    """c failed on every face: the gaps between a and b must not pass for all three."""
    rows = [metric("mae", {"gender": name}, 4.0) for name in "ab"]
    rows.append(metric("mae", {"gender": "c"}, None, n=0, n_subjects=0, note="empty_group"))
    one = record(rows, [gap("mae", "a", "b", 0.0)])
    text = MAE + 'margin = 1\nkind = "difference"\n'
    found = judged(one, rule(tmp_path, text)).findings
    assert [(f.a, f.outcome) for f in found] == [
        ({"gender": "a"}, "passed"),
        ({"gender": "c"}, "failed"),
    ]
    found = judged(one, rule(tmp_path, text + 'small_groups = "skip"')).findings
    assert [f.outcome for f in found] == ["passed", "skipped"]


@pytest.mark.parametrize("kind", ["difference", "ratio"])
def test_pairs_that_the_record_does_not_list_are_told(tmp_path: Path, kind: str) -> None:
    rows = [metric("mae", {"gender": name}, 4.0) for name in "abcd"]  # 6 pairs
    centre = 0.0 if kind == "difference" else 1.0
    gaps = [gap("mae", "a", name, centre, 0.01, kind) for name in "bcd"]
    text = f'{MAE}margin = 1.5\nkind = "{kind}"'
    found = judged(record(rows, gaps), rule(tmp_path, text)).findings
    assert [one.outcome for one in found] == ["passed"] * 3 + ["failed"]
    assert found[3].reason == (
        "the record lists 3 of 6 pairs; kind worst_minus_best bounds them all"
    )
    found = judged(record(rows, gaps), rule(tmp_path, text + '\ninconclusive = "warn"')).findings
    assert found[3].outcome == "warned"


def test_classes(tmp_path: Path) -> None:
    rows = [
        metric("recall", {"gender": g}, value, **{"class": name})
        for name, value in (("happy", 0.9), ("sad", 0.4))
        for g in "fm"
    ]
    gaps = [
        gap("recall", "f", "m", value, 0.01, "worst_minus_best", **{"class": name})
        for name, value in (("happy", 0.0), ("sad", 0.3))
    ]
    one = record(rows, gaps, task="expression", spec={"classes": ["happy", "sad"]})
    text = MAE.replace("mae", "recall") + "margin = 0.1\n"
    found = judged(one, rule(tmp_path, text)).findings
    assert [(f.class_, f.outcome) for f in found] == [("happy", "passed"), ("sad", "failed")]
    found = judged(one, rule(tmp_path, text + 'class = "happy"')).findings
    assert [(f.class_, f.outcome) for f in found] == [("happy", "passed")]
    with pytest.raises(InputError, match="class sat: no such class of recall"):
        judged(one, rule(tmp_path, text + 'class = "sat"'))


def test_failed_faces_count_as_wrong_unless_the_policy_leaves_them_out(tmp_path: Path) -> None:
    rows = [metric("cs5", {}, 0.9, 0.01), metric("cs5_all", {}, 0.7, 0.01, n_failed=40)]
    text = 'metric = "cs5"\nlimit = 0.8\n'
    strict = judged(record(rows), rule(tmp_path, text))
    assert (only(strict.findings).metric, strict.passed) == ("cs5_all", False)
    lax = judged(record(rows), rule(tmp_path, text + 'failure = "excluded"'))
    assert (only(lax.findings).metric, lax.passed) == ("cs5", True)
    assert "40 failed faces are not in cs5, and no rule is on failure_rate" in lax.remarks
    assert not any("failed faces" in remark for remark in strict.remarks)
    without = judged(record(rows[:1]), rule(tmp_path, text))
    assert (only(without.findings).metric, without.passed) == ("cs5", True)


def test_remarks_on_declaration_and_warnings(tmp_path: Path) -> None:
    declared = rule(tmp_path, 'metric = "mae"\nlimit = 5')
    rows = [metric("mae", {}, 4.0)]
    result = judged(record(rows), declared)
    assert result.policy.declared == "none"
    assert any("without a policy" in remark for remark in result.remarks)
    info = declared.info().model_dump()
    same = record(rows, spec={"policy": info})
    result = judged(same, declared)
    assert (result.policy.declared, result.remarks) == ("same", [])
    another = record(rows, spec={"policy": info | {"sha256": "1" * 64}})
    result = judged(another, declared)
    assert result.policy.declared == "another"
    assert result.remarks == ["the audit was made under another policy than this one"]
    seen = {"code": "trained_on", "severity": "serious", "message": "it saw these faces"}
    drawn = record(rows, warnings=[seen], run={"model": "m", "seed": 0, "simulated": True})
    remarks = judged(drawn, declared).remarks
    assert "the record warns: it saw these faces" in remarks
    assert "the faces are simulated; nothing here describes real people" in remarks


def test_several_rules_and_combinations_in_the_order_of_the_policy(tmp_path: Path) -> None:
    both = {"gender": "f", "race": "m"}
    rows = [metric("mae", {}, 4.0), metric("mae", {"gender": "f"}, 4.0), metric("mae", both, 4.0)]
    text = """
    [[rules]]
    name = "by group"
    metric = "mae"
    attribute = ["race,gender", "gender"]
    limit = 5
    [[rules]]
    metric = "mae"
    limit = 5
    """
    found = judged(record(rows), policy(tmp_path, text)).findings
    assert [(one.rule, one.index, one.a) for one in found] == [
        ("by group", 0, both),
        ("by group", 0, {"gender": "f"}),
        ("mae", 1, {}),
    ]


def test_unknown_names_are_refused_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1: rule 1: metric mea: .* did you mean mae\?"):
        judged(by_gender("mae", 5.0, 4.0), rule(tmp_path, MAE.replace("mae", "mea") + "margin = 1"))
