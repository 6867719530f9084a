"""Networks that torch runs: timm's with given weights, exported programs, TorchScript."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from audit.errors import InputError
from audit.result import FileHash
from audit.tables import file_hash
from hae.adapters.decode import Floats, numbers_per_face
from hae.adapters.network import CHUNK, Run, SpecPredictor, find_weights, wanted_outputs
from hae.adapters.spec import ModelSpec
from hae.precision import exact

INSTALL = "pip install with its name on PyPI"
MIXING = 1e-3
"""A face's output may move by this share of its size when the other faces change."""


@dataclass(frozen=True, eq=False)
class Network:
    """Something that maps float32 faces (chunk, ...) to a tensor, a tuple or a dict of them."""

    call: Callable[[Tensor], Any]
    files: tuple[FileHash, ...]
    chunk: int = CHUNK


def load_torch(spec: ModelSpec, spec_path: Path, threads: int | None = None) -> SpecPredictor:
    """Build or open the network of a spec, try it, and check that the two agree.

    It runs in fp32, evaluation mode and without TF32, on the GPU if there is one.

    Parameters
    ----------
    spec : ModelSpec
        The checked spec, of kind ``timm``, ``exported`` or ``torchscript``.
    spec_path : Path
        Its file; a relative ``weights.file`` lies beside it.
    threads : int, optional
        Threads of torch, for the whole process; default: as they are.

    Raises
    ------
    InputError
        The weights are missing, damaged or of another network, hold code, or the network's input
        or output does not fit the spec.
    """
    if threads:
        torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = _OPENERS[spec.weights.kind](spec, spec_path, device)
    names = wanted_outputs(spec)
    run = _run(network.call, device, list(names.items()), spec_path.name)
    outputs = {kind: name or "(the only one)" for kind, name in names.items()}
    files = (*network.files, file_hash(spec_path))
    predictor = SpecPredictor(spec, run, network.chunk, files, outputs)
    _try(predictor, spec_path.name)
    return predictor


def _timm(spec: ModelSpec, spec_path: Path, device: torch.device) -> Network:
    from hae.backbones.state import read_state
    from hae.backbones.weights import match, published_state

    name = str(spec.weights.architecture)
    if len(wanted_outputs(spec)) != 1:
        raise InputError(f"{spec_path.name}: a timm network has one output; keep one of outputs.*")
    if spec.weights.pretrained:
        # With the published number of outputs: any other number would be drawn at random.
        module = _build(name, spec, spec_path.name)
        state = published_state(name, module)
        found = FileHash(name=f"timm:{name}", sha256=_digest(state), bytes=_size(state))
    else:
        path, found = find_weights(spec.weights, spec_path, INSTALL)
        state = read_state(path)
        numbers, _ = numbers_per_face(spec.outputs.age or spec.outputs.expression) or (0, "")
        module = _build(name, spec, spec_path.name, num_classes=numbers)
    report, fitting = match(module, state, found.name, found.sha256)
    if report.differences():
        raise InputError(
            f"{spec_path.name}: {found.name} does not fit {name} with outputs as in the spec: "
            f"{report.differences()}; mend weights.architecture or outputs"
        )
    module.load_state_dict(fitting, strict=False)
    return Network(module.float().eval().to(device), (found,))


def _build(name: str, spec: ModelSpec, place: str, **options: Any) -> nn.Module:
    """A network of timm with weights that are to be replaced."""
    import timm

    if ":" not in name and not timm.is_model(name):
        raise InputError(f"{place}: weights.architecture: timm has no network {name!r}")
    known = timm.models.get_pretrained_cfg(name.split(".")[0], allow_unregistered=True)
    if known is not None and known.fixed_input_size:  # transformers are built for one size
        options["img_size"] = spec.input.size
    try:
        with torch.random.fork_rng(devices=[]):  # the first random weights are thrown away
            return timm.create_model(name, **options)
    except Exception as error:  # a tag or a size that the network does not have, no connection
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(
            f"{place}: timm cannot build {name!r} for input.size {list(spec.input.size)} ({reason})"
        ) from None


def _exported(spec: ModelSpec, spec_path: Path, device: torch.device) -> Network:
    from hae.adapters.exported import open_exported

    path, found = find_weights(spec.weights, spec_path, INSTALL)
    call, batch = open_exported(path, device)
    return Network(call, (found,), min(batch, CHUNK) if batch else CHUNK)


def _torchscript(spec: ModelSpec, spec_path: Path, device: torch.device) -> Network:
    from hae.adapters.torchscript import open_torchscript

    path, found = find_weights(spec.weights, spec_path, INSTALL)
    return Network(open_torchscript(path, device), (found,))


_OPENERS: dict[str, Callable[[ModelSpec, Path, torch.device], Network]] = {
    "timm": _timm,
    "exported": _exported,
    "torchscript": _torchscript,
}


def _run(
    call: Callable[[Tensor], Any],
    device: torch.device,
    names: Sequence[tuple[str, str | None]],
    place: str,
) -> Run:
    def run(x: npt.NDArray[np.float32]) -> Sequence[Floats]:
        with torch.inference_mode(), exact():
            given = call(torch.from_numpy(x).to(device))
            parts = [_pick(given, kind, name, place) for kind, name in names]
            for (kind, _), part in zip(names, parts, strict=True):
                if part.shape[:1] != (len(x),):
                    raise InputError(
                        f"{place}: outputs.{kind} has the shape {list(part.shape)} for {len(x)} "
                        "faces; the batch must come first"
                    )
            return [part.float().cpu().numpy() for part in parts]

    return run


def _pick(given: Any, kind: str, name: str | None, place: str) -> Tensor:
    """One output: of a dict by its key, of a tuple by its place, or the only one."""
    if isinstance(given, Tensor):
        known = {"0": given}
    elif isinstance(given, dict):
        known = {str(key): value for key, value in given.items()}
    elif isinstance(given, list | tuple):
        known = {str(i): value for i, value in enumerate(given)}
    else:
        known = {}
    if name is None and len(known) == 1:
        name = next(iter(known))
    if name not in known or not isinstance(known[name], Tensor):
        raise InputError(
            f"{place}: outputs.{kind}.name is {name!r}; the network's outputs are "
            f"{', '.join(known) or f'no tensors but {type(given).__name__}'}"
        )
    return known[name]


def _try(predictor: SpecPredictor, place: str) -> None:
    """Run the network on noise, so that a wrong shape shows now and not after an hour."""
    height, width = predictor.spec.input.size
    noise = np.random.default_rng(0).integers(
        0, 256, (2 * predictor.chunk - 1, height, width, 3), dtype=np.uint8
    )
    faces = np.concatenate([noise, noise[:1]])  # the first face comes again among others
    try:
        given = predictor.predict(faces)
    except InputError:
        raise
    except Exception as error:  # torch raises RuntimeError, AssertionError, TypeError, ...
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        channels_first = predictor.spec.input.layout == "NCHW"
        shape = [predictor.chunk, *([3, height, width] if channels_first else [height, width, 3])]
        raise InputError(
            f"{place}: the network does not run on an input {shape} ({reason}); mend input.size "
            "or input.layout, or save the network for any number of faces"
        ) from None
    if predictor.chunk > 1:
        _check_mixing(given, predictor.chunk, place)


def _check_mixing(given: dict[str, Floats], chunk: int, place: str) -> None:
    for kind, values in given.items():
        first, again = values[0], values[-1]
        size = np.abs(values).max()
        if np.isfinite(size) and np.abs(first - again).max() > MIXING * max(size, 1e-6):
            raise InputError(
                f"{place}: {kind} of a face changes with the other {chunk - 1} of its batch; was "
                "the network saved in training mode? save it after .eval()"
            )


def _digest(state: dict[str, Tensor]) -> str:
    """SHA-256 over the tensors' names and bytes, in the order of the names."""
    digest = sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _size(state: dict[str, Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in state.values())
