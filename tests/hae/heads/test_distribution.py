from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from hae.config import HeadConfig
from hae.heads.distribution import FLOOR, distribution, fit_temperature, log_score, spread
from hae.heads.losses import centres
from hae.heads.masses import class_masses

CONFIG = HeadConfig()
CPU = torch.device("cpu")


def draw(n: int, *, scale: float = 1.0, at: float = 50.0) -> Tensor:
    """Logits of bumps about ``at``, float64 (n, C)."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(n, CONFIG.n_bins, generator=generator, dtype=torch.float64)
    return scale * (noise - ((centres(CONFIG, CPU) - at) / 8) ** 2 / 2)


def one_bin(index: int) -> Tensor:
    return torch.eye(CONFIG.n_bins, dtype=torch.float64)[[index]]


def years(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_shift_by_hand() -> None:
    # All mass in 30-31, mean 30.5; an estimate of 32.75 moves it by 2.25 to 32.25-33.25.
    found = distribution(one_bin(30), years(32.75), CONFIG)[0]
    assert found.nonzero().flatten().tolist() == [32, 33]
    assert found[32:34].tolist() == [0.75, 0.25]
    found = distribution(one_bin(30), years(30.25), CONFIG)[0]
    assert found[29:31].tolist() == [0.25, 0.75]


def test_the_mean_is_the_estimate() -> None:
    masses = draw(20).softmax(-1)
    estimate = torch.linspace(40, 60, 20, dtype=torch.float64)
    found = distribution(masses, estimate, CONFIG)
    assert found.min() >= 0
    assert torch.allclose(found.sum(1), torch.ones(20, dtype=torch.float64), atol=1e-12)
    mean = (found * centres(CONFIG, CPU)).sum(1)
    assert torch.allclose(mean, estimate, atol=1e-4)  # the tails beyond the ends are collected


def test_the_ends_collect_what_falls_beyond() -> None:
    # 30-31 moved to 98.75-99.75 keeps its mean; to 100.75-101.75, 120 or -300 it is at an end.
    assert distribution(one_bin(30), years(99.25), CONFIG)[0, 98:100].tolist() == [0.25, 0.75]
    for estimate, end in ((101.25, 100), (120.0, 100), (1e9, 100), (-300.0, 0)):
        found = distribution(one_bin(30), years(estimate), CONFIG)[0]
        assert found[end].item() == 1


def test_spread_is_that_of_the_density() -> None:
    # One bin: 1/sqrt(12). Two bins 4 apart, half each: variance 4 + 1/12.
    assert spread(one_bin(30), CONFIG).item() == pytest.approx(math.sqrt(1 / 12))
    half = (one_bin(30) + one_bin(34)) / 2
    assert spread(half, CONFIG).item() == pytest.approx(math.sqrt(4 + 1 / 12))


def test_the_score_is_the_mass_of_the_interval() -> None:
    # Uniform on 30-40, estimate 36, so on 31-41. [35, 38) holds .3; the age 33 is [32.5, 33.5): .1;
    # [40, inf) .1; [0, 20) nothing: the floor times 20 of 101 years.
    masses = torch.zeros(1, CONFIG.n_bins, dtype=torch.float64)
    masses[0, 30:40] = 0.1
    low, high = years(35, 33, 40, 0), years(38, 33, math.inf, 20)
    found = log_score(masses.repeat(4, 1), years(36).repeat(4), low, high, CONFIG)
    width = torch.tensor([3, 1, 61, 20]) / 101
    expected = (1 - FLOOR) * years(0.3, 0.1, 0.1, 0) + FLOOR * width
    assert torch.allclose(found, expected.log(), atol=1e-9)


def test_an_age_above_the_open_top_is_the_top_bin() -> None:
    # All mass in the last bin 100-101: an age of 110 is as expected.
    found = log_score(one_bin(100), years(100.5), years(110), years(110), CONFIG)
    assert found.item() == pytest.approx(0, abs=1e-3)
    closed = CONFIG.model_copy(update={"open_top": False})
    found = log_score(one_bin(100), years(100.5), years(110), years(110), closed)
    assert found.item() == pytest.approx(math.log(FLOOR / 101))


def test_the_score_agrees_with_scipy() -> None:
    logits = draw(1)
    masses = logits.softmax(-1)
    edges = torch.arange(CONFIG.n_bins + 1).numpy()
    known = stats.rv_histogram((masses[0].numpy(), edges), density=False)
    delta = 47.3 - known.mean()
    mass = known.cdf(52.5 - delta) - known.cdf(41.25 - delta)
    found = log_score(masses, years(47.3), years(41.25), years(52.5), CONFIG)
    expected = math.log((1 - FLOOR) * mass + FLOOR * 11.25 / 101)
    assert found.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_temperature_is_recovered(truth: float) -> None:
    # Bins drawn from softmax(l / T): the score is proper, so its maximum is near T. With 4,000
    # draws the standard error of log T is about 1 / sqrt(2 n) = .011.
    logits = draw(4000, scale=2.0)
    masses = class_masses(logits, truth, CONFIG)
    drawn = torch.multinomial(masses, 1, generator=torch.Generator().manual_seed(3))[:, 0]
    estimate = (masses * centres(CONFIG, CPU)).sum(1)
    found = fit_temperature(logits, estimate, drawn.double(), drawn.double() + 1, CONFIG)
    assert math.log(found / truth) == pytest.approx(0, abs=0.05)
    again = fit_temperature(logits, estimate, drawn.double(), drawn.double() + 1, CONFIG)
    assert found == again


def test_temperature_of_averaged_predictions_and_of_corn() -> None:
    logits = draw(200)
    estimate, age = years(50).repeat(200), years(50).repeat(200)
    alone = fit_temperature(logits, estimate, age, age, CONFIG)
    twice = fit_temperature(torch.stack([logits, logits], 1), estimate, age, age, CONFIG)
    assert twice == pytest.approx(alone, rel=1e-6)
    corn = CONFIG.model_copy(update={"name": "corn"})
    tasks = torch.linspace(4, -4, 100).repeat(200, 1)
    assert 1 / 20 <= fit_temperature(tasks, estimate, age, age, corn) <= 20


def test_temperature_needs_faces() -> None:
    with pytest.raises(ValueError, match="no face"):
        fit_temperature(draw(0), years(), years(), years(), CONFIG)
