"""Models by name: ``zoo:NAME``, or the path of a spec."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from audit.errors import InputError
from hae.adapters.predictor import Predictor
from hae.adapters.spec import ModelSpec, read_spec
from hae.zoo import ZOO, model_path

WEIGHTS = (".pth", ".pt", ".bin", ".ckpt")
Loader = Callable[[Path, int | None], Predictor]


def load_model(text: str, threads: int | None = None) -> Predictor:
    """Load ``zoo:NAME``, our checkpoint, a spec, or a network with a spec of its name beside it.

    Parameters
    ----------
    text : str
        What the user typed.
    threads : int, optional
        Of the network; default: all cores.

    Raises
    ------
    InputError
        No such model, or one that breaks its spec.
    """
    path = model_path(text)
    if path.suffix not in LOADERS:
        bare = "; weights alone name no network: a spec of kind 'timm' does"
        raise InputError(
            f"model {text!r}: must be zoo:NAME, a checkpoint MODEL.safetensors, a spec MODEL.toml, "
            "or MODEL.onnx or MODEL.pt2 with MODEL.toml beside it"
            f"{bare if path.suffix in WEIGHTS else ''}; the zoo holds {', '.join(ZOO)}"
        )
    return LOADERS[path.suffix](path, threads)


def _from_spec(path: Path, threads: int | None) -> Predictor:
    if not path.is_file():
        raise InputError(f"model '{path}': no such file")
    spec = read_spec(path)
    return KINDS[spec.weights.kind](spec, path, threads)


def _beside(path: Path, threads: int | None) -> Predictor:
    """Load a network by the spec of its name beside it."""
    spec = path.with_suffix(".toml")
    if path.is_file() and not spec.is_file():
        raise InputError(
            f"model '{path}': needs a spec beside it, {spec.name}, that says what goes in and "
            "what comes out; the zoo's age_and_gender.toml is a complete one"
        )
    return _from_spec(spec, threads)


def _onnx(spec: ModelSpec, path: Path, threads: int | None) -> Predictor:
    from hae.adapters.onnx import load_onnx

    return load_onnx(spec, path, threads or os.cpu_count() or 1)


def _torch(spec: ModelSpec, path: Path, threads: int | None) -> Predictor:
    from hae.adapters.torch_models import load_torch

    return load_torch(spec, path, threads)


def _checkpoint(path: Path, threads: int | None) -> Predictor:
    from hae.adapters.checkpoint import load_checkpoint

    return load_checkpoint(path)


LOADERS: dict[str, Loader] = {
    ".safetensors": _checkpoint,
    ".toml": _from_spec,
    ".onnx": _beside,
    ".pt2": _beside,
}
"""The suffix of what the user names -> what loads it."""

KINDS: dict[str, Callable[[ModelSpec, Path, int | None], Predictor]] = {
    "onnx": _onnx,
    "timm": _torch,
    "exported": _torch,
    "torchscript": _torch,
}
"""``weights.kind`` of a spec -> what opens the network; torch is loaded only by those that need it.
"""
