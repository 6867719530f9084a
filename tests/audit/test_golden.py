"""Reference values on real predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, Predictions, audit, read_predictions
from audit.metrics.binning import bin_index
from tests.audit.conftest import HERITAGE
from tests.audit.frames import gap, gaps, metric

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
    "average_ce": 0.35801138308760816,
    "ece_equal_mass": 0.3646518162140389,
    "l2_ce": 0.373085356351884,
    "top_label_ece": 0.3699726477275183,
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
    "average_ce": 0.284743156010511,
    "ece_equal_mass": 0.34294805272474865,
    "l2_ce": 0.3479927844946308,
    "top_label_ece": 0.348446493988016,
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


def test_biased_heritage_f00_tests_and_bins(
    heritage: Predictions, heritage_result: AuditResult
) -> None:
    z = metric(heritage_result, "spiegelhalter_z").value
    assert z == pytest.approx(107.28510698158, abs=1e-9)
    proba = heritage.probabilities.proba
    gap = proba.max(axis=1) - (proba.argmax(axis=1) == heritage.y_true)
    at = bin_index(proba.max(axis=1), 10)
    ece10 = np.abs(np.bincount(at, gap, 10)).sum() / len(gap)
    assert ece10 == pytest.approx(0.365181651863755, abs=1e-12)


def test_debiased_squared_error_beside_the_closed_form(heritage_result: AuditResult) -> None:
    """Kumar's gap^2 - h(1 - h) / (n_b - 1) takes faces for people, as they are here."""
    row = metric(heritage_result, "squared_ce")
    plug_in = metric(heritage_result, "l2_ce").value ** 2
    bins = [r for r in heritage_result.curves if r.name == "reliability" and not r.group]
    debiased = sum(r.z * ((r.x - r.y) ** 2 - r.y * (1 - r.y) / max(r.n - 1, 1)) for r in bins)
    assert debiased < plug_in
    assert row.low < debiased < row.high
    bias = metric(heritage_result, "confidence_bias")
    assert 0.34 < bias.low < bias.value <= metric(heritage_result, "ece").value < bias.high
    for name in ("confidence_bias", "squared_ce"):
        assert gaps(heritage_result, metric=name, kind="difference")


def test_biased_heritage_f10(shared_data: Path) -> None:
    path = shared_data / "biased-heritage" / "multistereo-sa-female-f1.0-r0.csv"
    table = read_predictions(path, task="expression", mapping=HERITAGE, logits="logits")
    result = audit(table, by=["gender", "race", "age"], n_boot=0, min_n=2)
    for name, value in F10.items():
        assert metric(result, name).value == pytest.approx(value, abs=1e-12), name
    z = metric(result, "spiegelhalter_z").value
    assert z == pytest.approx(100.85193627178772, abs=1e-9)
    male = metric(result, "accuracy", {"gender": "Male"}).value
    assert metric(result, "accuracy", {"gender": "Female"}).value == pytest.approx(
        0.569731, abs=5e-7
    )
    assert male == pytest.approx(0.48703, abs=5e-6)
    pairs = {"gender": 0.08270090723059775, "race": 0.1875067897881586, "age": 0.27316760037348276}
    for name, value in pairs.items():
        row = gap(result, kind="worst_minus_best", metric="accuracy", attributes=[name])
        assert row.value == pytest.approx(value, abs=1e-12), name


FAIRNESS = {
    ("0.0", "gender"): {
        "equal_opportunity_mean": 0.177611050588733,
        "equalized_odds": 0.07367910184016574,
        "overall_disparity": 0.2888189963258499,
        "accuracy_ratio": 0.8455133179111946,
        "nmi_labels": 0.0080106157,
        "nsd": 0.0831422018,
        "equal_opportunity_max": 0.5391047297,
        "demographic_parity_mean": 0.0612706166,
        "demographic_parity_max": 0.1842870296,
        "total_variation_mean": 0.2144471581,
    },
    ("0.0", "race"): {
        "equal_opportunity_mean": 0.26601470218491496,
        "equalized_odds": 0.15281707238993403,
        "overall_disparity": 0.2810069028777676,
        "accuracy_ratio": 0.6853612167300381,
        "nmi_labels": 0.0026898023,
        "nsd": 0.6419956955,
        "demographic_parity_mean": 0.0883058483,
        "total_variation_mean": 0.1256030413,
    },
    ("0.0", "age"): {"overall_disparity": 0.3720518805647841, "accuracy_ratio": 0.6587157809983896},
    ("1.0", "gender"): {
        "equal_opportunity_mean": 0.16095295743980367,
        "equalized_odds": 0.06844617858913667,
        "overall_disparity": 0.27594602819538416,
        "accuracy_ratio": 0.854842205640257,
        "equal_opportunity_max": 0.4779983108,
        "demographic_parity_mean": 0.0680072251,
        "demographic_parity_max": 0.2030487557,
        "total_variation_mean": 0.2380252878,  # of two groups: 7/2 of demographic_parity_mean
    },
    ("1.0", "race"): {
        "equal_opportunity_mean": 0.36900962783914165,
        "equalized_odds": 0.17335435447745268,
        "overall_disparity": 0.34364819574696526,
        "accuracy_ratio": 0.7016937435188386,
        "demographic_parity_mean": 0.1041666496,
        "total_variation_mean": 0.1446366017,
    },
    ("1.0", "age"): {"overall_disparity": 0.4131172449269974, "accuracy_ratio": 0.5546993911719938},
}


@pytest.mark.parametrize("female", ["0.0", "1.0"])
def test_biased_heritage_fairness(shared_data: Path, female: str) -> None:
    path = shared_data / "biased-heritage" / f"multistereo-sa-female-f{female}-r0.csv"
    table = read_predictions(path, task="expression", mapping=HERITAGE, logits="logits")
    result = audit(table, by=["gender", "race", "age"], n_boot=0, min_n=2)
    found = {
        (row.attributes[0], row.metric): row.value
        for row in result.fairness
        if row.class_ is None and row.group is None
    }
    for name in ("gender", "race", "age"):
        for statistic, value in FAIRNESS[female, name].items():
            # ten printed decimals where the reference has no more
            slack = 1e-12 if len(repr(value)) > 15 else 5.1e-11
            assert found[name, statistic] == pytest.approx(value, abs=slack), (name, statistic)


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
