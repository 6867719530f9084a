"""Our own checkpoints, ready to predict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from audit.errors import InputError
from audit.result import FileHash
from audit.tables import file_hash
from hae.adapters.predictor import Outputs
from hae.adapters.spec import InputSpec
from hae.checkpoint import Checkpoint, Header, read_checkpoint
from hae.data.core import Manifest, content_hash, faces_hash
from hae.data.crop import Crop
from hae.heads.distribution import distribution, spread
from hae.heads.masses import class_masses
from hae.inference import estimate_faces
from hae.models.age import AgeModel
from hae.views import ViewParams

VIEW_STD, STD_RAW = "age_view_std", "age_std_raw"


@dataclass(frozen=True, eq=False)
class AgePredictor:
    """An age model from a checkpoint; fulfils :class:`hae.adapters.predictor.Predictor`.

    Beside the protocol's values it gives, in years, ``age_view_std``: the SD over the K fixed views
    of the estimate from each alone, and ``age_std_raw``: the SD of the predictive distribution
    before its temperature.
    """

    header: Header
    model: AgeModel
    views: ViewParams
    files: tuple[FileHash, ...]
    device: torch.device

    @property
    def name(self) -> str:
        """The model's name, as shown in reports."""
        return self.header.config.name

    @property
    def tasks(self) -> tuple[str, ...]:
        """Only ``age``."""
        return ("age",)

    @property
    def input_spec(self) -> InputSpec:
        """Size, cut and normalisation of the input."""
        model = self.header.config.model
        return InputSpec(
            size=(model.size, model.size), keep=model.keep, mean=model.mean, std=model.std
        )

    @property
    def centres(self) -> tuple[float, ...]:
        """Centres of the bins in years; empty for a plain regression."""
        head = self.header.config.model.head
        return () if head.name == "regression" else head.centres

    @property
    def classes(self) -> tuple[str, ...]:
        """None: it knows no expressions."""
        return ()

    @property
    def extras(self) -> tuple[str, ...]:
        """Further columns, in years."""
        return (STD_RAW, VIEW_STD) if self.centres else (VIEW_STD,)

    def has_seen(self, manifest: Manifest) -> bool:
        """Whether it was trained or selected on some of these faces, as far as is known.

        It is known of the very same data set wherever it lies, packed or not; of its other reading
        where the split is not named; of a whole of which these faces are a split; and of tables
        that were taken from the same label files, by whatever split. A copy with other label files
        is not found.
        """
        made = self.header.provenance
        if content_hash(manifest) in (*made.content, *made.before):
            return True
        own, theirs = _sums(manifest.label_files), _sums(made.files)
        before, theirs_before = {faces_hash(manifest), *manifest.origins}, set(made.origins)
        related = before & (theirs | theirs_before) or own & theirs_before
        if related and not own & theirs:
            return True
        if own and theirs and not own & theirs:
            return False
        labels = made.data.split(", ")
        whole = manifest.name in labels
        part = any(label.startswith(f"{manifest.name} ") for label in labels)
        return whole or manifest.label in labels or (manifest.split is None and part)

    @property
    def crop(self) -> Crop | None:
        """As stated by the data set it was trained on."""
        return self.header.provenance.trained_crop

    @cached_property
    def terms(self) -> str | None:
        """Terms of the data it was trained on."""
        terms = self.header.provenance.terms
        return f"trained on {self.header.provenance.data}: {terms}" if terms else None

    def predict(self, batch: npt.NDArray[np.uint8]) -> Outputs:
        """Run the network on RGB faces (b, height, width, 3); see the protocol."""
        found = estimate_faces(
            self.model, lambda rows: batch[rows], len(batch), self.views, self.device
        )
        outputs: Outputs = {"age": found.age, VIEW_STD: found.view_std}
        if found.logits is None:
            return outputs
        head, logits = self.model.config.head, torch.from_numpy(found.logits).double()
        raw, scaled = (
            class_masses(logits, t, head).mean(dim=1) for t in (1.0, self.header.temperature)
        )
        age = torch.from_numpy(found.age).double()
        return outputs | {
            "age_std": spread(scaled, head).numpy(),
            STD_RAW: spread(raw, head).numpy(),
            "age_proba": distribution(scaled, age, head).numpy(),
        }


def _sums(files: Iterable[FileHash]) -> set[str]:
    return {file.sha256 for file in files}


def load_checkpoint(path: Path) -> AgePredictor:
    """Read a checkpoint and build its network; fp32, on a GPU where there is one.

    Raises
    ------
    InputError
        See :func:`hae.checkpoint.read_checkpoint`; or its task is not one that predicts, or its
        weights are not those of its config.
    """
    found = read_checkpoint(path)
    if found.header.task != "age":
        raise InputError(
            f"{path}: holds a model of the task {found.header.task!r}, which predicts nothing; "
            "give it to train age --init"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = age_model(found, path).to(device)
    views = ViewParams(**found.part("views"))
    return AgePredictor(found.header, model, views, (file_hash(path),), device)


def age_model(found: Checkpoint, path: Path) -> AgeModel:
    """The network of a checkpoint in evaluation mode, in fp32."""
    with torch.random.fork_rng(devices=[]):
        model = AgeModel(found.header.config.model)
    own, state = model.state_dict(), found.part("model")
    try:
        model.load_state_dict({k: v.to(own[k].dtype) if k in own else v for k, v in state.items()})
    except RuntimeError as error:
        raise InputError(
            f"{path}: its weights are not those of its config: {' '.join(str(error).split())[:200]}"
        ) from None
    return model.eval()
