from __future__ import annotations

import pytest
import torch

from audit.errors import InputError
from hae.config import HeadConfig
from hae.heads.target import AgeTarget, bin_range, check_target, distance, overlap
from tests.hae.heads.golden import DECADES, ages, bands, inf

CLOSED = HeadConfig(age_min=15, age_max=80, bin_width=10, open_top=False)


@pytest.mark.parametrize(
    ("low", "high", "width", "n_bins", "first", "last"),
    [  # facts 2.3: C = int((a_max - a_min) / s + 1), c_i = a_min + s/2 + i s
        (15, 80, 1, 66, (15.5, 16.5, 17.5), 80.5),
        (15, 80, 5, 14, (17.5, 22.5, 27.5), 82.5),
        (15, 80, 10, 7, (20, 30, 40), 80),
        (12, 43, 8, 4, (16, 24, 32), 40),
    ],
)
def test_bins_and_centres(
    low: float, high: float, width: float, n_bins: int, first: tuple[float, ...], last: float
) -> None:
    config = HeadConfig(age_min=low, age_max=high, bin_width=width)
    assert config.n_bins == n_bins
    assert config.centres[:3] == first
    assert config.centres[-1] == last


def test_an_exact_age_fills_its_bin() -> None:
    # Edges 15 25 35 45 55 65 75 (85): 37 -> bin 2, 15 -> 0, 45 -> 3 (half-open), 97 -> open top.
    shares = overlap(ages(37, 15, 45, 97), DECADES)
    assert shares.argmax(1).tolist() == [2, 0, 3, 6]
    assert shares.sum(1).tolist() == [1, 1, 1, 1]


def test_a_band_covers_shares_of_bins() -> None:
    # [30, 50): half of 25-35, all of 35-45, half of 45-55.
    shares = overlap(bands((30, 50)), DECADES)
    assert shares.tolist() == [[0, 0.5, 1, 0.5, 0, 0, 0]]
    assert [x.tolist() for x in bin_range(bands((30, 50), (35, 45)), DECADES)] == [[1, 2], [3, 2]]


def test_open_top() -> None:
    # [60, inf): half of 55-65, then everything. [90, inf) and [90, 95) are the top bin.
    shares = overlap(bands((60, inf), (90, inf), (90, 95)), DECADES)
    assert shares[0].tolist() == [0, 0, 0, 0, 0.5, 1, 1]
    assert shares[1:].tolist() == [[0, 0, 0, 0, 0, 0, 1]] * 2


def test_edges_survive_single_precision() -> None:
    # 0.3 / 0.1 is 2.9999999 in binary; whole decimals must open their own bin.
    config = HeadConfig(age_min=0, age_max=10, bin_width=0.1)
    decimals = torch.arange(100) / 10
    assert overlap(AgeTarget(decimals, decimals), config).argmax(1).tolist() == list(range(100))
    first, last = bin_range(AgeTarget(decimals[:-1], decimals[1:]), config)
    assert torch.equal(first, last)


def test_distance_is_zero_inside() -> None:
    known = AgeTarget(torch.tensor([30.0, 20.0, 20.0, 70.0]), torch.tensor([30.0, 30.0, 30.0, inf]))
    assert distance(torch.tensor([27.0, 25.0, 33.0, 69.0]), known).tolist() == [3, 0, 3, 1]
    assert distance(torch.tensor([30.0, 18.0, 30.0, 99.0]), known).tolist() == [0, 2, 0, 0]


def test_repeat_keeps_a_face_together() -> None:
    assert ages(1, 2).repeat(2).low.tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("target", "config"),
    [
        (ages(20, 12), DECADES),
        (bands((0, 15)), DECADES),
        (ages(85), CLOSED),
        (bands((90, inf)), CLOSED),
    ],
)
def test_ages_outside_are_refused(target: AgeTarget, config: HeadConfig) -> None:
    with pytest.raises(InputError, match=r"ages: 1 of \d lie outside the head's range \[15, "):
        check_target(target, config)


@pytest.mark.parametrize("target", [ages(float("nan")), bands((30, 20))])
def test_what_is_no_interval_is_refused(target: AgeTarget) -> None:
    with pytest.raises(InputError, match="low must be at most high"):
        check_target(target, DECADES)


def test_ages_inside_pass() -> None:
    check_target(ages(15, 84.9, 120), DECADES)
    check_target(bands((0, 16), (70, inf)), CLOSED)
