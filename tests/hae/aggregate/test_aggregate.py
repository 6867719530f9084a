"""What holds for every aggregator."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor

from audit.configs import checked
from audit.errors import InputError
from hae.aggregate.core import AGGREGATORS, build, n_parameters, projection_size
from hae.aggregate.streams import Combined, Shape, Streams, mean, softmax
from hae.config import CONTROLS, AggregatorConfig, AggregatorName
from tests.hae.aggregate.given import DIM, REGIONS, VIEWS, config, made, streams

NAMES: tuple[AggregatorName, ...] = get_args(AggregatorName)
SEVERAL = tuple(name for name in NAMES if name != "single")
ORDERED = {"concat", "hiecoatt", "dvan"}
"""Those to which the order of views matters, as their files say."""


def absent_view(x: Streams, value: float) -> Streams:
    """The same without the last but one view, in whose place there is something else."""
    views, mask = x.views.clone(), torch.ones(x.views.shape[:2], dtype=torch.bool)
    views[:, -2], mask[:, -2] = value, False
    regions = x.regions
    if regions is not None and regions.ndim == 4:
        regions = regions.clone()
        regions[:, -2] = value
    return replace(x, views=views, regions=regions, mask=mask)


def absent_region(x: Streams, value: float) -> Streams:
    """The same without the second region (of every view)."""
    assert x.regions is not None
    regions, mask = x.regions.clone(), torch.ones(x.regions.shape[:-1], dtype=torch.bool)
    regions[..., 1, :], mask[..., 1] = value, False
    return replace(x, regions=regions, region_mask=mask)


def test_every_name_has_an_aggregator() -> None:
    assert set(AGGREGATORS) == set(NAMES)


@pytest.mark.parametrize("name", SEVERAL)
def test_shapes_and_the_order_of_views(name: AggregatorName) -> None:
    aggregator, x, order = made(name), streams(name), [3, 0, 4, 2, 1]
    z = aggregator(x).embedding
    assert z.shape == (3, VIEWS if name == "mean_predictions" else 1, DIM)
    regions = x.regions[:, order] if x.regions is not None and x.regions.ndim == 4 else x.regions
    turned = aggregator(Streams(x.views[:, order], regions)).embedding
    if name == "mean_predictions":
        turned = turned[:, [1, 4, 3, 0, 2]]
    assert torch.allclose(z, turned, atol=1e-6) == (name not in ORDERED)


@pytest.mark.parametrize("name", sorted(ORDERED))
def test_one_view_after_another_is_not_the_same_as_all(name: AggregatorName) -> None:
    # what the order changes is not a rounding error
    aggregator, x = made(name), streams(name)
    regions = x.regions.flip(1) if x.regions is not None and x.regions.ndim == 4 else x.regions
    turned = aggregator(Streams(x.views.flip(1), regions)).embedding
    assert (aggregator(x).embedding - turned).abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_one_view_of_one_face(name: AggregatorName) -> None:
    for k in (1, VIEWS):  # made for one view, and given one of more
        if name == "single" and k > 1:
            continue
        z = made(name, k=k)(streams(name, b=1, k=1)).embedding
        assert z.shape == (1, 1, DIM)
        assert z.isfinite().all()


@pytest.mark.parametrize("name", [n for n in SEVERAL if n != "mean_predictions"])
def test_a_masked_view_has_no_effect(name: AggregatorName) -> None:
    aggregator, x = made(name), streams(name)
    first, other = (aggregator(absent_view(x, value)).embedding for value in (0.0, 1e4))
    assert torch.equal(first, other)
    if name not in ORDERED - {"dvan"}:  # places and neighbours stay empty there
        keep = [0, 1, 2, 4]
        regions = x.regions
        if regions is not None and regions.ndim == 4:
            regions = regions[:, keep]
        fewer = aggregator(Streams(x.views[:, keep], regions)).embedding
        assert torch.allclose(first, fewer, atol=1e-5)
    assert not torch.allclose(first, aggregator(x).embedding, atol=1e-4)  # it had one


@pytest.mark.parametrize(
    "name", [n for n in NAMES if n not in ("single",) and config(n).regions != "none"]
)
def test_a_masked_region_has_no_effect(name: AggregatorName) -> None:
    aggregator, x = made(name), streams(name)
    assert x.regions is not None
    first, other = (aggregator(absent_region(x, value)).embedding for value in (0.0, 1e4))
    assert torch.equal(first, other)
    left = [0, *range(2, REGIONS)]
    fewer = aggregator(replace(x, regions=x.regions[..., left, :])).embedding
    assert torch.allclose(first, fewer, atol=1e-5)
    assert not torch.allclose(first, aggregator(x).embedding, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_shares_and_zero_where_masked(name: AggregatorName) -> None:
    if name in ("single", "mean_predictions"):
        return
    aggregator, x = made(name), streams(name)
    if config(name).regions != "none":
        x = absent_region(x, 3.0)
    x = replace(absent_view(x, 3.0), maps=True)
    maps = aggregator(x).maps
    no_maps = {"mean", "max", "concat", "second_order", "views_mlp", "regions_mlp"}
    assert bool(maps) == (name not in no_maps)
    for key, found in maps.items():
        assert found.shape[0] == 3
        assert found.min() >= 0
        if key == "pairs":  # (b, G, r, k)
            assert torch.allclose(found.sum((2, 3)), torch.ones(3, 2), atol=1e-6)
            assert not found[:, :, 1].any()
            assert not found[..., -2].any()
            continue
        total = found.sum(-1)
        if name == "sae":  # the rest is of the token itself
            assert ((total > 0) & (total < 1)).all()
        elif key == "regions" and config(name).regions == "view":
            assert torch.allclose(total, torch.ones(VIEWS).index_fill(0, torch.tensor(3), 0.0))
        elif key == "guided":
            assert torch.allclose(total, torch.ones(6).index_fill(0, torch.tensor(1), 0.0))
        else:
            assert torch.allclose(total, torch.ones_like(total), atol=1e-6)
        place = {"han": 2, "dvan": 1}.get(name, 1) if "regions" in key else -2
        if key != "guided":
            assert not found[..., place].any()


def backward(name: AggregatorName, x: Streams) -> Combined:
    """Gradients of everything that is learned, and of what comes in, are finite and there."""
    aggregator = made(name, k=x.views.shape[1]).train()
    inputs = [x.views.requires_grad_()]
    if x.regions is not None:
        inputs.append(x.regions.requires_grad_())
    found = aggregator(x)
    total = (found.embedding * torch.randn_like(found.embedding)).sum()
    total = total + sum(found.penalties.values(), torch.zeros(()))
    if found.policy is not None:
        total = total + aggregator.reinforce(found.policy, torch.ones(len(x.views)))
    total.backward()
    for key, p in aggregator.named_parameters():
        assert p.grad is not None, key
        assert p.grad.isfinite().all(), key
    for tensor in inputs:
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().sum() > 0
    return found


@pytest.mark.parametrize("name", SEVERAL)
def test_gradients_are_finite(name: AggregatorName) -> None:
    backward(name, streams(name))
    if name != "mean_predictions":
        x = absent_view(streams(name), 0.0)
        backward(name, absent_region(x, 0.0) if x.regions is not None else x)


@pytest.mark.parametrize("name", SEVERAL)
def test_gradients_are_finite_at_zero(name: AggregatorName) -> None:
    x = streams(name)
    aggregator = made(name).train()
    zero = Streams(
        torch.zeros_like(x.views).requires_grad_(),
        None if x.regions is None else torch.zeros_like(x.regions),
    )
    aggregator(zero).embedding.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in aggregator.parameters())
    assert zero.views.grad is not None
    assert zero.views.grad.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_stays_finite_and_near(name: AggregatorName) -> None:
    aggregator, x = made(name, dropout=0.0), streams(name, k=1 if name == "single" else VIEWS)
    plain = aggregator(x).embedding
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = aggregator(x).embedding
    assert found.isfinite().all()
    assert torch.allclose(found.float(), plain, atol=0.15)


# Facts 5 at D = C = 512; the rest is counted by hand from the layers.
COUNTS = [
    ("scale", {}, 525_313),  # 1024 x 512 + 512, and 512 + 1: .5 M
    ("tnet", {}, 132_225),  # 512 x 128 + 128, 128 x 512 + 512, and 512 + 1: .13 M
    ("han", {}, 526_336),  # twice 512 x 512 + 512 + 512: .5 M
    ("san", {}, 1_050_626),  # twice 2 x 512 x 512 + 512 + 512 + 1: 1.05 M
    ("mlb", {"glimpses": 0}, 1_846_112),  # 3 x 512 x 1200 + 2 x 1200 + 512: 1.85 M
    ("mcb", {"glimpses": 0}, 2_097_664),  # 0 and d D' = 4096 x 512 + 512
    ("ban", {"glimpses": 8}, 7_892_002),  # 7.89 M
    ("sae", {"layers": 2, "heads": 8, "feedforward": 2048}, 6_307_328),
    ("concat", {}, 1_445_120),  # 10 x 513 x 256 + 256, and 256 x 512 + 512: at most 2 M
    # 512 x 256 + 256, 512 x 256, 256; two of 512 x 512 + 512; 4 x 512 x 1024 + 2 x 2048; 512 + 1
    ("sat_soft", {}, 2_889_729),  # 2 to 3 M
    ("dvan", {}, 2_889_216),  # the same without the gate
    # three of 3 x 512 x 512 + 2 x 513; 6 x 512 x 512 + 3 x 512; 512 x 512 + 512, two of 1024 x 512
    # + 512: more than the 3 to 4 M that the facts guess
    ("hiecoatt", {}, 5_249_030),
    ("second_order", {}, 2_130_496),  # 512 x 64 + 64, and 4096 x 512 + 512
]


@pytest.mark.parametrize(("name", "settings", "expected"), COUNTS)
def test_parameter_counts(name: AggregatorName, settings: dict[str, int], expected: int) -> None:
    shape, found = Shape(512, 10, 512), AggregatorConfig(name=name, **settings)  # type: ignore[arg-type]
    assert n_parameters(shape, found) - projection_size(shape, found) == expected


@pytest.mark.parametrize(
    "partner", [n for n in NAMES if config(n).regions != "none" and n not in CONTROLS]
)
@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_controls_have_their_partners_size(
    control: AggregatorName, partner: AggregatorName
) -> None:
    # within 2 %, with the projection of the regions, at two widths of them
    for dim, regions in ((256, 1280), (128, 128)):
        shape = Shape(dim, 4, regions)
        own = AggregatorConfig(name=control, partner=partner)
        theirs = AggregatorConfig(name=partner)
        assert n_parameters(shape, own) == pytest.approx(n_parameters(shape, theirs), rel=0.02)


def test_controls_without_a_partner() -> None:
    with pytest.raises(InputError, match="partner which, such as partner = 'ban'"):
        checked(AggregatorConfig, {"name": "views_mlp"}, "here")
    with pytest.raises(InputError, match="partner which"):
        checked(AggregatorConfig, {"name": "views_mlp", "partner": "regions_mlp"}, "here")
    with pytest.raises(InputError, match=r"'views_mlp': .* 'mean' has 0; it has no control"):
        build(Shape(16, 4, 16), AggregatorConfig(name="views_mlp", partner="mean"))


def test_unknown_names_list_the_choices_the_nearest_first() -> None:
    with pytest.raises(InputError, match=r"name: Input should be 'mcan', .*'sae'.*, got 'mcann'"):
        checked(AggregatorConfig, {"name": "mcann"}, "here")
    wrong = AggregatorConfig().model_copy(update={"name": "sat"})
    with pytest.raises(InputError, match=r"aggregator 'sat': there is none; choose of sa[en], "):
        build(Shape(16, 4, 16), wrong)


def test_regions_that_are_missing() -> None:
    with pytest.raises(ValueError, match="needs regions, and was given none"):
        made("ban")(Streams(torch.zeros(1, 2, DIM)))


def test_a_face_without_views_is_refused() -> None:
    mask = torch.tensor([[True, False], [False, False]])
    with pytest.raises(ValueError, match="a face has no view left"):
        Streams(torch.zeros(2, 2, 4), mask=mask)
    with pytest.raises(ValueError, match="a face has no region left"):
        Streams(torch.zeros(2, 2, 4), torch.zeros(2, 2, 4), region_mask=mask)


def test_sums_over_what_is_there() -> None:
    values, mask = torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]])
    assert mean(values, mask).tolist() == [[2.0]]
    assert mean(values, None)[0, 0].item() == pytest.approx(13 / 3)
    shares: Tensor = softmax(torch.tensor([[0.0, 0.0, 5.0]]), mask)
    assert shares.tolist() == [[0.5, 0.5, 0.0]]
