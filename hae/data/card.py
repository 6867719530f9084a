"""What a table or a pack of faces cannot say in its rows: one JSON file beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from audit.configs import checked
from audit.errors import InputError
from audit.files import write_text
from audit.rows import LabelSource
from audit.tables import file_hash
from hae.config import Strict
from hae.data.core import Manifest, faces_hash
from hae.data.crop import Crop

SUFFIX = ".card.json"


class Card(Strict):
    """Where faces come from and what holds for all of them.

    ``made`` says in words how the table came about, such as by which protocol it was split.
    ``leaky``: for each split whose people may also be in another, why (under "" for all).
    ``origins``: SHA-256 of the label files and ``faces_hash`` of the data that the faces were taken
    from. ``root`` is where the images lie, from the table's folder. ``table`` is the SHA-256
    of the table, which must not change behind its card.
    """

    format: Literal["hae-audit/data/1"] = "hae-audit/data/1"
    name: str
    crop: Crop
    sources: dict[str, LabelSource] = Field(default_factory=dict)
    terms: str | None = None
    made: str | None = None
    leaky: dict[str, str] = Field(default_factory=dict)
    drawn: bool = False
    root: str | None = None
    origins: list[str] = Field(default_factory=list)
    table: str


def card_of(
    manifest: Manifest, table: Path, made: str | None = None, leaky: dict[str, str] | None = None
) -> Card:
    """The card of a table that was written from a manifest."""
    own = {manifest.split or "": manifest.leaky} if manifest.leaky else {}
    return Card(
        name=manifest.name,
        crop=manifest.crop,
        sources=dict(manifest.sources),
        terms=manifest.terms,
        made=made,
        leaky=own if leaky is None else leaky,
        drawn=manifest.drawn,
        root=_root(manifest, table),
        origins=[
            *(file.sha256 for file in manifest.label_files),
            faces_hash(manifest),
            *manifest.origins,
        ],
        table=file_hash(table).sha256,
    )


def _root(manifest: Manifest, table: Path) -> str | None:
    """The folder that links of its images must not leave, from the table's folder."""
    if manifest.images is not None:
        return None
    root = (manifest.guard or manifest.root).resolve()
    return Path(os.path.relpath(root, table.parent.resolve())).as_posix()


def card_path(table: Path) -> Path:
    """Where a table's card lies."""
    return table.with_name(table.name + SUFFIX)


def write_card(card: Card, table: Path) -> None:
    """Write a card beside its table, whole or not at all."""
    text = json.dumps(card.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
    write_text(card_path(table), text + "\n")


def read_card(table: Path) -> Card | None:
    """The card beside a table; None where there is none.

    Raises
    ------
    InputError
        The card breaks its format, or the table was changed after it was written.
    """
    path = card_path(table)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no JSON object, so no card of faces")
    card = checked(Card, content, str(path))
    if card.table != file_hash(table).sha256:
        raise InputError(
            f"{table}: was changed after {path.name} was written, which vouches for its split; "
            f"make it again with data split, or delete {path.name} to use it as a table of yours"
        )
    return card
