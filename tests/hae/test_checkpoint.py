from __future__ import annotations

import errno
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from audit.errors import InputError
from audit.result import FileHash
from hae.checkpoint import (
    KEY,
    Header,
    Provenance,
    _digest,
    read_checkpoint,
    read_header,
    write_checkpoint,
)
from hae.config import RunConfig

TENSORS = {
    "model.a": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "model.count": torch.tensor(3),
    "model.half": torch.tensor([0.5, -1.0]).half(),
    "model.none": torch.zeros(0, 4),
    "views.box": torch.ones(1, 2, 4),
}


def header(**changes: Any) -> Header:
    made = Provenance(
        data="toys",
        content=["c0"],
        files=[FileHash(name="faces.csv", sha256="00", bytes=3)],
        faces=10,
        people=5,
        validation_faces=4,
        validation_people=2,
        unreadable=0,
        crop="all",
        steps=24,
        best_step=16,
        init={"source": "random"},
        versions={"torch": "2"},
    )
    content = {"task": "age", "config": RunConfig(), "metrics": {"mae": 4.5}, "provenance": made}
    return Header(**{**content, **changes})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, header(), TENSORS)
    return path


def test_tied_weights_are_written_twice(tmp_path: Path) -> None:
    """The format refuses tensors that share memory."""
    tied = torch.arange(4, dtype=torch.float32)
    write_checkpoint(tmp_path / "m.safetensors", header(), {"a": tied, "b": tied, "c": tied[:2]})
    found = load_file(tmp_path / "m.safetensors")
    assert torch.equal(found["a"], tied)
    assert torch.equal(found["b"], tied)
    assert torch.equal(found["c"], tied[:2])


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the JSON of a checkpoint and leave its tensors."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    outer = json.loads(content[8 : 8 + size])
    ours = json.loads(outer["__metadata__"][KEY])
    change(ours)
    outer["__metadata__"][KEY] = json.dumps(ours)
    text = json.dumps(outer).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])


def test_round_trip(path: Path) -> None:
    found = read_checkpoint(path)
    assert found.header.model_copy(update={"digest": ""}) == header()
    assert found.header == read_header(path)
    assert found.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor)
    assert found.part("model").keys() == {"a", "count", "half", "none"}


def test_the_same_content_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    turned: dict[str, Tensor] = dict(reversed(list(TENSORS.items())))
    turned["model.a"] = TENSORS["model.a"].t().contiguous().t()  # other strides, the same values
    write_checkpoint(other, header(), turned)
    assert other.read_bytes() == path.read_bytes()
    write_checkpoint(other, header(temperature=2.0), TENSORS)
    assert other.read_bytes() != path.read_bytes()


def test_other_programs_can_read_the_tensors(path: Path) -> None:
    assert load_file(path).keys() == TENSORS.keys()


@pytest.mark.parametrize("extra", range(0, 256, 8))
def test_the_length_of_the_header_does_not_matter(tmp_path: Path, extra: int) -> None:
    # Its length is the file's first number, rounded up to 8 by safetensors: among 32 lengths in a
    # row is one whose first byte is that of a pickle, 0x80.
    path = tmp_path / "m.safetensors"
    write_checkpoint(path, header(config=RunConfig(name="x" * (extra + 1))), TENSORS)
    assert read_checkpoint(path).header.config.name == "x" * (extra + 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda ours: ours.update(temperature=1.5),
        lambda ours: ours["config"].update(seed=5),
        lambda ours: ours["metrics"].update(mae=1.0),
        lambda ours: ours["provenance"].update(data="others"),
        lambda ours: ours.update(digest="0" * 64),
    ],
)
def test_a_changed_header_is_noticed(
    path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    edit(path, change)
    with pytest.raises(InputError, match=r"model\.safetensors: its config or weights are not"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ours: ours.pop("task"), r"another version: the key 'task' is missing"),
        (lambda ours: ours["config"].update(stepz=1), r"unknown key 'config\.stepz'; did you"),
        (lambda ours: ours["config"].update(steps=-1), r"config\.steps: .* greater than 0, got -1"),
        (
            lambda ours: ours["provenance"]["files"][0].update(sizes=1),
            r"unknown key 'provenance\.files\.0\.sizes'",
        ),
        (lambda ours: ours.update(format="hae-audit/checkpoint/2"), r"is '.*/2', this version re"),
        (lambda ours: ours.update(format=7), r"is 7, this version reads"),
        (lambda ours: ours.pop("format"), r"holds tensors but no hae-audit config"),
    ],
)
def test_a_header_of_another_form_is_refused(
    path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit(path, change)
    with pytest.raises(InputError, match=message) as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)


def test_a_changed_tensor_is_noticed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"the digest differs"):
        read_checkpoint(path)


@pytest.mark.parametrize("name", ["model.a", "model.z"])
def test_a_renamed_tensor_is_noticed(path: Path, name: str) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    tensors[name] = tensors.pop("model.a") + (name == "model.a")
    save_file(tensors, path, metadata)
    with pytest.raises(InputError, match=r"the digest differs"):
        read_checkpoint(path)


def test_a_truncated_file_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for cut in (0, 3, 8, 9, 500, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(
            InputError, match=r"model\.safetensors: is truncated or no saf"
        ) as error:
            read_checkpoint(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_is_refused(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "m.safetensors"
    torch.save(TENSORS, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match=r"m\.safetensors: is a pickle .* refused"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 64,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b"null",
        struct.pack("<Q", 4) + b"{{{{",
        struct.pack("<Q", 20) + b'{"__metadata__": 3}  ',
        struct.pack("<Q", 36) + b'{"__metadata__": {"hae-audit": 345}}',
        struct.pack("<Q", 36) + b'{"__metadata__": {"hae-audit": "{"}}',
        struct.pack("<Q", 2**63) + b"{}",
        b"\x80\x02}q\x00.",
    ],
)
def test_other_bytes_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"m\.safetensors: (is|holds) ") as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file(TENSORS, path)
    with pytest.raises(InputError, match=r"holds tensors but no hae-audit config; .* TOML spec"):
        read_checkpoint(path)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none: cannot be read: No such file"):
        read_checkpoint(tmp_path / "none")
    with pytest.raises(InputError, match=r"cannot be read: Is a directory"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("act", ["write_bytes", "replace"])
def test_a_full_disk_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    before, write = path.read_bytes(), Path.write_bytes

    def full(self: Path, content: Any) -> int:
        if act == "write_bytes":
            write(self, content[:50])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, act, full)
    with pytest.raises(InputError, match=r"model\.safetensors: cannot be written: No space left"):
        write_checkpoint(path, header(temperature=2.0), TENSORS)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_numbers_of_a_header_are_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        header(metrics={"mae": float("nan")})


def test_an_older_file_without_a_later_key_is_read(path: Path) -> None:
    def older(content: dict[str, Any]) -> None:
        del content["config"]["identity"]
        content["digest"] = _digest(content, TENSORS)

    edit(path, older)
    assert read_checkpoint(path).header.config.identity == RunConfig().identity
