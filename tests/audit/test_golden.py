"""Reference values: real predictions, hand-sized cases, pinned random weights."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, audit, read_predictions
from audit.hashing import folds, poisson_weights, text_keys, uniforms
from audit.intervals import wilson
from audit.metrics.calibration import bin_index, calibration_metrics
from tests.audit.conftest import HERITAGE
from tests.audit.frames import gap, gaps, metric

# arin-upna/biased-heritage @73ff559, scored with scikit-learn 1.9.1 and again in plain numpy
F00 = {
    "accuracy": 0.502006880733945,
    "balanced_accuracy": 0.5018837059947193,
    "macro_f1": 0.4858404601344456,
    "cohen_kappa": 0.4190072236490816,
    "mcc": 0.431874387083902,
    "nll": 3.363441888978518,
    "brier": 0.8340373922938205,
    "ece": 0.3660489004575548,
    "mce": 0.7462192760304689,
    "classwise_ece": 0.113974116819061,
    "failure_rate": 0.0,
}
F10 = {
    "accuracy": 0.5249426605504587,
    "balanced_accuracy": 0.5248578468535868,
    "macro_f1": 0.5144344727109582,
    "cohen_kappa": 0.44576742434078864,
    "mcc": 0.45829436107529137,
    "nll": 2.910606784949484,
    "brier": 0.7802504181069307,
    "ece": 0.3429937523143086,
    "mce": 0.42652378066484753,
    "classwise_ece": 0.1046481346567897,
}
RACES = {
    "Black": 0.490347,
    "East Asian": 0.510989,
    "Indian": 0.571429,
    "Latino_Hispanic": 0.5,
    "Middle Eastern": 0.391635,
    "Southeast Asian": 0.568627,
    "White": 0.511425,
}


@pytest.mark.parametrize("name", F00)
def test_biased_heritage_f00(heritage_result: AuditResult, name: str) -> None:
    row = metric(heritage_result, name)
    assert row.value == pytest.approx(F00[name], abs=1e-12)
    assert row.n == 3488 or name == "mce"


def test_biased_heritage_f00_by_group(heritage_result: AuditResult) -> None:
    r = heritage_result
    assert metric(r, "accuracy", {"gender": "Female"}).value == pytest.approx(0.547842, abs=5e-7)
    assert metric(r, "accuracy", {"gender": "Male"}).value == pytest.approx(0.463208, abs=5e-7)
    assert metric(r, "accuracy", {"gender": "Female"}).n == 1599
    assert metric(r, "accuracy", {"gender": "Male"}).n == 1889
    assert metric(r, "ece", {"gender": "Female"}).value == pytest.approx(0.324368192, abs=5e-10)
    assert metric(r, "ece", {"gender": "Male"}).value == pytest.approx(0.401502965, abs=5e-10)
    for race, value in RACES.items():
        assert metric(r, "accuracy", {"race": race}).value == pytest.approx(value, abs=5e-7)


def test_biased_heritage_f00_gaps(heritage_result: AuditResult) -> None:
    r = heritage_result
    pair = {"metric": "accuracy", "attributes": ["gender"]}
    assert gap(r, kind="difference", **pair).value == pytest.approx(0.08463435491544313, abs=1e-12)
    # Female over Male; 12.1 gives the ratio of the smaller to the larger
    ratio = gap(r, kind="ratio", **pair).value
    assert ratio == pytest.approx(1 / 0.8455133179111946, abs=1e-12)
    widest = gap(r, kind="worst_minus_best", metric="accuracy", attributes=["race"])
    assert widest.value == pytest.approx(0.17979359043997822, abs=1e-12)
    assert (widest.a, widest.b) == ({"race": "Middle Eastern"}, {"race": "Indian"})
    age = gap(r, kind="worst_minus_best", metric="accuracy", attributes=["age"])
    assert age.value == pytest.approx(0.19788748832866487, abs=1e-12)


def test_plug_in_calibration_errors_have_a_null_and_no_gaps(heritage_result: AuditResult) -> None:
    for name in ("ece", "classwise_ece", "mce"):
        assert not gaps(heritage_result, metric=name)
        row = metric(heritage_result, name)
        assert (row.low, row.high, row.note) == (None, None, "biased_small_n")
        assert row.null_expected is not None
        assert 0 < row.null_expected < row.value
    # 51 faces look worse calibrated by chance alone than 2,407
    small = metric(heritage_result, "ece", {"race": "Southeast Asian"}).null_expected
    large = metric(heritage_result, "ece", {"race": "White"}).null_expected
    assert small is not None
    assert large is not None
    assert small > 3 * large


def test_biased_heritage_f10(shared_data: Path) -> None:
    path = shared_data / "biased-heritage" / "multistereo-sa-female-f1.0-r0.csv"
    table = read_predictions(path, task="expression", mapping=HERITAGE, logits="logits")
    result = audit(table, by=["gender", "race", "age"], n_boot=0)
    for name, value in F10.items():
        assert metric(result, name).value == pytest.approx(value, abs=1e-12), name
    male = metric(result, "accuracy", {"gender": "Male"}).value
    assert metric(result, "accuracy", {"gender": "Female"}).value == pytest.approx(
        0.569731, abs=5e-7
    )
    assert male == pytest.approx(0.48703, abs=5e-6)
    pairs = {"gender": 0.08270090723059775, "race": 0.1875067897881586, "age": 0.27316760037348276}
    for name, value in pairs.items():
        found = audit(table, by=[name], n_boot=0, min_n=2)
        row = gap(found, kind="worst_minus_best", metric="accuracy")
        assert row.value == pytest.approx(value, abs=1e-12), name


MIXED_C = np.array([0.35, 0.45, 0.55, 0.62, 0.68, 0.75, 0.85, 0.92, 0.97, 1.0])
MIXED_H = np.array([1, 0, 1, 0, 1, 1, 1, 0, 1, 1])


@pytest.mark.parametrize(
    ("n_bins", "ece", "mce"), [(5, 0.144, 0.65), (10, 0.314, 0.65), (15, 0.384, 0.92)]
)
def test_mixed_sign_calibration(n_bins: int, ece: float, mce: float) -> None:
    at = bin_index(MIXED_C, n_bins)
    sums = {
        "w": np.array(10.0),
        "bin_w": np.bincount(at, minlength=n_bins).astype(float),
        "bin_conf": np.bincount(at, MIXED_C, n_bins),
        "bin_hit": np.bincount(at, MIXED_H, n_bins),
    }
    found = {m.name: m.formula for m in calibration_metrics(2, n_bins)}
    assert float(found["ece"](sums)) == pytest.approx(ece, abs=1e-12)
    assert float(found["mce"](sums)) == pytest.approx(mce, abs=1e-12)


def test_mixed_sign_calibration_through_the_audit() -> None:
    """Two classes, the predicted one with confidence c; below 1/2 a third class takes the rest."""
    rest = (1 - MIXED_C) / 2
    table = pd.DataFrame(
        {
            "expression": np.where(MIXED_H == 1, "a", "b"),
            "expression_pred": "a",
            "prob_a": MIXED_C,
            "prob_b": rest,
            "prob_c": rest,
        }
    )
    result = audit(table, task="expression", by=[], n_boot=0)
    assert metric(result, "ece").value == pytest.approx(0.384, abs=1e-12)
    assert metric(result, "mce").value == pytest.approx(0.92, abs=1e-12)
    assert metric(result, "mce").n == 1  # the one face with confidence 0.92 that was wrong


@pytest.mark.parametrize("n_bins", [5, 10, 15, 20])
def test_bin_edges_belong_to_the_upper_bin(n_bins: int) -> None:
    edges = np.array([j / n_bins for j in range(n_bins + 1)])
    expected = [*range(n_bins), n_bins - 1]  # the last bin is closed
    assert bin_index(edges, n_bins).tolist() == expected
    below = np.nextafter(edges[1:-1], 0)
    assert bin_index(below, n_bins).tolist() == list(range(n_bins - 1))


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


def test_twenty_pinned_weights() -> None:
    keys = text_keys(["007", "8", "Zoë", "p-1", "NA"], "subject")
    found = poisson_weights(keys, seed=0, first=0, count=4).astype(int)
    assert found.tolist() == PINNED
    # the same weights one replicate at a time, and from the middle of a word
    for row in range(4):
        assert poisson_weights(keys, 0, row, 1).astype(int).tolist() == [PINNED[row]]


PINNED = [[1, 0, 0, 0, 2], [1, 1, 1, 2, 1], [1, 2, 1, 0, 0], [0, 1, 1, 3, 0]]


def test_pinned_keys_folds_and_uniforms() -> None:
    keys = text_keys(["007", "8"], "subject")
    assert keys.tolist() == [14129980120208567975, 12583553045784352181]
    first = blake2b(b"subject:007", digest_size=8).digest()
    assert int.from_bytes(first, "little") == keys[0]
    assert folds(keys, 0, 0, 5).tolist() == [3, 3]
    assert uniforms(keys, 0, 0).tolist() == [0.4630884472563731, 0.27637993352661727]


def test_weights_have_mean_and_variance_one() -> None:
    """10^6 Poisson(1) draws: sd of the mean 0.001, of the variance about 0.0017; 4 sd each."""
    keys = text_keys([f"person-{i}" for i in range(1000)], "subject")
    weights = poisson_weights(keys, 3, 0, 1000)
    assert weights.mean() == pytest.approx(1.0, abs=0.004)
    assert weights.var() == pytest.approx(1.0, abs=0.007)
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.002)
    # replicates, persons and neighbouring seeds are uncorrelated: sd 1 / sqrt(1000) = 0.032
    other = poisson_weights(keys, 4, 0, 1000)
    assert abs(np.corrcoef(weights[0], weights[1])[0, 1]) < 0.13
    assert abs(np.corrcoef(weights[:, 0], weights[:, 1])[0, 1]) < 0.13
    assert abs(np.corrcoef(weights.ravel(), other.ravel())[0, 1]) < 0.004


def test_ids_are_normalised_but_namespaces_kept_apart() -> None:
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    assert text_keys([composed], "subject") == text_keys([decomposed], "subject")
    assert text_keys(["1"], "subject") != text_keys(["1"], "sample")
    assert text_keys(["007"], "subject") != text_keys(["7"], "subject")


@pytest.mark.parametrize("system", ["deepface", "facellm"])
def test_foreign_predictions_joined_to_their_truth(shared_data: Path, system: str) -> None:
    """Counts and accuracies from pandas alone."""
    folder = shared_data / "facellm-deepface"
    truth = pd.read_csv(folder / "train_labels_inferred_only.csv", dtype=str).set_index("image_id")
    guess = pd.read_csv(folder / f"{system}_3k.csv", dtype=str).set_index("image_id")
    failed_when = "face_confidence == 0" if system == "deepface" else None
    table = read_predictions(
        folder / f"{system}_3k.csv",
        task="age",
        join=folder / "train_labels_inferred_only.csv",
        on="image_id",
        failed_when=failed_when,
    )
    result = audit(table, by=["gender", "race"], n_boot=0)
    joined = truth.join(guess.add_suffix("_theirs"), how="left")
    failed = joined["age_theirs"].isna()
    if system == "deepface":
        failed |= joined["face_confidence_theirs"].astype(float) == 0
    used = joined[~failed]
    without = set(guess.index) - set(truth.index)  # two faces of deepface have no truth
    assert len(without) == (2 if system == "deepface" else 0)
    assert len(truth) == 2998
    assert len(table) == 2998 + len(without)
    assert metric(result, "mae").n_unlabelled == len(without)
    assert any(w.code == "missing_truth" for w in result.warnings) == bool(without)
    row = metric(result, "failure_rate")
    assert row.n_failed == failed.sum()
    assert row.value == pytest.approx(failed.mean(), abs=1e-12)
    row = metric(result, "within_band_accuracy")
    right = used["age"].replace("more than 70", "70+") == used["age_theirs"]
    assert (row.n, row.n_failed) == (len(used), failed.sum())
    assert row.value == pytest.approx(right.mean(), abs=1e-12)
    for gender, part in right.groupby(used["gender"]):
        found = metric(result, "within_band_accuracy", {"gender": str(gender)})
        assert found.value == pytest.approx(part.mean(), abs=1e-12)
    assert metric(result, "mae").note == "interval_truth"
