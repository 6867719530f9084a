"""Rendered faces as a data set: ``--data rendered:default``; nothing lies on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from audit.errors import InputError
from hae.data.core import Manifest, checked
from hae.data.crop import Crop
from hae.data.images import Pixels, fit_face
from hae.data.rendered.paint import VERSION, paint
from hae.data.rendered.people import SPLITS, cohort
from hae.data.rendered.spec import RenderSpec, described, read_spec

TERMS = "drawn by hae-audit, no real person"
SOURCES = dict.fromkeys(("group", "skin_tone", "presentation"), "drawn")
_COLUMNS = ("sample_id", "path", "subject_id", "age", "group", "skin_tone", "presentation")


@dataclass(frozen=True, eq=False)
class RenderedImages:
    """Paints a manifest's rows when asked; ``params`` are rows of ``cohort`` in its order."""

    spec: RenderSpec
    params: pd.DataFrame = field(repr=False)
    split: str | None = None
    threads: int = 1

    @property
    def fingerprint(self) -> str:
        """The renderer's version, the split and the spec."""
        spec = self.spec
        text = spec.model_dump_json(exclude=None if spec.ambiguous > 0 else {"ambiguous"})
        return f"rendered/{VERSION} {self.split or 'all'} {text}"

    @property
    def drawn(self) -> bool:
        """Yes."""
        return True

    def __call__(
        self, rows: Sequence[int], size: tuple[int, int], keep: float
    ) -> list[Pixels | str]:
        """Paint some rows at the spec's size and fit them as image files are fitted.

        Many rows in one call are several times quicker than one by one.
        """
        faces = paint(self.params.iloc[list(rows)], self.spec.size, self.threads)
        if keep == 1 and size == faces.shape[1:3]:
            return list(faces)
        return [fit_face(Image.fromarray(face), size, keep) for face in faces]


def read_rendered(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Draw up the cohort that ``root`` specifies; see ``read_spec`` for its forms.

    ``group``, ``skin_tone``, ``presentation`` and ``drawn_age`` are what was drawn; ``age`` (see
    ``RenderSpec``) and ``expression`` (one of ``EXPRESSIONS``) are the labels. With ``ambiguous``
    above 0 there are ``ambiguity`` and ``second_expression`` too (see ``blends``). Splits are by
    person.

    Raises
    ------
    InputError
        The spec breaks a rule, the split is unknown or empty, or columns are to be mapped.
    """
    if mapping:
        raise InputError("--map: rendered faces have fixed columns; leave --map out")
    spec = read_spec(str(root))
    if split is not None and split not in SPLITS:
        raise InputError(f"--split {split!r}: rendered faces have {', '.join(SPLITS)}")
    params = cohort(spec)
    if split is not None:
        params = params[params["split"] == split].reset_index(drop=True)
        if params.empty:
            raise InputError(
                f"--split {split}: none of {spec.people} people fell into it; ask for more"
            )
    return Manifest(
        name=f"drawn faces ({described(spec)})",
        root=Path(),
        frame=checked(_known(params), "rendered"),
        files=_files(root),
        split=split,
        sources=SOURCES,
        terms=TERMS,
        images=RenderedImages(spec, params, split),
        crop=Crop(images="drawn faces"),
    )


def _known(params: pd.DataFrame) -> pd.DataFrame:
    path = [f"rendered/{name}.png" for name in params["sample_id"]]
    frame = params.assign(path=path)[list(_COLUMNS)]
    frame["expression"] = params["expression"]
    frame["drawn_age"] = params["drawn_age"]
    for name in ("ambiguity", "second_expression"):
        if name in params.columns:
            frame[name] = params[name]
    text = [name for name in frame.columns if frame[name].dtype != np.float64]
    return frame.astype(dict.fromkeys(text, "str"))


def _files(root: Path) -> tuple[Path, ...]:
    path = root.expanduser()
    return (path,) if path.suffix == ".toml" and "=" not in str(root) else ()
