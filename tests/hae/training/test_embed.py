from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from audit.errors import InputError
from hae.config import AgeModelConfig, AggregatorConfig
from hae.inference import CPU_CHUNK, chunk_size, view_tensor
from hae.models.age import AgeModel
from hae.training.embed import choose_views, embed, kept_regions
from hae.training.faces import Faces
from hae.views import ViewParams, draw_views
from tests.hae.training.toys import grey_faces

CPU = torch.device("cpu")
VIEWS = 4
CONFIG = AgeModelConfig.model_validate(
    {
        "size": 16,
        "embedding": 8,
        "backbone": {"name": "small_resnet", "frozen": True},
        "aggregator": {"name": "mean"},
        "head": {"hidden": 8},
        "views": {"k": VIEWS},
    }
)
FACES = grey_faces(17 * CPU_CHUNK, people=40)  # one block of 16 chunks and one chunk


@pytest.fixture(scope="module")
def model() -> AgeModel:
    torch.manual_seed(0)
    return AgeModel(CONFIG).eval()


def drawn(keys: npt.NDArray[np.int64]) -> ViewParams:
    return draw_views(torch.from_numpy(keys), CONFIG.views, seed=1, epoch=0)


def run(
    model: AgeModel, cache: Path, faces: Faces = FACES, recipe: str = "r", stop: int | None = None
) -> tuple[npt.NDArray[np.float16], list[int]]:
    """The features, and how many faces were done at a time; the first number was there already."""
    told: list[int] = []

    def progress(done: int) -> None:
        told.append(done)
        if stop is not None and sum(told) >= stop:
            raise KeyboardInterrupt

    return embed(model, faces, drawn, VIEWS, recipe, cache, CPU, progress), told


@pytest.fixture(scope="module")
def whole(model: AgeModel, tmp_path_factory: pytest.TempPathFactory) -> npt.NDArray[np.float16]:
    return np.array(run(model, tmp_path_factory.mktemp("cache"))[0])


def test_features_are_those_of_each_view(model: AgeModel, whole: npt.NDArray[np.float16]) -> None:
    assert whole.shape == (len(FACES), VIEWS, 128)
    rows = [0, 100, len(FACES) - 1]
    views = drawn(FACES.sample[rows].view(np.int64))
    with torch.inference_mode():
        alone = model.features(
            view_tensor(model.config, torch.from_numpy(FACES.pixels(rows)), views)
        )
    # float16 has 11 bits: half a unit in the last place is 2^-11 of the value
    np.testing.assert_allclose(whole[rows], alone.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("stop", [CPU_CHUNK, 15 * CPU_CHUNK, 17 * CPU_CHUNK])
def test_an_interrupted_embedding_goes_on(
    model: AgeModel, tmp_path: Path, whole: npt.NDArray[np.float16], stop: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(model, tmp_path, stop=stop)
    again, told = run(model, tmp_path)
    np.testing.assert_array_equal(again, whole)
    # What a block was interrupted in is done again, a whole block is not.
    assert told[0] == (16 * CPU_CHUNK if stop == 17 * CPU_CHUNK else 0)
    assert sum(told) == len(FACES)


def test_a_finished_embedding_is_found(model: AgeModel, tmp_path: Path) -> None:
    faces = FACES.take(np.arange(20))
    first, told = run(model, tmp_path, faces)
    chunk = chunk_size(CPU, VIEWS)
    assert told == [0] + [min(chunk, 20 - start) for start in range(0, 20, chunk)]
    again, told = run(model, tmp_path, faces)
    assert told == [20]
    np.testing.assert_array_equal(first, again)


def test_a_file_that_is_gone_is_made_anew(model: AgeModel, tmp_path: Path) -> None:
    faces = FACES.take(np.arange(20))
    first = np.array(run(model, tmp_path, faces)[0])
    next(tmp_path.glob("*.npy")).unlink()
    with pytest.raises(KeyboardInterrupt):
        run(model, tmp_path, faces, stop=1)  # the note of the old file must not count
    np.testing.assert_array_equal(run(model, tmp_path, faces)[0], first)


@pytest.mark.parametrize("change", ["recipe", "faces", "weights", "mean"])
def test_other_inputs_have_another_file(model: AgeModel, tmp_path: Path, change: str) -> None:
    faces, other, recipe = FACES.take(np.arange(3)), model, "r"
    run(model, tmp_path, faces)
    if change == "recipe":
        recipe = "s"
    elif change == "faces":
        faces = replace(faces, sample=faces.sample + np.uint64(1))
    elif change == "weights":
        torch.manual_seed(1)
        other = AgeModel(CONFIG).eval()
    else:
        other = AgeModel(CONFIG.model_copy(update={"mean": (0.5, 0.5, 0.5)})).eval()
        other.load_state_dict(model.state_dict())
    _, told = run(other, tmp_path, faces, recipe)
    assert told == [0, 3]
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_regions_are_those_of_each_view(tmp_path: Path) -> None:
    config = CONFIG.model_copy(
        update={"size": 32, "aggregator": AggregatorConfig(name="han", cells=1)}
    )
    torch.manual_seed(0)
    model, faces = AgeModel(config).eval(), FACES.take(np.arange(5))
    found = embed(model, faces, drawn, VIEWS, "r", tmp_path, CPU, kind=kept_regions(model))
    assert found.shape == (5, VIEWS, 1, 128)
    views = view_tensor(
        config, torch.from_numpy(faces.pixels()), drawn(faces.sample.view(np.int64))
    )
    with torch.inference_mode():  # one place is the mean of the map, the features of this network
        expected = model.features(views)[:, :, None]
    np.testing.assert_allclose(found, expected.numpy(), rtol=2e-3, atol=2e-3)
    embed(model, faces, drawn, VIEWS, "r", tmp_path, CPU)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_features_beyond_float16_are_refused(model: AgeModel, tmp_path: Path) -> None:
    big = AgeModel(CONFIG).eval()
    with torch.no_grad():
        for parameter in big.backbone.parameters():
            parameter.mul_(1e4)
    with pytest.raises(InputError, match=r"features exceed what float16 holds; .*embed_views = 0"):
        run(big, tmp_path, FACES.take(np.arange(3)))


def test_each_face_gets_k_different_views() -> None:
    rows = np.arange(100)
    chosen = choose_views(FACES, rows, epoch=2, seed=5, n_views=8, k=3)
    assert chosen.shape == (100, 3)
    assert all(len(set(views)) == 3 for views in chosen.tolist())
    # 300 draws of 8 views: 37.5 each, SD sqrt(300 / 8 * 7 / 8) = 5.7
    assert np.bincount(chosen.ravel(), minlength=8).min() > 14
    assert chosen.max() == 7


def test_views_do_not_depend_on_the_batch() -> None:
    rows = np.arange(40)
    chosen = choose_views(FACES, rows, epoch=2, seed=5, n_views=8, k=3)
    some = choose_views(FACES, rows[[7, 3]], epoch=2, seed=5, n_views=8, k=3)
    np.testing.assert_array_equal(some, chosen[[7, 3]])
    for other in ({"epoch": 3, "seed": 5}, {"epoch": 2, "seed": 6}):
        assert (choose_views(FACES, rows, n_views=8, k=3, **other) != chosen).any()
