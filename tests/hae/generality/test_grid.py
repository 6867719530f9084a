"""Which cells a grid has, and what each of them trains."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from audit.configs import checked, read_toml
from audit.errors import InputError
from hae.backbones.network import ALONE, check_known
from hae.backbones.weights import PACKAGE, PACKAGES
from hae.config import AROUND
from hae.generality.grid import GridConfig, cells, label, with_controls

BASE = {
    "steps": 6,
    "optimizer": {"warmup": 2},
    "model": {"size": 32, "embedding": 16, "aggregator": {"layers": 1}},
}


def grid(**more: Any) -> GridConfig:
    content = {
        "base": BASE,
        "backbones": [{"name": "small_resnet"}, {"name": "lcnet_050"}],
        "aggregators": [{"name": "mean"}, {"name": "single"}, {"name": "ban"}],
    }
    return checked(GridConfig, content | more, "here")


def test_every_cell_once_and_those_of_a_backbone_in_a_row() -> None:
    found = list(cells(grid(ks=[2, 4], seeds=[0, 1, 2])))
    # 2 backbones, 2 K, 3 seeds, and mean, single, ban with its two controls
    assert len(found) == 2 * 2 * 3 * 5
    assert len({cell.key for cell in found}) == len(found)
    assert [cell.backbone.name for cell in found] == ["small_resnet"] * 30 + ["lcnet_050"] * 30


def test_what_draws_where_it_looks_may_have_more_seeds() -> None:
    backbones = ["small_resnet", {"name": "ram", "glimpses": 2}]
    one = grid(backbones=backbones, aggregators=["mean", "single"], seeds_of={"ram": [0, 1, 2]})
    found = [(c.backbone.label, c.aggregator.name, c.seed) for c in cells(one)]
    assert found[:4] == [("small_resnet", a, s) for a in ("mean", "single") for s in (0, 1)]
    assert found[4:] == [("ram", a, s) for a in ("mean", "single") for s in (0, 1, 2)]


def test_controls_stand_beside_two_streams() -> None:
    names = [label(aggregator) for aggregator in with_controls(grid())]
    assert names == ["mean", "single", "ban", "views_mlp.ban", "regions_mlp.ban"]
    assert len(with_controls(grid(controls=False))) == 3
    own = grid(aggregators=[{"name": "han"}, {"name": "regions_mlp", "partner": "han"}])
    names = [label(aggregator) for aggregator in with_controls(own)]
    assert names == ["han", "views_mlp.han", "regions_mlp.han"]


def test_a_cell_is_base_with_its_own_keys() -> None:
    found = {(c.key, c.seed): c.run_config("w.safetensors") for c in cells(grid(seeds=[3]))}
    config = found["small_resnet-ban-hierarchical-k4-w1-s3", 3]
    assert config.model.backbone.frozen
    assert config.model.backbone.init == "w.safetensors"
    assert config.model.aggregator.name == "ban"
    assert (config.model.views.k, config.selection_views) == (4, 4)
    assert (config.seed, config.seed_of_views, config.steps) == (3, 0, 6)
    single = found["small_resnet-single-hierarchical-k4-w1-s3", 3]
    assert (single.model.views.k, single.embed_views) == (1, 16)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"aggregators": [{"name": "bann"}]}, r"aggregators\.0\.name: Input should be 'ban', "),
        ({"aggregators": []}, "aggregators: Tuple should have at least 1 item"),
        ({"ks": [8]}, "stored_views is 16, must be at least 32, 4 for each of 8 views"),
        ({"seeds": [1, 1]}, "seeds: one is named twice"),
        ({"seeds_of": {"lcnet_050": [1, 1]}}, "seeds_of: 'lcnet_050' names one twice"),
        ({"seeds_of": {"lcnet_05": [1]}}, "seeds_of lcnet_05: no such backbone.*mean lcnet_050"),
        ({"seeds_of": {"lcnet_050": []}}, "at least 1 item"),
        ({"backbones": [{"name": "a"}, {"name": "a", "init": "timm"}]}, "two have one name"),
        ({"heads": ["tree"]}, r"heads\.0: Input should be 'hierarchical'"),
        (
            {"aggregators": [{"name": "sae", "heads": 3}]},
            "embedding 16 must be a multiple of heads 3",
        ),
        ({"backbone": []}, "unknown key 'backbone'; did you mean 'backbones'"),
    ],
)
def test_what_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        grid(**more)


def test_the_grid_of_the_readme() -> None:
    readme = Path(__file__).parents[3] / "README.md"
    text = readme.read_text(encoding="utf-8").partition("## Does it hold on every backbone?")[2]
    content = tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])
    found = checked(GridConfig, content, "README")
    for backbone in found.backbones:
        check_known(backbone)
        if backbone.init.startswith(PACKAGE):
            assert PACKAGES[backbone.init.removeprefix(PACKAGE)] == backbone.name
    assert len(list(cells(found))) == 3 * 7 * 2


def test_every_backbone_that_attends_stands_in_one_grid() -> None:
    path = Path(__file__).parents[3] / "recipes" / "grids" / "attending.toml"
    found = checked(GridConfig, read_toml(path, "a grid"), path.name)
    names = {backbone.name for backbone in found.backbones}
    assert names >= {*AROUND, *ALONE}
    for backbone in found.backbones:
        check_known(backbone)
    assert {"seresnet18", "skresnet18", "eca_resnext26ts", "gcresnext26ts", "resnest14d"} <= names
    seeds = {b: {c.seed for c in cells(found) if c.backbone == b} for b in found.backbones}
    drawing = {b.name for b, own in seeds.items() if len(own) >= 5}
    assert drawing == {"tnet", "racnn", "ram", "dram"}
    assert min(len(own) for own in seeds.values()) == 3


def test_families_are_told_by_what_they_work_around() -> None:
    backbones = [{"name": "stn", "of": name} for name in ("small_resnet", "lcnet_050")]
    found = grid(backbones=[*backbones, "small_resnet"], aggregators=["mean"], seeds=[0])
    keys = [cell.key.split("-")[0] for cell in cells(found)]
    assert keys == ["stn.small_resnet", "stn.lcnet_050", "small_resnet"]
    told = [cell.run_config().model_dump(mode="json")["model"]["backbone"] for cell in cells(found)]
    assert told[0]["of"] == "small_resnet"
    assert told[0]["transformers"] == 1
    # a plain backbone is written as before there were families: its finished cells stay
    assert set(told[2]) == {"name", "init", "partial", "frozen"}
    with pytest.raises(InputError, match="two have one name"):
        grid(backbones=[{"name": "stn", "of": "lcnet_050", "transformers": t} for t in (1, 2)])
    # full and compact are two methods
    both = grid(backbones=[{"name": "bcnn", "of": "lcnet_050", "sketch": s} for s in (0, 256)])
    assert [b.label for b in both.backbones] == ["bcnn.lcnet_050", "bcnn-compact.lcnet_050"]
