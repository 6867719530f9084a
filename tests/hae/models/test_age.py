from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from audit.errors import InputError
from hae.config import AgeModelConfig, AggregatorName, HeadName
from hae.heads.target import AgeTarget
from hae.models.age import AgeModel
from hae.optim import build_optimizer, warmup_cosine
from tests.hae.heads.golden import ages, inf

MIXED = AgeTarget(torch.tensor([5.0, 20.0, 70.0]), torch.tensor([5.0, 30.0, inf]))


def config(aggregator: str = "sae", head: str = "hierarchical", **layers: Any) -> AgeModelConfig:
    return AgeModelConfig.model_validate(
        {
            "size": 32,
            "embedding": 64,
            "backbone": {"name": "small_resnet"},
            "aggregator": {
                "name": aggregator, "layers": 2, "feedforward": 64, "dropout": 0.0,
                **({"partner": "san"} if aggregator.endswith("_mlp") else {}), **layers,
            },
            "head": {"name": head, "hidden": 64},
            "views": {"k": 1 if aggregator == "single" else 3},
        }
    )  # fmt: skip


def build(aggregator: str = "sae", head: str = "hierarchical") -> AgeModel:
    torch.manual_seed(0)
    return AgeModel(config(aggregator, head))


def views(b: int, k: int, side: int = 32) -> Tensor:
    return torch.randn(b, k, 3, side, side, generator=torch.Generator().manual_seed(1))


def plain(b: int, side: int = 32) -> Tensor:
    return torch.randn(b, 1, 3, side, side, generator=torch.Generator().manual_seed(2))


PAIRS = [
    *((a, "hierarchical") for a in get_args(AggregatorName)),
    *((a, h) for a in ("sae", "mean_predictions", "tnet", "sat_hard") for h in get_args(HeadName)),
]


@pytest.mark.parametrize(("aggregator", "head"), PAIRS)
def test_pairs_train(aggregator: AggregatorName, head: HeadName) -> None:
    model = build(aggregator, head)
    output = model(views(3, model.config.views.k), plain(3))
    model.losses(output, MIXED)["total"].backward()
    assert output.age.shape == (3,)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    masses = model.masses(output)
    if head == "regression":
        assert masses is None
    else:
        assert masses is not None
        assert torch.allclose(masses.sum(1), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize("aggregator", ["sae", "mean", "mean_predictions", "han", "ban"])
def test_the_order_of_views_has_no_effect(aggregator: str) -> None:
    model, x, face = build(aggregator).eval(), views(2, 4), plain(2)
    turned = model(x[:, [2, 0, 3, 1]], face)
    assert torch.allclose(model(x, face).age, turned.age, atol=1e-3)


@pytest.mark.parametrize("aggregator", get_args(AggregatorName))
def test_one_view_of_one_face(aggregator: AggregatorName) -> None:
    model = build(aggregator).eval()
    output = model(views(1, 1), plain(1))
    masses = model.masses(output)
    assert output.age.shape == (1,)
    assert masses is not None
    assert masses.shape == (1, 101)


def test_a_face_does_not_depend_on_its_batch() -> None:
    model, x = build().eval(), views(4, 3)
    alone = torch.cat([model(face[None]).age for face in x])
    assert torch.allclose(alone, model(x).age, atol=1e-3)


def test_averaged_predictions_are_those_of_the_views() -> None:
    model, x = build("mean_predictions").eval(), views(2, 3)
    output, features = model(x), model.features(x)
    assert output.groups == 3
    assert torch.allclose(model.view_ages(features).mean(1), output.age, atol=1e-4)
    # The loss is the mean over faces and views, so over each view's own loss.
    singly = [model.from_features(features[:, [k]]) for k in range(3)]
    expected = sum(model.losses(one, ages(30, 60))["total"] for one in singly) / 3
    assert torch.allclose(model.losses(output, ages(30, 60))["total"], torch.as_tensor(expected))


def test_view_ages_are_estimates_from_one_view() -> None:
    model, x = build().eval(), views(2, 3)
    found = model.view_ages(model.features(x))
    assert found.shape == (2, 3)
    assert found[1, 2].item() == pytest.approx(model(x[1:, 2:]).age.item(), abs=1e-3)


def test_embeddings_have_length_one() -> None:
    model, seen = build("mean_predictions").eval(), []
    model.head.register_forward_pre_hook(lambda _, args: seen.append(args[0]))  # type: ignore[attr-defined]
    model(views(2, 3))
    assert torch.allclose(seen[0].norm(dim=-1), torch.ones(6), atol=1e-6)


def test_channels_last_is_kept() -> None:
    model, seen = build().eval(), []
    model.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    x = views(2, 3).flatten(0, 1).contiguous(memory_format=torch.channels_last)
    model(x.unflatten(0, (2, 3)))  # type: ignore[no-untyped-call]
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_a_frozen_backbone_leaves_the_rest_to_train() -> None:
    plain = config()
    frozen = plain.backbone.model_copy(update={"frozen": True})
    model = AgeModel(plain.model_copy(update={"backbone": frozen})).train()
    model.losses(model(views(3, 2)), MIXED)["total"].backward()
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.grad is None} == {"backbone"}


def test_losses_are_full_precision_under_autocast() -> None:
    model = build()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(views(3, 2))
        terms = model.losses(output, MIXED)
    assert output.age.dtype == torch.float32
    assert {value.dtype for value in terms.values()} == {torch.float32}
    terms["total"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_wrong_number_of_layers_does_not_load() -> None:
    deeper = AgeModel(config(layers=3))
    with pytest.raises(RuntimeError, match=r"Missing key.*encoder\.layers\.2"):
        deeper.load_state_dict(build().state_dict())
    with pytest.raises(RuntimeError, match=r"Unexpected key.*encoder\.layers\.2"):
        build().load_state_dict(deeper.state_dict())


def test_it_learns_sixteen_images_by_heart() -> None:
    torch.manual_seed(0)
    model, x = AgeModel(config()), views(16, 2)
    truth = torch.linspace(5, 80, 16).round()
    optimizer = build_optimizer(model.parameters(), "adamw", 2e-3)
    schedule = warmup_cosine(optimizer, 10, 150)
    for _ in range(150):
        optimizer.zero_grad()
        model.losses(model(x), AgeTarget(truth, truth))["total"].backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        error = (model.eval()(x).age - truth).abs().mean().item()
    assert error < 1


def test_regions_are_those_of_the_plain_face() -> None:
    model, x, face = build("san").eval(), views(2, 3), plain(2)
    seen = model.see(x, face)
    assert seen.regions is not None
    assert seen.regions.shape == (2, 4, 128)  # 32 px leave 2 x 2 places
    assert torch.allclose(seen.features, model.features(x), atol=1e-5)
    expected = model.backbone.network.forward_features(face[:, 0])  # type: ignore[operator]
    assert torch.allclose(seen.regions, expected.flatten(2).transpose(1, 2), atol=1e-5)
    other = model(x, plain(2) + 1).age
    assert not torch.allclose(model(x, face).age, other)
    with pytest.raises(ValueError, match="san: uses regions, give the plain faces too"):
        model(x)


def test_regions_of_each_view() -> None:
    model, x = build("han").eval(), views(2, 3)
    seen = model.see(x)
    assert seen.regions is not None
    assert seen.regions.shape == (2, 3, 4, 128)
    one = model.see(x[1:, 2:])
    assert one.regions is not None
    assert torch.allclose(seen.regions[1, 2], one.regions[0, 0], atol=1e-5)
    assert model.view_ages(seen)[1, 2].item() == pytest.approx(
        model.from_seen(one).age.item(), abs=1e-3
    )


def test_view_ages_keep_the_regions_of_the_face() -> None:
    model, x, face = build("ban").eval(), views(2, 3), plain(2)
    found = model.view_ages(model.see(x, face))
    assert found[1, 2].item() == pytest.approx(model(x[1:, 2:], face[1:]).age.item(), abs=1e-3)


def test_nobody_pays_for_regions_that_are_not_used() -> None:
    model = build("mean")
    assert model.region_projection is None
    calls: list[object] = []
    model.backbone.with_regions = lambda *args: calls.append(args)  # type: ignore[method-assign,assignment,return-value]
    model(views(2, 2))
    assert not calls


@pytest.mark.parametrize("side", [64, 112, 224])
@pytest.mark.parametrize("aggregator", ["han", "mcan", "mcb"])
def test_forward_at_usual_sizes(aggregator: str, side: int) -> None:
    model = AgeModel(config(aggregator, heads=2).model_copy(update={"size": side})).eval()
    with torch.no_grad():
        seen = model.see(views(2, 2, side), plain(2, side))
        assert seen.regions is not None
        assert seen.regions.shape[-2] == min(7, -(-side // 16)) ** 2
        assert model.from_seen(seen).age.isfinite().all()


def test_maps_come_out() -> None:
    model, x, face = build("ban").eval(), views(2, 3), plain(2)
    output = model(x, face)
    assert output.maps["pairs"].shape == (2, 2, 4, 3)
    assert not build("sae").eval()(x).maps
    asked = build("sae").eval()
    assert asked.from_seen(asked.see(x), maps=True).maps["views"].shape == (2, 4, 3)


def test_views_have_a_loss_of_their_own() -> None:
    # attention to scale: the whole's loss and 1 x the mean of those of the views
    model, x, given = build("scale"), views(3, 2), []
    model.aggregator.register_forward_pre_hook(lambda _, args: given.append(args[0].views))  # type: ignore[attr-defined]
    output = model(x)
    alone = [model.head(given[0][:, k]) for k in range(2)]
    losses = [model.head.losses(raw, ages(20, 40, 60))["total"].item() for raw in alone]
    terms = model.losses(output, ages(20, 40, 60))
    assert terms["views"].item() == pytest.approx(sum(losses) / 2, rel=1e-4)
    whole = model.head.losses(output.raw, ages(20, 40, 60))["total"]
    assert terms["total"].item() == pytest.approx((whole + terms["views"]).item(), rel=1e-5)
    assert "views" not in model.eval().losses(model(x), ages(20, 40, 60))


def test_penalties_and_policy_enter_the_total() -> None:
    for name, term in (("sat_soft", "coverage"), ("dvan", "diversity"), ("sat_hard", "policy")):
        model = build(name)
        output = model(views(3, 2), plain(3))
        terms = model.losses(output, MIXED)
        own = model.head.losses(output.raw, MIXED)["total"]
        assert terms["total"].item() == pytest.approx((own + terms[term]).item(), rel=1e-5)


def test_a_backbone_without_regions_is_refused() -> None:
    none = config("ban").model_copy(
        update={"backbone": config().backbone.model_copy(update={"name": "crossvit_tiny_240"})}
    )
    with pytest.raises(InputError, match=r"'crossvit_tiny_240': gives no regions .* another backb"):
        AgeModel(none.model_copy(update={"size": 240}))
