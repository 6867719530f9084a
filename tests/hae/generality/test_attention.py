"""Shares of views and regions from the maps of any aggregator, and the mean drawn face."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hae.aggregate.shares import shares
from hae.config import AgeModelConfig
from hae.data.readers import read_data
from hae.generality.attention import FEWEST, attention_of, mean_face
from hae.models.age import AgeModel
from hae.training.faces import Faces, load_faces
from hae.training.stored import Stored

CPU = torch.device("cpu")


def rows(*values: list[float]) -> Tensor:
    return torch.tensor(values)


def test_pairs_give_both_shares() -> None:
    """One glimpse, r = 3 by k = 2: rows sum to .5, .3, .2 and columns to .6, .4."""
    pairs = rows([0.3, 0.2], [0.2, 0.1], [0.1, 0.1])[None, None]
    found = shares({"pairs": pairs})
    torch.testing.assert_close(found["regions"], rows([0.5, 0.3, 0.2]))
    torch.testing.assert_close(found["views"], rows([0.6, 0.4]))


def test_heads_and_levels_are_averaged_and_scaled() -> None:
    # two heads that give half of their attention to a token of their own
    heads = rows([0.4, 0.1], [0.1, 0.4])[None]
    torch.testing.assert_close(shares({"views": heads})["views"], rows([0.5, 0.5]))
    levels = {"word_views": rows([0.2, 0.8]), "phrase_views": rows([0.6, 0.4])}
    torch.testing.assert_close(shares(levels)["views"], rows([0.4, 0.6]))


def test_the_view_as_a_whole_is_no_region() -> None:
    within = rows([0.5, 0.4, 0.1], [0.2, 0.2, 0.6])[None]  # k = 2 views, the whole and r = 2
    found = shares({"regions": within, "views": rows([0.5, 0.5])})
    torch.testing.assert_close(found["regions"], rows([0.6 / 1.3, 0.7 / 1.3]))
    # steps of other aggregators have no such place: hops of SAN
    hops = shares({"regions": within})["regions"]
    torch.testing.assert_close(hops, rows([0.35, 0.3, 0.35]))


def test_what_regions_ask_of_views_is_no_share() -> None:
    assert shares({"guided": torch.full((2, 1, 4, 2), 0.5)}) == {}
    assert shares({}) == {}


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Faces:
    cache: Path = tmp_path_factory.mktemp("drawn")
    return load_faces(read_data("rendered:people=24,photos=1,seed=6"), 32, 1.0, cache).faces


@pytest.mark.parametrize("name", ["sae", "scale", "san", "han", "ban", "mcan", "hiecoatt"])
def test_shares_of_a_model_are_the_mean_over_faces(name: str, faces: Faces) -> None:
    own = {"name": name, "layers": 1, "feedforward": 8, "cells": 2}
    config = AgeModelConfig.model_validate(
        {
            "size": 32,
            "embedding": 8,
            "backbone": {"name": "small_resnet", "frozen": True},
            "aggregator": own,
            "head": {"hidden": 8},
            "views": {"k": 3},
        }
    )
    torch.manual_seed(0)
    model = AgeModel(config).eval()
    draw = np.random.default_rng(0)
    each = config.aggregator.regions == "view"
    regions = draw.normal(size=(len(faces), 3 if each else 1, 4, 128)).astype(np.float16)
    needs = config.aggregator.regions != "none"
    features = draw.normal(size=(len(faces), 3, 128)).astype(np.float16)
    stored = Stored(features, regions if needs else None, each)
    found = attention_of(model, stored, faces, CPU)
    assert [len(one.weights) for one in found] == [3 if o.over == "views" else 4 for o in found]
    assert {one.over for one in found} == {
        "sae": {"views"}, "scale": {"views"}, "san": {"regions"},
    }.get(name, {"views", "regions"})  # fmt: skip
    for one in found:
        assert sum(one.weights) == pytest.approx(1, abs=1e-4)
        assert (one.n_faces, one.n_people) == (24, 24)
        assert one.placed == ("crop" if name == "han" else "face")
    # the same of both halves, averaged
    with torch.inference_mode():
        index = np.arange(3)[None]
        parts = [
            shares(model.from_seen(stored.of(part, index), maps=True).maps)
            for part in (np.arange(10), np.arange(10, 24))
        ]
    for one in found:
        every = torch.cat([part[one.over] for part in parts]).mean(0)
        np.testing.assert_allclose(one.weights, every, atol=2e-5)


@pytest.mark.parametrize(
    ("backbone", "n", "placed"),
    [
        ({"name": "bcnn", "of": "small_resnet", "width": 4}, 4, "face"),
        ({"name": "stn", "of": "small_resnet"}, 4, "crop"),
        ({"name": "stn", "of": "small_resnet", "transformers": 4}, 16, "nowhere"),
        ({"name": "hourglass", "parts": 4, "width": 8}, 4, "nowhere"),
        ({"name": "tnet", "of": "small_resnet", "grid": 2, "overlap": 0.5}, 4, "nowhere"),
    ],
)
def test_as_many_regions_as_a_square_has_need_not_be_one(
    backbone: dict[str, object], n: int, placed: str, faces: Faces
) -> None:
    config = AgeModelConfig.model_validate(
        {
            "size": 32,
            "embedding": 8,
            "backbone": backbone,
            "aggregator": {"name": "san", "width": 8},
            "head": {"hidden": 8},
            "views": {"k": 2},
        }
    )
    torch.manual_seed(0)
    model = AgeModel(config).eval()
    features = np.ones((len(faces), 2, model.backbone.out_dim), np.float16)
    regions = np.ones((len(faces), 1, n, model.backbone.region_dim), np.float16)
    assert model.backbone.n_regions(32) == n
    (found,) = attention_of(model, Stored(features, regions, each=False), faces, CPU)
    assert (len(found.weights), found.placed) == (n, placed)


def test_a_mean_over_few_people_is_not_told(faces: Faces) -> None:
    few = faces.take(np.arange(FEWEST - 1))
    assert mean_face(few) == ()
    assert attention_of(None, Stored(np.zeros((19, 1, 1), np.float16)), few, CPU) == ()  # type: ignore[arg-type]


def test_the_mean_face_is_the_mean_of_grey_levels(faces: Faces) -> None:
    found = np.array(mean_face(faces))
    assert found.shape == (32, 32)
    np.testing.assert_allclose(found, faces.pixels().mean(axis=(0, 3)), atol=0.5)
    large = replace(faces, store=np.repeat(np.repeat(faces.store, 2, axis=1), 2, axis=2))
    np.testing.assert_array_equal(mean_face(large), found)
