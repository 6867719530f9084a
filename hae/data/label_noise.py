"""Planted errors of class labels: which faces get a wrong one, and which."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from audit.errors import InputError
from audit.hashing import FloatArray, Keys, uniforms

Labels = npt.NDArray[np.int64]

NOISES = ("symmetric", "pair", "instance")
CAP = 0.95
"""No face's chance of a wrong label is above this (or above the rate, where that is higher)."""
FLOOR = 0.1
"""Weight of the easiest face, so that no face is safe; the hardest has ``FLOOR`` + 1."""
CHUNK = 64
_FLIP, _CLASS = 0x666C6970, 0x636C6173
"""Draws of one face, apart from the small numbers that other code counts from 0."""


def flip_labels(
    labels: Labels,
    keys: Keys,
    n_classes: int,
    rate: float,
    kind: str,
    seed: int,
    difficulty: FloatArray | None = None,
    second: Labels | None = None,
) -> Labels:
    """Replace some labels by wrong ones.

    A known label y of face i becomes another class with probability q_i: ``symmetric``: q_i =
    ``rate``, uniform over the other C - 1; ``pair``: q_i = ``rate``, (y + 1) mod C; ``instance``:
    q_i as in :func:`flip_chances`, the face's ``second`` class or else uniform over the others.
    Each draw is a hash of (``seed``, key), so results do not depend on the order of the rows, nor,
    but for the scale of ``instance``, on the other rows; a face that is flipped at one rate is
    flipped at every higher one.

    Parameters
    ----------
    labels : (n,) int64
        Classes 0 .. C - 1; -1 (unknown) stays and does not count.
    keys : (n,) uint64
        Hashes of the sample ids, see :func:`audit.hashing.text_keys`.
    n_classes : int
        C, at least 2.
    rate : float
        Expected share of wrong labels among the known ones, in [0, 1).
    kind : {"symmetric", "pair", "instance"}
        Which faces are flipped, and to what.
    seed : int
        Another seed flips other faces.
    difficulty : (n,) float, optional
        In [0, 1], 1 is hardest; see :func:`difficulty_of`. Needed by ``instance``, else unused.
    second : (n,) int64, optional
        What a face is mistaken for under ``instance``; -1, or the label itself: nothing special.

    Returns
    -------
    (n,) int64
        New labels; the given ones are not changed.

    Raises
    ------
    InputError
        The rate, the kind, the number of classes, a label or the difficulty breaks its rule.

    Notes
    -----
    Symmetric and pair noise: Han et al., "Co-teaching", NeurIPS 2018, arXiv:1804.06872. Noise that
    hangs on the instance: Xia et al., NeurIPS 2020, arXiv:2006.07836, with a learned projection in
    place of the difficulty.

    Examples
    --------
    >>> flip_labels(np.array([0, 1, 2, -1]), np.arange(4, dtype=np.uint64), 3, 0.99, "pair", 0)
    array([ 1,  2,  0, -1])
    """
    _check(n_classes, rate, kind)
    for name, codes in (("label", labels), ("second class", second)):
        _check_codes(name, codes, n_classes)
    known = labels >= 0
    if kind == "instance":
        chance = np.zeros(len(labels))
        chance[known] = flip_chances(_checked(difficulty, len(labels))[known], rate)
    else:
        chance = np.full(len(labels), rate)
    wrong = known & (uniforms(keys, seed, _FLIP) < chance)
    if kind == "pair":
        other = (labels + 1) % n_classes
    else:
        other = (uniforms(keys, seed, _CLASS) * (n_classes - 1)).astype(np.int64)
        other += other >= labels  # the classes without the label, in order
    if kind == "instance" and second is not None:
        other = np.where((second >= 0) & (second != labels), second, other)
    return np.where(wrong, other, labels).astype(np.int64)


def flip_chances(difficulty: FloatArray, rate: float) -> FloatArray:
    """Each face's chance of a wrong label, growing with its difficulty, (n,).

    q_i = min(cap, s (0.1 + difficulty_i)) with cap = max(0.95, ``rate``) and the scale s at which
    the mean of q is ``rate``, by bisection. The sum runs over the sorted weights, so s hangs on the
    set of faces and not on their order. Where all faces are equally hard, q_i = ``rate``.

    Examples
    --------
    >>> flip_chances(np.array([0.0, 0.4, 0.9]), 0.32).round(2)
    array([0.06, 0.3 , 0.6 ])
    """
    weight = FLOOR + np.sort(difficulty)
    if rate == 0 or len(weight) == 0 or weight[0] == weight[-1]:
        return np.full(len(difficulty), rate)
    cap = max(CAP, rate)
    low, high = 0.0, cap / weight[0]  # at the upper end every face is at the cap
    while low < (middle := (low + high) / 2) < high:
        if np.minimum(cap, middle * weight).mean() < rate:
            low = middle
        else:
            high = middle
    chances: FloatArray = np.minimum(cap, high * (FLOOR + difficulty))
    return chances


def sharpness_of(faces: npt.NDArray[np.uint8]) -> FloatArray:
    """Variance of the 3x3 Laplacian of the grey picture, grey levels squared, (n,).

    The Laplacian is up + down + left + right - 4 middle, without the rim; grey is 0.299 R + 0.587 G
    + 0.114 B. Low values are blurred. Sums are whole numbers, so that a face's value does not
    depend on the other faces. Compare only faces of one size. Source: Pertuz et al., "Analysis of
    focus measure operators", Pattern Recognition 2013, doi:10.1016/j.patcog.2012.11.011 (LAP4).

    Parameters
    ----------
    faces : (n, height, width, 3) uint8
        RGB, at least 3 x 3 pixels.
    """
    parts = [_sharpness(faces[at : at + CHUNK]) for at in range(0, len(faces), CHUNK)]
    return np.concatenate(parts) if parts else np.empty(0)


def _sharpness(faces: npt.NDArray[np.uint8]) -> FloatArray:
    grey = faces.astype(np.int64) @ np.array([299, 587, 114])
    edges = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    edges -= 4 * grey[:, 1:-1, 1:-1]
    edges = edges.reshape(len(faces), -1)
    mean = edges.sum(axis=1) / edges.shape[1]
    found: FloatArray = (edges * edges).sum(axis=1) / edges.shape[1] - mean * mean
    return np.maximum(found, 0.0) * 1e-6  # of thousandths of a grey level


def vote_entropy(votes: npt.NDArray[np.generic]) -> FloatArray:
    """How much the voters disagree, -sum p log p / log C, in [0, 1]; NaN where nobody voted.

    Parameters
    ----------
    votes : (n, C) numbers of at least 0
        How many voted for each class; C at least 2.
    """
    counts = votes.astype(np.float64)
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.ones_like(counts), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    entropy = np.abs((share * logs).sum(axis=1)) / np.log(counts.shape[1])
    return np.where(total[:, 0] > 0, np.minimum(entropy, 1.0), np.nan)


def difficulty_of(sharpness: FloatArray, ambiguity: FloatArray | None = None) -> FloatArray:
    """How hard each face of a training set is to label, in [0, 1], (n,).

    (b + a) / 2, with b the face's rank by blur among the set (0 the sharpest, 1 the most blurred,
    ties share their mean rank) and a its ambiguity; b alone where the ambiguity is unknown.

    Parameters
    ----------
    sharpness : (n,) float
        From :func:`sharpness_of`, of all faces of the set.
    ambiguity : (n,) float, optional
        In [0, 1]: :func:`vote_entropy` of real faces, the column ``ambiguity`` of drawn ones; NaN
        is unknown.

    Examples
    --------
    >>> difficulty_of(np.array([9.0, 1.0, 4.0]), np.array([0.0, 1.0, np.nan]))
    array([0. , 1. , 0.5])
    """
    if len(sharpness) < 2:  # no other face to be compared with
        blur = np.full(len(sharpness), 0.5)
    else:
        blur = (rankdata(-sharpness) - 1) / (len(sharpness) - 1)
    if ambiguity is None:
        return blur
    return np.where(np.isnan(ambiguity), blur, (blur + ambiguity) / 2)


def _check(n_classes: int, rate: float, kind: str) -> None:
    if kind not in NOISES:
        raise InputError(f"label noise: kind must be one of {', '.join(NOISES)}, got {kind!r}")
    if not 0 <= rate < 1:
        raise InputError(f"label noise: rate must be at least 0 and below 1, got {rate:g}")
    if n_classes < 2:
        raise InputError(f"label noise: needs at least 2 classes, got {n_classes}; add a class")


def _check_codes(name: str, codes: Labels | None, n_classes: int) -> None:
    bad = np.zeros(0, bool) if codes is None else (codes < -1) | (codes >= n_classes)
    if codes is not None and bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"label noise row {row + 1}: a {name} must be -1 (none) or 0 to {n_classes - 1}, got "
            f"{codes[row]}"
        )


def _checked(difficulty: FloatArray | None, n: int) -> FloatArray:
    if difficulty is None or len(difficulty) != n:
        got = "none" if difficulty is None else f"{len(difficulty)}"
        raise InputError(
            f"label noise 'instance': needs a difficulty of each of {n} faces, got {got}; take "
            "difficulty_of(...), or another kind"
        )
    bad = ~((difficulty >= 0) & (difficulty <= 1))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"label noise row {row + 1}: difficulty must be in [0, 1], got {difficulty[row]:g}; "
            "take difficulty_of(...)"
        )
    return difficulty
