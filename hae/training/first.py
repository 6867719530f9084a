"""First weights of a run, and what the checkpoint that they come from has seen before."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from audit.errors import InputError
from audit.tables import file_hash
from hae.backbones.weights import WeightsReport, match
from hae.checkpoint import SUFFIX, Header, read_checkpoint, read_own_header
from hae.config import RunConfig
from hae.zoo import model_path


def first_weights(module: torch.nn.Module, init: Path, *, partial: bool) -> WeightsReport:
    """Load the weights of a checkpoint into a network.

    Raises
    ------
    InputError
        Keys or shapes differ and ``partial`` is not allowed, or nothing fits.
    """
    found = read_checkpoint(init)
    report, fitting = match(module, found.part("model"), init.name, file_hash(init).sha256)
    if not fitting or (report.differences() and not partial):
        raise InputError(
            f"--init {init}: {report.differences()}; use the same config, or set "
            "model.backbone.partial = true to load what fits"
        )
    module.load_state_dict(fitting, strict=False)
    return report


def weights_file(init: Path | None, config: RunConfig) -> Path | None:
    """The file that the first weights come from: that of ``--init``, or the config's; or none."""
    named = config.model.backbone.init
    if init is None and named in ("random", "timm"):
        return None
    path = init or model_path(named)
    return path if path.is_file() else None


def parent_of(init: Path | None, config: RunConfig) -> Header | None:
    """What the checkpoint of the first weights says of itself; None where they are of no run."""
    path = weights_file(init, config)
    return read_own_header(path) if path is not None and path.suffix == SUFFIX else None


def has_seen(parent: Header, train: str, validation: str | None, config: RunConfig) -> bool:
    """Whether an earlier run learned from people of this run's validation part.

    Known by the manifests' content hashes ``train`` and ``validation`` alone: overlapping tables of
    other content are not noticed. Where both runs hold people out of one manifest by the same seed,
    an earlier model of age or expression with at least this share has not seen them.
    """
    made, earlier = parent.provenance, parent.config
    if (validation or train) in made.before:
        return True
    if made.content[0] != (validation or train):
        return False
    same = parent.task != "identity" and len(made.content) == 1 and earlier.seed == config.seed
    return validation is not None or not (same and earlier.validation >= config.validation)


def inherited(parent: Header | None, content: Iterable[str]) -> tuple[str, ...]:
    """Content hashes of what the first weights were trained on, beyond ``content``."""
    made = parent.provenance if parent else None
    return tuple(sorted({*made.content, *made.before} - {*content})) if made else ()
