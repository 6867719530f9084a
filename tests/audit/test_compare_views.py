"""Failures, agreement, the Pareto view, seeds: counted by hand, and beside plain formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from audit import InputError, predictions_from_frame
from audit.compare import compare
from audit.comparison import Comparison
from audit.result import FileHash, RunInfo

FEW = {"n_boot": 100}


def ages(frame: pd.DataFrame) -> Any:
    return predictions_from_frame(frame, task="age")


def faces(frame: pd.DataFrame) -> Any:
    return predictions_from_frame(frame, task="expression")


def rows(result: Comparison, table: str, **wanted: Any) -> list[Any]:
    found = getattr(result, table)
    return [row for row in found if all(getattr(row, k) == v for k, v in wanted.items())]


@pytest.fixture(scope="module")
def failing() -> dict[str, Any]:
    """Six faces of x, four of y; the first run fails on one x, the second on two y and that x."""
    frame = pd.DataFrame({"sample_id": [f"s{i}" for i in range(10)], "group": list("xxxxxxyyyy")})
    frame["expression"] = "sad"
    first = ["sad"] * 5 + [None] + ["calm", "sad", "sad", "sad"]
    second = ["sad", "sad", "calm", "calm", "sad", None, "sad", "sad", None, None]
    tables = [frame.assign(expression_pred=pred) for pred in (first, second)]
    return {"a": faces(tables[0]), "b": faces(tables[1])}


def test_failures_and_agreement_are_counted(failing: dict[str, Any]) -> None:
    result = compare(failing, by=["group"], n_boot=0, min_n=2)
    everyone = rows(result, "agreement", group={})[0]
    assert (everyone.n, everyone.n_both) == (10, 7)
    assert (everyone.failed_a, everyone.failed_b, everyone.failed_both) == (0, 2, 1)
    # both processed s0..s4, s6, s7: right in both s0, s1, s4, s7; only the first s2, s3; only b s6
    assert (everyone.both_right, everyone.only_a, everyone.only_b, everyone.both_wrong) == (
        4, 2, 1, 0,
    )  # fmt: skip
    assert everyone.same == 4
    x = rows(result, "agreement", group={"group": "x"})[0]
    assert (x.n, x.n_both, x.failed_both, x.only_a) == (6, 5, 1, 2)
    assert [(run.name, run.n_failed, run.n_absent) for run in result.runs] == [
        ("a", 1, 0), ("b", 3, 0),
    ]  # fmt: skip


def test_both_compares_what_both_processed_and_worst_counts_failures(
    failing: dict[str, Any],
) -> None:
    both = compare(failing, by=[], n_boot=0, min_n=2)
    row = rows(both, "paired", metric="accuracy")[0]
    assert (row.value_a, row.value_b, row.n) == (pytest.approx(6 / 7), pytest.approx(5 / 7), 7)
    row = rows(both, "paired", metric="accuracy_all")[0]
    assert (row.value_a, row.value_b, row.n) == (pytest.approx(8 / 10), pytest.approx(5 / 10), 10)
    row = rows(both, "paired", metric="failure_rate")[0]
    assert (row.value_a, row.value_b) == (pytest.approx(0.1), pytest.approx(0.3))
    worst = compare(failing, by=[], n_boot=0, min_n=2, missing="worst")
    assert rows(worst, "paired", metric="accuracy_all")[0].value == pytest.approx(-0.3)
    assert rows(worst, "paired", metric="accuracy")[0].note == "no_worst"
    assert rows(worst, "paired", metric="accuracy")[0].value is None
    assert worst.spec.missing == "worst"


def test_worst_without_failures_is_the_same_as_both() -> None:
    frame = pd.DataFrame(
        {"sample_id": list("abcdef"), "age": 30.0, "age_pred": [31, 33, 29, 30, 35, 28]}
    )
    second = frame.assign(age_pred=[30, 30, 33, 35, 31, 30])
    tables = {"a": ages(frame), "b": ages(second)}
    both, worst = (
        compare(tables, by=[], n_boot=0, min_n=2, missing=way) for way in ("both", "worst")
    )
    assert [r.model_dump() for r in both.paired] == [r.model_dump() for r in worst.paired]
    # |29 - 33| and the like: 1, 3, 4, 5, 4, 2
    assert both.agreement[0].mean_abs_difference == pytest.approx(19 / 6)


def two_groups(bias: dict[str, float], noise: float, seed: int, n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    group = np.repeat(["x", "y"], n)
    frame = pd.DataFrame(
        {"sample_id": [f"s{i}" for i in range(2 * n)], "age": 40.0, "group": group}
    )
    error = rng.normal(0, noise, 2 * n)
    return frame.assign(age_pred=40 + frame["group"].map(bias) + error)


def test_a_run_is_dominated_only_where_both_are_settled() -> None:
    """Bad: errors 4 and 6 years. Good: 2 and 2. Tilted: 1 and 3, better than bad overall alone."""
    tables = {
        "bad": ages(two_groups({"x": 4, "y": 6}, 0.5, 1)),
        "good": ages(two_groups({"x": 2, "y": 2}, 0.5, 2)),
        "tilted": ages(two_groups({"x": 1, "y": 3}, 0.5, 3)),
        "alike": ages(two_groups({"x": 2, "y": 2.0}, 0.52, 4)),
    }
    result = compare(tables, by=["group"], **FEW)
    points = {point.run: point for point in result.pareto}
    assert points["bad"].dominated_by == ["good", "alike"]
    assert points["good"].dominated_by == []
    assert points["tilted"].dominated_by in ([], ["good"], ["alike"], ["good", "alike"])
    assert points["alike"].dominated_by == []
    assert points["bad"].gap == pytest.approx(2, abs=0.2)
    assert points["bad"].value == pytest.approx(5, abs=0.2)
    assert points["bad"].gap_low is not None
    assert points["bad"].gap_low > 1.5


def test_a_smaller_gap_by_chance_is_not_settled() -> None:
    """Two runs of the same quality: one looks better in both now and then, none is dominated."""
    surely = perhaps = 0
    for seed in range(20):
        tables = {
            name: ages(two_groups({"x": 2, "y": 2.2}, 3, 10 * seed + i, n=60))
            for i, name in enumerate("ab")
        }
        result = compare(tables, by=["group"], n_boot=0)
        surely += sum(len(point.dominated_by) for point in result.pareto)
        perhaps += sum(len(point.not_settled) for point in result.pareto)
    assert surely <= 1
    assert perhaps >= 3


@pytest.fixture(scope="module")
def seeds() -> dict[str, pd.DataFrame]:
    """A baseline and five trainings whose bias differs by the seed: 0, 1, 2, 3, 4 years."""
    rng = np.random.default_rng(7)
    n = 300
    frame = pd.DataFrame({"sample_id": [f"s{i}" for i in range(n)], "age": 40.0,
                          "group": ["x", "y"] * (n // 2)})  # fmt: skip
    luck = rng.normal(0, 2, n)
    found = {"old": frame.assign(age_pred=40 + luck)}
    for seed in range(5):
        found[f"s{seed}"] = frame.assign(age_pred=40 + luck + seed + rng.normal(0, 0.5, n))
    return found


def test_seeds_are_a_random_effect(seeds: dict[str, pd.DataFrame]) -> None:
    tables = {name: ages(frame) for name, frame in seeds.items()}
    runs = [name for name in seeds if name != "old"]
    result = compare(tables, by=["group"], n_boot=0, settings={"new": runs})
    row = rows(result, "seeds", metric="bias", group={}, against=None, kind="value")[0]
    biases = np.array([(seeds[name]["age_pred"] - 40).mean() for name in runs])
    mean_error = np.mean([seeds[name]["age_pred"] - 40 for name in runs], axis=0)
    faces_se = mean_error.std(ddof=1) / np.sqrt(300)
    se = np.sqrt(biases.var(ddof=1) / 5 + faces_se**2)
    assert row.value == pytest.approx(biases.mean())
    assert row.sd_seeds == pytest.approx(biases.std(ddof=1))
    assert row.se_faces == pytest.approx(faces_se)
    assert row.high - row.value == pytest.approx(stats.t.ppf(0.975, 4) * se)
    assert row.n_seeds == 5
    # against the baseline the luck of the faces cancels, the seeds' does not
    change = rows(result, "seeds", metric="bias", group={}, against="old", kind="value")[0]
    assert change.se_faces < 0.2 * row.se_faces
    half = stats.t.ppf(0.975, 4) * np.sqrt(biases.var(ddof=1) / 5 + change.se_faces**2)
    assert change.high - change.value == pytest.approx(half)
    assert change.p == pytest.approx(
        2 * stats.t.sf(change.value / (half / stats.t.ppf(0.975, 4)), 4)
    )
    # one seed alone would be called different for sure: that is what the seeds warn of
    alone = rows(result, "paired", metric="bias", group={}, run_b="s2")[0]
    assert alone.p < 1e-6 < change.p
    gap = rows(result, "seeds", metric="bias", kind="max_minus_min", against="old")
    assert len(gap) == 1
    assert {run.setting for run in result.runs} == {None, "new"}


def test_two_settings_are_compared_with_both_their_seeds(seeds: dict[str, pd.DataFrame]) -> None:
    tables = {name: ages(frame) for name, frame in seeds.items() if name != "old"}
    again = {f"t{i}": ages(frame.assign(age_pred=frame["age_pred"] + 1))
             for i, frame in enumerate(seeds.values()) if i}  # fmt: skip
    settings = {"s": list(tables), "t": list(again)}
    result = compare(tables | again, by=[], n_boot=0, settings=settings)
    change = rows(result, "seeds", metric="bias", setting="t", against="s")[0]
    assert change.value == pytest.approx(1)
    assert change.se_faces == pytest.approx(0, abs=1e-9)
    spread = change.sd_seeds**2 * 2 / 5
    assert change.high - 1 == pytest.approx(stats.t.ppf(0.975, 4) * np.sqrt(spread))
    assert not rows(result, "seeds", setting="s", against="s")


def test_a_run_in_two_settings_is_refused(seeds: dict[str, pd.DataFrame]) -> None:
    tables = {name: ages(frame) for name, frame in seeds.items()}
    runs = [name for name in seeds if name != "old"]
    with pytest.raises(InputError, match=r"--seeds-of b: 's0' is named twice \(in a\)"):
        compare(tables, by=[], n_boot=0, settings={"a": runs, "b": runs})


def test_the_record_survives_json(tmp_path: Any, seeds: dict[str, pd.DataFrame]) -> None:
    tables = {name: ages(seeds[name]) for name in ("old", "s1")}
    info = RunInfo(model="m", seed=0, files=[FileHash(name="f", sha256="0" * 64, bytes=1)])
    result = compare(tables, by=["group"], infos={"s1": info}, command="hae-audit compare", **FEW)
    path = tmp_path / "comparison.json"
    result.write(path)
    assert Comparison.read(path) == result
    assert result.to_json() == compare(
        tables, by=["group"], infos={"s1": info}, command="hae-audit compare", **FEW
    ).to_json()  # fmt: skip
    assert result.runs[1].run.files == info.files
    assert "for these checkpoints; training randomness is not included" in path.read_text()
    frame = result.to_frame("gaps")
    assert {"a.group", "b.group", "verdict"} <= set(frame.columns)
    path.write_text(path.read_text().replace("comparison/1", "comparison/0"))
    with pytest.raises(InputError, match="must be 'hae-audit/comparison/1'"):
        Comparison.read(path)
