from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.configs import checked, read_toml
from audit.errors import InputError
from hae.config import RunConfig
from hae.generality.grid import GridConfig
from hae.settings import with_settings

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps=40", {"steps": 40}),
        ("optimizer.lr=1e-4", {"optimizer": {"lr": 1e-4}}),
        ("model.views.crop_scale=[0.5, 1]", {"model": {"views": {"crop_scale": [0.5, 1]}}}),
        ("model.backbone.frozen=true", {"model": {"backbone": {"frozen": True}}}),
        ("optimizer.name=adamw", {"optimizer": {"name": "adamw"}}),
        ('name="7"', {"name": "7"}),
        ("model.backbone.init=a=b.pth", {"model": {"backbone": {"init": "a=b.pth"}}}),
        ("model.backbone.init=my nets/y.pth", {"model": {"backbone": {"init": "my nets/y.pth"}}}),
    ],
)
def test_one_setting(text: str, expected: dict[str, Any]) -> None:
    assert with_settings({}, [text]) == expected


def test_settings_lie_over_the_file_and_the_last_wins() -> None:
    content = {"steps": 5, "model": {"size": 64, "views": {"k": 2, "flip": 0.0}}}
    found = with_settings(content, ["model.views.k=3", "steps=6", "model.views.k=4"])
    assert found == {"steps": 6, "model": {"size": 64, "views": {"k": 4, "flip": 0.0}}}
    assert content == {"steps": 5, "model": {"size": 64, "views": {"k": 2, "flip": 0.0}}}


@pytest.mark.parametrize("text", ["steps", "=4", "steps=", "="])
def test_a_setting_is_a_pair(text: str) -> None:
    with pytest.raises(InputError, match=r"--set '.*': must be KEY=VALUE, such as model\.views\.k"):
        with_settings({}, [text])


def test_a_value_has_no_keys() -> None:
    with pytest.raises(InputError, match=r"--set 'steps\.x=1': 'steps' is a value"):
        with_settings({"steps": 4}, ["steps.x=1"])
    with pytest.raises(InputError, match=r"'k' is a value"):
        with_settings({}, ["model.views.k=1", "model.views.k.x=1"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["stepz=4"], r"here: unknown key 'stepz'; did you mean 'steps'\?"),
        (["model.vews.k=4"], r"here: unknown key 'model\.vews'; did you mean 'views'\?"),
        (["model.views.qqqq=4"], r"unknown key 'model\.views\.qqqq'; known are k, crop_scale, "),
        (["model..k=4"], r"unknown key 'model\.'; known are size, "),
        (["steps=many"], r"here: steps: Input should be a valid integer.*, got 'many'"),
        (["steps=0"], r"here: steps: Input should be greater than 0, got 0"),
        (["steps=1.5"], r"here: steps: Input should be a valid integer.*got 1\.5"),
        (["batch_size=1"], r"batch_size: Input should be greater than or equal to 2, got 1"),
        (["model.head.name=tree"], r"model\.head\.name: Input should be 'hierarchical', .*'tree'"),
        (["model.aggregator.name=mcann"], r"aggregator\.name: Input should be 'mcan', .*'sae'"),
        (["model.aggregator.name=regions_mlp"], r"say with partner which, such as partner = 'ban'"),
        (["model.aggregator.name=concat"], r"'concat' has a place .* 10; set selection_views = 10"),
        (["model.aggregator.name=ban", "model.aggregator.glimpses=0"], r"at least one map"),
        (
            ["model.aggregator.name=mcan", "model.embedding=6"],
            r"embedding 6 must be a multiple of heads 4",
        ),
        (["model=3"], r"here: model: Input should be a valid dictionary.*got 3"),
        (["optimizer.lr=nan"], r"optimizer\.lr: Input should be a finite number"),
        (["model.head.age_max=inf"], r"model\.head\.age_max: Input should be a finite number"),
        (["model.head.age_min=100"], r"model\.head: age_min is 100 and age_max 100, must be min"),
        (["model.views.scale=[2, 1]"], r"model\.views: scale is \[2, 1\], must be 0 < low"),
        (["model.aggregator.name=single"], r"model: aggregator 'single' takes one view, .* is 10"),
        (["embed_views=8"], r"^here: embed_views needs model\.backbone\.frozen = true$"),
        (["optimizer.weight_decay=1"], r"^here: optimizer 'ranger' is the paper's"),
        (
            ["steps=9"],
            r"^here: optimizer\.warmup is 10000 \(its default\), must be below st",
        ),
        (["steps=9", "optimizer.warmup=9"], r"^here: optimizer\.warmup is 9, must be below steps"),
    ],
)
def test_errors_name_place_rule_and_value(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        checked(RunConfig, with_settings({}, texts), "here")
    assert "\n" not in str(error.value)


def test_the_defaults_and_the_shortest_run_are_right() -> None:
    assert checked(RunConfig, {}, "here") == RunConfig()
    content = with_settings({}, ["steps=1", "optimizer.warmup=0"])
    assert checked(RunConfig, content, "here").steps == 1


def test_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    with pytest.raises(InputError, match=r"c\.toml: cannot be read .*; give a config in TOML"):
        read_toml(path, "a config")
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(InputError, match=r"c\.toml: cannot be read .*; give a config in TOML"):
        read_toml(path, "a config")
    path.write_text("steps = = 4", encoding="utf-8")
    with pytest.raises(InputError, match=r"c\.toml: is no TOML: .*line 1"):
        read_toml(path, "a config")
    path.write_text("steps = 4\n[model]\nsize = 32", encoding="utf-8")
    assert read_toml(path, "a config") == {"steps": 4, "model": {"size": 32}}


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")))
def test_recipes_are_right(path: Path) -> None:
    config = checked(RunConfig, read_toml(path, "a recipe"), path.name)
    assert checked(RunConfig, config.model_dump(mode="json"), path.name) == config


@pytest.mark.parametrize("path", sorted((RECIPES / "grids").glob("*.toml")), ids=lambda p: p.stem)
def test_recipes_of_grids_are_right(path: Path) -> None:
    grid = checked(GridConfig, read_toml(path, "a grid"), path.name)
    assert checked(GridConfig, grid.model_dump(mode="json"), path.name) == grid
