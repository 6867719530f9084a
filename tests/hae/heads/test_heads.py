from __future__ import annotations

from typing import get_args

import pytest
import torch

from hae.config import HeadConfig, HeadName
from hae.heads.core import HEADS
from hae.heads.distribution import distribution, log_score, spread
from hae.heads.losses import centres
from hae.heads.target import AgeTarget
from tests.hae.heads.golden import FIVE, FIVE_LOGITS, ages, inf, row

MIXED = AgeTarget(torch.tensor([5.0, 20.0, 70.0]), torch.tensor([5.0, 30.0, inf]))


def test_every_name_has_a_head() -> None:
    assert set(HEADS) == set(get_args(HeadName))


@pytest.mark.parametrize("name", get_args(HeadName))
def test_what_every_head_offers(name: HeadName) -> None:
    torch.manual_seed(0)
    head = HEADS[name](16, HeadConfig(name=name, hidden=8))
    raw = head(torch.randn(3, 16))
    assert head.age(raw).shape == (3,)
    terms = head.losses(raw, MIXED)
    assert {value.shape for value in terms.values()} == {torch.Size([])}
    terms["total"].backward()
    assert isinstance(head, torch.nn.Module)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
    masses = head.masses(raw, 2.0)
    if name == "regression":
        assert masses is None
    else:
        assert masses is not None
        assert masses.shape == (3, 101)
        assert torch.allclose(masses.sum(1), torch.ones(3))


@pytest.mark.parametrize("name", get_args(HeadName))
def test_full_precision_under_autocast(name: HeadName) -> None:
    torch.manual_seed(0)
    head = HEADS[name](16, HeadConfig(name=name, hidden=8))
    z = torch.randn(3, 16)
    plain = head.losses(head(z), MIXED)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        raw = head(z)
        terms = head.losses(raw, MIXED)
        assert head.age(raw).dtype == torch.float32
    assert all(torch.equal(terms[key], plain[key]) for key in plain)


@pytest.mark.parametrize("name", ["expectation", "dldl_v2", "mean_variance"])
def test_the_expectation_is_over_whole_years(name: HeadName) -> None:
    # facts 7: m = 2.145087 for the classes 0..4, which are the labels 0..4
    head = HEADS[name](4, FIVE.model_copy(update={"name": name}))
    assert head.age({"logits": row(FIVE_LOGITS)}).item() == pytest.approx(2.145087, abs=6e-7)


def test_a_class_of_ten_years_is_the_mean_of_its_labels() -> None:
    # Whole years 30 .. 39 have the mean 34.5.
    config = HeadConfig(name="expectation", age_min=0, age_max=99, bin_width=10)
    logits = torch.full((1, 10), -1e4)
    logits[0, 3] = 0
    assert HEADS["expectation"](4, config).age({"logits": logits}).item() == 34.5


def test_corn_expectation() -> None:
    # facts 7: sum of P(y > k) 1.833196
    head = HEADS["corn"](4, FIVE.model_copy(update={"name": "corn"}))
    age = head.age({"logits": row((2.0, 1.0, -0.5, -1.0))}).item()
    assert age == pytest.approx(1.833196, abs=6e-7)


def test_regression_is_on_the_scale_of_the_range() -> None:
    # f = .5 on 0-100: 50 + 25 = 75; the error of a label 70 is 5, of the band [80, inf) 5 too.
    head = HEADS["regression"](4, HeadConfig(name="regression"))
    raw = {"value": torch.tensor([[0.5]])}
    assert head.age(raw).item() == 75
    assert head.losses(raw, ages(70))["mae"].item() == 5
    band = AgeTarget(torch.tensor([80.0]), torch.tensor([inf]))
    assert head.losses(raw, band)["total"].item() == 5


@pytest.mark.parametrize("name", get_args(HeadName))
def test_nothing_is_made_on_another_device(name: HeadName) -> None:
    # Tensors without data refuse to meet those of the CPU, as a GPU's would.
    config, meta = HeadConfig(name=name, hidden=8), torch.device("meta")
    head = HEADS[name](16, config)
    raw = {key: value.to(meta) for key, value in head(torch.zeros(3, 16)).items()}
    assert head.losses(raw, MIXED.to(meta))["total"].device == meta
    masses, age = head.masses(raw), head.age(raw)
    if masses is not None:
        assert distribution(masses, age, config).device == meta
        assert spread(masses, config).device == meta
        assert log_score(masses, age, age, age, config).device == meta


def test_centres_are_those_of_the_config() -> None:
    config = HeadConfig(age_min=12, age_max=43, bin_width=0.1)
    assert torch.equal(centres(config, torch.device("cpu")), torch.tensor(config.centres))
