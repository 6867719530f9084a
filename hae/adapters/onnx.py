"""ONNX networks, run by onnxruntime as their spec says."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.errors import InputError
from audit.result import FileHash
from audit.tables import file_hash
from hae.adapters.predictor import Outputs
from hae.adapters.spec import InputSpec, ModelSpec, WeightsSpec

Floats = npt.NDArray[np.floating[Any]]
INSTALL = "pip install 'hae-audit[onnx]'"
SUM_TOLERANCE = 1e-3
CHUNK = 16
"""Faces per run of the network. Always the same, so that a face's numbers do not depend on how the
faces are grouped: the kernels choose their order of summation by the batch's size."""


@dataclass(frozen=True, eq=False)
class OnnxPredictor:
    """A network and its spec; fulfils :class:`hae.adapters.predictor.Predictor`."""

    spec: ModelSpec
    session: Any
    chunk: int
    files: tuple[FileHash, ...]
    outputs: dict[str, str]
    """Kind of output (``age``, ``expression``, ``embedding``) -> its name in the network."""

    @property
    def name(self) -> str:
        """The model's name, as shown in reports."""
        return self.spec.name

    @property
    def terms(self) -> str | None:
        """The licence in words."""
        return self.spec.terms

    @property
    def tasks(self) -> tuple[str, ...]:
        """``age``, ``expression`` or both."""
        return tuple(kind for kind in self.outputs if kind != "embedding")

    @property
    def input_spec(self) -> InputSpec:
        """Size, cut and normalisation of the input."""
        return self.spec.input

    @property
    def centres(self) -> tuple[float, ...]:
        """Ages of the age probabilities, in years."""
        return self.spec.outputs.age.centres if self.spec.outputs.age else ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the expression classes."""
        return self.spec.outputs.expression.classes if self.spec.outputs.expression else ()

    @cached_property
    def _pixel_values(self) -> npt.NDArray[np.float32]:
        return pixel_values(self.spec.input)

    def predict(self, batch: npt.NDArray[np.uint8]) -> Outputs:
        """Run the network on RGB faces (b, height, width, 3); see the protocol."""
        raw: dict[str, list[Floats]] = {kind: [] for kind in self.outputs}
        for start in range(0, len(batch), self.chunk):
            for kind, values in self._run(batch[start : start + self.chunk]).items():
                raw[kind].append(values)
        return self._decode({kind: np.concatenate(parts) for kind, parts in raw.items()})

    def _run(self, faces: npt.NDArray[np.uint8]) -> dict[str, Floats]:
        x = prepare(faces, self.spec.input, self._pixel_values)
        if len(x) < self.chunk:
            x = np.concatenate([x, np.zeros((self.chunk - len(x), *x.shape[1:]), x.dtype)])
        name = self.session.get_inputs()[0].name
        values = self.session.run(list(self.outputs.values()), {name: np.ascontiguousarray(x)})
        return {kind: y[: len(faces)] for kind, y in zip(self.outputs, values, strict=True)}

    def _decode(self, raw: dict[str, Floats]) -> Outputs:
        decoded: Outputs = {}
        age, expression = self.spec.outputs.age, self.spec.outputs.expression
        if age is not None:
            p = self._probabilities(raw["age"], len(age.centres), "age", softmax=age.softmax)
            mean, std = expectation(p, np.asarray(age.centres))
            decoded |= {"age": mean, "age_std": std, "age_proba": p}
        if expression is not None:
            decoded["proba"] = self._probabilities(
                raw["expression"],
                len(expression.classes),
                "expression",
                softmax=expression.softmax,
            )
        if "embedding" in raw:
            decoded["embedding"] = raw["embedding"].reshape(len(raw["embedding"]), -1)
        return decoded

    def _probabilities(self, raw: Floats, n: int, kind: str, *, softmax: bool) -> Floats:
        what = f"{self.name}: output {self.outputs[kind]!r}"
        if raw.ndim != 2 or raw.shape[1] != n:
            raise InputError(
                f"{what} has the shape {list(raw.shape)}, but [outputs.{kind}] names {n} "
                f"{'centres' if kind == 'age' else 'classes'}"
            )
        p: Floats = raw.astype(np.float64)
        if softmax:
            with np.errstate(invalid="ignore"):  # a face with infinite logits becomes NaN: failed
                p = np.exp(p - p.max(axis=1, keepdims=True))
        total: Floats = p.sum(axis=1, keepdims=True)
        wrong = (np.abs(total[:, 0] - 1) > SUM_TOLERANCE) | (p < -SUM_TOLERANCE).any(axis=1)
        if not softmax and wrong.any():
            raise InputError(
                f"{what}: probabilities of a face sum to {total[wrong][0, 0]:.3g}, must be 1; "
                f"if these are logits, set softmax = true under [outputs.{kind}]"
            )
        p /= total
        return p


def pixel_values(spec: InputSpec) -> npt.NDArray[np.float32]:
    """What the network sees for each byte: table of shape (256, 3), channels in its own order.

    Examples
    --------
    >>> spec = InputSpec(size=(8, 8), range=(0, 255), mean=(127.5,) * 3, std=(127.5,) * 3)
    >>> pixel_values(spec)[[0, 255], 0].tolist()
    [-1.0, 1.0]
    """
    low, high = spec.range
    scale = low + np.arange(256)[:, None] / 255 * (high - low)  # (256, 1)
    return np.asarray((scale - np.asarray(spec.mean)) / np.asarray(spec.std), dtype=np.float32)


def prepare(
    faces: npt.NDArray[np.uint8], spec: InputSpec, values: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Bytes (b, h, w, 3) RGB -> the network's float32 input in its layout and colour order."""
    ordered = faces[..., ::-1] if spec.colour == "BGR" else faces
    x = values[ordered, np.arange(3)]  # (b, h, w, 3)
    return x.transpose(0, 3, 1, 2) if spec.layout == "NCHW" else x


def expectation(p: Floats, centres: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of probabilities p (b, k) over centres (k,), in years.

    Examples
    --------
    >>> mean, std = expectation(np.array([[0.5, 0.5]]), np.array([20.0, 30.0]))
    >>> mean.tolist(), std.tolist()
    ([25.0], [5.0])
    """
    mean = (p * centres).sum(axis=1)
    variance = (p * (centres - mean[:, None]) ** 2).sum(axis=1)
    return mean, np.sqrt(variance)


def weights_path(weights: WeightsSpec, folder: Path) -> Path:
    """Where the network's file lies; a package is looked up without importing it."""
    if weights.package is None:
        return folder / weights.file
    found = importlib.util.find_spec(weights.package)
    if found is None or not found.submodule_search_locations:
        raise InputError(f"the package {weights.package!r} is not installed; run {INSTALL}")
    return Path(found.submodule_search_locations[0]) / weights.file


def load_onnx(spec: ModelSpec, spec_path: Path, threads: int = 1) -> OnnxPredictor:
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
    path = weights_path(spec.weights, spec_path.parent)
    if not path.is_file():
        raise InputError(f"{spec_path.name}: weights.file: no such file {path}")
    weights = file_hash(path)
    if spec.weights.sha256 and weights.sha256 != spec.weights.sha256:
        raise InputError(
            f"{path.name}: SHA-256 is {weights.sha256[:12]}..., {spec_path.name} says "
            f"{spec.weights.sha256[:12]}...; these are other weights: mend or drop weights.sha256"
        )
    session = _session(path, threads)
    batch = _check_input(session, spec, spec_path.name)
    outputs = {
        kind: _output_name(session, kind, part.name, _width(part), spec_path.name)
        for kind in ("age", "expression", "embedding")
        if (part := getattr(spec.outputs, kind)) is not None
    }
    return OnnxPredictor(spec, session, batch, (weights, file_hash(spec_path)), outputs)


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


def _width(part: Any) -> tuple[int, str] | None:
    for key in ("centres", "classes"):
        if hasattr(part, key):
            return len(getattr(part, key)), key
    return None


def _output_name(
    session: Any, kind: str, name: str | None, width: tuple[int, str] | None, place: str
) -> str:
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
    last = shape[-1] if shape else None
    if width is not None and (len(shape) != 2 or (isinstance(last, int) and last != width[0])):
        raise InputError(
            f"{place}: outputs.{kind} lists {width[0]} {width[1]}, but output {name!r} of the "
            f"network is {shape}"
        )
    return str(name)
