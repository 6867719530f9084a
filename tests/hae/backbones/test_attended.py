"""What networks attend to: gates of timm's, spatial transformers, residual attention, B-CNN."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from audit.configs import checked
from audit.errors import InputError
from hae.backbones.attended import Judged
from hae.backbones.bcnn import BilinearPooling
from hae.backbones.network import Backbone
from hae.backbones.resattn import Attention, ResidualAttention
from hae.backbones.stn import around, crops, penalty
from hae.config import BackboneConfig


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def backbone(name: str, size: int = 64, of: str | None = "small_resnet", **more: int) -> Backbone:
    return Backbone(BackboneConfig.model_validate({"name": name, "of": of, **more}), size=size)


def noise(n: int, size: int) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "of", "gate", "shape"),
    [
        ("seresnet18", None, "layer1.0.se.gate", (2, 64)),
        ("ecaresnet26t", None, "layer1.0.se.gate", (2, 256)),
        ("cbam", "resnet18", "layer1.0.se.spatial.gate", (2, 16, 16)),
        ("cbam", "resnet18", "layer2.0.se.channel.gate", (2, 128)),
        ("skresnet18", None, "layer1.0.conv1.attn", (2, 2, 64)),
        ("gcresnet50t", None, "stages.1.0.attn.conv_attn", (2, 8, 8)),
        ("resnest14d", None, "layer1.0.conv2.rsoftmax", (2, 128)),
        ("resattn56", None, "stages.5.gate", (2, 256, 16, 16)),
        ("small_resattn", None, "stages.5.gate", (2, 32, 16, 16)),
    ],
)
def test_gates_by_name(name: str, of: str | None, gate: str, shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        found = backbone(name, of=of).eval().attend(torch.empty(2, 3, 64, 64))
    assert found.maps[gate].shape == shape
    assert found.regions is not None
    assert found.regions.shape == (2, 4, found.features.shape[1])


def test_gates_are_of_each_channel_and_leave_no_hook() -> None:
    network = Backbone("seresnet18").eval()
    x = noise(2, 64)
    with torch.no_grad():
        before = network(x)
        found = network.attend(x)
        assert torch.equal(network(x), before)
    assert torch.allclose(found.features, before, atol=1e-5)
    assert len(found.maps) == 8
    assert all(((gate > 0) & (gate < 1)).all() for gate in found.maps.values())
    assert not any(module._forward_hooks for module in network.modules())
    # a channel whose gate is shut gives nothing
    block = network.network.layer4[1]  # type: ignore[operator, index, union-attr]
    block.se.fc2.bias.data[3], block.se.fc2.weight.data[3] = -1000.0, 0.0  # type: ignore[union-attr]
    kept: list[Tensor] = []
    block.se.register_forward_hook(lambda *call: kept.append(call[2].clone()))  # type: ignore[union-attr]
    with torch.no_grad():
        shut = network.attend(x).maps["layer4.1.se.gate"]
    assert shut.shape == (2, 512)
    assert (shut[:, 3] == 0).all()
    assert (kept[0][:, 3] == 0).all()


def test_networks_without_regions_still_say_features() -> None:
    with torch.device("meta"):
        found = Backbone("crossvit_tiny_240", size=240).eval().attend(torch.empty(1, 3, 240, 240))
    assert found.regions is None
    assert found.features.shape == (1, 288)


@pytest.mark.parametrize("size", [64, 112, 224])
def test_transformers_are_born_as_the_identity(size: int) -> None:
    stn = backbone("stn", size, transformers=2).eval()
    x = noise(2, size)
    with torch.no_grad():
        matrices = stn.network.matrices(x)  # type: ignore[operator]
        shown = crops(x, matrices)
        found = stn.attend(x)
    assert torch.allclose(shown, x.repeat_interleave(2, 0), atol=1e-4)
    assert found.features.shape == (2, 256)
    assert found.boxes is not None
    assert torch.allclose(found.boxes, torch.tensor([0.0, 0, 1, 1]).expand(2, 2, 4), atol=1e-6)
    assert (penalty(found.maps["transform"]) == 0).all()


def test_a_transformer_shows_what_its_matrix_says() -> None:
    # half the side, centred on the upper right quarter: that quarter, each pixel where it was
    x = noise(1, 64)
    matrix = torch.tensor([[[[0.5, 0, 0.5], [0, 0.5, -0.5]]]])
    shown, quarter = crops(x, matrix)[:, :, 1::2, 1::2], x[:, :, :32, 32:]
    assert torch.allclose(shown[..., :-1, :-1], _between(quarter), atol=1e-5)
    assert torch.allclose(around(matrix), torch.tensor([[[0.5, 0.0, 1.0, 0.5]]]))


def _between(quarter: Tensor) -> Tensor:
    """At twice the size odd pixels lie a quarter of the way to the next."""
    across = 0.75 * quarter[..., :-1] + 0.25 * quarter[..., 1:]
    return 0.75 * across[..., :-1, :] + 0.25 * across[..., 1:, :]


def test_the_guard_is_the_distance_to_the_identity_and_the_area() -> None:
    # (0.2 - 1)^2 twice and the area 0.04, which 0.16 exceeds by 0.12; twice the scale: 1.44 < 4
    small = torch.tensor([[[[0.2, 0, 0], [0, 0.2, 0]]]])
    large = torch.tensor([[[[2.0, 0, 0], [0, 2.0, 0]]]])
    assert penalty(small).item() == pytest.approx(2 * 0.64 + 0.12**2, rel=1e-5)
    assert penalty(large).item() == pytest.approx(2 + (4 - 1.44) ** 2, rel=1e-5)


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_the_guard_is_in_units_of_the_loss_of_the_answer(unit: float) -> None:
    """A half as large on one axis: |A - I|^2 = 1/4 and no area beyond. The answer learns nothing of
    it, the localiser all."""
    stn = backbone("stn").train()
    with torch.no_grad():
        stn.network.matrix.bias[0] = 0.5  # type: ignore[union-attr, operator, index]

    def judge(features: Tensor) -> Judged:
        loss = unit * (1 + features.square().mean())
        none = features.new_zeros(features.shape[:2])
        return Judged(loss, none, none)

    found = stn.attend(noise(3, 64))
    (term,) = stn.losses(found, judge).values()
    answer = judge(found.features[:, None]).loss
    assert term.item() == pytest.approx(0.1 * answer.item() / 4, rel=1e-5)
    term.backward()
    assert all(p.grad is None for p in stn.network.inner.parameters())  # type: ignore[union-attr]
    slope = stn.network.matrix.bias.grad  # type: ignore[union-attr]
    # d 0.1 (a - 1)^2 / da = -0.1, of the mean over faces
    assert slope[0].item() == pytest.approx(-0.1 * answer.item(), rel=1e-5)  # type: ignore[index]


def test_matrices_are_exact_in_mixed_precision() -> None:
    """A shift by 1/1000 is not told by bfloat16 beside 1."""
    stn = backbone("stn").eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        stn.network.matrix.bias[0] = 1.001  # type: ignore[union-attr, operator, index]
        found = stn.network.matrices(noise(1, 64))  # type: ignore[operator]
    assert found[0, 0, 0, 0].item() == pytest.approx(1.001, abs=1e-6)


@pytest.mark.parametrize(("name", "millions"), [("resattn56", 29.76), ("resattn92", 50.42)])
def test_residual_attention_has_as_many_parameters(name: str, millions: float) -> None:
    # 31.81 and 52.47 with a last layer of 1,000 classes, which has 2,049,000
    with torch.device("meta"):
        count = sum(p.numel() for p in Backbone(name).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize("size", [64, 112, 224])
def test_residual_attention_takes_any_size(size: int) -> None:
    with torch.device("meta"):
        network = ResidualAttention((1, 1, 1))
        last = network.forward_features(torch.empty(1, 3, size, size))
        small = Backbone("small_resattn")
        features, regions = small.with_regions(torch.empty(1, 3, size, size))
    assert last.shape == (1, 2048, -(-size // 32), -(-size // 32))
    assert (features.shape, small.out_dim) == ((1, 256), 256)
    assert regions.shape == (1, (-(-size // 32)) ** 2, 256)


def test_without_its_mask_an_attention_module_is_its_trunk() -> None:
    module, x = Attention(16, 2).eval(), torch.randn(2, 16, 9, 9)
    module.gate = nn.Threshold(torch.inf, 0.0)  # type: ignore[assignment]
    with torch.no_grad():
        trunk = module.last(module.trunk(module.first(x)))
        assert torch.equal(module(x), trunk)
        module.gate = nn.Threshold(torch.inf, 1.0)  # type: ignore[assignment]
        assert torch.equal(module(x), module.last(2 * module.trunk(module.first(x))))


def test_bilinear_pooling_is_the_sum_of_outer_products() -> None:
    bcnn = backbone("bcnn", width=5).eval()
    f = torch.randn(2, 7, 5)
    by_hand = torch.stack([sum(torch.outer(v, v) for v in image).flatten() for image in f])  # type: ignore[arg-type]
    assert torch.allclose(bcnn.network.products(f), by_hand, atol=1e-5)  # type: ignore[operator]
    found = bcnn(noise(2, 64))
    assert found.shape == (2, 25) == (2, bcnn.out_dim)
    assert torch.allclose(found.norm(dim=1), torch.ones(2), atol=1e-4)


def test_its_compact_form_has_unbiased_products() -> None:
    # <sketch(F), sketch(G)> over draws of the hashes: the product of the full sums
    f, g = torch.randn(1, 4, 6), torch.randn(1, 4, 6)
    exact = float(((f.mT @ f) * (g.mT @ g)).sum())
    inner = Backbone("small_resnet")
    settings = BackboneConfig(name="bcnn", of="small_resnet", width=6, sketch=128)
    found = []
    for _ in range(200):
        pooling = BilinearPooling(inner, settings, 64)
        found.append(float((pooling.products(f) * pooling.products(g)).sum()))
    assert pooling.num_features == 128
    spread = torch.tensor(found).std().item() / 200**0.5
    assert abs(sum(found) / 200 - exact) < 4 * spread
    assert spread < 0.1 * abs(exact)


@pytest.mark.parametrize("name", ["stn", "bcnn"])
@pytest.mark.parametrize("of", ["small_resnet", "vit_tiny_patch16_224"])
def test_families_take_maps_and_tokens(name: str, of: str) -> None:
    family = backbone(name, 64, of).eval()
    with torch.no_grad():
        features, regions = family.with_regions(noise(2, 64), cells=2)
        assert torch.allclose(features, family(noise(2, 64)), atol=1e-5)
    assert features.shape == (2, family.out_dim)
    assert regions.shape == (2, 4, family.region_dim)
    assert family.n_regions(64, cells=2) == 4


@pytest.mark.parametrize("name", ["stn", "bcnn", "resattn56"])
def test_mixed_precision_is_finite(name: str) -> None:
    family = backbone(name, of=None if name.startswith("res") else "small_resnet")
    with torch.autocast("cpu", torch.bfloat16):
        found = family.attend(noise(2, 64))
        found.features.float().square().sum().backward()
    assert found.features.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in family.parameters())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"name": "stn"}, "'stn' works around another network; name it with of"),
        ({"name": "resnet18", "of": "resnet34"}, r"no family .* \(those are .*stn.*\)"),
        ({"name": "stn", "of": "resnet18", "transformers": 0}, "transformers"),
    ],
)
def test_wrong_configs(content: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked(BackboneConfig, content, "here")


@pytest.mark.parametrize(
    ("name", "of", "message"),
    [
        ("stm", None, "'stm': .*near names: .*stn.*; of this package are .*resattn56.*bcnn"),
        ("stn", "stn", "'stn': timm has no such network"),
        ("stn", "resnet19", "'resnet19': .*resnet18"),
        ("cbam", "vgg11", "'vgg11' takes no gates; .* of = 'resnet18'"),
    ],
)
def test_unknown_names(name: str, of: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        backbone(name, of=of)
