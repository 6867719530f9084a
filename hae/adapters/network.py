"""A foreign network of any kind, run as its spec says."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from audit.errors import InputError
from audit.result import FileHash
from audit.tables import file_hash
from hae.adapters.decode import Floats, decode, pixel_values, prepare
from hae.adapters.predictor import Outputs
from hae.adapters.spec import InputSpec, ModelSpec, WeightsSpec
from hae.data.core import Manifest
from hae.data.crop import Crop

CHUNK = 16
"""Faces per run of the network. Always the same, so that a face's numbers do not depend on how the
faces are grouped: the kernels choose their order of summation by the batch's size."""

Run = Callable[[npt.NDArray[np.float32]], Sequence[Floats]]
"""Input of ``chunk`` faces -> the values of each wanted output, in the order of ``outputs``."""


@dataclass(frozen=True, eq=False)
class SpecPredictor:
    """A network and its spec; fulfils :class:`hae.adapters.predictor.Predictor`."""

    spec: ModelSpec
    run: Run
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
        """Ages of the age probabilities, in years; empty where the age is a single number."""
        return self.spec.outputs.age.centres if self.spec.outputs.age else ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the expression classes."""
        return self.spec.outputs.expression.classes if self.spec.outputs.expression else ()

    @property
    def extras(self) -> tuple[str, ...]:
        """None."""
        return ()

    def has_seen(self, manifest: Manifest) -> bool:
        """Unknown, so not."""
        return False

    @property
    def crop(self) -> Crop | None:
        """As stated by the spec."""
        return self.spec.input.crop

    @cached_property
    def _pixel_values(self) -> npt.NDArray[np.float32]:
        return pixel_values(self.spec.input)

    def predict(self, batch: npt.NDArray[np.uint8]) -> Outputs:
        """Run the network on RGB faces (b, height, width, 3); see the protocol."""
        raw: dict[str, list[Floats]] = {kind: [] for kind in self.outputs}
        for start in range(0, len(batch), self.chunk):
            for kind, values in self._chunk(batch[start : start + self.chunk]).items():
                raw[kind].append(values)
        whole = {kind: np.concatenate(parts) for kind, parts in raw.items()}
        return decode(whole, self.spec, self.outputs)

    def _chunk(self, faces: npt.NDArray[np.uint8]) -> dict[str, Floats]:
        x = prepare(faces, self.spec.input, self._pixel_values)
        if len(x) < self.chunk:
            x = np.concatenate([x, np.zeros((self.chunk - len(x), *x.shape[1:]), x.dtype)])
        values = self.run(np.ascontiguousarray(x))
        return {kind: y[: len(faces)] for kind, y in zip(self.outputs, values, strict=True)}


def wanted_outputs(spec: ModelSpec) -> dict[str, str | None]:
    """Kinds of output that a spec asks for -> the name that it gives them."""
    return {
        kind: part.name
        for kind in ("age", "expression", "embedding")
        if (part := getattr(spec.outputs, kind)) is not None
    }


def find_weights(weights: WeightsSpec, spec_path: Path, install: str) -> tuple[Path, FileHash]:
    """Where the network's file lies, and its hash, which must be the one that the spec says.

    Parameters
    ----------
    weights : WeightsSpec
        With a ``file``.
    spec_path : Path
        The spec's own file; a relative ``weights.file`` lies beside it.
    install : str
        How to get the package that may hold the file.

    Raises
    ------
    InputError
        The package or the file is missing, or the hash differs.
    """
    path = _folder(weights, spec_path, install) / str(weights.file)
    if not path.is_file():
        raise InputError(f"{spec_path.name}: weights.file: no such file {path}")
    found = file_hash(path)
    if weights.sha256 and found.sha256 != weights.sha256:
        raise InputError(
            f"{path.name}: SHA-256 is {found.sha256[:12]}..., {spec_path.name} says "
            f"{weights.sha256[:12]}...; these are other weights: mend or drop weights.sha256"
        )
    return path, found


def _folder(weights: WeightsSpec, spec_path: Path, install: str) -> Path:
    """Where ``weights.file`` begins; a package is looked up without importing it."""
    if weights.package is None:
        return spec_path.parent
    found = importlib.util.find_spec(weights.package)
    if found is None or not found.submodule_search_locations:
        raise InputError(f"the package {weights.package!r} is not installed; run {install}")
    return Path(found.submodule_search_locations[0])
