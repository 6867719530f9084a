"""Grids that come with the package."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from audit.errors import InputError
from hae.backbones.network import check_known
from hae.cli.grid_asked import with_preset
from hae.data.readers import read_data
from hae.generality.grid import GridConfig, cells, label, with_controls
from hae.generality.presets import PRESETS, preset
from hae.zoo import model_path


def grid(name: str) -> GridConfig:
    return GridConfig.model_validate(tomllib.loads(preset(name).config.read_text()))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_grid_of_known_networks(name: str) -> None:
    found = grid(name)
    assert len(list(cells(found))) >= 48
    for backbone in found.backbones:
        check_known(backbone)
        assert backbone.init != "random"


def test_quick_is_as_large_as_it_should_be() -> None:
    found, chosen = grid("quick"), preset("quick")
    assert len(found.backbones) >= 4
    assert len(found.aggregators) >= 6
    assert len(found.seeds) >= 2
    assert min(found.ks) >= 4
    assert found.stored_views >= 4 * max(found.ks)
    assert {"views_mlp.san", "regions_mlp.san"} <= {label(a) for a in with_controls(found)}
    assert chosen.data is not None
    assert chosen.test_data is not None
    test = read_data(chosen.test_data, "test")
    assert len(test) >= 1000
    assert test.drawn


def test_its_people_are_others_than_those_of_the_first_weights() -> None:
    chosen = preset("quick")
    seeds = [
        s for d in (chosen.data, chosen.test_data) for s in (d or "").split(",") if "seed" in s
    ]
    assert seeds == ["seed=8", "seed=9"]
    faces = [read_data(f"rendered:people=40,photos=1,seed={seed}") for seed in (1, 8, 9)]
    ages = [tuple(part.frame["age"]) for part in faces]
    assert len(set(ages)) == 3
    for backbone in grid("quick").backbones:
        from hae.checkpoint import read_checkpoint

        made = read_checkpoint(model_path(backbone.init)).header
        assert "seed=1" in made.provenance.data
        assert made.config.model.backbone.name == backbone.name
        assert (made.config.model.size, made.config.model.mean) == (64, (0.5, 0.5, 0.5))


def test_full_has_every_aggregator_of_the_package() -> None:
    from hae.aggregate.core import AGGREGATORS

    assert {a.name for a in with_controls(grid("full"))} == set(AGGREGATORS)


def test_what_is_meant() -> None:
    quick, own = PRESETS["quick"], Path("own.toml")
    assert with_preset("quick", None, None, None) == (quick.config, quick.data, quick.test_data)
    # other faces: those of the preset are not mixed with them
    assert with_preset("quick", None, "pack:x", None) == (quick.config, "pack:x", None)
    assert with_preset("quick", None, None, "pack:y") == (quick.config, quick.data, "pack:y")
    assert with_preset(None, own, "pack:x", "pack:y") == (own, "pack:x", "pack:y")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("quik", None), "--preset quik: no such preset; choose of quick, ablation, full"),
        (("quick", Path("a.toml")), "--preset and --config: give --preset quick or ablation or"),
        ((None, None), "give --preset quick or ablation or full, or --config FILE"),
        (("full", None), "--data: preset 'full' brings no faces"),
        ((None, Path("a.toml")), "--data: this grid brings no faces"),
    ],
)
def test_refusals(asked: tuple[str | None, Path | None], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("-", r"\-")):
        with_preset(*asked, None, None)
