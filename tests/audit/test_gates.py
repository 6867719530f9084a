"""Age gates: rates by hand and by pandas, failures, bands across the legal age, challenge ages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from audit import AuditResult, InputError, audit, predictions_from_frame
from audit.age_plan import age_plan, plan_curve_layout
from audit.block import build_block
from audit.collect import collect_table
from audit.facts import facts_of
from audit.gates import Gate, gates_of
from audit.groups import grouping
from audit.options import checked_options, setting_of
from audit.rates import column_rates
from audit.units import group_sums
from tests.audit.compare import assert_same
from tests.audit.frames import age_table, gaps, interval_table, metric


def of(table: pd.DataFrame, *gates: Any, **options: Any) -> AuditResult:
    given = {"n_boot": 0, "by": [], "gates": gates or ("18:25",)}
    return audit(table, task="age", **(given | options))


def young(seed: int = 0, n: int = 600) -> pd.DataFrame:
    """People of 8 to 40 years, one photo each, some of them failures."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(8, 40, n)
    table = pd.DataFrame(
        {
            "sample_id": np.arange(n),
            "age": age,
            "age_pred": age + rng.normal(0, 5, n),
            "gender": rng.choice(["f", "m"], n),
            "region": rng.choice(list("ABCDEF"), n),
        }
    )
    table.loc[rng.random(n) < 0.05, "age_pred"] = None
    return table


def value(result: AuditResult, name: str, class_: str | None = "18:25", **group: str) -> Any:
    return metric(result, name, group, class_).value


def test_rates_by_hand() -> None:
    table = pd.DataFrame(
        {
            # minors: passes, stopped, failed, at 25.0; adults: passes, stopped, failed, at 18
            "age": [17, 15, 12, 17.99, 30, 20, 40, 18],
            "age_pred": [26, 20, None, 25.0, 31, 24.9, None, 19],
        }
    )
    result = of(table)
    assert value(result, "gate_fpr") == 2 / 4
    assert value(result, "gate_fnr") == 3 / 4
    assert value(result, "gate_fpr_processed") == 2 / 3
    assert value(result, "gate_fnr_processed") == 2 / 3
    assert value(result, "gate_severity") == pytest.approx((1 + 0.01) / 2)
    assert value(result, "gate_far_share") == 0.0
    assert metric(result, "gate_fpr", {}, "18:25").n == 4
    assert metric(result, "gate_severity", {}, "18:25").n == 2
    years = {(row.name, row.x): (row.y, row.n) for row in result.curves if "_year" in row.name}
    assert years["gate_fpr_by_year", 17.0] == (1.0, 2)
    assert years["gate_fpr_by_year", 12.0] == (0.0, 1)
    assert years["gate_fnr_by_year", 40.0] == (1.0, 1)
    assert years["gate_fnr_by_year", 18.0] == (1.0, 1)
    curve = {row.x: row.y for row in result.curves if row.name == "gate_fpr"}
    assert [curve[x] for x in (18, 20, 21, 25, 26, 27)] == [0.75, 0.75, 0.5, 0.5, 0.25, 0]


def test_a_gate_without_a_challenge_age_is_at_the_legal_age() -> None:
    assert gates_of(["18", 21, "18:25", (16, 16)]) == (
        Gate(18, 18),
        Gate(21, 21),
        Gate(18, 25),
        Gate(16, 16),
    )


def test_rates_and_wilson_intervals_of_single_photos() -> None:
    table = young()
    result = of(table, "18", "18:25", by=["gender"])
    for gender in ("f", "m"):
        faces = table[table["gender"] == gender]
        for name, challenge in (("18:18", 18), ("18:25", 25)):
            minors = faces[faces["age"] < 18]
            adults = faces[faces["age"] >= 18]
            passed = (minors["age_pred"] >= challenge).sum()
            stopped = (~(adults["age_pred"] >= challenge)).sum()
            assert value(result, "gate_fpr", name, gender=gender) == passed / len(minors)
            assert value(result, "gate_fnr", name, gender=gender) == stopped / len(adults)
        row = metric(result, "gate_fnr", {"gender": gender}, "18:25")
        low, high = proportion_confint(stopped, len(adults), method="wilson")
        assert (row.low, row.high) == pytest.approx((low, high), rel=0.01)  # t instead of normal


def test_none_and_all_have_intervals_and_gaps() -> None:
    """0 of 30 against 0 of 30: the upper limit is about 0.11, the gap is not [0, 0]."""
    table = pd.DataFrame({"age": [15.0] * 60, "age_pred": [10.0] * 60, "gender": ["f", "m"] * 30})
    result = of(table, "18", by=["gender"])
    row = metric(result, "gate_fpr", {"gender": "f"}, "18:18")
    assert (row.value, row.low) == (0.0, 0.0)
    assert row.high == pytest.approx(0.11351339317, abs=1e-8)
    gap = gaps(result, metric="gate_fpr", kind="difference")[0]
    assert gap.high == pytest.approx(0.11, abs=0.02)
    assert (value(result, "gate_fnr", "18:18"), metric(result, "gate_fnr", {}, "18:18").note) == (
        None,
        "no_adults",
    )
    assert "gate_outside_data" in {warning.code for warning in result.warnings}
    assert metric(result, "gate_severity", {}, "18:18").note == "none_passed"


def test_bands_across_the_legal_age_are_left_out_and_counted() -> None:
    table = interval_table(2)
    done = table.dropna(subset=["age"])
    result = of(table, "18", "20")
    adults = done[~done["age"].isin(["00-02", "3-9", "10-19"])]
    minors = done[done["age"].isin(["00-02", "3-9"])]
    w = adults["weight"]
    stopped = ~(adults["age_pred"] >= 18)
    assert value(result, "gate_fnr", "18:18") == pytest.approx(np.average(stopped, weights=w))
    assert metric(result, "gate_fpr", {}, "18:18").n == (minors["weight"] > 0).sum()
    told = {warning.code: warning.message for warning in result.warnings}
    across = (done["age"] == "10-19").sum()
    assert told["gate_straddled"].startswith(
        f"{across} of {len(done)} true age bands lie across 18"
    )
    assert sum(w.code == "gate_straddled" for w in result.warnings) == 1  # 20 is an edge
    for name in ("gate_severity", "gate_far_share"):
        assert metric(result, name, {}, "18:18").note == "interval_truth"
    assert metric(result, "teen_tpr").note == "interval_truth"
    assert metric(result, "nist_mae_26").note == "interval_truth"


def test_predicted_bands_have_no_gates() -> None:
    result = of(interval_table(2, predicted=True), "18", gate_target=0.05)
    assert metric(result, "gate_fpr", {}, "18:18").note == "predicted_bands"
    assert not [row for row in result.curves if row.name.startswith("gate")]


def test_thirteen_to_sixteen() -> None:
    table = pd.DataFrame(
        {
            "age": [13, 14, 15, 16, 16.9, 9, 12, 17, 22],
            "age_pred": [14, 12, 18, 16.5, 17, 13, 8, 16.9, 23],
        }
    )
    result = of(table)
    assert value(result, "teen_tpr", None) == pytest.approx(2 / 5)
    assert value(result, "teen_under", None) == pytest.approx(1 / 5)
    assert value(result, "teen_over", None) == pytest.approx(2 / 5)
    assert value(result, "teen_fpr_below", None) == pytest.approx(1 / 2)
    assert value(result, "teen_fpr_above", None) == pytest.approx(1 / 2)
    assert value(result, "teen_mae", None) == pytest.approx((1 + 2 + 3 + (0.5 + 0.1) / 2) / 4)
    without = of(table[table["age"] != 15])
    assert (value(without, "teen_mae", None), metric(without, "teen_mae").note) == (
        None,
        "no_such_ages",
    )


def test_challenge_age_is_the_least_that_stays_below_the_target() -> None:
    table = young(1, 6000)
    result = of(table, "18", by=["gender"], gate_target=0.02)
    ages = []
    for group in ({}, {"gender": "f"}, {"gender": "m"}):
        points = [r for r in result.curves if r.name == "gate_fpr" and r.group == group]
        expected = next(p.x for p in points if all(q.high <= 0.02 for q in points if q.x >= p.x))
        assert metric(result, "challenge_age", group, "18").value == expected
        ages.append(expected)
    assert value(result, "challenge_age_every_group", "18") == max(ages)
    assert result.spec.gate_target == 0.02
    strict = of(table, "18", by=["gender"], gate_target=1e-4)
    row = metric(strict, "challenge_age_every_group", {}, "18")
    assert row.value is None
    assert row.note.startswith("target_not_reached: everyone, f, m")


def test_nist_means_of_cells() -> None:
    table = young(2, 9000)
    result = of(table, "18:25", by=["gender", "region"])
    faces = table.dropna()
    year = np.floor(faces["age"])
    cells = faces[(year >= 18) & (year <= 30)].assign(year=year)
    error = (cells["age_pred"] - cells["age"]).abs()
    mae = error.groupby([cells["gender"], cells["year"]]).mean()
    assert len(mae) == 26
    row = metric(result, "nist_mae_26")
    assert row.value == pytest.approx(mae.mean(), rel=1e-12)
    se = error.groupby([cells["gender"], cells["year"]]).sem()
    assert row.high / row.value == pytest.approx(
        np.exp(1.96 * np.sqrt((se**2).sum()) / 26 / row.value), rel=0.01
    )
    assert row.n == len(cells)
    minors = table[np.floor(table["age"]) == 17]
    rate = (minors["age_pred"] >= 25).groupby([minors["gender"], minors["region"]]).mean()
    assert metric(result, "nist_fpr_12").value == pytest.approx(rate.mean(), rel=1e-12)
    few = of(table[table["age"] < 30], "18:25", by=["gender", "region"])
    assert metric(few, "nist_mae_26").note == "nist_cells: 2 of 26 are empty"
    bare = of(table, "18", by=["region"])
    assert "gender or sex" in metric(bare, "nist_mae_26").note
    assert (
        "18:25 is not asked" in metric(of(table, "18", by=["gender", "region"]), "nist_fpr_12").note
    )


def test_aggregates_of_both_rates() -> None:
    result = of(young(3), "18:25", by=["gender"], n_boot=60)
    kinds = {gap.kind: gap for gap in gaps(result, metric="gate")}
    assert set(kinds) == {"garbe", "fdr", "inequity"}
    fpr, fnr = (
        [value(result, name, gender=g) for g in ("f", "m")] for name in ("gate_fpr", "gate_fnr")
    )
    worst = 0.5 * abs(fpr[0] - fpr[1]) + 0.5 * abs(fnr[0] - fnr[1])
    assert kinds["fdr"].value == pytest.approx(1 - worst)


def test_points_of_a_curve_are_what_the_engine_says_of_each() -> None:
    """Rates of many columns at once against one proportion each, all of its numbers."""
    frame = age_table(5)
    table = predictions_from_frame(frame, task="age")
    plan = age_plan([table], ((0.0, 100.0),), gates_of(["30:33"]))
    found = collect_table([table], ("race",), None, plan.bands, "image", 2000, plan)
    setting = setting_of(facts_of(table), plan, checked_options(n_boot=0, min_n=2))
    item = grouping(found.sums.cells, found.attributes, ("race",), found.order)
    block = build_block(setting, item, group_sums(found.sums, item), {})
    layout = plan_curve_layout(plan)
    grouped = group_sums(found.curves, item)
    for name, side in (("gate_fpr", "minor_pass"), ("gate_fnr", "adult_stop")):
        hits = layout.columns(f"gate_{side}")[[3]]
        base, n = (layout.columns(f"gate_{side.split('_')[0]}_{part}") for part in ("w", "n"))
        e, persons = column_rates(grouped, hits, base, n)
        key = f"{name}[30:33]"
        ours = block.estimates[key]
        for part in ("value", "var", "df", "n_eff", "normal", "n", "m_eff"):
            assert getattr(e, part)[:, 0] == pytest.approx(getattr(ours, part), rel=1e-9), part
        assert persons[:, 0] == pytest.approx(block.who[key][0].m)


def test_order_shards_and_weights_do_not_matter() -> None:
    table = age_table(6)
    options = {"by": ["gender"], "gate_target": 0.2}
    whole = of(table, "30:33", **options)
    assert_same(whole, of(table.sample(frac=1, random_state=1), "30:33", **options))
    shards = [table.iloc[k::4] for k in range(4)]
    assert_same(whole, of(shards, "30:33", **options))


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("adult", "must be a legal age"),
        ("18:", "must be a legal age"),
        ("18:25:30", "must be a legal age"),
        ("25:18", "between it and 130"),
        ("0", "above 0"),
        ("17.5", "whole year"),
        ("18:200", "between it and 130"),
        ("nan", "must be a legal age"),
    ],
)
def test_bad_gates(gate: str, said: str) -> None:
    with pytest.raises(InputError, match=r"--gate") as caught:
        of(young(), gate)
    assert said in str(caught.value)
    assert gate in str(caught.value)


def test_bad_targets_and_tasks() -> None:
    with pytest.raises(InputError, match="given twice"):
        of(young(), "18", "18:18")
    with pytest.raises(InputError, match=r"--gate-target 1\.5"):
        of(young(), "18", gate_target=1.5)
    with pytest.raises(InputError, match="needs a gate"):
        audit(young(), task="age", gate_target=0.01)
    words = pd.DataFrame({"expression": ["a", "b"], "expression_pred": ["a", "b"]})
    with pytest.raises(InputError, match="gates are of ages"):
        audit(words, task="expression", gates=["18"])
