"""ONNX networks, run by onnxruntime as their spec says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.errors import InputError
from audit.tables import file_hash
from hae.adapters.decode import Floats, numbers_per_face
from hae.adapters.network import CHUNK, Run, SpecPredictor, find_weights, wanted_outputs
from hae.adapters.spec import ModelSpec

INSTALL = "pip install 'hae-audit[onnx]'"


def load_onnx(spec: ModelSpec, spec_path: Path, threads: int = 1) -> SpecPredictor:
    """Open the network of a spec and check that the two agree.

    Parameters
    ----------
    spec : ModelSpec
        The checked spec.
    spec_path : Path
        Its file; a relative ``weights.file`` lies beside it.
    threads : int
        Threads of onnxruntime.

    Raises
    ------
    InputError
        onnxruntime or the weights are missing, the hash differs, or the network's input or output
        does not fit the spec.
    """
    path, weights = find_weights(spec.weights, spec_path, INSTALL)
    session = _session(path, threads)
    chunk = _check_input(session, spec, spec_path.name)
    outputs = {
        kind: _output_name(session, kind, name, getattr(spec.outputs, kind), spec_path.name)
        for kind, name in wanted_outputs(spec).items()
    }
    run = _run(session, list(outputs.values()))
    return SpecPredictor(spec, run, chunk, (weights, file_hash(spec_path)), outputs)


def _run(session: Any, names: Sequence[str]) -> Run:
    entry = session.get_inputs()[0].name

    def run(x: npt.NDArray[np.float32]) -> Sequence[Floats]:
        values: list[Floats] = session.run(names, {entry: x})
        return values

    return run


def _session(path: Path, threads: int) -> Any:
    try:
        import onnxruntime as ort
    except ImportError:
        raise InputError(f"{path.name}: needs onnxruntime; run {INSTALL}") from None
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in ort.get_available_providers()]
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime raises a dozen classes with no common base
        reason = str(error).splitlines()[0][:200]
        raise InputError(f"{path.name}: is no ONNX model that can be run ({reason})") from None


def _check_input(session: Any, spec: ModelSpec, place: str) -> int:
    """Compare the network's input with the spec; the number of faces that it takes at once."""
    inputs = {found.name: found for found in session.get_inputs()}
    name = spec.input.name or next(iter(inputs))
    if name not in inputs or len(inputs) != 1:
        raise InputError(
            f"{place}: the network's inputs are {', '.join(inputs)}; "
            f"it must have the single input that input.name says ({name})"
        )
    found = inputs[name]
    height, width = spec.input.size
    wanted = [3, height, width] if spec.input.layout == "NCHW" else [height, width, 3]
    shape = list(found.shape)
    fits = len(shape) == 4 and all(
        not isinstance(have, int) or have == want
        for have, want in zip(shape[1:], wanted, strict=True)
    )
    if not fits or found.type != "tensor(float)":
        raise InputError(
            f"{place}: input {name!r} of the network is {found.type} {shape}, the spec says "
            f"float {['N', *wanted]} ({spec.input.layout}, size {list(spec.input.size)})"
        )
    return shape[0] if isinstance(shape[0], int) and shape[0] > 0 else CHUNK


def _output_name(session: Any, kind: str, name: str | None, part: object, place: str) -> str:
    """The network's output for a kind, after comparing its last dimension with the spec."""
    outputs = {found.name: found for found in session.get_outputs()}
    if name is None and len(outputs) == 1:
        name = next(iter(outputs))
    if name not in outputs:
        raise InputError(
            f"{place}: outputs.{kind}.name is {name!r}; the network's outputs are "
            f"{', '.join(outputs)}"
        )
    shape = list(outputs[name].shape)
    wanted = numbers_per_face(part)
    if wanted is not None and not _fits(shape, wanted):
        number = (
            "one number a face (value = true)"
            if wanted[1] == "value"
            else " ".join(map(str, wanted))
        )
        raise InputError(
            f"{place}: outputs.{kind} lists {number}, but output {name!r} of the network is {shape}"
        )
    return str(name)


def _fits(shape: Sequence[int | str | None], wanted: tuple[int, str]) -> bool:
    """Whether an output (batch first) can hold that many numbers a face."""
    if wanted[1] == "value" and len(shape) == 1:
        return True
    return len(shape) == 2 and (not isinstance(shape[1], int) or shape[1] == wanted[0])
