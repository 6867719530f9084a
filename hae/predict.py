"""Manifest and model -> predictions table: decoded in parallel, resumable, no row lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.errors import InputError
from audit.predictions import LEAKY
from audit.where import PREFIX as WHERE
from hae.adapters.predictor import Outputs, Predictor
from hae.data.core import Manifest, state_hash
from hae.data.decode import decoded, decoders
from hae.data.images import Pixels, is_there, leaves
from hae.parts import Parts, open_parts

PART = 1024
REASON = "failure_reason"
NOT_FINITE = "the model's output is not finite"

Progress = Callable[[int], object]
"""Called with the number of further faces that are done."""
Notice = Callable[[str], object]


def predict(
    manifest: Manifest,
    predictor: Predictor,
    *,
    keep_probabilities: bool = False,
    batch_size: int = 64,
    workers: int | None = None,
    parts: Path | None = None,
    progress: Progress = lambda done: None,
    notice: Notice = lambda text: None,
) -> pd.DataFrame:
    """Predict every face of a manifest.

    Rows keep the manifest's order. They do not depend on ``batch_size`` or ``workers``.

    Parameters
    ----------
    manifest : Manifest
        The faces.
    predictor : Predictor
        The model.
    keep_probabilities : bool
        Write the age distribution as columns ``prob_age_<centre>`` too.
    batch_size : int
        Faces decoded and handed over at once.
    workers : int, optional
        Decoding threads; default: all cores.
    parts : Path, optional
        Folder for finished parts. An interrupted run with the same model, data and options goes on
        from there; the caller removes it once the table is safe.
    progress, notice : callables, optional
        Told of finished faces, and of parts that had to be dropped.

    Returns
    -------
    frame
        The manifest's columns without ``path``, then ``age_pred`` and ``age_std`` (years) or
        ``expression_pred`` and ``prob_<class>``, and ``failure_reason``: text where an image is
        missing or cannot be decoded (the predictions are empty there), else empty.

    Raises
    ------
    InputError
        None of the images exists, or the data set has columns of the predictions' names.
    """
    _check(manifest, predictor)
    kept = None
    if parts is not None:
        fingerprint = _fingerprint(manifest, predictor, keep_probabilities=keep_probabilities)
        kept, text = open_parts(parts, fingerprint)
        if text:
            notice(text)
    blocks, spec = [], predictor.input_spec
    with decoders(workers) as pool:
        for number, start in enumerate(range(0, len(manifest), PART)):
            rows = range(start, min(start + PART, len(manifest)))
            block = kept.load(number, len(rows)) if kept else None
            if block is None:
                faces = decoded(
                    manifest, rows, spec.size, spec.keep, pool=pool, batch_size=batch_size
                )
                block = _block(faces, predictor, progress, keep_probabilities)
                _save(kept, number, block)
            else:
                progress(len(rows))
            blocks.append(block)
    scores = pd.concat(blocks, ignore_index=True)
    frame = manifest.frame.drop(columns="path")
    if manifest.leaky:
        frame[LEAKY] = manifest.leaky
    return pd.concat([frame, scores], axis=1)


def score_columns(predictor: Predictor, *, keep_probabilities: bool = False) -> list[str]:
    """Names of the columns that a model adds, in order, without ``failure_reason``."""
    columns = ["age_pred"] if "age" in predictor.tasks else []
    columns += ["age_std"] if predictor.centres else []
    columns += predictor.extras
    if keep_probabilities:
        columns += [f"prob_age_{centre:g}" for centre in predictor.centres]
    if predictor.classes:
        columns += ["expression_pred", *(f"prob_{name}" for name in predictor.classes)]
    return columns


def _check(manifest: Manifest, predictor: Predictor) -> None:
    taken = set(score_columns(predictor, keep_probabilities=True)) | {REASON}
    twice = [name for name in manifest.frame.columns if name in taken]
    if twice:
        raise InputError(
            f"data set {manifest.name}: its column {twice[0]!r} is the name of a prediction; "
            "rename it"
        )
    check_images(manifest)


def check_images(manifest: Manifest) -> None:
    """Refuse a data set none of whose images is there: its folder is wrong."""
    if manifest.images is not None:
        return
    paths = manifest.paths()
    if not any(is_there(path) for path in paths):
        raise InputError(
            f"data set {manifest.label}: none of its {len(paths):,} images exists, beginning with "
            f"{paths[0]}; is the folder right?"
        )
    if all(is_there(path) and leaves(path, manifest.guard or manifest.root) for path in paths):
        raise InputError(
            f"data set {manifest.label}: all its images, beginning with {paths[0]}, lie behind a "
            f"symbolic link out of {manifest.root}; give the real folder"
        )


def _fingerprint(
    manifest: Manifest, predictor: Predictor, *, keep_probabilities: bool
) -> dict[str, object]:
    return {
        "model": [file.sha256 for file in predictor.files],
        "data": state_hash(manifest),
        "options": {
            "keep_probabilities": keep_probabilities,
            "part": PART,
            "columns": score_columns(predictor, keep_probabilities=keep_probabilities),
            "face": repr(getattr(predictor, "face", None)),  # where a look was told for
        },
    }


def _save(kept: Parts | None, number: int, block: pd.DataFrame) -> None:
    if kept is not None:
        kept.save(number, block)


def _block(
    batches: Iterator[list[Pixels | str]],
    predictor: Predictor,
    progress: Progress,
    keep_probabilities: bool,  # noqa: FBT001
) -> pd.DataFrame:
    """Predict one part: its score columns and reasons, one row per face."""
    frames = []
    for faces in batches:
        frames.append(_scores(faces, predictor, keep_probabilities=keep_probabilities))
        progress(len(faces))
    return pd.concat(frames, ignore_index=True)


def _scores(
    faces: Sequence[Pixels | str], predictor: Predictor, *, keep_probabilities: bool
) -> pd.DataFrame:
    reasons = np.array([face if isinstance(face, str) else None for face in faces], dtype=object)
    readable = [face for face in faces if not isinstance(face, str)]
    columns = score_columns(predictor, keep_probabilities=keep_probabilities)
    found: dict[str, Any] = {name: np.full(len(faces), np.nan) for name in columns}
    if predictor.classes:
        found["expression_pred"] = np.full(len(faces), None, dtype=object)
    if readable:
        rows = np.flatnonzero([reason is None for reason in reasons])
        outputs = predictor.predict(np.stack(readable))
        finite = _finite(outputs)
        reasons[rows[~finite]] = NOT_FINITE
        for name, values in _named(outputs, predictor).items():
            if name in found:
                found[name][rows[finite]] = values[finite]
    if predictor.classes:
        found["expression_pred"] = pd.Series(found["expression_pred"], dtype="str")
    return pd.DataFrame({**found, REASON: pd.Series(reasons, dtype="str")})


def _finite(outputs: Outputs) -> npt.NDArray[np.bool_]:
    """Where all numbers of a face are finite, shape (b,); where the model looked may be unknown."""
    asked = [y for name, y in outputs.items() if not name.startswith(WHERE)]
    whole = [np.isfinite(y).reshape(len(y), -1).all(axis=1) for y in asked]
    return np.asarray(np.logical_and.reduce(whole), dtype=np.bool_)


def _named(outputs: Outputs, predictor: Predictor) -> dict[str, npt.NDArray[np.generic]]:
    """Columns by their names in the predictions table."""
    named: dict[str, npt.NDArray[np.generic]] = {}
    if "age" in outputs:
        named["age_pred"] = outputs["age"]
    if "age_std" in outputs:
        named["age_std"] = outputs["age_std"]
    named |= {name: outputs[name] for name in predictor.extras}
    if "age_proba" in outputs:
        named |= {
            f"prob_age_{centre:g}": outputs["age_proba"][:, k]
            for k, centre in enumerate(predictor.centres)
        }
    if "proba" in outputs:
        best = np.nan_to_num(outputs["proba"], nan=-1.0).argmax(axis=1)
        named["expression_pred"] = np.array(predictor.classes, dtype=object)[best]
        named |= {
            f"prob_{name}": outputs["proba"][:, k] for k, name in enumerate(predictor.classes)
        }
    return named
