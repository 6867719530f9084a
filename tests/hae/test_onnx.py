from __future__ import annotations

import builtins
import math
from pathlib import Path

import numpy as np
import pytest

from audit.errors import InputError
from hae.adapters.spec import InputSpec
from hae.adapters.zoo import load_model
from tests.hae.toys import SIZE, SPEC, toy_model

pytest.importorskip("onnxruntime")


def flat(*colours: tuple[int, int, int]) -> np.ndarray:
    """Faces of one colour each, (b, 8, 6, 3)."""
    return np.array(colours, np.uint8)[:, None, None, :].repeat(SIZE[0], 1).repeat(SIZE[1], 2)


def test_age_is_the_expectation_over_the_centres(tmp_path: Path) -> None:
    # Red 255: logits 4, 0, 0; softmax e^4, 1, 1 over e^4 + 2 = 56.598.
    # age = (10 * 54.598 + 20 + 40) / 56.598 = 10.7068
    out = load_model(str(toy_model(tmp_path))).predict(flat((255, 0, 0)))
    total = math.exp(4) + 2
    age = (10 * math.exp(4) + 60) / total
    variance = (math.exp(4) * (10 - age) ** 2 + (20 - age) ** 2 + (40 - age) ** 2) / total
    assert out["age"][0] == pytest.approx(age, abs=1e-5)
    assert out["age_std"][0] == pytest.approx(math.sqrt(variance), abs=1e-5)
    assert out["age_proba"].sum() == pytest.approx(1)


def test_colour_order_and_layout(tmp_path: Path) -> None:
    faces = flat((255, 0, 0), (0, 0, 255))
    rgb = load_model(str(toy_model(tmp_path / "a"))).predict(faces)["age"]
    bgr_spec = SPEC.replace('"RGB"', '"BGR"')
    bgr = load_model(str(toy_model(tmp_path / "b", bgr_spec))).predict(faces)["age"]
    assert bgr.tolist() == rgb[::-1].tolist()
    nhwc_spec = SPEC.replace('"NCHW"', '"NHWC"')
    nhwc = toy_model(tmp_path / "c", nhwc_spec, channels_last=True)
    np.testing.assert_allclose(load_model(str(nhwc)).predict(faces)["age"], rgb, rtol=1e-6)


def test_mean_and_std_are_on_the_scale_of_range(tmp_path: Path) -> None:
    # (255 - 255) / 2 = 0 in every channel: equal logits, mean of 10, 20, 40.
    spec = SPEC.replace("range = [0, 1]", "range = [0, 255]\nmean = [255, 255, 255]\nstd = [2,2,2]")
    out = load_model(str(toy_model(tmp_path, spec))).predict(flat((255, 255, 255)))
    assert out["age"][0] == pytest.approx(70 / 3, abs=1e-5)


@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_a_face_does_not_depend_on_its_batch(tmp_path: Path, batch: int | str) -> None:
    model = load_model(str(toy_model(tmp_path, batch=batch)))
    faces = np.random.default_rng(0).integers(0, 256, (37, *SIZE, 3), dtype=np.uint8)
    whole = model.predict(faces)["age"]
    alone = [model.predict(faces[i : i + 1])["age"][0] for i in range(len(faces))]
    assert whole.tolist() == alone


def test_expression_classes(tmp_path: Path) -> None:
    spec = SPEC.replace("[outputs.age]", "[outputs.expression]")
    spec = spec.replace("centres = [10, 20, 40]", 'classes = ["sad", "happy", "calm"]')
    model = load_model(str(toy_model(tmp_path, spec)))
    assert model.tasks == ("expression",)
    assert model.classes == ("sad", "happy", "calm")
    assert model.predict(flat((0, 255, 0)))["proba"].argmax(axis=1).tolist() == [1]


def test_probabilities_in_the_graph_need_no_softmax(tmp_path: Path) -> None:
    inside = toy_model(tmp_path / "a", SPEC.replace("softmax = true", ""), softmax=True)
    outside = toy_model(tmp_path / "b")
    faces = flat((10, 20, 200))
    ages = [load_model(str(path)).predict(faces)["age"][0] for path in (inside, outside)]
    assert ages[0] == pytest.approx(ages[1], abs=1e-4)


def test_logits_taken_for_probabilities_are_noticed(tmp_path: Path) -> None:
    model = load_model(str(toy_model(tmp_path, SPEC.replace("softmax = true", ""))))
    with pytest.raises(InputError, match=r"sum to 4, must be 1.*set softmax = true"):
        model.predict(flat((255, 0, 0)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[8, 6]", "[6, 8]", r"input 'images' of the network is .*'N', 3, 8, 6\], the spec says"),
        ('"NCHW"', '"NHWC"', r"the spec says float \['N', 8, 6, 3\] \(NHWC, size \[8, 6\]\)"),
        ("[10, 20, 40]", "[10, 20]", r"outputs\.age lists 2 centres, but output 'logits'.*, 3\]"),
        ("softmax = true", 'name = "x"', r"outputs\.age\.name is 'x'; the network's outputs are"),
        ("layout", 'name = "x"\nlayout', r"the network's inputs are images"),
        ('"toy.onnx"', '"x.onnx"', r"no such file .*x\.onnx"),
        ('"toy.onnx"', '"toy.onnx"\nsha256 = "00"', r"SHA-256 is [0-9a-f]{12}\.\.\., toy\.toml"),
        ('"toy.onnx"', '"x"\npackage = "no_such_one"', r"'no_such_one' is not installed; run pip"),
        ('"toy.onnx"', '"toy.toml"', r"toy\.toml: is no ONNX model that can be run"),
    ],
)
def test_spec_and_network_must_agree(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = toy_model(tmp_path, SPEC.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_model(str(path))


def test_without_onnxruntime_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def blocked(name: str, *rest: object) -> object:
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    path = toy_model(tmp_path)
    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(InputError, match=r"needs onnxruntime; run pip install 'hae-audit\[onnx\]'"):
        load_model(str(path))


def test_predictor_tells_its_files_and_terms(tmp_path: Path) -> None:
    model = load_model(str(toy_model(tmp_path)))
    assert [file.name for file in model.files] == ["toy.onnx", "toy.toml"]
    assert (model.name, model.terms) == ("toy", "free")
    assert model.input_spec == InputSpec(size=SIZE, range=(0, 1))
