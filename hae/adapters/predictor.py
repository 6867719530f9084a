"""What every model must be able to do to be audited."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from audit.result import FileHash
from hae.adapters.spec import InputSpec
from hae.data.core import Manifest
from hae.data.crop import Crop

Outputs = dict[str, npt.NDArray[np.floating[Any]]]


class Predictor(Protocol):
    """A model that is ready to run.

    ``predict`` takes RGB faces ``(b, height, width, 3)`` uint8 of ``input_spec.size`` and gives,
    as far as the model has them, ``age`` (b,) and ``age_std`` (b,) in years, ``age_proba``
    (b, centres), ``proba`` (b, classes) and ``embedding`` (b, d). A model of a single number has an
    ``age`` without the other two. A face's numbers do not depend on the others in the batch.
    """

    @property
    def name(self) -> str:
        """The model's name, as shown in reports."""
        ...

    @property
    def tasks(self) -> tuple[str, ...]:
        """``age``, ``expression`` or both."""
        ...

    @property
    def input_spec(self) -> InputSpec:
        """Size, cut and normalisation of the input."""
        ...

    @property
    def centres(self) -> tuple[float, ...]:
        """Ages of ``age_proba``'s columns, in years; empty without a distribution of age."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of ``proba``'s columns; empty without the task ``expression``."""
        ...

    @property
    def extras(self) -> tuple[str, ...]:
        """Further numbers per face, (b,), that it gives under these names: columns of the table."""
        ...

    @property
    def files(self) -> tuple[FileHash, ...]:
        """The files that make up the model."""
        ...

    def has_seen(self, manifest: Manifest) -> bool:
        """Whether it was trained or selected on some of these faces, as far as is known."""
        ...

    @property
    def crop(self) -> Crop | None:
        """How the faces it was trained on were cut from their images; None: not known."""
        ...

    @property
    def terms(self) -> str | None:
        """The licence in words."""
        ...

    def predict(self, batch: npt.NDArray[np.uint8]) -> Outputs:
        """Run the network."""
        ...
