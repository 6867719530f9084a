"""Recalibration: parameters by hand and by scikit-learn, people kept apart, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, ndtr
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression

from audit import InputError, Predictions, audit, predictions_from_frame
from audit.recalibration.conformal import conformal_half_width
from audit.recalibration.core import part_of
from audit.recalibration.run import Recalibration, apply, recalibrate
from audit.recalibration.temperature import temperature_of
from tests.audit.frames import CLASSES, age_table, expression_table, gap, metric


def faces(seed: int = 1, n: int = 400, **options: object) -> Predictions:
    return predictions_from_frame(expression_table(seed, n, **options), task="expression")


def ages(seed: int = 1, n: int = 400, **columns: float) -> Predictions:
    table = age_table(seed, n, failures=False).assign(**columns)
    return predictions_from_frame(table, task="age")


def nll(table: Predictions) -> float:
    return metric(audit(table, by=[], n_boot=0), "nll").value


def test_temperature_equals_sklearn() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(600, 3)), rng.integers(0, 3, 600)
    x[np.arange(600), y] += 1.0
    model = LogisticRegression(C=100).fit(x[:200], y[:200])
    model.coef_ *= 3.0  # over-confident
    z = model.decision_function(x[200:])
    found = CalibratedClassifierCV(FrozenEstimator(model), method="temperature").fit(
        x[200:], y[200:]
    )
    theirs = 1 / found.calibrated_classifiers_[0].calibrators[0].beta_
    assert temperature_of(z, y[200:], np.ones(400)) == pytest.approx(float(theirs), rel=1e-4)


def test_temperature_is_where_the_mean_score_equals_the_true_one() -> None:
    """Scores 0 and ln 9, 7 of 10 right: the softmax must be 0.7, so T = ln 9 / ln (7/3)."""
    scores = np.log(np.array([[0.9, 0.1]] * 10))
    y = np.array([0] * 7 + [1] * 3)
    expected = np.log(9) / np.log(7 / 3)
    assert temperature_of(scores, y, np.ones(10)) == pytest.approx(expected, rel=1e-10)
    once = np.array([7.0, 3.0])
    weighted = temperature_of(scores[:2], np.array([0, 1]), once)
    assert weighted == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("logits", [False, True])
def test_temperature_lowers_the_loss_of_others_and_keeps_the_classes(logits: bool) -> None:
    table = expression_table(2, 600)
    if logits:
        scores = [c for c in table if c.startswith("prob_")]
        raised = np.log(table[scores].to_numpy()) * 3 + 5
        names = [c.replace("prob_", "logit_") for c in scores]
        table = table.drop(columns=scores).assign(**dict(zip(names, raised.T, strict=True)))
    done = recalibrate(predictions_from_frame(table, task="expression"), "temperature")
    assert done.record.parameters["temperature"] > 1
    assert nll(done.after) < nll(done.before)
    assert np.array_equal(done.after.y_pred, done.before.y_pred)
    assert (done.after.probabilities.logits is None) == (not logits)
    after = done.after.probabilities.proba
    if logits:
        theirs = np.exp(
            log_softmax(
                done.before.probabilities.logits / done.record.parameters["temperature"], axis=1
            )
        )
        assert after == pytest.approx(theirs, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_people_are_on_one_side_whatever_the_order(method: str) -> None:
    table = expression_table(3, 400)
    done = recalibrate(predictions_from_frame(table, task="expression"), method)
    other = table.sample(frac=1, random_state=0)
    again = recalibrate(predictions_from_frame(other, task="expression"), method)
    one, two = (set(d.before.subject_id.dropna()) for d in (done, again))
    assert one == two
    fitted = set(table["subject_id"]) - one
    assert len(fitted) + len(one) == 400
    assert 150 < len(fitted) < 250
    assert done.record.n_subjects_fit <= len(fitted)
    for name, value in done.record.parameters.items():
        other_value = again.record.parameters[name]
        if method == "isotonic":
            value, other_value = value["x"] + value["y"], other_value["x"] + other_value["y"]
        assert other_value == pytest.approx(value, abs=1e-12)


def test_isotonic_classes_sum_to_one_and_rise_with_the_score() -> None:
    done = recalibrate(faces(4), "isotonic")
    proba = done.after.probabilities.proba[done.after.processed]
    assert proba.sum(axis=1) == pytest.approx(1.0)
    for name in CLASSES:
        assert done.record.parameters[name]["y"] == sorted(done.record.parameters[name]["y"])
    best = proba.argmax(axis=1)
    assert np.array_equal(done.after.y_pred[done.after.processed], best)
    bias = [
        metric(audit(t, by=[], n_boot=0), "confidence_bias").value
        for t in (done.before, done.after)
    ]
    assert abs(bias[1]) < abs(bias[0])


def test_bias_by_age_turns_the_line_of_sklearn_round() -> None:
    table = ages(5)
    done = recalibrate(table, "bias-by-age")
    fitting = ~np.isin(table.sample_id, done.before.sample_id)
    part = part_of(table, fitting)
    line = LinearRegression().fit(
        table.truth.low[part.rows, None], table.estimate.low[part.rows], part.weight
    )
    assert done.record.parameters["slope"] == pytest.approx(float(line.coef_[0]), rel=1e-10)
    assert done.record.parameters["intercept"] == pytest.approx(float(line.intercept_), rel=1e-9)
    expected = (done.before.estimate.low - line.intercept_) / line.coef_[0]
    assert done.after.estimate.low == pytest.approx(expected, rel=1e-9)
    slopes = [metric(audit(t, by=[], n_boot=0), "slope").value for t in (done.before, done.after)]
    assert slopes[0] < -0.05
    assert abs(slopes[1]) < 0.03


def test_scale_of_the_standard_deviation() -> None:
    """A quarter of the right spread: T is the root mean square z of the fitting people."""
    done = recalibrate(ages(6, age_std=1.25), "temperature")
    part_scale = done.record.parameters["temperature"]
    assert 3 < part_scale < 5
    assert done.after.distribution.std == pytest.approx(1.25 * part_scale)
    crps = [metric(audit(t, by=[], n_boot=0), "crps").value for t in (done.before, done.after)]
    assert crps[1] < crps[0]


def test_temperature_of_an_age_grid_is_that_of_its_classes() -> None:
    """Every true age on a centre: the same likelihood as of classes, so the same temperature."""
    rng = np.random.default_rng(7)
    n, centres = 500, np.array([20, 30, 40])
    proba = rng.dirichlet([0.4] * 3, n)
    truth = np.array([rng.choice(3, p=p**0.5 / (p**0.5).sum()) for p in proba])
    frame = pd.DataFrame({"age": centres[truth], "age_pred": proba @ centres})
    frame = frame.assign(**{f"prob_age_{c}": proba[:, k] for k, c in enumerate(centres)})
    frame["sample_id"] = [f"s{i}" for i in range(n)]
    table = predictions_from_frame(frame, task="age")
    done = recalibrate(table, "temperature")
    fitting = ~np.isin(table.sample_id, done.before.sample_id)
    expected = temperature_of(np.log(proba)[fitting], truth[fitting], np.ones(fitting.sum()))
    assert done.record.parameters["temperature"] == pytest.approx(expected, rel=1e-5)
    assert done.after.estimate.low == pytest.approx(done.after.distribution.mean)


def test_isotonic_ages_are_mean_ages() -> None:
    done = recalibrate(ages(8), "isotonic")
    mae = [metric(audit(t, by=[], n_boot=0), "rmse").value for t in (done.before, done.after)]
    assert mae[1] < mae[0] * 1.02
    assert np.all(np.diff(done.record.parameters["y"]) >= 0)


def test_conformal_rank_by_hand() -> None:
    error = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 7.0, 8.0, 6.0])
    assert conformal_half_width(error, np.ones(9), 9, 0.5) == 5.0  # ceil(10 x 0.5) = 5
    assert conformal_half_width(error, np.ones(9), 9, 0.8) == 8.0
    assert conformal_half_width(error, np.ones(9), 9, 0.91) == np.inf
    twice = np.concatenate([error, error])
    assert conformal_half_width(twice, np.ones(18), 9, 0.8) == 8.0
    assert conformal_half_width(error, np.full(9, 2.0), 9, 0.8) == 8.0


@pytest.mark.parametrize("photos", [1, 5])
def test_conformal_intervals_hold_new_people(photos: int) -> None:
    """300 worlds of 60 fitting people: at least 90 % and at most 1/61 more, with noise."""
    rng = np.random.default_rng(20260301)
    held = []
    for _ in range(300):
        person = rng.normal(size=60)[:, None] * 4 + rng.normal(size=(60, photos)) * 3
        q = conformal_half_width(np.abs(person).ravel(), np.ones(person.size), 60, 0.9)
        held.append(2 * ndtr(q / 5) - 1)  # a face of a new person: SD 5
    assert 0.895 <= np.mean(held) <= 0.925


def test_conformal_by_group_evens_out_coverage_by_group() -> None:
    rng = np.random.default_rng(9)
    n = 6000
    hard = rng.random(n) < 0.3
    frame = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "age": rng.uniform(20, 60, n),
            "group": np.where(hard, "hard", "easy"),
        }
    )
    frame["age_pred"] = frame["age"] + rng.normal(size=n) * np.where(hard, 10, 3)
    done = recalibrate(predictions_from_frame(frame, task="age"), "conformal", groups=["group"])
    before, after = (audit(t, by=["group"], n_boot=0) for t in (done.before, done.after))
    name = "stated_coverage_90"
    assert metric(before, name, {"group": "hard"}).value < 0.8
    assert metric(before, name, {"group": "easy"}).value > 0.95
    for group in ("hard", "easy"):
        row = metric(after, name, {"group": group})
        assert row.low - 0.02 < 0.9 < row.high + 0.02
    wide = metric(after, "stated_width_90", {"group": "hard"}).value
    assert wide == pytest.approx(2 * done.record.parameters["by_group"]["hard"]["90"], rel=0.02)


def test_conformal_small_group_gets_the_interval_of_everyone() -> None:
    table = age_table(10, 300, failures=False)
    table["group"] = np.where(table["subject_id"] < "p010", "few", "many")
    done = recalibrate(predictions_from_frame(table, task="age"), "conformal", groups=["group"])
    assert list(done.record.parameters["by_group"]) == ["many"]
    assert "few" in done.record.remarks[0]
    low = done.after.intervals.low[done.after.other["group"] == "few", 0]
    same = done.before.intervals.low[done.before.other["group"] == "few", 0]
    assert np.array_equal(low, same)


def test_conformal_beside_the_intervals_of_the_distribution() -> None:
    done = recalibrate(ages(11, age_std=2.0), "conformal", levels=[50, 90])
    assert done.before.intervals.levels == (50.0, 90.0)
    half = (done.before.intervals.high - done.before.intervals.low)[:, 1] / 2
    assert half == pytest.approx(1.6448536269514722 * 2.0)


def test_a_recalibration_is_read_back_and_applied(tmp_path) -> None:
    table = faces(12)
    done = recalibrate(table, "temperature")
    done.record.write(tmp_path / "recalibration.json")
    record = Recalibration.read(tmp_path / "recalibration.json")
    assert record == done.record
    again = apply(record, done.before)
    assert again.probabilities.proba == pytest.approx(done.after.probabilities.proba, nan_ok=True)
    with pytest.raises(InputError, match="of the task age, the recalibration of expression"):
        apply(record, ages(1))


def test_refusals() -> None:
    one_class = expression_table(1, 200, failures=False)
    one_class["expression"] = "happy"
    for method in ("temperature", "isotonic"):
        with pytest.raises(InputError, match="holds one class only \\(happy\\)"):
            recalibrate(predictions_from_frame(one_class, task="expression"), method)
    with pytest.raises(InputError, match="people to fit on, at least 30"):
        recalibrate(faces(1, 40), "temperature")
    with pytest.raises(InputError, match="people are left to audit, at least 30"):
        recalibrate(faces(1, 100), "temperature", fit_share=0.9)
    with pytest.raises(InputError, match="--fit-share 1: must be between 0 and 1"):
        recalibrate(faces(1), "temperature", fit_share=1)
    with pytest.raises(InputError, match="must be one of temperature, isotonic for expression"):
        recalibrate(faces(1), "conformal")
    with pytest.raises(InputError, match="no probabilities or logits"):
        recalibrate(faces(1, probabilities=False), "temperature")
    with pytest.raises(InputError, match="no predicted distribution"):
        recalibrate(ages(1), "temperature")
    with pytest.raises(InputError, match="the true age is not known"):
        recalibrate(ages(1), "conformal", groups=["age"])
    with pytest.raises(InputError, match="cannot promise it, at least 999 are needed"):
        recalibrate(ages(1), "conformal", levels=[99.9])
    with pytest.raises(InputError, match="--groups goes with --method conformal"):
        recalibrate(ages(1), "isotonic", groups=["race"])
    same = age_table(1, 200, failures=False).assign(age=30.0)
    with pytest.raises(InputError, match="one true age only"):
        recalibrate(predictions_from_frame(same, task="age"), "bias-by-age")


def test_certain_probabilities_have_a_temperature_or_a_reason() -> None:
    table = expression_table(1, 200, failures=False)
    scores = [c for c in table if c.startswith("prob_")]
    best = table[scores].to_numpy().argmax(axis=1)
    table[scores] = np.eye(len(scores))[best]
    done = recalibrate(predictions_from_frame(table, task="expression"), "temperature")
    after = done.after.probabilities.proba
    assert 0 < after.min() < after.max() < 1
    right = table.assign(expression=np.array(CLASSES)[best])
    with pytest.raises(InputError, match="every face is right"):
        recalibrate(predictions_from_frame(right, task="expression"), "temperature")


def test_a_class_missing_from_the_calibration_part() -> None:
    table = expression_table(13, 200, failures=False)
    table["expression"] = table["expression"].replace("sad", "neutral")
    first = predictions_from_frame(table, task="expression")
    audited = set(recalibrate(first, "isotonic").before.sample_id)
    rare = table["sample_id"].isin(audited)
    table.loc[rare & (table["expression"] == "neutral"), "expression"] = "sad"
    with pytest.raises(InputError, match="no face of class sad"):
        recalibrate(predictions_from_frame(table, task="expression"), "isotonic")


def test_bands_can_only_be_tempered() -> None:
    table = age_table(14, 300, failures=False)
    low = (table["age"] // 10 * 10).astype(int)
    table["age"] = low.astype(str) + "-" + (low + 9).astype(str)
    for method in ("isotonic", "bias-by-age", "conformal"):
        with pytest.raises(InputError, match="known as bands only"):
            recalibrate(predictions_from_frame(table, task="age"), method)


def test_biased_heritage_before_and_after(heritage: Predictions) -> None:
    """One temperature mends the whole and leaves women under-confident: the gap stays."""
    done = recalibrate(heritage, "temperature")
    assert done.record.parameters["temperature"] == pytest.approx(4.888807645, rel=1e-6)
    assert (done.record.n_fit, done.record.n_audit) == (1711, 1777)
    before, after = (audit(t, by=["gender", "race"], n_boot=200) for t in (done.before, done.after))
    assert metric(before, "ece").value == pytest.approx(0.363, abs=5e-4)
    assert metric(after, "ece").value == pytest.approx(0.059, abs=5e-4)
    assert metric(before, "accuracy").value == metric(after, "accuracy").value
    for result, female, male in ((before, 0.316, 0.402), (after, -0.101, -0.014)):
        rows = [metric(result, "confidence_bias", {"gender": g}) for g in ("Female", "Male")]
        assert [row.value for row in rows] == pytest.approx([female, male], abs=5e-4)
        found = gap(result, kind="difference", metric="confidence_bias", attributes=["gender"])
        assert found.high < 0
