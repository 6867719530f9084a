from __future__ import annotations

import numpy as np
import pytest
import torch

from hae.config import AgeModelConfig, AggregatorName, HeadName
from hae.inference import CPU_CHUNK, AgeEstimates, estimate_faces, filled, view_tensor
from hae.models.age import AgeModel
from hae.views import ViewParams, fixed_views
from tests.hae.training.toys import grey_faces

CPU = torch.device("cpu")
FACES = grey_faces(2 * CPU_CHUNK + 3, people=9)


def made(
    k: int = 3, head: HeadName = "hierarchical", aggregator: AggregatorName = "sae"
) -> tuple[AgeModel, ViewParams]:
    config = AgeModelConfig.model_validate(
        {
            "size": 16,
            "embedding": 8,
            "backbone": {"name": "small_resnet"},
            "aggregator": {"name": aggregator, "layers": 1, "heads": 2, "feedforward": 8},
            "head": {"name": head, "hidden": 8},
            "views": {"k": k},
        }
    )
    torch.manual_seed(0)
    return AgeModel(config).eval(), fixed_views(config.views, seed=0)


def run(model: AgeModel, views: ViewParams, n: int = len(FACES), first: int = 0) -> AgeEstimates:
    faces = FACES.take(np.arange(first, first + n))
    return estimate_faces(model, faces.pixels, n, views, CPU)


def test_estimates_are_the_models_own() -> None:
    model, views = made()
    found = run(model, views)
    with torch.inference_mode():
        output = model(view_tensor(model.config, torch.from_numpy(FACES.pixels()), views))
    np.testing.assert_allclose(found.age, output.age.numpy(), rtol=1e-5)
    assert found.logits is not None
    assert found.logits.shape == (len(FACES), 1, 101)
    assert found.age.dtype == np.float32


@pytest.mark.parametrize("n", [1, 7, CPU_CHUNK])
def test_a_face_has_the_same_numbers_in_every_company(n: int) -> None:
    model, views = made()
    whole, part = run(model, views), run(model, views, n, first=5)
    np.testing.assert_array_equal(part.age, whole.age[5 : 5 + n])
    np.testing.assert_array_equal(part.view_std, whole.view_std[5 : 5 + n])
    assert part.logits is not None and whole.logits is not None  # noqa: PT018
    np.testing.assert_array_equal(part.logits, whole.logits[5 : 5 + n])


def test_spread_over_the_views() -> None:
    model, views = made()
    alone = [
        run(
            model,
            ViewParams(*(part[:, j : j + 1] for part in (views.theta, views.colour, views.box))),
        )
        for j in range(3)
    ]
    spread = np.std([found.age for found in alone], axis=0)  # with n, not n - 1
    np.testing.assert_allclose(run(model, views).view_std, spread, atol=1e-4)
    assert spread.max() > 0
    assert not alone[0].view_std.any()  # one view has no spread


def test_a_regression_has_no_classes() -> None:
    assert run(*made(head="regression")).logits is None


def test_averaged_predictions_keep_each_ones_classes() -> None:
    found = run(*made(aggregator="mean_predictions"))
    assert found.logits is not None
    assert found.logits.shape == (len(FACES), 3, 101)


def test_filled_rows_are_zeros() -> None:
    whole = filled(torch.ones(2, 3), 4)
    assert whole.tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert torch.equal(filled(whole, 4), whole)
