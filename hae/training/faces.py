"""The faces of a training run: decoded once, with their truth, and split by person."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from audit.errors import InputError
from audit.files import write_text
from audit.hashing import Keys, text_keys, uniforms
from audit.predictions import predictions_from_frame
from hae.data.core import Manifest, state_hash
from hae.data.decode import decoded, decoders
from hae.data.packs.read import PackedFaces
from hae.training.store import locked, new_array

BATCH = 256
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Faces:
    """Some rows of a file of decoded faces, (n, s, s, 3) uint8 RGB, and what is known of them.

    ``sample`` and ``person`` are keys. The truth is in years: an exact age has ``low == high``, a
    band is [low, high), and both are NaN where nothing is known.
    """

    store: npt.NDArray[np.uint8]
    row: IntArray
    sample: Keys
    person: Keys
    low: FloatArray
    high: FloatArray

    def __len__(self) -> int:
        return len(self.sample)

    def take(self, rows: IntArray | npt.NDArray[np.bool_]) -> Faces:
        """Some of the faces; the pixels stay where they are."""
        index = np.arange(len(self))[rows]
        return Faces(
            self.store,
            self.row[index],
            self.sample[index],
            self.person[index],
            self.low[index],
            self.high[index],
        )

    def pixels(self, rows: IntArray | slice = slice(None)) -> npt.NDArray[np.uint8]:
        """Pixels of some of the faces, copied."""
        return np.ascontiguousarray(self.store[self.row[rows]])

    @property
    def people(self) -> int:
        """How many different persons there are."""
        return len(np.unique(self.person))


@dataclass(frozen=True, eq=False)
class Loaded:
    """All readable faces of a manifest, and (sample_id, reason) of the others.

    ``nameless``: how many of the manifest's faces have no ``subject_id``.
    """

    faces: Faces
    unreadable: tuple[tuple[str, str], ...]
    nameless: int


def load_faces(
    manifest: Manifest,
    size: int,
    keep: float,
    cache: Path,
    *,
    truth: bool = True,
    progress: Callable[[int], object] = lambda done: None,
) -> Loaded:
    """Decode every face of a manifest into one memory-mapped file, or find it there.

    A pack that has just these pixels is used as it is.

    Parameters
    ----------
    manifest : Manifest
        The faces.
    size, keep : int and float
        Side in pixels, and the share of the image's side that is kept.
    cache : Path
        Folder of decoded faces; several runs and processes may share it.
    truth : bool
        Whether every face must have an age.
    progress : callable
        Told how many further faces are decoded.

    Raises
    ------
    InputError
        A face has no age though ``truth`` is asked, or no image can be read.
    """
    low, high = _truth(manifest, required=truth)
    pixels, rows, reasons = _pixels(manifest, size, keep, cache, progress)
    names = manifest.frame["sample_id"].tolist()
    unreadable = tuple((names[row], why) for row, why in enumerate(reasons) if why)
    if len(unreadable) == len(names):
        raise InputError(
            f"data set {manifest.label}: none of its {len(names):,} images can be read; the first, "
            f"{unreadable[0][0]}: {unreadable[0][1]}"
        )
    sample = text_keys(names, "sample")
    person = _people(manifest, sample)
    faces = Faces(pixels, rows, sample, person, low, high)
    readable = np.flatnonzero([not why for why in reasons])
    order = np.argsort(sample[readable], kind="stable")  # the order of rows must not matter
    return Loaded(faces.take(readable[order]), unreadable, int((person == sample).sum()))


def _truth(manifest: Manifest, *, required: bool) -> tuple[FloatArray, FloatArray]:
    frame = manifest.frame.drop(columns="path")
    if not required and "age" not in frame and "age_low" not in frame:
        unknown = np.full(len(frame), np.nan, dtype=np.float32)
        return unknown, unknown
    table = predictions_from_frame(
        frame.assign(age_pred=None), task="age", place=f"data set {manifest.label}"
    )
    assert table.truth is not None
    usable = np.array([not manifest.failure(row) for row in range(len(frame))])
    missing = np.flatnonzero(~table.truth.known & usable)
    if required and len(missing):
        raise InputError(
            f"data set {manifest.label}: {len(missing):,} of {len(frame):,} faces have no age, the "
            f"first is sample_id {frame['sample_id'].iloc[missing[0]]!r}; take them out of the "
            "table to train without them"
        )
    return table.truth.low.astype(np.float32), table.truth.high.astype(np.float32)


def _people(manifest: Manifest, sample: Keys) -> Keys:
    """Keys of the persons; a face without a person is its own."""
    if "subject_id" not in manifest.frame.columns:
        return sample
    names = manifest.frame["subject_id"].astype("str").fillna("")  # "str" leaves a gap a gap
    known = (names.str.strip() != "").to_numpy()
    return np.where(known, text_keys(names.tolist(), "subject"), sample)


def _pixels(
    manifest: Manifest, size: int, keep: float, cache: Path, progress: Callable[[int], object]
) -> tuple[npt.NDArray[np.uint8], IntArray, list[str]]:
    """A file of pixels, each face's row in it, and why a face has none."""
    packed = manifest.images
    if isinstance(packed, PackedFaces) and packed.holds((size, size), keep):
        progress(len(manifest))
        return packed.pixels, packed.rows, list(packed.reasons)
    print_ = sha256(f"{state_hash(manifest)}|{size}|{keep!r}".encode()).hexdigest()[:16]
    array, reasons = cache / f"faces-{print_}.npy", cache / f"faces-{print_}.json"
    with locked(array.with_suffix(".lock")):
        if not (array.is_file() and reasons.is_file()):
            temporary = array.with_suffix(".tmp")
            try:
                found = _decode(manifest, size, keep, temporary, progress)
                temporary.replace(array)
            finally:
                temporary.unlink(missing_ok=True)
            write_text(reasons, json.dumps(found))
        else:
            progress(len(manifest))
    found = json.loads(reasons.read_text(encoding="utf-8"))
    return np.load(array, mmap_mode="r"), np.arange(len(manifest)), found


def _decode(
    manifest: Manifest, size: int, keep: float, path: Path, progress: Callable[[int], object]
) -> list[str]:
    """Fill a memory-mapped file with the faces; the reasons of those that cannot be read."""
    shape = (len(manifest), size, size, 3)
    pixels = new_array(path, np.uint8, shape)
    reasons: list[str] = []
    with decoders() as pool:
        for batch in decoded(
            manifest, range(len(manifest)), (size, size), keep, pool=pool, batch_size=BATCH
        ):
            for face in batch:
                if not isinstance(face, str):
                    pixels[len(reasons)] = face
                reasons.append(face if isinstance(face, str) else "")
            progress(len(batch))
    pixels.flush()
    return reasons


def hold_out(faces: Faces, share: float, seed: int, place: str) -> tuple[Faces, Faces]:
    """Split by person: about ``share`` of the people go to the second part.

    Who is held out is a hash of the person and the seed: rows may come in any order.

    Raises
    ------
    InputError
        A part would be empty.
    """
    out = uniforms(faces.person, seed, 0) < share
    if out.all() or not out.any():
        empty = "training" if out.all() else "validation"
        raise InputError(
            f"{place}: holding out {share:g} of {faces.people} people leaves no {empty} face; give "
            "more people, another share (validation) or a split of its own (--val-split)"
        )
    return faces.take(~out), faces.take(out)


def check_apart(train: Faces, validation: Faces, people: Manifest, others: Manifest) -> None:
    """Refuse one person in both splits; the manifests are of the validation and training faces.

    Faces drawn by two specs are of other people, though their ids are the same.

    Raises
    ------
    InputError
        Names the first such person and how many there are.
    """
    if people.drawn and others.drawn and people.name != others.name:
        return
    both = np.intersect1d(train.person, validation.person)
    if len(both):
        raise InputError(
            f"data set {people.label}: {len(both):,} people are in the training split too, such as "
            f"{_name_in(both, people)}; split by person"
        )


def _name_in(keys: Keys, manifest: Manifest) -> str:
    """The first person of a manifest among the keys: by name, or by the face without a person."""
    for column in ("subject_id", "sample_id"):
        if column in manifest.frame.columns:
            names = manifest.frame[column].dropna().astype("str").tolist()
            among = np.isin(text_keys(names, column.removesuffix("_id")), keys)
            if among.any():
                return f"{column} {names[int(among.argmax())]!r}"
    raise AssertionError("these people are of another manifest")
