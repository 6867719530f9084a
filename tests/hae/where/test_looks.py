"""Where models look: Grad-CAM by hand, what each kind of network tells, and a planted cue."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from audit.errors import InputError
from audit.face_regions import BOXES, REGIONS
from audit.run import audit
from audit.where import cell_columns, region_columns
from hae.backbones.last_map import tapped
from hae.config import AgeModelConfig, ExpressionConfig
from hae.data.rendered.paint import paint
from hae.data.rendered.people import cohort
from hae.data.rendered.spec import RenderSpec
from hae.models.age import AgeModel
from hae.models.expression import ExpressionModel
from hae.where.gradcam import grad_cam
from hae.where.looks import look
from hae.where.reduce import of_maps

SMALL = {"name": "small_resnet"}


def config(backbone: dict[str, object] = SMALL, aggregator: str = "mean", size: int = 32):
    return AgeModelConfig.model_validate(
        {
            "size": size,
            "embedding": 8,
            "backbone": backbone,
            "aggregator": {"name": aggregator, "layers": 1, "heads": 2, "feedforward": 8},
            "views": {"k": 3},
        }
    )


def model(backbone: dict[str, object] = SMALL, aggregator: str = "mean", size: int = 32):
    torch.manual_seed(0)
    return AgeModel(config(backbone, aggregator, size)).eval()


def noise(n: int, size: int = 32) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_grad_cam_by_hand() -> None:
    """A = conv(x) with known 1x1 weights, y = v . mean(A): the gradient at every place is v / 4.

    So a_k = v_k / 4 and the map is sum_k v_k A_k / 4, by hand for one face of 2 x 2 pixels.
    """
    conv, v = nn.Conv2d(3, 2, 1), torch.tensor([2.0, -1.0])
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 1]])[..., None, None])
        conv.bias.copy_(torch.tensor([0.5, 0]))
    x = torch.tensor([[[[1.0, 2], [0, 1]], [[3, 0], [1, 1]], [[0, 1], [2, 4]]]])
    expected = np.array([[2 * 1.5 - 3, 2 * 2.5 - 1], [2 * 0.5 - 3, 2 * 1.5 - 5]]) / 4

    def answer(images: Tensor) -> Tensor:
        return conv(images).mean(dim=(2, 3)) @ v

    both = {k: grad_cam(answer, conv, x, signed=k)[0] for k in (True, False)}
    np.testing.assert_allclose(both[True], np.maximum(expected, 0), atol=1e-6)
    np.testing.assert_allclose(both[False], np.abs(expected), atol=1e-6)


def test_grad_cam_of_a_model_is_its_gradient() -> None:
    """The same sum from autograd, at the output of the network's last stage."""
    age, x = model(), noise(3)
    kept: list[Tensor] = []
    handle = age.backbone.network.layer4.register_forward_hook(
        lambda module, inputs, out: kept.append(out.retain_grad() or out)
    )
    answer = age(x[:, None], x[:, None]).age
    answer.sum().backward()
    handle.remove()
    (last,) = kept
    cam = (last.grad.mean(dim=(2, 3), keepdim=True) * last).sum(dim=1).abs().detach().numpy()
    with tapped(age.backbone.network) as tap:
        found = grad_cam(lambda y: age(y[:, None], y[:, None]).age, tap, x, signed=False)
    np.testing.assert_allclose(found, cam, rtol=1e-3, atol=1e-6 * cam.max())
    assert "forward_features" not in vars(age.backbone.network)


@pytest.mark.parametrize(
    ("backbone", "aggregator", "sources"),
    [
        (SMALL, "mean", {"gradcam"}),
        ({"name": "small_vit"}, "mean", {"gradcam"}),
        ({"name": "small_convmixer", "frozen": True}, "mean", {"gradcam"}),
        (SMALL, "san", {"gradcam", "regions"}),
        (SMALL, "han", {"gradcam", "regions"}),
        ({"name": "stn", "of": "small_resnet"}, "mean", {"boxes"}),
        ({"name": "bcnn", "of": "small_resnet", "width": 4}, "mean", {"gradcam"}),
        ({"name": "cbam", "of": "resnet18"}, "mean", {"attention", "gradcam"}),
        ({"name": "skresnet18"}, "mean", {"gradcam"}),
        ({"name": "dasnet", "of": "small_resnet"}, "san", {"gradcam", "regions"}),
        ({"name": "racnn", "of": "small_resnet"}, "mean", {"boxes"}),
        ({"name": "ram"}, "mean", {"boxes"}),
        ({"name": "hourglass", "width": 8}, "san", {"boxes", "attention"}),
    ],
)
def test_what_each_model_tells(
    backbone: dict[str, object], aggregator: str, sources: set[str]
) -> None:
    """The sources; shares that sum to 1 and do not depend on the other faces."""
    age = model(backbone, aggregator, size=64)
    x = noise(3, 64)
    found = look(age, x)
    assert {*found} == sources
    alone = look(age, x[1:2])
    for source, shares in found.items():
        np.testing.assert_allclose(shares.regions.sum(axis=1), 1, atol=1e-12)
        np.testing.assert_allclose(alone[source].regions[0], shares.regions[1], atol=1e-4)
    assert age.backbone.frozen == bool(backbone.get("frozen"))
    assert all(p.grad is None for p in age.parameters())


def test_tnet_tells_the_boxes_it_looked_into() -> None:
    age = model({"name": "tnet", "of": "small_resnet", "grid": 3, "locations": [1]}, size=64)
    x = noise(2, 64)
    boxes = age.backbone.attend(x).boxes
    assert boxes is not None
    x0, y0, x1, y1 = boxes[0, 1].tolist()  # behind the whole image
    held = {
        region: max(0, min(x1, b[2]) - max(x0, b[0])) * max(0, min(y1, b[3]) - max(y0, b[1]))
        for region, b in BOXES.items()
    }
    shares = look(age, x)["boxes"].regions[0]
    expected = [held[region] / ((x1 - x0) * (y1 - y0)) for region in BOXES]
    np.testing.assert_allclose(shares[:-1], expected, atol=1e-6)


def test_a_class_token_is_looked_behind() -> None:
    """Tokens of the last layer do not reach a class token; those before the last attention do."""
    age = model({"name": "deit_tiny_patch16_224"}, size=32)
    network = age.backbone.network
    assert network.global_pool == "token"
    assert np.isfinite(look(age, noise(2))["gradcam"].regions).all()
    assert not network.blocks[-1].norm1._forward_hooks


@pytest.mark.parametrize("aggregate", [False, True])
def test_expressions_tell_of_the_predicted_class(aggregate: bool) -> None:
    torch.manual_seed(0)
    settings = ExpressionConfig.model_validate({"aggregate": aggregate})
    net = ExpressionModel(config(aggregator="san" if aggregate else "mean"), settings, 4).eval()
    x = noise(3)
    found = look(net, x)
    assert {*found} == ({"gradcam", "regions"} if aggregate else {"gradcam"})
    with tapped(net.backbone.network) as tap:
        views = x[:, None]

        def logits(images: Tensor) -> Tensor:
            return (net(images[:, None], views) if aggregate else net(images)).logits

        best = logits(x).argmax(dim=1, keepdim=True)
        cam = grad_cam(lambda y: logits(y).gather(1, best)[:, 0], tap, x, signed=True)
    if aggregate:  # here the plain face beside the view is held fixed
        return
    np.testing.assert_allclose(of_maps(cam).regions, found["gradcam"].regions, atol=1e-6)


def test_networks_without_maps_and_without_captum(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="'small_resnet' shows no maps"):
        look(model(size=16), noise(1, 16))  # stride 16: one place
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(InputError, match=r"needs captum, .* run pip install 'hae-audit\[where\]'"):
        look(model(), noise(1))


class Cue(nn.Module):
    """Channels: how green a place is beyond other colours, and how dark; their means are features.

    Faces have no green, so a model that reads the first looks where a green mark is.
    """

    num_features = 2

    def forward_features(self, images: Tensor) -> Tensor:
        r, g, b = images.unbind(1)
        green = (g - torch.maximum(r, b)).clamp_min(0)
        dark = (0.4 - images.mean(dim=1)).clamp_min(0)
        return nn.functional.avg_pool2d(torch.stack([green, dark], dim=1), 4)

    def forward_head(self, last: Tensor) -> Tensor:
        return last.mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))


@pytest.fixture(scope="module")
def reader() -> ExpressionModel:
    """It calls a face marked if it is green, else plain if it is dark: weights by hand."""
    torch.manual_seed(0)
    net = ExpressionModel(config(size=64), ExpressionConfig(cure=False), 2).eval()
    net.backbone.network, net.backbone.out_dim = Cue(), 2
    net.classifier = nn.Linear(2, 2)
    with torch.no_grad():
        net.classifier.weight.copy_(torch.tensor([[60.0, 0.5], [0.0, 1.0]]))
        net.classifier.bias.zero_()
    return net.eval()


def looked(reader: ExpressionModel, plant: Callable[[np.ndarray, np.ndarray], None]):
    """A table of drawn faces with something planted in their pixels."""
    people = cohort(RenderSpec(people=120, photos=1, seed=4, size=64))
    faces, group = paint(people, 64), people["group"].to_numpy()
    plant(faces, group)
    images = torch.from_numpy(faces).permute(0, 3, 1, 2) / 255
    shares = look(reader, images)["gradcam"]
    frame = people[["sample_id", "subject_id", "group"]].copy()
    frame["expression"] = frame["expression_pred"] = np.resize(["plain", "marked"], len(frame))
    columns = [*region_columns("gradcam"), *cell_columns("gradcam")]
    frame[columns] = np.concatenate([shares.regions, shares.cells], axis=1)
    return frame


def differing(frame: pd.DataFrame) -> dict[str, float]:
    """Regions whose share differs between the groups by more than 0.05, B minus A."""
    result = audit(
        frame, task="expression", by=["group"], n_boot=199, margins={"where_gradcam": 0.05}
    )
    return {
        row.class_: -row.value
        for row in result.gaps
        if row.metric == "where_gradcam" and row.kind == "difference" and row.verdict == "gap"
    }


@pytest.mark.parametrize("region", ["left_cheek", "mouth"])
def test_a_planted_cue_is_found_in_its_place(reader: ExpressionModel, region: str) -> None:
    """A green mark in one region of group B's faces, which the model reads."""
    x0, y0, x1, y1 = BOXES[region]
    x, y = int(32 * (x0 + x1)), int(32 * (y0 + y1))

    def plant(faces: np.ndarray, group: np.ndarray) -> None:
        marked = faces[group == "B"]
        marked[:, y - 3 : y + 3, x - 3 : x + 3] = (20, 250, 20)
        faces[group == "B"] = marked

    found = differing(looked(reader, plant))
    assert max(found, key=found.__getitem__) == region
    assert found[region] > 0.4
    assert all(value < 0 for other, value in found.items() if other != region)


def test_nothing_is_found_where_nothing_was_planted(reader: ExpressionModel) -> None:
    """The same model and faces without the mark; and with the mark in both groups alike."""

    def alike(faces: np.ndarray, group: np.ndarray) -> None:
        faces[:, 44:50, 28:34] = (20, 250, 20)

    assert differing(looked(reader, lambda faces, group: None)) == {}
    assert differing(looked(reader, alike)) == {}


def test_every_region_has_a_column() -> None:
    assert [name.removeprefix("where_x_") for name in region_columns("x")] == list(REGIONS)
