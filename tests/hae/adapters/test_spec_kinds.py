"""The kinds of weights and of age outputs in a spec; an age as a single number from ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.errors import InputError
from hae.adapters.spec import read_spec
from hae.adapters.zoo import load_model
from tests.hae.adapters.nets import spec_of, write
from tests.hae.toys import SIZE, SPEC, toy_model


def refused(folder: Path, text: str) -> str:
    with pytest.raises(InputError, match=r"^m\.toml: ") as caught:
        read_spec(Path(write(folder, text)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("", "weights: kind 'onnx' needs file"),
        ('kind = "exported"', "weights: kind 'exported' needs file"),
        ('kind = "jit"', "weights.kind: Input should be 'onnx', 'timm', 'exported' or 'torchscr"),
        ('kind = "timm"', "weights: kind 'timm' needs architecture, such as 'resnet18'"),
        ('kind = "timm"\narchitecture = "a"', "takes its weights from file or pretrained = true"),
        ('kind = "timm"\narchitecture = "a"\nfile = "f"\npretrained = true', "from file or pretr"),
        ('kind = "timm"\narchitecture = "a"\nsha256 = "f"\npretrained = true', "belong to a file"),
        ('file = "f"\npretrained = true', "architecture and pretrained belong to kind 'timm'"),
        ('file = "f"\narchitectur = "a"', "'weights.architectur'; did you mean 'architecture'?"),
    ],
)
def test_weights(tmp_path: Path, weights: str, message: str) -> None:
    text = SPEC.replace('file = "toy.onnx"', weights)
    assert message in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("age", "message"),
    [
        ("", "outputs.age: must have either centres (the ages that its probabilities stand for)"),
        ("centres = [1, 2]\nvalue = true", "must have either centres"),
        ("centres = [1]", "outputs.age.centres: Tuple should have at least 2 items"),
        ("value = false", "must have either centres"),
        ("value = true\nsoftmax = true", "outputs.age: softmax belongs to centres"),
        ("centres = [1, 2]\nscale = 2.0", "outputs.age: scale belongs to value = true"),
        ("centres = [1, 2]\noffset = 2.0", "outputs.age: offset belongs to value = true"),
        ("value = true\nscale = 0", "outputs.age: scale is 0"),
        ("value = true\nscale = inf", "outputs.age.scale: Input should be a finite number"),
    ],
)
def test_age(tmp_path: Path, age: str, message: str) -> None:
    text = SPEC.replace("centres = [10, 20, 40]\nsoftmax = true", age)
    assert message in refused(tmp_path, text)


def test_a_spec_of_each_kind(tmp_path: Path) -> None:
    for kind in ("onnx", "exported", "torchscript"):
        assert read_spec(Path(write(tmp_path, spec_of(kind, "f")))).weights.kind == kind
    text = spec_of("timm", "f", 'architecture = "resnet18"')
    weights = read_spec(Path(write(tmp_path, text))).weights
    assert (weights.kind, weights.architecture, weights.file) == ("timm", "resnet18", "f")


def test_a_single_number_from_onnx(tmp_path: Path) -> None:
    # The toy's only logit is 4 x the mean of red: red 255 gives y = 4, age = 5 * 4 + 1 = 21.
    pytest.importorskip("onnxruntime")
    value = "value = true\nscale = 5\noffset = 1"
    text = SPEC.replace("centres = [10, 20, 40]\nsoftmax = true", value)
    model = load_model(str(toy_model(tmp_path / "a", text, width=1)))
    red_green = np.zeros((2, *SIZE, 3), np.uint8)
    red_green[[0, 1], :, :, [0, 1]] = 255
    given = model.predict(red_green)
    assert list(given) == ["age"]
    assert given["age"].tolist() == pytest.approx([21.0, 1.0])
    assert model.centres == ()
    with pytest.raises(InputError, match=r"lists one number a face \(value = true\), but output"):
        load_model(str(toy_model(tmp_path / "b", text, width=3)))
