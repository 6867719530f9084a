"""The checkpoint: one ``.safetensors`` file that carries its config and where it came from.

All that is not a tensor is one JSON text in the file's header: a single key, because the order of
several would differ from process to process. The same content gives the same bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from audit.configs import first_error
from audit.errors import InputError
from audit.files import write_bytes
from audit.result import FileHash
from hae.config import RunConfig, Strict
from hae.data.crop import Crop

FORMAT: Literal["hae-audit/checkpoint/1"] = "hae-audit/checkpoint/1"
KEY = "hae-audit"
SUFFIX = ".safetensors"
_PICKLES = (b"\x80", b"PK")
_LONGEST_HEADER = 100_000_000


class Provenance(Strict):
    """What a model was trained on, and with what."""

    data: str
    content: list[str]
    """SHA-256 of the manifests; see :func:`hae.data.core.content_hash`."""
    before: tuple[str, ...] = ()
    """The same of what the runs that the first weights come from were trained on."""
    validation_seen: bool = False
    """Whether those have seen the validation people, as far as is known."""
    files: list[FileHash]
    origins: list[str] = Field(default_factory=list)
    """``faces_hash`` of the manifests, and what they were taken from; see ``Manifest.origins``."""
    faces: int
    people: int
    validation_faces: int
    validation_people: int
    unreadable: int
    crop: str
    """What the network saw of each image, in words."""
    trained_crop: Crop | None = None
    """How the training faces were cut before that; None: not stated."""
    leaky: str | None = None
    """Why people of the training part may be in the other parts, where that is so."""
    terms: str | None = None
    steps: int
    best_step: int
    init: dict[str, str]
    versions: dict[str, str]


class Header(Strict):
    """Everything in a checkpoint but the tensors.

    ``temperature`` scales the class scores for the predictive distribution; ``metrics`` are those
    of the validation people, in years where they have a unit.
    """

    format: Literal["hae-audit/checkpoint/1"] = FORMAT
    task: Literal["age", "identity", "expression"]
    config: RunConfig
    classes: tuple[str, ...] = ()
    """Names of the expressions in the order of the network's outputs."""
    temperature: float = 1.0
    metrics: dict[str, float]
    provenance: Provenance
    digest: str = ""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A header and its tensors (on the CPU)."""

    header: Header
    tensors: dict[str, Tensor]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors below a prefix, without it."""
        start = f"{prefix}."
        return {k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)}


def apart(tensor: Tensor) -> Tensor:
    """A copy on the CPU: the format refuses tensors that share memory, as tied weights do."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def write_checkpoint(path: Path, header: Header, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint whole or not at all; the same content gives the same bytes.

    Raises
    ------
    InputError
        The disk is full, or the folder cannot be written to.
    """
    flat = {name: apart(tensors[name]) for name in sorted(tensors)}
    content = header.model_dump(mode="json")
    sealed = {**content, "digest": _digest(content, flat)}
    try:
        write_bytes(path, save(flat, metadata={KEY: _canonical(sealed)}))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror or error}; make room and run it again"
        ) from None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and check it against its own digest.

    Raises
    ------
    InputError
        No such file, a pickle, a truncated file, another program's or version's file, or one whose
        config or weights were changed after it was written.
    """
    content = _metadata(path)
    header = _checked(path, content)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: {_broken(error)}") from None
    if header.digest != _digest(content, tensors):
        raise InputError(
            f"{path}: its config or weights are not those it was written with (the digest "
            "differs); train or copy it again"
        )
    return Checkpoint(header, tensors)


def read_header(path: Path) -> Header:
    """Read only what a checkpoint says of itself; errors as in :func:`read_checkpoint`."""
    return _checked(path, _metadata(path))


def read_own_header(path: Path) -> Header | None:
    """Do the same, with None for a safetensors file of another program."""
    content = _metadata(path)
    return None if content is None else _checked(path, content)


def _checked(path: Path, content: Any) -> Header:
    if not isinstance(content, dict) or "format" not in content:
        raise InputError(
            f"{path}: holds tensors but no hae-audit config; for a network of another program give "
            "a TOML spec that names this file"
        )
    if content["format"] != FORMAT:
        raise InputError(
            f"{path}: is {content['format']!r}, this version reads {FORMAT!r}; "
            "use the hae-audit that wrote it"
        )
    try:
        return Header.model_validate(content)
    except ValidationError as error:
        raise InputError(
            f"{path}: its config was changed or is of another version: "
            f"{first_error(Header, error.errors()[0])}"
        ) from None


def _metadata(path: Path) -> Any:
    """The JSON under our key, or None; the file must be safetensors."""
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
            size = struct.unpack("<Q", start)[0] if len(start) == 8 else _LONGEST_HEADER
            text = stream.read(size) if size < _LONGEST_HEADER else b""
            if is_pickle(start + text[:1]):
                raise InputError(
                    f"{path}: is a pickle (PyTorch's own format), which can run code when it is "
                    f"read: refused; a checkpoint of hae-audit ends in {SUFFIX}"
                )
        if len(text) < size:
            raise InputError(f"{path}: {_broken('the file ends in its header')}")
        return json.loads(json.loads(text).get("__metadata__", {}).get(KEY, "null"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: {_broken('no readable header')}") from None


def is_pickle(start: bytes) -> bool:
    """Whether a file that begins so (9 bytes) is a pickle or PyTorch's zip of one.

    The length of a safetensors header may begin with the same bytes; its text begins with a brace.
    """
    return start.startswith(_PICKLES) and start[8:9] != b"{"


def _broken(reason: object) -> str:
    return f"is truncated or no safetensors file ({reason}); copy it again"


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the header without its digest and every tensor's name, type, shape and bytes.

    Over the JSON as it is written, not as this version reads it: a key that a later version adds
    must not make an older file look changed.
    """
    digest = sha256(_canonical({**content, "digest": ""}).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"|{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
