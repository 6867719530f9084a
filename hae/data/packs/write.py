"""Decode every face of a data set once into a folder that is mapped into memory: a pack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audit.errors import InputError
from audit.files import write_text
from audit.tables import file_hash
from hae.data.card import card_of, card_path, write_card
from hae.data.core import Manifest, content_hash, state_hash
from hae.data.crop import Crop
from hae.data.decode import decoders
from hae.data.packs.blocks import BLOCK, STATE, Progress, fill_blocks, refuse_other
from hae.data.packs.info import (
    PIXELS,
    RECORD,
    TABLE,
    PackInfo,
    again,
    open_pixels,
    part_hash,
    read_info,
    total_of,
)
from hae.data.packs.read import read_pack
from hae.data.places import with_places
from hae.training.store import locked

LOCK = ".lock"
_NAMED = 5


@dataclass(frozen=True)
class Packed:
    """What ``write_pack`` left: ``decoded`` faces are new; ``found``: the pack was there already.

    ``reasons``: for each face why it has no pixels, "" where it has; empty if all have.
    """

    info: PackInfo
    reasons: tuple[str, ...]
    decoded: int
    found: bool = False


def write_pack(
    manifest: Manifest,
    out: Path,
    size: int,
    *,
    crop: Crop | None = None,
    workers: int | None = None,
    progress: Progress = lambda done: None,
) -> Packed:
    """Decode every face of a manifest into a pack, or go on with it; see ``read_pack``.

    The bytes depend on the faces, ``size`` and the crop alone, not on ``workers`` or on
    interruptions. A face that cannot be read is black and keeps its row, with the reason in the
    column ``label_error``.

    Parameters
    ----------
    manifest : Manifest
        The faces.
    out : Path
        The folder to write.
    size : int
        Side of the packed faces, pixels; the whole of each cut is kept.
    crop : Crop, optional
        Cut the faces so, instead of as the data set states; its ``images`` is not looked at.
    workers : int, optional
        Decoding threads; default: all cores.
    progress : callable
        Told how many further faces are done.

    Raises
    ------
    InputError
        The crop needs boxes or rolls that the data set has not, the folder holds another pack or
        files that are of none, another process is at work there, or the disk is full.
    """
    source, manifest = content_hash(manifest), cropped(manifest, crop)
    wanted = {
        "size": size,
        "crop": manifest.crop.model_dump(mode="json"),
        "state": state_hash(manifest),
    }
    for folder in (out, *out.parents):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"--out {out}: {folder} is a file; give a folder")
    with locked(out / LOCK, wait=False):
        try:
            found = _finished(out, wanted)
            return found or _write(manifest, out, size, wanted, source, workers, progress)
        finally:
            (out / LOCK).unlink(missing_ok=True)


def cropped(manifest: Manifest, crop: Crop | None) -> Manifest:
    """A manifest whose faces are cut in another way.

    Raises
    ------
    InputError
        It has no boxes or no rolls for it, or its faces are not cut out of image files.
    """
    if crop is not None:
        crop = crop.model_copy(update={"images": manifest.crop.images})
        if manifest.images is not None and crop != manifest.crop:
            raise InputError(
                f"--crop: the faces of {manifest.label} are not cut out of image files, so they "
                "cannot be cut in another way; leave --crop, --margin and --align out"
            )
        manifest = replace(manifest, crop=crop)
    if manifest.crop.region == "box" and manifest.boxes is None:
        raise InputError(
            f"--crop box: {manifest.label} has no boxes of the faces (in a table the columns "
            "box_left, box_top, box_right and box_bottom); take --crop image"
        )
    if manifest.crop.align == "roll" and manifest.rolls is None:
        raise InputError(
            f"--align roll: {manifest.label} does not say how the faces lean (in a table the "
            "column roll, or left_eye_x to right_eye_y); take --align none"
        )
    return manifest


def _finished(out: Path, wanted: Mapping[str, Any]) -> Packed | None:
    """The pack in the folder if it is done, None if it is not."""
    if (out / RECORD).is_file():
        info = read_info(out)
        refuse_other(out, wanted, info.model_dump(mode="json"), "a pack")
        (out / STATE).unlink(missing_ok=True)
        return Packed(info, read_pack(out, None, {}).reasons, decoded=0, found=True)
    table = out / TABLE
    strangers = [path for path in (out / PIXELS, table, card_path(table)) if path.exists()]
    if strangers and not (out / STATE).is_file():
        raise InputError(
            f"{strangers[0]}: is of no pack and would be written over; give another --out"
        )
    return None


def _write(
    manifest: Manifest,
    out: Path,
    size: int,
    wanted: Mapping[str, Any],
    source: str,
    workers: int | None,
    progress: Progress,
) -> Packed:
    files = list(manifest.label_files)  # as they were when the work began
    blocks, new = fill_blocks(manifest, out, size, wanted, workers, progress)
    failed = {int(row): why for block in blocks for row, why in block.reasons.items()}
    reasons = tuple(failed.get(row, "") for row in range(len(manifest))) if failed else ()
    manifest, table = replace(manifest, reasons=reasons), out / TABLE
    write_text(table, with_places(manifest).to_csv(index=False))
    made = "; ".join(filter(None, [manifest.made, f"packed at {size} x {size} pixels"]))
    write_card(card_of(manifest, table, made), table)
    sums = [block.sha256 for block in blocks]
    info = PackInfo(
        size=size,
        n=len(manifest),
        crop=manifest.crop,
        split=manifest.split,
        source=source,
        state=wanted["state"],
        files=files,
        table=file_hash(table).sha256,
        block=BLOCK,
        blocks=sums,
        total=total_of(sums),
    )
    write_text(out / RECORD, json.dumps(info.model_dump(mode="json"), indent=1) + "\n")
    (out / STATE).unlink()
    return Packed(info, reasons, new)


def verify_pack(
    root: Path, *, workers: int | None = None, progress: Progress = lambda done: None
) -> PackInfo:
    """Read every byte of a pack and compare its checksums.

    Raises
    ------
    InputError
        Names the blocks of pixels that have changed, or what else is wrong with the pack.
    """
    read_pack(root, None, {})
    info, path, bad = read_info(root), root / PIXELS, []
    start, face = open_pixels(root, info).offset, info.face_bytes
    with decoders(workers) as pool:
        parts = [info.rows(number) for number in range(len(info.blocks))]
        jobs = [
            pool.submit(part_hash, path, start + rows[0] * face, len(rows) * face) for rows in parts
        ]
        for number, (rows, job) in enumerate(zip(parts, jobs, strict=True)):
            if job.result() != info.blocks[number]:
                bad.append(f"block {number} (faces {rows[0] + 1:,} to {rows[-1] + 1:,})")
            progress(len(rows))
    if bad:
        more = f" and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
        raise InputError(
            f"{path}: {', '.join(bad[:_NAMED])}{more} changed since {RECORD} was written; "
            f"{again(root)}"
        )
    return info
