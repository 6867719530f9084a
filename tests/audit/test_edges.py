"""Corners where an interval could be too narrow, a row lost, or rounding decide the method."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import InputError, audit, predictions_from_frame, read_predictions
from audit.intervals import Estimates, difference
from audit.metrics.quantile import EDGES, grid_quantiles
from audit.simulate import person_hits


def row(result, name, group=None):
    return next(r for r in result.metrics if r.metric == name and r.group == (group or {}))


def share(m: int, k: int, icc: float, runs: int, rng: np.random.Generator) -> Estimates:
    hit, _ = person_hits(runs * m, np.full(runs * m, k), rng, accuracy=0.85, icc=icc)
    x = hit.reshape(runs, m, k).sum(axis=2)
    n, p = m * k, x.mean(axis=1) / k
    var = (((x - k * p[:, None]) / n) ** 2).sum(axis=1) * m / (m - 1)
    n_eff = np.minimum(p * (1 - p) / np.where(var > 0, var, np.inf), n)
    full = np.full(runs, float(m))
    return Estimates(p, var, full - 1, n_eff, p >= 1, full * k, full)


def test_a_small_group_does_not_borrow_the_independence_of_a_large_one():
    """60 persons whose photos agree (icc 0.8) against 600 whose photos hardly do (0.2)."""
    rng, runs = np.random.default_rng(3), 600
    a, b = share(60, 5, 0.8, runs, rng), share(600, 5, 0.2, runs, rng)
    found = difference("wilson", a, b, a.var + b.var)
    covered = ((found.low <= 0) & (found.high >= 0)).mean()
    assert 0.92 <= covered <= 0.985


def test_a_class_that_is_hardly_ever_wrong_gives_the_mean_no_interval():
    """10 faces of class b, one wrong: its recall has no estimable spread."""
    y = ["a"] * 200 + ["b"] * 10
    pred = ["a"] * 190 + ["b"] * 10 + ["b"] * 9 + ["a"]
    frame = pd.DataFrame({"expression": y, "expression_pred": pred})
    found = row(audit(frame, task="expression", by=[], n_boot=0), "balanced_accuracy")
    assert found.value == pytest.approx((0.95 + 0.9) / 2)
    assert (found.low, found.note) == (None, "few_per_class")


def test_rounding_does_not_decide_how_sure_an_all_correct_group_is():
    limits = set()
    for seed in range(6):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(
            {
                "subject_id": np.repeat(np.arange(40), 8),
                "age": 40,
                "age_pred": 40.0,
                "weight": np.full(320, 0.1) + 0.0 * rng.random(320),
            }
        )
        found = row(
            audit(frame.sample(frac=1, random_state=seed), task="age", by=[], n_boot=0), "cs1"
        )
        assert found.value == 1.0
        limits.add(round(found.low, 9))
    assert len(limits) == 1


def test_a_constant_error_has_no_spread():
    frame = pd.DataFrame({"subject_id": np.repeat(np.arange(40), 5), "age": 30.0})
    frame["age"] += np.arange(200) / 7
    frame["age_pred"] = frame["age"] + 7.77
    found = row(audit(frame, task="age", by=[], n_boot=0), "mae")
    assert found.value == pytest.approx(7.77)
    assert (found.low, found.note) == (None, "zero_variance")


def test_quantiles_above_the_grid_have_no_interval():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": 50.0, "age_pred": 50 + rng.normal(0, 60, 400)})
    found = row(audit(frame, task="age", by=[], n_boot=100), "p90_ae")
    assert found.value > EDGES[-1] + 1
    assert (found.low, found.note) == (None, "unstable_replicates")


def test_grid_quantile_at_a_tie_is_the_mean_of_both_neighbours():
    """Weight 20 near 1 year and 20 near 9 years: the median is about 5, as for the rows."""
    counts = np.zeros((1, len(EDGES), 1))
    for year in (1.0, 9.0):
        counts[0, np.searchsorted(EDGES, year + 1e-9, side="right") - 1, 0] = 20
    assert grid_quantiles(np.cumsum(counts, axis=1), 0.5)[0, 0] == pytest.approx(5.0, abs=0.1)


def test_hardly_more_than_one_effective_person_has_no_interval():
    frame = pd.DataFrame({"subject_id": ["a"] * 1000 + ["b"], "age": 30.0})
    frame["age_pred"] = 31.0 + np.arange(1001) % 3
    found = row(audit(frame, task="age", by=[], n_boot=0), "mae")
    assert (found.low, found.high, found.note) == (None, None, "few_effective")


def test_a_cut_off_csv_is_refused(tmp_path):
    path = tmp_path / "cut.csv"
    path.write_text("sample_id,age,age_pred,gender\na,20,21,f\nb,30,3", encoding="utf-8")
    with pytest.raises(InputError, match="row 2: has 3 cells, the header 4; is the file cut off"):
        read_predictions(path, task="age")


def test_a_named_index_is_a_column():
    frame = pd.DataFrame({"subject_id": ["x", "x"], "age": [20, 30], "age_pred": [21, 31]})
    table = predictions_from_frame(frame.set_index("subject_id"), task="age")
    assert table.subject_id is not None
    assert table.subject_id.tolist() == ["x", "x"]


def test_failed_when_compares_numbers_beside_text():
    frame = pd.DataFrame(
        {"age": [20, 30, 40], "age_pred": [21, 31, 41], "conf": ["0.0", "NA", "1"]}
    )
    table = predictions_from_frame(frame, task="age", failed_when="conf == 0")
    assert table.processed.tolist() == [False, True, True]
    with pytest.raises(InputError, match="must be one comparison"):
        predictions_from_frame(frame, task="age", failed_when="conf == 0 or conf == 1")


def test_digit_class_names_are_never_taken_for_positions():
    frame = pd.DataFrame({f"prob_{k}": [1 / 3] * 2 for k in (1, 2, 3)})
    frame["expression"] = ["0", "1"]
    with pytest.raises(InputError, match="expression is '0', which is no known class"):
        predictions_from_frame(frame, task="expression")


def test_an_empty_subject_column_names_no_person():
    frame = pd.DataFrame(
        {"sample_id": ["a", "b"], "subject_id": [None, None], "age": [20, 30], "age_pred": [21, 31]}
    )
    result = audit(frame, task="age", by=[], n_boot=0)
    assert result.spec.unit_of_resampling == "face"
    assert "no_subjects" in {w.code for w in result.warnings}
