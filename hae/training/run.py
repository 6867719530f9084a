"""From a data set to a checkpoint: what a training run does, in order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch

from audit.errors import InputError
from audit.files import write_text
from audit.result import FileHash
from audit.tables import file_hash
from hae.backbones.network import Backbone
from hae.backbones.racnn import RecurrentAttention
from hae.backbones.weights import WeightsReport, load_weights
from hae.checkpoint import Header, Provenance, read_checkpoint
from hae.config import CHECKPOINT, TRAINED, BackboneConfig, RunConfig
from hae.data.core import Manifest, content_hash, faces_hash, state_hash
from hae.training.faces import Faces, Loaded, check_apart, hold_out, load_faces
from hae.training.first import first_weights, has_seen, inherited, parent_of, weights_file
from hae.training.fit import BEST, RESUME

RUN, CACHE, SEARCH = "run.json", "cache", "search.safetensors"

Split = Callable[[Faces, float, int, str], tuple[Faces, Faces]]
"""(faces, share, seed, what to call them) -> training and validation faces."""


class Report(Protocol):
    """Who is told how the work goes."""

    def stage(self, text: str, total: int) -> Callable[[int], object]:
        """A piece of work begins; the answer is told of further parts done."""
        ...

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        """A step is done; ``figures`` are its loss or its validation."""
        ...

    def notice(self, text: str) -> None:
        """Something the user should know."""
        ...


@dataclass(frozen=True, eq=False)
class Order:
    """What is asked for."""

    train: Manifest
    validation: Manifest | None
    """None: people are held out of ``train``."""
    config: RunConfig
    out: Path
    cache: Path
    init: Path | None
    devices: int
    versions: Mapping[str, str]

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """Those of training and, if it has one of its own, of validation."""
        return (self.train,) if self.validation is None else (self.train, self.validation)

    @cached_property
    def content(self) -> tuple[str, ...]:
        """Content hashes of the manifests as they were when the run began."""
        return tuple(content_hash(manifest) for manifest in self.manifests)

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The same with the images' times of change: a run goes on with the very same files."""
        return tuple(state_hash(manifest) for manifest in self.manifests)

    @cached_property
    def files(self) -> tuple[FileHash, ...]:
        """Hashes of the label files as they were when the run began."""
        return tuple(file for manifest in self.manifests for file in manifest.label_files)

    @cached_property
    def parent(self) -> Header | None:
        """The checkpoint that the first weights come from, if they come from one of ours."""
        return parent_of(self.init, self.config)


@dataclass(frozen=True, eq=False)
class Parts:
    """The faces of a run, split by person, and how many could not be read."""

    train: Faces
    validation: Faces
    unreadable: int


def open_run(order: Order, task: str) -> bool:
    """Begin a run in its folder, or find it there; True where it is finished already.

    A run that has not saved anything yet may be begun anew with another config.

    Raises
    ------
    InputError
        The folder holds a run of another task or with another config, data, first weights or number
        of devices.
    """
    wanted = {
        "task": task,
        "config": order.config.model_dump(mode="json"),
        "train": order.states[0],
        "validation": order.states[1] if order.validation else None,
        "files": [file.sha256 for file in order.files],
        "init": order.init and read_checkpoint(order.init).header.digest,
        "weights": _hash_of(weights_file(order.init, order.config)),
        "devices": order.devices,
    }
    path = order.out / RUN
    if path.is_file() and any((order.out / name).is_file() for name in (RESUME, BEST, CHECKPOINT)):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise InputError(f"{path}: is no JSON; delete {order.out} to begin anew") from None
        changed = sorted(_changed(wanted, _whole(found, task)))
        if changed:
            raise InputError(
                f"{order.out}: holds a run that differs in {', '.join(changed[:5])}; give another "
                "--out, or delete the folder to begin anew"
            )
    else:
        write_text(path, json.dumps(wanted, indent=1) + "\n")
    finished = (order.out / CHECKPOINT).is_file()
    if finished:
        close_run(order)  # the run may have been stopped between its last two acts
    return finished


def _hash_of(path: Path | None) -> str | None:
    return None if path is None else file_hash(path).sha256


def _whole(found: object, task: str) -> object:
    """What a run's file says, with defaults for the keys that did not exist when it was written."""
    if not isinstance(found, dict):
        return found
    config = found.get("config")
    with suppress(ValueError):  # one that this version cannot read differs
        config = RunConfig.model_validate(config).model_dump(mode="json")
    return {"task": task, "files": [], "devices": 1} | found | {"config": config}


def _changed(a: object, b: object, place: str = "") -> list[str]:
    """Dotted keys at which two JSON values differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        keys = sorted({*a, *b})
        return [
            name
            for key in keys
            for name in _changed(a.get(key), b.get(key), f"{place}.{key}".lstrip("."))
        ]
    return [] if a == b else [place]


def load_parts(order: Order, report: Report, *, truth: bool, split: Split = hold_out) -> Parts:
    """Decode the faces and split them, by person unless another ``split`` is given."""
    train = _load(order, order.train, report, truth=truth)
    place = f"data set {order.train.label}"
    if order.validation is None:
        kept, held = split(train.faces, order.config.validation, order.config.seed, place)
        return Parts(kept, held, len(train.unreadable))
    validation = _load(order, order.validation, report, truth=truth)
    check_apart(train.faces, validation.faces, order.validation, order.train)
    unreadable = len(train.unreadable) + len(validation.unreadable)
    return Parts(train.faces, validation.faces, unreadable)


def _load(order: Order, manifest: Manifest, report: Report, *, truth: bool) -> Loaded:
    model = order.config.model
    progress = report.stage(f"faces of {manifest.label}", len(manifest))
    loaded = load_faces(
        manifest, model.size, model.keep, order.cache, truth=truth, progress=progress
    )
    if loaded.nameless:
        report.notice(
            f"{manifest.label}: {loaded.nameless:,} of {len(manifest):,} faces have no subject_id "
            "and count as a person each, so a person held out may be trained on with another "
            "photo; where the table says whose they are, name its column subject_id (--map)"
        )
    if manifest.leaky:
        report.notice(f"{manifest.label}: {manifest.leaky}")
    if loaded.unreadable:
        name, reason = loaded.unreadable[0]
        report.notice(
            f"{manifest.label}: {len(loaded.unreadable):,} of {len(manifest):,} images cannot be "
            f"read and are left out, the first is {name}: {reason}"
        )
    return loaded


def begin(
    module: torch.nn.Module, backbone: Backbone, order: Order, report: Report
) -> WeightsReport:
    """Give a module the weights of ``--init``, or its backbone those that the config names.

    Raises
    ------
    InputError
        They do not fit, or there are none for a network that does not learn.
    """
    settings = order.config.model.backbone
    if order.init is None:
        _check_trained(settings, backbone, report)
    if order.init is not None:
        found = first_weights(module, order.init, partial=settings.partial)
    else:
        found = load_weights(
            backbone.part_of(settings.init),
            settings.init,
            partial=settings.partial,
            timm_name=settings.of or settings.name,
        )
    _check_proposals(backbone, order, report)
    keys = (*found.missing, *found.unexpected, *found.mismatched)
    if keys:
        report.notice(f"first weights {found.source}: did not match: {', '.join(keys)}")
    if _seen(order):
        report.notice(
            f"first weights {found.source}: have seen people who are held out here, so the figures "
            "will look better than they are; name the same --split in both runs and other people "
            "with --val-split"
        )
    return found


def _check_trained(settings: BackboneConfig, backbone: Backbone, report: Report) -> None:
    """Refuse a network that never learns without weights, or frozen without gains.

    Others that are frozen before they have learned where to look are told.
    """
    place = f"backbone {settings.label!r}"
    if settings.name in TRAINED and settings.init == "random":
        raise InputError(
            f"{place}: works on a trained network, which it leaves as it is; name its weights with "
            "model.backbone.init"
        )
    if not settings.frozen or backbone.part_of(settings.init) is backbone.network:
        return
    if settings.name in TRAINED:
        raise InputError(
            f"{place}: is frozen before it has learned its gains, so it would be the network "
            "inside; train it first (or end to end), and name its checkpoint with "
            "model.backbone.init"
        )
    if getattr(backbone.network, "learns_where", False):
        report.notice(
            f"{place}: is frozen before it has learned where to look; train it first, and name its "
            "checkpoint with model.backbone.init"
        )


def _check_proposals(backbone: Backbone, order: Order, report: Report) -> None:
    """Tell of a run that ends before its backbone begins to learn where to look."""
    network, config = backbone.network, order.config
    if not isinstance(network, RecurrentAttention) or backbone.frozen:
        return
    left = network.settings.proposal_steps - int(network.batches)
    batches = config.steps * config.accumulate
    if left >= batches:
        report.notice(
            f"backbone {backbone.name!r}: all {batches:,} batches of the run are of its "
            f"{left:,} proposal_steps, so it learns to propose the squares of highest response and "
            "nothing of where to look from the answers; raise steps, or lower "
            "model.backbone.proposal_steps"
        )


def _seen(order: Order) -> bool:
    parent = order.parent
    if parent is None:
        return False
    train, *validation = order.content
    return has_seen(parent, train, validation[0] if validation else None, order.config)


def provenance(order: Order, parts: Parts, *, best_step: int, init: WeightsReport) -> Provenance:
    """What the checkpoint says about its making."""
    model, parent = order.config.model, order.parent
    terms = dict.fromkeys(manifest.terms for manifest in order.manifests if manifest.terms)
    if parent and parent.provenance.terms:
        terms |= dict.fromkeys(parent.provenance.terms.split("; "))
    return Provenance(
        data=", ".join(manifest.label for manifest in order.manifests),
        content=list(order.content),
        before=inherited(parent, order.content),
        validation_seen=_seen(order),
        files=list(order.files),
        origins=[name for m in order.manifests for name in (faces_hash(m), *m.origins)],
        faces=len(parts.train),
        people=parts.train.people,
        validation_faces=len(parts.validation),
        validation_people=parts.validation.people,
        unreadable=parts.unreadable,
        crop=f"the middle {100 * model.keep:g} % of each side, {model.size} x {model.size} pixels",
        trained_crop=order.train.crop,
        leaky=next((m.leaky for m in order.manifests if m.leaky), None),
        terms="; ".join(terms) or None,
        steps=order.config.steps,
        best_step=best_step,
        init={"source": init.source, "sha256": init.sha256 or "", "not_loaded": init.differences()},
        versions=dict(order.versions),
    )


def close_run(order: Order) -> None:
    """Remove what only an unfinished run needs."""
    for name in (RESUME, BEST, SEARCH):
        (order.out / name).unlink(missing_ok=True)
        for left in order.out.glob(f".{name}.*.tmp"):  # a process was killed while it wrote
            left.unlink(missing_ok=True)
    if order.cache == order.out / CACHE:
        shutil.rmtree(order.cache, ignore_errors=True)


def stored(tensors: Mapping[str, torch.Tensor], storage: str) -> dict[str, torch.Tensor]:
    """Weights as they will be stored: fp16 for all but BatchNorm's sums and counters."""
    keep = ("running_mean", "running_var")
    return {
        name: value.half()
        if storage == "fp16" and value.is_floating_point() and not name.endswith(keep)
        else value
        for name, value in tensors.items()
    }
