from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.errors import InputError
from hae.adapters.zoo import load_model
from tests.hae.adapters.nets import Tiny, ages, by_hand, faces, spec_of, write


def save(module: nn.Module, path: Path, *, trace: bool = False) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit's own farewell
        script = torch.jit.trace(module, torch.rand(2, 3, 32, 24)) if trace else None
        torch.jit.save(script or torch.jit.script(module), path)


@pytest.mark.parametrize("trace", [True, False])
def test_same_numbers_as_by_hand(tmp_path: Path, trace: bool) -> None:
    module = nn.Sequential(nn.Conv2d(3, 3, 5), nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1))
    module = nn.Sequential(module, nn.Flatten(), nn.Dropout(), nn.Linear(3, 3))
    if trace:
        module.eval()  # a script in training mode is set to evaluation, a trace cannot be
    save(module, tmp_path / "w.pt", trace=trace)
    model, batch = load_model(write(tmp_path, spec_of("torchscript", "w.pt"))), faces(19)
    np.testing.assert_allclose(model.predict(batch)["age"], ages(by_hand(module, batch)), atol=1e-4)
    assert [file.name for file in model.files] == ["w.pt", "m.toml"]


def test_an_output_of_several(tmp_path: Path) -> None:
    save(Tiny("tuple").eval(), tmp_path / "w.pt", trace=True)
    text = spec_of("torchscript", "w.pt")
    with pytest.raises(InputError, match=r"outputs\.age\.name is None; .*outputs are 0, 1"):
        load_model(write(tmp_path, text))
    text = text.replace("softmax = true", 'softmax = true\nname = "1"')
    text += '\n[outputs.embedding]\nname = "0"\n'
    batch = faces(3)
    given = load_model(write(tmp_path, text)).predict(batch)
    np.testing.assert_allclose(given["age"], ages(by_hand(Tiny(), batch)), atol=1e-4)
    assert given["embedding"].shape == (3, 8)


class Code:
    """Would make a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("member", ["data.pkl", "constants.pkl"])
def test_pickled_code_is_not_run(tmp_path: Path, member: str) -> None:
    save(Tiny().eval(), tmp_path / "good.pt", trace=True)
    evil = pickle.dumps(Code(tmp_path / "made"), protocol=2)
    with (
        zipfile.ZipFile(tmp_path / "good.pt") as good,
        zipfile.ZipFile(tmp_path / "w.pt", "w") as bad,
    ):
        for name in good.namelist():
            bad.writestr(name, evil if name.endswith(f"/{member}") else good.read(name))
    with pytest.raises(InputError, match=r"is no TorchScript that can be loaded \(.*posix\.mkdir"):
        load_model(write(tmp_path, spec_of("torchscript", "w.pt")))
    assert not (tmp_path / "made").exists()


class Writes(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, self.path)
        return x


def test_a_script_that_writes_files_is_refused(tmp_path: Path) -> None:
    save(Writes(str(tmp_path / "made")), tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"its code calls torch\.save .*reaches outside"):
        load_model(write(tmp_path, spec_of("torchscript", "w.pt")))
    assert not (tmp_path / "made").exists()


class Mixes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(0)).mean((2, 3)) * 10


def test_a_network_that_mixes_faces_is_refused(tmp_path: Path) -> None:
    save(Mixes(), tmp_path / "w.pt", trace=True)
    with pytest.raises(InputError, match="changes with the other 15 of its batch; was the network"):
        load_model(write(tmp_path, spec_of("torchscript", "w.pt")))


def test_wrong_shape_and_missing_batch(tmp_path: Path) -> None:
    save(nn.Flatten(), tmp_path / "w.pt", trace=True)
    with pytest.raises(InputError, match=r"has the shape \[32, 2304\], but .* names 3 centres"):
        load_model(write(tmp_path, spec_of("torchscript", "w.pt")))
    save(nn.Flatten(0), tmp_path / "w.pt", trace=True)
    with pytest.raises(
        InputError, match=r"shape \[36864\] for 16 faces; the batch must come first"
    ):
        load_model(write(tmp_path, spec_of("torchscript", "w.pt")))


def test_files_that_are_no_script(tmp_path: Path) -> None:
    text = spec_of("torchscript", "w.pt")
    torch.save(Tiny().state_dict(), tmp_path / "w.pt")
    with pytest.raises(InputError, match="holds no TorchScript code; a file of weights is kind"):
        load_model(write(tmp_path, text))
    save(Tiny().eval(), tmp_path / "w.pt", trace=True)
    whole = (tmp_path / "w.pt").read_bytes()
    (tmp_path / "w.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="is truncated or no TorchScript archive"):
        load_model(write(tmp_path, text))


def test_a_script_offered_as_weights(tmp_path: Path) -> None:
    save(Tiny().eval(), tmp_path / "w.pt", trace=True)
    text = spec_of("timm", "w.pt", 'architecture = "test_resnet"')
    with pytest.raises(InputError, match="is a TorchScript program, not weights"):
        load_model(write(tmp_path, text))
