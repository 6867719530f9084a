"""Verdicts at their boundaries: a margin against a gap, a limit against a value."""

from __future__ import annotations

from typing import Any

import pytest

from audit.rows import AggregateGap, MetricRow, PairGap, RangeGap
from audit.verdict import judged, limit_verdict, untested, verdict
from tests.audit.gate_records import gap, metric


def pair(**changes: Any) -> PairGap:
    """1.0 [0.8, 1.2], 90 % [0.84, 1.16], adjusted [0.76, 1.24]."""
    return PairGap.model_validate(gap("mae", "f", "m", 1.0, 0.2) | changes)


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        (0.75, "gap"),  # 0.76 > 0.75
        (0.76, "inconclusive"),  # touches the adjusted interval
        (1.0, "inconclusive"),
        (1.16, "inconclusive"),  # touches the 90 % interval
        (1.17, "no material gap"),
    ],
)
def test_a_margin_against_both_intervals(margin: float, expected: str) -> None:
    assert verdict(pair(), margin) == expected
    turned = pair(**{
        f"{end}{suffix}": -getattr(pair(), f"{other}{suffix}")
        for end, other in (("low", "high"), ("high", "low"))
        for suffix in ("", "_90", "_adjusted")
    }, value=-1.0)  # fmt: skip
    assert verdict(turned, margin) == expected


def test_the_unadjusted_interval_never_makes_a_gap() -> None:
    bare = pair(low_adjusted=None, high_adjusted=None)
    assert verdict(bare, 0.1) == "inconclusive"
    assert verdict(bare, 2.0) == "no material gap"


@pytest.mark.parametrize("code", ["below_min_n", "low_m_eff", "few_per_class"])
def test_few_persons_show_a_gap_but_never_rule_it_out(code: str) -> None:
    small = pair(note=f"regression_to_mean; {code}: 3 groups left out")
    assert verdict(small, 2.0) == "inconclusive"
    assert verdict(small, 0.5) == "gap"


def test_rows_without_value_or_interval() -> None:
    assert verdict(pair(value=None, note="undefined_group"), 1.0) is None
    assert verdict(pair(low_90=None, high_90=None), 9.0) == "inconclusive"
    spread = AggregateGap(
        kind="gini", metric="mae", attributes=["gender"], family="mae/gender", value=0.1
    )
    assert verdict(spread, 1.0) is None


def test_a_ratio_is_judged_on_both_sides_of_one() -> None:
    ratio = PairGap.model_validate(gap("mae", "f", "m", 0.8, 0.05, "ratio"))
    # 0.8, adjusted [0.74, 0.86], 90 % [0.76, 0.84]: 1 / 1.15 = 0.87, 1 / 1.33 = 0.752
    assert [verdict(ratio, margin) for margin in (1.15, 1.25, 1.33)] == [
        "gap",
        "inconclusive",
        "no material gap",
    ]


def test_judged_rows_carry_margin_and_verdict() -> None:
    rows = [pair(), pair(kind="ratio"), pair(value=None, note="undefined_group")]
    first, second, third = judged(rows, lambda row: 0.5 if row.kind == "difference" else None)
    assert (first.margin, first.verdict, first.note) == (0.5, "gap", None)
    assert (second.margin, second.verdict, second.note) == (None, None, "no_margin")
    assert (third.margin, third.verdict, third.note) == (None, None, "undefined_group")


def test_untested_are_differences_without_an_adjusted_p() -> None:
    largest = RangeGap.model_validate(gap("mae", "f", "m", 1.0, 0.2, "worst_minus_best"))
    rows = [pair(p_adjusted=0.2), pair(note="below_min_n"), largest]
    assert untested(rows) == [rows[1]]


def value(half: float | None = 0.5, **changes: Any) -> MetricRow:
    """5.0 [4.5, 5.5], 90 % [4.6, 5.4]."""
    return MetricRow.model_validate(metric("mae", {}, 5.0, half) | changes)


@pytest.mark.parametrize(
    ("better", "limit", "expected"),
    [
        ("lower", 4.49, "beyond the limit"),
        ("lower", 4.5, "inconclusive"),  # the 95 % interval touches it
        ("lower", 5.39, "inconclusive"),
        ("lower", 5.4, "within the limit"),  # the limit itself is allowed
        ("higher", 5.51, "beyond the limit"),
        ("higher", 5.5, "inconclusive"),
        ("higher", 4.61, "inconclusive"),
        ("higher", 4.6, "within the limit"),
        ("zero", 4.49, "beyond the limit"),
        ("zero", 5.0, "inconclusive"),
        ("zero", 5.4, "within the limit"),
    ],
)
def test_a_limit_against_both_intervals(better: Any, limit: float, expected: str) -> None:
    assert limit_verdict(value(), limit, better) == expected


def test_a_limit_on_a_signed_value_holds_on_both_sides() -> None:
    below = value(value=-5.0, low=-5.5, high=-4.5, low_90=-5.4, high_90=-4.6)
    assert [limit_verdict(below, limit, "zero") for limit in (4.4, 5.0, 5.4)] == [
        "beyond the limit",
        "inconclusive",
        "within the limit",
    ]


def test_a_limit_without_value_interval_or_persons() -> None:
    assert limit_verdict(value(None, value=None, note="empty_group"), 9.0, "lower") is None
    assert limit_verdict(value(None), 9.0, "lower") == "inconclusive"
    few = value(m_eff=19.9)
    assert limit_verdict(few, 9.0, "lower") == "inconclusive"
    assert limit_verdict(few, 4.0, "lower") == "beyond the limit"
