from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hae.config import HeadConfig
from hae.heads.losses import (
    OFFSET_WEIGHT,
    corn_log_proba,
    corn_losses,
    cross_entropy_losses,
    dldl_v2_losses,
    estimate,
    hae_losses,
    mean_variance_losses,
)
from hae.heads.target import AgeTarget, bin_range
from tests.hae.heads.golden import (
    DECADE_LOGITS,
    DECADE_OFFSETS,
    DECADES,
    FIVE,
    FIVE_LOGITS,
    ages,
    bands,
    inf,
    row,
)

ORDINAL = (2.0, 1.0, -0.5, -1.0)
LOSSES = [cross_entropy_losses, mean_variance_losses, dldl_v2_losses, corn_losses]


def near(value: float) -> object:
    """Golden numbers have six decimals."""
    return pytest.approx(value, abs=6e-7)


def test_worked_example() -> None:
    # facts 2.4
    logits, offsets = row(DECADE_LOGITS), row(DECADE_OFFSETS)
    assert estimate(logits, offsets, DECADES).item() == near(41.736291)
    assert estimate(logits, torch.zeros_like(offsets), DECADES).item() == near(42.200495)
    terms = hae_losses(logits, offsets, ages(37), DECADES)
    assert terms["mse"].item() == near(22.432449)
    assert terms["ce"].item() == near(0.494343)
    assert terms["mean"].item() == near(0.048422)
    assert terms["variance"].item() == near(0.780775)
    assert terms["offset"].item() == 0
    assert terms["total"].item() == near(22.975515)


def test_gradients_of_the_worked_example() -> None:
    # facts 2.4, five decimals
    logits, offsets = row(DECADE_LOGITS), row(DECADE_OFFSETS)
    hae_losses(logits, offsets, ages(37), DECADES)["total"].backward()
    by_logit = [-6.22215, -8.31883, -22.01249, 24.18012, 5.29267, 3.00888, 4.07180]
    by_offset = [0.28767, 0.78197, 5.77801, 2.12561, 0.28767, 0.10583, 0.10583]
    assert logits.grad is not None
    assert offsets.grad is not None
    assert logits.grad[0].tolist() == pytest.approx(by_logit, abs=6e-6)
    assert offsets.grad[0].tolist() == pytest.approx(by_offset, abs=6e-6)
    assert logits.grad.sum().item() == pytest.approx(0, abs=1e-9)


def test_years_are_the_square_of_the_width() -> None:
    # Bins of 10 years: 0.048422 and 0.780775 in index units are 4.8422 and 78.0775 years^2.
    config = DECADES.model_copy(update={"mean_units": "years"})
    terms = hae_losses(row(DECADE_LOGITS), row(DECADE_OFFSETS), ages(37), config)
    assert terms["mean"].item() == pytest.approx(4.8422, abs=1e-4)
    assert terms["variance"].item() == pytest.approx(78.0775, abs=1e-4)


def test_rivals_golden() -> None:
    # facts 7, C = 5, y = 3: CE 1.471745, m 2.145087, v .541414
    logits = row(FIVE_LOGITS)
    assert cross_entropy_losses(logits, ages(3), FIVE)["total"].item() == near(1.471745)
    terms = mean_variance_losses(logits, ages(3), FIVE)
    assert terms["mean"].item() == near((2.145087 - 3) ** 2)
    assert terms["variance"].item() == near(0.541414)
    assert terms["total"].item() == near(1.644991)
    half = FIVE.model_copy(update={"pan_half": True})
    assert mean_variance_losses(logits, ages(3), half)["total"].item() == near(1.571903)
    terms = dldl_v2_losses(logits, ages(3), FIVE)
    assert terms["kl"].item() == near(0.502419)
    assert terms["total"].item() == near(1.357332)


@pytest.mark.parametrize(("label", "loss"), [(1, 0.720095), (3, 0.431882)])
def test_corn_golden(label: int, loss: float) -> None:
    # facts 7: two tasks apply to y = 1 and all four to y = 3
    assert corn_losses(row(ORDINAL), ages(label), FIVE)["total"].item() == near(loss)


def test_corn_is_the_published_sum_over_tasks() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 5, (40,), generator=generator)
    total, n = 0.0, 0
    for k in range(4):
        applies = labels >= k
        truth = (labels[applies] > k).double()
        total += functional.binary_cross_entropy_with_logits(
            logits[applies, k], truth, reduction="sum"
        ).item()
        n += int(applies.sum())
    found = corn_losses(logits, AgeTarget(labels.float(), labels.float()), FIVE)["total"]
    assert found.item() == pytest.approx(total / n, rel=1e-12)


def test_corn_probabilities() -> None:
    # facts 7: P(y > k) = .880797 .643914 .243104 .065381, their sum 1.833196 is the expectation
    proba = corn_log_proba(row(ORDINAL)).exp()[0]
    above = proba.flip(0).cumsum(0).flip(0)[1:]
    assert above.tolist() == pytest.approx([0.880797, 0.643914, 0.243104, 0.065381], abs=6e-7)
    assert (proba * torch.arange(5)).sum().item() == near(1.833196)
    assert proba.sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES[:2])
def test_a_band_of_one_bin_is_that_bin(loss: object) -> None:
    # 35-45 is the bin of 37; only the variance term tells the two apart.
    assert callable(loss)
    exact, band = (loss(row(DECADE_LOGITS), t, DECADES) for t in (ages(37), bands((35, 45))))
    for term in set(exact) - {"variance", "total"}:
        assert exact[term].item() == pytest.approx(band[term].item(), abs=1e-12)
    assert band.get("variance", torch.zeros(())).item() == 0


def test_a_corn_band_of_one_bin_is_that_bin() -> None:
    exact, band = (corn_losses(row(ORDINAL), t, FIVE)["total"] for t in (ages(2), bands((2, 3))))
    assert exact.item() == pytest.approx(band.item(), abs=1e-12)


@pytest.mark.parametrize("band", [(15, 85), (0, inf), (15, inf), (0, 200)])
def test_a_band_of_everything_says_nothing(band: tuple[float, float]) -> None:
    logits, offsets = row(DECADE_LOGITS), row((0.0,) * 7)
    terms = hae_losses(logits, offsets, bands(band), DECADES)
    assert terms["total"].item() == pytest.approx(0, abs=1e-12)
    assert dldl_v2_losses(logits, bands(band), DECADES)["total"].item() == pytest.approx(
        0, abs=1e-9
    )
    assert corn_losses(logits[:, :6], bands(band), DECADES)["total"].item() < 1e-9


def test_a_band_by_hand() -> None:
    # p of facts 2.4 and the band [30, 50): .5 x .082551 + .609972 + .5 x .224396 = .7634455.
    # m = 2.220050 lies in the bins 1..3. 41.736291 is inside; with r = 10 it is 52.200495, 2.200495
    # outside, and the penalty is r^2 = 100.
    terms = hae_losses(row(DECADE_LOGITS), row(DECADE_OFFSETS), bands((30, 50)), DECADES)
    assert terms["ce"].item() == pytest.approx(-math.log(0.7634455), abs=2e-6)
    assert [terms[name].item() for name in ("mse", "mean", "variance")] == [0, 0, 0]
    terms = hae_losses(row(DECADE_LOGITS), row((10.0,) * 7), bands((30, 50)), DECADES)
    assert terms["mse"].item() == pytest.approx(2.200495**2, abs=1e-5)
    assert terms["offset"].item() == pytest.approx(100, abs=1e-9)
    total = terms["mse"] + terms["ce"] + OFFSET_WEIGHT * 100
    assert terms["total"].item() == pytest.approx(total.item(), abs=1e-9)


def test_the_mean_term_of_a_band_is_the_distance_to_its_bins() -> None:
    # m = 2.220050; 55-75 are the bins 4 and 5, 15-25 is bin 0.
    target = bands((55, 75), (15, 25))
    assert [x.tolist() for x in bin_range(target, DECADES)] == [[4, 0], [5, 0]]
    logits = row(DECADE_LOGITS).repeat(2, 1)
    mean = mean_variance_losses(logits, target, DECADES)["mean"].item()
    assert mean == pytest.approx(((4 - 2.220050) ** 2 + 2.220050**2) / 2, abs=1e-5)


def mixed(logits: Tensor, offsets: Tensor) -> Tensor:
    target = AgeTarget(torch.tensor([37.0, 30.0, 60.0]), torch.tensor([37.0, 50.0, inf]))
    terms = hae_losses(logits, offsets, target, DECADES)
    return terms["total"] - OFFSET_WEIGHT * terms["offset"]  # its p is held fixed


def test_finite_differences() -> None:
    generator = torch.Generator().manual_seed(1)

    def draw(c: int) -> Tensor:
        return torch.randn(3, c, generator=generator, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(mixed, (draw(7), draw(7)))
    target = AgeTarget(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 4.0, inf]))
    for loss in LOSSES:
        logits = draw(4 if loss is corn_losses else 5)
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, target, FIVE)["total"], logits)


def test_extreme_logits_stay_finite() -> None:
    config = HeadConfig()
    logits = torch.tensor([[300.0] + [-300.0] * 100], requires_grad=True)
    target = ages(90)
    for loss in LOSSES:
        some = logits[:, :100] if loss is corn_losses else logits
        total = loss(some, target, config)["total"]
        (grad,) = torch.autograd.grad(total, logits, retain_graph=True)
        assert torch.isfinite(total)
        assert torch.isfinite(grad).all()


def test_one_hot_gives_its_centre_and_offset() -> None:
    # Bin 3 alone: 50 + 3 years.
    logits = torch.full((1, 7), -1e4)
    logits[0, 3] = 0
    assert estimate(logits, row(DECADE_OFFSETS), DECADES).item() == 53


def test_without_offsets_the_estimate_is_between_the_centres() -> None:
    logits = 20 * torch.randn(200, 7, generator=torch.Generator().manual_seed(2))
    age = estimate(logits, torch.zeros(200, 7), DECADES)
    assert age.min() >= 20
    assert age.max() <= 80
