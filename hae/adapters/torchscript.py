"""TorchScript: a file of ``torch.jit.save``, opened without Python's pickle.

What loading does (read in torch 2.15): the archive's ``data.pkl`` and ``constants.pkl`` are parsed
by torch's own reader in C++, which builds tensors, plain values and the script's own classes and
fails on any other name; a pickle that names ``os.system`` is refused, not run. But TorchScript
is a program: its code is compiled and run, some of it (``__setstate__``) while it is loaded. That
language has no Python, no processes and no network, yet it has ``torch.save`` and
``torch.from_file``, which write and map files, and classes that other libraries register. A script
that names one of these is refused here. Beyond that, run a script as you would run any program:
from people you trust. A .safetensors file or an ONNX network holds no program of this kind.
"""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audit.errors import InputError

DEPRECATED = r"`torch\.jit\.load` is (deprecated|not supported in Python 3\.14\+)"
_OUTSIDE = re.compile(
    r"\btorch\.(?:save|from_file)\b|\bops\.(?!aten\.|prim\.|quantized\.)\w+\.\w+"
    r"|\bops\.aten\.(?:save|from_file)\b|__torch__\.torch\.classes\.\w+"
)


def open_torchscript(path: Path, device: torch.device) -> Callable[[Tensor], Any]:
    """Load a script in evaluation mode and fp32.

    Raises
    ------
    InputError
        No TorchScript archive, or a script that reaches outside (files, foreign classes).
    """
    _check_code(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", DEPRECATED, FutureWarning)
            module = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    except Exception as error:  # RuntimeError mostly; a parser may raise others
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{path.name}: is no TorchScript that can be loaded ({reason}); "
            "save it with torch.jit.save"
        ) from None
    module.float().eval()
    call: Callable[[Tensor], Any] = module
    return call


def _check_code(path: Path) -> None:
    """Refuse a script whose code reaches outside; its code lies in the archive as text."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            code = {name: archive.read(name) for name in names if name.endswith(".py")}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path.name}: is truncated or no TorchScript archive ({error}); save it with "
            "torch.jit.save"
        ) from None
    if len(set(names)) != len(names):
        raise InputError(f"{path.name}: holds two files of one name: refused")
    if not code:
        raise InputError(
            f"{path.name}: holds no TorchScript code; a file of weights is kind = 'timm' "
            "with its architecture"
        )
    for name, text in code.items():
        if found := _OUTSIDE.search(text.decode("utf-8", errors="replace")):
            raise InputError(
                f"{path.name}: its code calls {found[0]} (in {name.rpartition('/')[2]}), which "
                "reaches outside the network: refused; export it to ONNX"
            )
