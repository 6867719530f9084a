from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import convolve
from scipy.stats import binom, entropy

from audit.errors import InputError
from audit.hashing import text_keys
from hae.data.label_noise import (
    CAP,
    FLOOR,
    NOISES,
    difficulty_of,
    flip_chances,
    flip_labels,
    sharpness_of,
    vote_entropy,
)
from hae.data.readers import read_data

N, C = 20_000, 7
KEYS = text_keys([f"face {row}" for row in range(N)], "sample")
RNG = np.random.default_rng(5)
LABELS = RNG.integers(0, C, N)
HARD = RNG.random(N)


def flipped(rate: float, kind: str, seed: int = 0, **more: np.ndarray) -> np.ndarray:
    return flip_labels(LABELS, KEYS, C, rate, kind, seed, **({"difficulty": HARD} | more))


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("rate", [0.02, 0.2, 0.45, 0.8, 0.97])
def test_the_rate_is_kept(kind: str, rate: float) -> None:
    wrong = int((flipped(rate, kind) != LABELS).sum())
    # chances that differ between faces only narrow the interval of equal ones
    low, high = binom.interval(0.9999, N, rate)
    assert low <= wrong <= high


@pytest.mark.parametrize("kind", NOISES)
def test_seeded_and_nothing_at_rate_0(kind: str) -> None:
    before = LABELS.copy()
    found = flipped(0.3, kind)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, flipped(0.3, kind))
    np.testing.assert_array_equal(flipped(0.0, kind), LABELS)
    assert (found != flipped(0.3, kind, seed=1)).mean() > 0.2
    np.testing.assert_array_equal(LABELS, before)


@pytest.mark.parametrize("kind", NOISES)
def test_rows_in_another_order(kind: str) -> None:
    order = RNG.permutation(N)
    found = flip_labels(LABELS[order], KEYS[order], C, 0.3, kind, 0, HARD[order])
    np.testing.assert_array_equal(found, flipped(0.3, kind)[order])


@pytest.mark.parametrize("kind", ["symmetric", "pair"])
def test_other_rows_do_not_matter(kind: str) -> None:
    found = flip_labels(LABELS[:50], KEYS[:50], C, 0.3, kind, 0)
    np.testing.assert_array_equal(found, flipped(0.3, kind)[:50])


@pytest.mark.parametrize("kind", NOISES)
def test_a_flip_stays_at_higher_rates(kind: str) -> None:
    few, many = flipped(0.2, kind), flipped(0.6, kind)
    wrong = few != LABELS
    np.testing.assert_array_equal(many[wrong], few[wrong])


@pytest.mark.parametrize("kind", NOISES)
def test_unknown_labels_stay_and_do_not_count(kind: str) -> None:
    unknown = HARD > 0.5
    labels = np.where(unknown, -1, LABELS)
    found = flip_labels(labels, KEYS, C, 0.3, kind, 0, HARD)
    assert (found[unknown] == -1).all()
    assert (found[~unknown] >= 0).all()
    wrong = int((found != labels).sum())
    low, high = binom.interval(0.9999, int((~unknown).sum()), 0.3)
    assert low <= wrong <= high
    alone = flip_labels(LABELS[~unknown], KEYS[~unknown], C, 0.3, kind, 0, HARD[~unknown])
    np.testing.assert_array_equal(found[~unknown], alone)


def test_symmetric_is_uniform_over_the_other_classes() -> None:
    found = flipped(0.5, "symmetric")
    counts = np.zeros((C, C))
    np.add.at(counts, (LABELS, found), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    away = shares[~np.eye(C, dtype=bool)]
    # 0.5 / 6 with a standard error of sqrt(.083 .917 / 2800) = .0052
    assert np.abs(away - 0.5 / 6).max() < 4.5 * 0.0052
    assert set(flip_labels(np.zeros(99, int), KEYS[:99], 2, 0.9, "symmetric", 0)) == {0, 1}


def test_pair_goes_to_the_next_class() -> None:
    found = flipped(0.5, "pair")
    wrong = found != LABELS
    np.testing.assert_array_equal(found[wrong], (LABELS[wrong] + 1) % C)


def test_chances_by_hand() -> None:
    # weights 0.1, 0.5, 1.0; mean of s w is s 1.6 / 3 = 0.32: s = 0.6
    np.testing.assert_allclose(flip_chances(np.array([0, 0.4, 0.9]), 0.32), [0.06, 0.3, 0.6])
    # 0.6: the hardest is capped at 0.95, so s 0.6 = 1.8 - 0.95 and s = 1.4167
    capped = flip_chances(np.array([0.9, 0, 0.4]), 0.6)
    np.testing.assert_allclose(capped, [0.95, 0.85 / 6, 0.85 * 5 / 6])


@pytest.mark.parametrize("rate", [1e-6, 0.01, 0.5, 0.9, 0.95, 0.99])
def test_chances_have_the_rate_as_mean_and_grow(rate: float) -> None:
    found = flip_chances(HARD, rate)
    assert found.mean() == pytest.approx(rate, rel=1e-9)
    assert found.max() <= max(CAP, rate)
    assert (np.diff(found[np.argsort(HARD)]) >= 0).all()
    free = found < CAP
    ratio = found[free] / (FLOOR + HARD[free])
    if rate <= CAP and free.any():
        np.testing.assert_allclose(ratio, ratio[0])


def test_hard_faces_are_flipped_more_often() -> None:
    wrong = flipped(0.3, "instance") != LABELS
    # E w = 0.6, so q = 0.5 w: 0.3 + 0.5 (d - 0.5), 0.425 and 0.175 in the outer halves' middles
    high, low = wrong[HARD > 0.5].mean(), wrong[HARD < 0.5].mean()
    assert (high, low) == pytest.approx((0.425, 0.175), abs=0.02)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("rate", [0.3, 0.97])
def test_equally_hard_faces_are_flipped_as_in_symmetric_noise(value: float, rate: float) -> None:
    found = flipped(rate, "instance", difficulty=np.full(N, value))
    np.testing.assert_array_equal(found, flipped(rate, "symmetric"))


def test_faces_are_mistaken_for_their_second_class() -> None:
    second = RNG.integers(-1, C, N)
    found = flipped(0.4, "instance", second=second)
    plain = flipped(0.4, "instance")
    wrong = found != LABELS
    np.testing.assert_array_equal(wrong, plain != LABELS)  # the label itself is no second class
    named = wrong & (second >= 0) & (second != LABELS)
    np.testing.assert_array_equal(found[named], second[named])
    np.testing.assert_array_equal(found[~named], plain[~named])


@pytest.mark.parametrize("kind", NOISES)
def test_no_faces(kind: str) -> None:
    none = np.empty(0, dtype=np.int64)
    assert len(flip_labels(none, KEYS[:0], C, 0.3, kind, 0, np.empty(0))) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 1.0}, r"rate must be at least 0 and below 1, got 1"),
        ({"rate": -0.1}, "rate must be at least 0 and below 1, got -0.1"),
        ({"rate": math.nan}, "got nan"),
        ({"kind": "pairs"}, "must be one of symmetric, pair, instance, got 'pairs'"),
        ({"n_classes": 1}, "at least 2 classes, got 1"),
        ({"labels": np.array([0, 7])}, r"row 2: a label must be -1 \(none\) or 0 to 6, got 7"),
        ({"second": np.array([-2, 0])}, "row 1: a second class must be .*, got -2"),
        ({"difficulty": None}, "needs a difficulty of each of 2 faces, got none"),
        ({"difficulty": np.zeros(3)}, "of each of 2 faces, got 3"),
        (
            {"difficulty": np.array([0.0, np.nan])},
            r"row 2: difficulty must be in \[0, 1\], got nan",
        ),
    ],
)
def test_refused(change: dict[str, object], message: str) -> None:
    given = {"labels": np.array([0, 1]), "keys": KEYS[:2], "n_classes": C, "rate": 0.2}
    given |= {"kind": "instance", "seed": 0, "difficulty": np.zeros(2)}
    with pytest.raises(InputError, match=message) as caught:
        flip_labels(**(given | change))
    assert "\n" not in str(caught.value)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    faces = RNG.integers(0, 256, (130, 9, 12, 3), dtype=np.uint8)
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    grey = faces @ np.array([0.299, 0.587, 0.114])
    expected = [convolve(one, kernel)[1:-1, 1:-1].var() for one in grey]
    np.testing.assert_allclose(sharpness_of(faces), expected, rtol=1e-9)
    np.testing.assert_array_equal(sharpness_of(faces[::-1])[::-1], sharpness_of(faces))
    assert sharpness_of(faces[:0]).shape == (0,)
    assert sharpness_of(np.full((1, 5, 5, 3), 200, np.uint8)).tolist() == [0.0]


def test_a_blurred_face_is_less_sharp() -> None:
    sharp, blurred = (
        sharpness_of(
            np.stack(
                read_data(f"rendered:people=40,photos=1{knob}").faces(range(40), (64, 64), 1.0)
            )
        )
        for knob in ("", ",group_share=1,blur=2")
    )
    assert (blurred < sharp).all()


def test_difficulty_by_hand() -> None:
    sharpness = np.array([5.0, 1.0, 3.0, 3.0, 9.0])
    # from the sharpest: 9, 5, then 3 and 3 share the ranks 2 and 3, then 1; over 4
    blur = np.array([0.25, 1.0, 0.625, 0.625, 0.0])
    np.testing.assert_allclose(difficulty_of(sharpness), blur)
    ambiguity = np.array([1.0, 0.0, 0.5, np.nan, 0.0])
    expected = [0.625, 0.5, 0.5625, 0.625, 0.0]
    np.testing.assert_allclose(difficulty_of(sharpness, ambiguity), expected)
    np.testing.assert_array_equal(difficulty_of(np.ones(4)), np.full(4, 0.5))
    assert difficulty_of(np.ones(1)).tolist() == [0.5]
    assert difficulty_of(np.empty(0)).shape == (0,)


def test_entropy_of_votes() -> None:
    votes = np.array([[10, 0, 0, 0], [5, 5, 0, 0], [3, 3, 3, 3], [0, 0, 0, 0], [7, 2, 1, 0]])
    found = vote_entropy(votes)
    # log 2 / log 4 = 1/2
    assert found[:3].tolist() == pytest.approx([0.0, 0.5, 1.0])
    assert np.isnan(found[3])
    assert found[4] == pytest.approx(entropy([7, 2, 1], base=4))
    assert found[2] <= 1
