"""Files of weights -> tensors by name, without running anything that a file holds."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from audit.errors import InputError
from hae.checkpoint import is_pickle

State = dict[str, Tensor]
PICKLES = (".pth", ".pt", ".bin", ".tar", ".ckpt")
NESTED = ("state_dict", "model")
"""Keys under which training scripts keep the weights beside epoch and optimiser."""
OWN_KEY = "hae-audit"
OWN_PART = "model.backbone.network."


def read_state(path: Path) -> State:
    """Read tensors by name, on the CPU.

    Parameters
    ----------
    path : Path
        .safetensors (also a checkpoint of hae-audit: its backbone); or PyTorch's own format, which
        is a pickle and is read with ``weights_only=True``: tensors by name, or under the key
        ``state_dict`` or ``model``.

    Raises
    ------
    InputError
        No such file, a damaged one, another format, or a pickle that holds code.
    """
    if not path.is_file():
        raise InputError(f"weights {path}: no such file")
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if path.suffix in PICKLES:
        return _tensors(_unpickled(path), path)
    raise InputError(
        f"weights {path.name}: must end in .safetensors, or in {', '.join(PICKLES)} (plain tensors)"
    )


def _safetensors(path: Path) -> State:
    with path.open("rb") as stream:
        if is_pickle(stream.read(9)):
            raise InputError(
                f"weights {path.name}: is a pickle in spite of its name: refused; "
                "convert it to .safetensors in a process you trust"
            )
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            own = OWN_KEY in (file.metadata() or {})
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"weights {path.name}: is truncated or no safetensors file ({error}); copy it again"
        ) from None
    return backbone_of(state) if own else state


def backbone_of(state: State) -> State:
    """The backbone's tensors of one of our own checkpoints, by the network's own keys."""
    found = {k.removeprefix(OWN_PART): v for k, v in state.items() if k.startswith(OWN_PART)}
    return found or state


def _unpickled(path: Path) -> Any:
    """The content of a pickle, read by an unpickler that knows tensors and plain values only."""
    try:
        with warnings.catch_warnings():
            # Both say what the errors below say better.
            warnings.filterwarnings("ignore", "'torch.load' received a zip file that looks like")
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if "GLOBAL" in line or "operand" in line), "")
        raise InputError(
            f"weights {path.name}: contains pickled code ({reason[:120] or 'not only tensors'}): "
            "refused; convert it to .safetensors in a process you trust"
        ) from None
    except Exception as error:  # a damaged pickle fails in any way: KeyError, EOFError, ...
        if "TorchScript" in str(error):
            raise InputError(
                f"weights {path.name}: is a TorchScript program, not weights; to evaluate it, "
                "write a spec with kind = 'torchscript'"
            ) from None
        raise InputError(
            f"weights {path.name}: is truncated or no file of torch.save "
            f"({type(error).__name__}); copy it again"
        ) from None


def _tensors(content: Any, path: Path) -> State:
    for key in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise InputError(
            f"weights {path.name}: holds {type(content).__name__}, must be tensors by name "
            "(module.state_dict())"
        )
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InputError(
                f"weights {path.name}: {key!r} is {type(value).__name__}, must be a tensor; save "
                "module.state_dict() alone"
            )
    return dict(content)
