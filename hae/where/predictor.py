"""A trained model that also tells, face by face, where it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from audit.errors import InputError
from audit.result import FileHash
from audit.where import cell_columns, region_columns
from hae.adapters.checkpoint import AgePredictor, ExpressionPredictor
from hae.adapters.predictor import Outputs, Predictor
from hae.adapters.spec import InputSpec
from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.inference import chunk_size, filled, view_tensor
from hae.precision import exact
from hae.views import plain_view
from hae.where.face import Face, face_in
from hae.where.looks import look
from hae.where.reduce import Shares


@dataclass(frozen=True, eq=False)
class WherePredictor:
    """``base`` with columns of where it looks; fulfils the same protocol.

    ``sources``: what tells it. ``face``: where the face lies in what it sees.
    """

    base: AgePredictor | ExpressionPredictor
    sources: tuple[str, ...]
    face: Face

    @property
    def name(self) -> str:
        """That of the model."""
        return self.base.name

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those of the model."""
        return self.base.tasks

    @property
    def input_spec(self) -> InputSpec:
        """That of the model."""
        return self.base.input_spec

    @property
    def centres(self) -> tuple[float, ...]:
        """Those of the model."""
        return self.base.centres

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the model."""
        return self.base.classes

    @property
    def extras(self) -> tuple[str, ...]:
        """Those of the model, and shares of the regions and of the cells by source."""
        mine = (n for s in self.sources for n in (*region_columns(s), *cell_columns(s)))
        return (*self.base.extras, *mine)

    @property
    def files(self) -> tuple[FileHash, ...]:
        """Those of the model."""
        return self.base.files

    def has_seen(self, manifest: Manifest) -> bool:
        """As the model."""
        return self.base.has_seen(manifest)

    @property
    def crop(self) -> Crop | None:
        """That of the model."""
        return self.base.crop

    @property
    def terms(self) -> str | None:
        """Those of the model."""
        return self.base.terms

    def predict(self, batch: npt.NDArray[np.uint8]) -> Outputs:
        """Run the network on RGB faces (b, height, width, 3); see the protocol."""
        found, chunk = self.base.predict(batch), chunk_size(self.base.device)
        parts: dict[str, list[npt.NDArray[np.float64]]] = {}
        for start in range(0, len(batch), chunk):
            faces = batch[start : start + chunk]
            for source, shares in self._look(faces, chunk).items():
                values = np.concatenate([shares.regions, shares.cells], axis=1)
                parts.setdefault(source, []).append(values[: len(faces)])
        for source in self.sources:
            whole = np.concatenate(parts[source])
            names = (*region_columns(source), *cell_columns(source))
            found |= {name: whole[:, k] for k, name in enumerate(names)}
        return found

    def _look(self, faces: npt.NDArray[np.uint8], chunk: int) -> Mapping[str, Shares]:
        model, device = self.base.model, self.base.device
        images = filled(torch.from_numpy(faces).to(device), chunk)
        view = plain_view().to(device)
        with exact():
            return look(model, view_tensor(model.config, images, view)[:, 0], self.face)


def predictor_with_where(
    predictor: Predictor, manifest: Manifest, lines: tuple[float, float] | None = None
) -> WherePredictor:
    """The same model, which also tells where it looks on these faces.

    The faces are taken to be aligned as their data set cuts them; ``lines`` as in
    :func:`hae.where.face.face_in`.

    Raises
    ------
    InputError
        The model is no checkpoint of this package, or shows no maps; or the lines are impossible.
    """
    if not isinstance(predictor, AgePredictor | ExpressionPredictor):
        raise InputError(
            f"--where: {predictor.name} is no checkpoint of hae-audit, so its maps are not known; "
            "leave --where out, or give where_* columns in a table of predictions"
        )
    size, width = predictor.input_spec.size
    grey = np.full((1, size, width, 3), 128, dtype=np.uint8)
    face = face_in(manifest.crop, predictor.input_spec.keep, lines)
    found = WherePredictor(predictor, (), face)
    # asked here once, so that a model without maps is refused before the long work
    return WherePredictor(predictor, tuple(found._look(grey, 1)), face)
