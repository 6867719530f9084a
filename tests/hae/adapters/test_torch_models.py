from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from audit.errors import InputError
from hae.adapters.torch_models import exact
from hae.adapters.zoo import load_model
from hae.data.readers import read_data
from hae.predict import predict
from tests.hae.adapters.nets import ages, by_hand, faces, spec_of, write
from tests.hae.toys import toy_faces

NAME = "test_resnet"
ARCHITECTURE = f'architecture = "{NAME}"'
VALUE = "value = true\nscale = 10.0\noffset = 30.0"


def network(classes: int = 3) -> nn.Module:
    torch.manual_seed(3)
    return timm.create_model(NAME, num_classes=classes)


def timm_model(folder: Path, spec: str = "", classes: int = 3) -> str:
    state = {key: value.contiguous() for key, value in network(classes).state_dict().items()}
    save_file(state, folder / "w.safetensors")
    return write(folder, spec or spec_of("timm", "w.safetensors", ARCHITECTURE))


def as_value(text: str) -> str:
    return text.replace("centres = [10, 20, 40]\nsoftmax = true", VALUE)


def test_same_numbers_as_by_hand(tmp_path: Path) -> None:
    model, batch = load_model(timm_model(tmp_path)), faces(5)
    given, logits = model.predict(batch), by_hand(network(), batch)
    np.testing.assert_allclose(given["age"], ages(logits), atol=1e-4)
    np.testing.assert_allclose(given["age_proba"], logits.softmax(1), atol=1e-5)
    assert [file.name for file in model.files] == ["w.safetensors", "m.toml"]
    assert (model.name, model.terms, model.tasks) == ("tiny", "free", ("age",))
    assert model.centres == (10, 20, 40)


def test_a_pickle_of_plain_tensors_with_prefixes(tmp_path: Path) -> None:
    text = spec_of("timm", "w.pth", ARCHITECTURE)
    state = {f"module.{key}": value for key, value in network().state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    batch = faces(3)
    given = load_model(write(tmp_path, text)).predict(batch)
    np.testing.assert_allclose(given["age"], ages(by_hand(network(), batch)), atol=1e-4)


def test_a_face_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    model, batch = load_model(timm_model(tmp_path)), faces(37)
    alone = [model.predict(batch[i : i + 1])["age"][0] for i in range(len(batch))]
    assert model.predict(batch)["age"].tolist() == alone


def test_age_as_a_single_number(tmp_path: Path) -> None:
    # age = 10 y + 30, without a distribution.
    text = as_value(spec_of("timm", "w.safetensors", ARCHITECTURE))
    model, batch = load_model(timm_model(tmp_path, text, classes=1)), faces(4)
    given = model.predict(batch)
    assert list(given) == ["age"]
    assert (model.centres, model.tasks) == ((), ("age",))
    y = by_hand(network(1), batch)[:, 0].numpy()
    np.testing.assert_allclose(given["age"], 10 * y + 30, atol=1e-4)


def test_columns_of_a_single_number(tmp_path: Path) -> None:
    text = as_value(spec_of("timm", "w.safetensors", ARCHITECTURE))
    manifest = read_data(f"manifest:{toy_faces(tmp_path / 'faces', 7)}")
    (manifest.root / "images/3.png").unlink()
    model = load_model(timm_model(tmp_path, text, classes=1))
    frame = predict(manifest, model, keep_probabilities=True)
    assert list(frame.columns) == ["sample_id", "age", "gender", "age_pred", "failure_reason"]
    assert frame["age_pred"].isna().tolist() == [i == 3 for i in range(7)]


def test_expression(tmp_path: Path) -> None:
    text = spec_of("timm", "w.safetensors", ARCHITECTURE)
    text = text.replace("[outputs.age]\ncentres = [10, 20, 40]", "[outputs.expression]\nclasses = ")
    text = text.replace("classes = ", 'classes = ["sad", "happy", "calm"]')
    model, batch = load_model(timm_model(tmp_path, text)), faces(3)
    expected = by_hand(network(), batch).softmax(1)
    np.testing.assert_allclose(model.predict(batch)["proba"], expected, atol=1e-5)
    assert (model.classes, model.tasks) == (("sad", "happy", "calm"), ("expression",))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (NAME, "test_resnot", r"m\.toml: weights\.architecture: timm has no network 'test_resnot'"),
        (NAME, f"{NAME}.no_such", r"timm cannot build .*no_such' for input\.size \[32, 24\] \(Inv"),
        (NAME, "test_convnext", r"w\.safetensors does not fit test_convnext .*are missing \(stem"),
        ("[10, 20, 40]", "[10, 20]", r"fc\.weight: \[3, \d+\] in the file, \[2, "),
        ('"w.safetensors"', '"none.safetensors"', r"weights\.file: no such file .*none\.safeten"),
        ('"w.safetensors"', '"cut.safetensors"', r"cut\.safetensors: is truncated or no"),
        ('"w.safetensors"', '"w.safetensors"\nsha256 = "00"', r"SHA-256 is .* these are other"),
        ('"w.safetensors"', '"w"\npackage = "no_such"', "'no_such' is not installed; run pip"),
        ("[32, 24]", "[32, 24]\nlayout = 'NHWC'", r"does not run on an input \[16, 32, 24, 3\] .*"),
        ("softmax = true", "", "probabilities of a face sum to .*, set softmax = true"),
        ("softmax = true", 'softmax = true\nname = "x"', r"outputs\.age\.name is 'x'.* are 0$"),
        ("softmax = true", '[outputs.embedding]\nname = "0"', "a timm network has one output"),
    ],
)
def test_spec_and_network_must_agree(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = spec_of("timm", "w.safetensors", ARCHITECTURE)
    assert old in text
    path = timm_model(tmp_path, text.replace(old, new, 1))
    whole = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_published_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = network()  # stands for what timm would fetch: three classes
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: copy.deepcopy(module))
    text = spec_of("timm", "x", ARCHITECTURE).replace('file = "x"', "pretrained = true")
    model, batch = load_model(write(tmp_path, text)), faces(2)
    np.testing.assert_allclose(model.predict(batch)["age"], ages(by_hand(module, batch)), atol=1e-4)
    assert model.files[0].name == f"timm:{NAME}"
    assert model.files[0].sha256 == load_model(write(tmp_path, text)).files[0].sha256
    # The published classifier is never replaced by a random one of the wanted width.
    with pytest.raises(InputError, match=r"has the shape \[32, 3\], but .* names 2 centres"):
        load_model(write(tmp_path, text.replace("[10, 20, 40]", "[10, 20]")))


def test_a_transformer_is_built_for_the_size(tmp_path: Path) -> None:
    torch.manual_seed(3)
    module = timm.create_model("test_vit", num_classes=3, img_size=(32, 48))
    torch.save(module.state_dict(), tmp_path / "w.pth")
    text = spec_of("timm", "w.pth", 'architecture = "test_vit"').replace("[32, 24]", "[32, 48]")
    batch = np.concatenate([faces(3), faces(3, seed=1)], axis=2)
    given = load_model(write(tmp_path, text)).predict(batch)
    np.testing.assert_allclose(given["age"], ages(by_hand(module, batch)), atol=1e-4)


def test_loading_leaves_random_numbers_alone(tmp_path: Path) -> None:
    path = timm_model(tmp_path)
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    load_model(path)
    assert torch.equal(torch.rand(3), wanted)


def test_exact_is_undone() -> None:
    torch.set_float32_matmul_precision("high")
    try:
        with exact():
            assert torch.get_float32_matmul_precision() == "highest"
            assert torch.backends.cudnn.deterministic
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert not torch.backends.cudnn.deterministic


def test_weights_alone_name_no_network(tmp_path: Path) -> None:
    torch.save(network().state_dict(), tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"must be zoo:NAME.*weights alone name no network"):
        load_model(str(tmp_path / "w.pth"))
