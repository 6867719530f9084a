"""Any table with a path column: CSV or Parquet, one row per face; and how one is written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from audit.errors import InputError
from audit.files import write_text
from audit.tables import read_table, rename
from hae.data.card import Card, card_of, card_path, read_card, write_card
from hae.data.core import Manifest, checked
from hae.data.crop import MARGIN, WHOLE, Crop
from hae.data.places import BOX, EYES, REASON, ROLL, take_places, with_places


def read_manifest(table: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read a table of faces; paths are relative to the table's folder.

    Columns: ``path``; optionally ``sample_id`` (else the path), ``subject_id``, ``age`` (years or
    a band such as ``20-29``) or ``age_low`` and ``age_high``, ``expression``, ``weight``,
    ``split``, and any attributes. With ``box_left``, ``box_top``, ``box_right`` and ``box_bottom``
    (pixels) the faces are cut out of their images; ``roll`` (degrees, clockwise as seen), or
    ``left_eye_x`` to ``right_eye_y``, says how they lean. A row with a ``label_error`` fails with
    these words. A card beside the table (``data split`` writes one) adds where it comes from.

    Parameters
    ----------
    table : Path
        CSV (every cell is text as written, only an empty one is missing) or Parquet.
    split : str, optional
        Keep the rows whose column ``split`` is this.
    mapping : mapping of our column to theirs
        For example ``{"path": "img", "age": "label"}``.

    Raises
    ------
    InputError
        The table cannot be read, has no column ``path``, no row of the split, or doubled ids.
    """
    if table.is_dir():
        raise InputError(
            f"--data manifest:{table}: is a folder; give the CSV or Parquet table that lists the "
            "images"
        )
    card = read_card(table)
    if card is not None:
        _refuse_mapped(mapping, table)
    frame = rename(read_table(table), mapping, table.name)
    if "path" not in frame.columns:
        raise InputError(
            f"{table.name}: no column 'path'; name it with --map path=THEIRS; "
            f"the table has {', '.join(map(str, frame.columns))}"
        )
    if split is not None:
        frame = only_split(frame, split, table.name)
    if "sample_id" not in frame.columns:
        frame.insert(0, "sample_id", frame["path"])
    frame, boxes, rolls = take_places(checked(frame, table.name), table.name)
    reasons = frame.pop(REASON).fillna("").astype("str") if REASON in frame.columns else ()
    manifest = Manifest(
        name=table.stem,
        root=table.parent,
        frame=frame,
        files=(table,),
        split=split,
        crop=WHOLE if boxes is None else Crop(images="scenes", region="box", margin=MARGIN),
        boxes=boxes,
        rolls=rolls,
        reasons=tuple(reasons),
    )
    return manifest if card is None else with_card(manifest, card)


def _refuse_mapped(mapping: Mapping[str, str], table: Path) -> None:
    """What a card vouches for must not be read from other columns."""
    bound = {"path", "sample_id", "subject_id", "split", *BOX, ROLL, *EYES}
    wrong = sorted(bound & {*mapping, *mapping.values()})
    if wrong:
        raise InputError(
            f"--map {wrong[0]}: {card_path(table).name} vouches for this column of {table.name}; "
            "leave it out, or delete the card to use the table as yours"
        )


def with_card(manifest: Manifest, card: Card) -> Manifest:
    """A manifest with what its card says of all its faces."""
    alone = card.leaky.get(manifest.split or "") or card.leaky.get("")
    every = "; ".join(f"{name}: {why}" if name else why for name, why in sorted(card.leaky.items()))
    return replace(
        manifest,
        name=card.name,
        guard=None if card.root is None else manifest.root / card.root,
        crop=card.crop,
        sources=card.sources,
        terms=card.terms,
        made=card.made,
        origins=tuple(card.origins),
        leaky=alone if manifest.split else every or None,
    )


def write_manifest(
    manifest: Manifest,
    table: Path,
    made: str | None = None,
    leaky: Mapping[str, str] | None = None,
) -> None:
    """Write a manifest as a CSV that :func:`read_manifest` reads, and its card beside it.

    Paths become relative to the table's folder, so that both may move together.
    """
    frame = with_places(manifest)
    folder = table.parent.resolve()
    frame["path"] = [
        Path(os.path.relpath(manifest.root.resolve() / name, folder)).as_posix()
        for name in frame["path"]
    ]
    write_text(table, frame.to_csv(index=False))
    write_card(card_of(manifest, table, made, None if leaky is None else dict(leaky)), table)


def only_split(frame: pd.DataFrame, split: str, place: str) -> pd.DataFrame:
    """The rows of one split.

    Raises
    ------
    InputError
        There is no column ``split``, or no row of it.
    """
    if "split" not in frame.columns:
        raise InputError(f"{place}: --split {split}: the table has no column 'split'")
    kept = frame[frame["split"].astype("str") == split]
    if kept.empty:
        found = ", ".join(sorted(frame["split"].dropna().astype("str").unique())[:8])
        raise InputError(f"{place}: --split {split}: no such row; the splits are {found}")
    return kept.copy()
