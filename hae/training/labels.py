"""The expressions of a training run: which classes there are, and what each face shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.errors import InputError
from audit.hashing import Keys, text_keys
from hae.data.core import Manifest
from hae.data.expressions import class_order

VOTES = "votes_"
"""Beginning of the columns that hold how many annotators chose a class."""
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Labels:
    """Classes, and for every face of a manifest its class and the annotators' votes.

    ``keys`` are the faces' keys in ascending order; ``code`` (n,) is -1 where no class is known;
    ``votes`` (n, C) are shares of the votes for the classes, None where the data have no votes.
    """

    classes: tuple[str, ...]
    keys: Keys
    code: IntArray
    votes: FloatArray | None

    def of(self, samples: Keys) -> IntArray:
        """Classes of some faces."""
        return self.code[np.searchsorted(self.keys, samples)]

    def votes_of(self, samples: Keys) -> FloatArray | None:
        """Shares of the votes of some faces."""
        return None if self.votes is None else self.votes[np.searchsorted(self.keys, samples)]


def read_labels(manifest: Manifest, classes: tuple[str, ...] | None = None) -> Labels:
    """The labels of a manifest's faces, from its column ``expression``.

    Parameters
    ----------
    manifest : Manifest
        The faces.
    classes : tuple of str, optional
        The classes there may be, in order; default: those that occur.

    Raises
    ------
    InputError
        There is no such column, a usable face has no label, a class is none of ``classes``, there
        is but one class, or votes of a usable face are negative or sum to zero.
    """
    frame, place = manifest.frame, f"data set {manifest.label}"
    if "expression" not in frame.columns:
        raise InputError(
            f"{place}: has no column 'expression'; name it with --map expression=COLUMN"
        )
    names = frame["expression"].astype("str").str.strip()
    names = names.where(names != "")
    usable = np.array([not manifest.failure(row) for row in range(len(frame))], dtype=np.bool_)
    missing = np.flatnonzero(names.isna().to_numpy() & usable)
    if len(missing):
        raise InputError(
            f"{place}: {len(missing):,} of {len(frame):,} faces have no expression, the first is "
            f"sample_id {frame['sample_id'].iloc[missing[0]]!r}; take them out of the table to "
            "train without them"
        )
    found = set(names[usable].dropna())
    known = class_order(found) if classes is None else classes
    strange = sorted(found - set(known))
    if strange:
        raise InputError(
            f"{place}: its class {strange[0]!r} is none of {', '.join(known)}, which the other "
            "data have; give the same classes to both, or leave such faces out"
        )
    if len(known) < 2:
        raise InputError(f"{place}: all faces are {known[0]!r}; there is nothing to tell apart")
    code = pd.Categorical(names, categories=list(known)).codes.astype(np.int64)
    keys = text_keys(frame["sample_id"].tolist(), "sample")
    order = np.argsort(keys, kind="stable")
    votes = _votes(frame, known, usable, place)
    return Labels(known, keys[order], code[order], None if votes is None else votes[order])


def _votes(
    frame: pd.DataFrame, classes: tuple[str, ...], usable: npt.NDArray[np.bool_], place: str
) -> FloatArray | None:
    columns = [f"{VOTES}{name}" for name in classes]
    if not any(name in frame.columns for name in columns):
        return None
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise InputError(f"{place}: has votes, but no column {absent[0]!r}; give one per class")
    votes = frame[columns].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    wrong = usable & ~(np.isfinite(votes) & (votes >= 0)).all(axis=1)
    empty = usable & ~wrong & (votes.sum(axis=1) == 0)
    for bad, why in ((wrong, "must be numbers of at least 0"), (empty, "sum to zero")):
        if bad.any():
            raise InputError(
                f"{place}: the votes of {int(bad.sum()):,} faces {why}, the first is sample_id "
                f"{frame['sample_id'].iloc[int(bad.argmax())]!r}; mend them or leave the face out"
            )
    total = np.where(usable, votes.sum(axis=1), 1.0)
    shares: FloatArray = (votes / np.where(total > 0, total, 1.0)[:, None]).astype(np.float32)
    return shares
