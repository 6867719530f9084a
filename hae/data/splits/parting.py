"""Who goes into which part: by person, stratified, the same for any order of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from audit.hashing import Keys, text_keys, uniforms

IntArray = npt.NDArray[np.int64]
_ORDER, _OFFSET = 0, 1


def parts_by_person(
    person: Keys, strata: Sequence[str], shares: Sequence[float], seed: int
) -> IntArray:
    """The part 0 .. len(shares) - 1 of each face, (n,), all faces of a person in one part.

    Systematic sampling: the people of a stratum are laid out in the order of a hash, each as long
    as their number of photos, and the line is cut at the shares, from an offset drawn per stratum.
    So every stratum is divided in these shares up to one person, and a stratum of one person falls
    into each part with the probability of its share. A person's stratum is that of most of their
    photos (of the first in text order among several).

    Parameters
    ----------
    person : (n,) keys
        Of the person on each photo.
    strata : n texts
        Such as ``Female|White|20-29``.
    shares : floats
        Of the parts; they sum to 1.
    seed : int
        Another seed gives another split.
    """
    people, index = np.unique(person, return_inverse=True)
    names, code = np.unique(np.asarray(strata, dtype=object).astype(str), return_inverse=True)
    stratum, photos = _of_most_photos(index, code), np.bincount(index, minlength=len(people))
    order = np.lexsort((people, uniforms(people, seed, _ORDER), stratum))
    total = np.bincount(stratum, weights=photos, minlength=len(names))
    start = np.concatenate([[0.0], np.cumsum(total)[:-1]])
    middle = np.empty(len(people))
    middle[order] = np.cumsum(photos[order]) - photos[order] / 2
    offset = uniforms(text_keys(names.tolist(), "stratum"), seed, _OFFSET)
    position = ((middle - start[stratum]) / total[stratum] + offset[stratum]) % 1.0
    cuts = np.cumsum(shares)[:-1]
    part: IntArray = np.searchsorted(cuts, position, side="right").astype(np.int64)
    return part[index]


def _of_most_photos(person: IntArray, stratum: IntArray) -> IntArray:
    """The stratum of each person, by number; of several with as many photos the first."""
    pairs, photos = np.unique(np.stack([person, stratum], axis=1), axis=0, return_counts=True)
    order = np.lexsort((pairs[:, 1], -photos, pairs[:, 0]))
    _, first = np.unique(pairs[order, 0], return_index=True)
    found: IntArray = pairs[order[first], 1]
    return found
