"""What every checkpoint of ours says of itself, whatever it predicts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch

from audit.result import FileHash
from hae.adapters.spec import InputSpec
from hae.checkpoint import Header
from hae.data.core import Manifest, content_hash, faces_hash
from hae.data.crop import Crop


@dataclass(frozen=True, eq=False)
class Trained:
    """The part of :class:`hae.adapters.predictor.Predictor` that a header answers."""

    header: Header
    files: tuple[FileHash, ...]
    device: torch.device

    @property
    def name(self) -> str:
        """The model's name, as shown in reports."""
        return self.header.config.name

    @property
    def tasks(self) -> tuple[str, ...]:
        """The one it was trained for."""
        return (self.header.task,)

    @property
    def input_spec(self) -> InputSpec:
        """Size, cut and normalisation of the input."""
        model = self.header.config.model
        return InputSpec(
            size=(model.size, model.size), keep=model.keep, mean=model.mean, std=model.std
        )

    def has_seen(self, manifest: Manifest) -> bool:
        """Whether it was trained or selected on some of these faces, as far as is known.

        It is known of the very same data set wherever it lies, packed or not; of its other reading
        where the split is not named; of a whole of which these faces are a split; of tables that
        were taken from the same label files, by whatever split; and of another data set that reads
        the same file, such as FERPlus of FER2013, in a split of the same name. A copy with other
        label files is not found.
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
        if own & theirs and not any(f"{x} ".startswith(f"{manifest.name} ") for x in labels):
            parts = {label.rpartition(" ")[2] for label in labels if " " in label}
            return manifest.split is None or manifest.split in parts or not parts
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


def _sums(files: Iterable[FileHash]) -> set[str]:
    return {file.sha256 for file in files}
