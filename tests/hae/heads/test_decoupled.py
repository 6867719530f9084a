"""Regressors that learn apart from the classes."""

from __future__ import annotations

import pytest
import torch

from hae.config import HeadConfig
from hae.heads.decoupled import decoupled_losses, partition_losses
from hae.heads.target import AgeTarget
from tests.hae.heads.golden import ages, inf

TEN = HeadConfig(age_min=0, age_max=29, bin_width=10)  # centres 5, 15, 25
LOGITS = torch.tensor([[0.0, 0.0, 0.0]])
OFFSETS = torch.tensor([[1.0, -2.0, 4.0]])


def test_by_hand() -> None:
    # age 17 in bin 1: 15 - 2 = 13, 4 years off; CE ln 3; the gate is 1/3
    assert TEN.n_bins == 3
    found = decoupled_losses(LOGITS, OFFSETS, ages(17), TEN)
    assert found["own"].item() == pytest.approx(16)
    assert found["ce"].item() == pytest.approx(1.098612)
    assert found["total"].item() == pytest.approx(17.098612)
    found = partition_losses(LOGITS, OFFSETS, ages(17), TEN)
    assert found["fine"].item() == pytest.approx(4 / 3)
    assert found["total"].item() == pytest.approx(1.098612 + 4 / 3)


def test_a_band_by_hand() -> None:
    # [15, 30) covers half of bin 1 and all of bin 2; 13 lies 2 years below it, 29 inside:
    # (.5 . 4 + 1 . 0) / 1.5; the gates are .5/3 and 1/3
    band = AgeTarget(torch.tensor([15.0]), torch.tensor([30.0]))
    assert decoupled_losses(LOGITS, OFFSETS, band, TEN)["own"].item() == pytest.approx(4 / 3)
    assert partition_losses(LOGITS, OFFSETS, band, TEN)["fine"].item() == pytest.approx(1 / 3)
    top = AgeTarget(torch.tensor([20.0]), torch.tensor([inf]))
    assert decoupled_losses(LOGITS, OFFSETS, top, TEN)["own"].item() == 0


@pytest.mark.parametrize("losses", [decoupled_losses, partition_losses])
def test_other_regressors_and_classes_get_no_gradient(losses) -> None:  # type: ignore[no-untyped-def]
    logits, offsets = LOGITS.clone().requires_grad_(), OFFSETS.clone().requires_grad_()
    terms = losses(logits, offsets, ages(17), TEN)
    fine = terms["total"] - terms["ce"]
    by_logits, by_offsets = torch.autograd.grad(fine, (logits, offsets), allow_unused=True)
    assert by_offsets[0, [0, 2]].tolist() == [0, 0]
    assert by_offsets[0, 1] < 0  # 13 is too young: the offset must grow
    assert by_logits is None or not by_logits.any()
