"""Drift: how far the mix of groups and labels in one data set is from that in another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack
from scipy.stats import wasserstein_distance

from audit.data_set.faces import Faces, band_of
from audit.data_set.shares import SHARE, Shares, shares_of, statistic
from audit.groups import Cell
from audit.hashing import Keys, uniforms
from audit.intervals import difference
from audit.metrics.core import divide
from audit.metrics.representation import jensen_shannon, tv_distance
from audit.rows import FairnessRow, MetricRow

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
DRAWS = 200


@dataclass(frozen=True, eq=False)
class Side:
    """One data set: its persons' keys, and their faces by the groups of either, (m, G)."""

    keys: Keys
    counts: csr_array
    n_unknown: int


def sides_of(
    first: Faces, second: Faces, names: tuple[str, ...]
) -> tuple[list[Cell], tuple[Side, Side]]:
    """The known groups of both data sets, and both by them."""
    grouped = [(faces, *faces.grouped(names)) for faces in (first, second)]
    cells = list(
        dict.fromkeys(
            item.groups[g] for _, item, _ in grouped for g in np.flatnonzero(item.known).tolist()
        )
    )
    place = {cell: at for at, cell in enumerate(cells)}
    sides = []
    for faces, item, group in grouped:
        to = np.array([place.get(cell, -1) for cell in item.groups], dtype=np.int64)
        column = to[group]
        rows = np.flatnonzero(column >= 0)
        counts = faces.by_person(column, len(cells), rows)
        sides.append(Side(faces.keys, counts, len(faces) - len(rows)))
    return cells, (sides[0], sides[1])


def drift_rows(
    first: Faces, second: Faces, names: tuple[str, ...], seed: int
) -> tuple[list[MetricRow], list[FairnessRow]]:
    """The change of every group's share, and how far the mixes are apart beside chance alone.

    A change is the share in the second data set minus that in the first, with the score interval
    for proportions by person; a person of both counts as one. By chance: the persons of both dealt
    anew into parts of the same size; there a person of both counts as two.
    """
    cells, sides = sides_of(first, second, names)
    if "age" in names and not _same_bands(first, second):
        return [], [statistic("drift_tv", names, np.nan, np.zeros(2), "bands_differ")]
    shares = [shares_of(side.counts) for side in sides]
    sizes = shares[0].faces + shares[1].faces
    if min(found.faces.sum() for found in shares) == 0:
        return [], [statistic("drift_tv", names, np.nan, sizes, "empty_group")]
    return (
        _changes(cells, names, sides, (shares[0], shares[1])),
        _distances(names, sides, sizes, seed),
    )


def _same_bands(first: Faces, second: Faces) -> bool:
    """Whether every two age bands of both are the same or do not meet."""
    a, b = ([band_of(text) for text in faces.attributes["age"].values] for faces in (first, second))
    return all(p == q or p[1] <= q[0] or q[1] <= p[0] for p in a for q in b)


def _changes(
    cells: list[Cell],
    names: tuple[str, ...],
    sides: tuple[Side, Side],
    shares: tuple[Shares, Shares],
) -> list[MetricRow]:
    before, after = shares
    _, a, b = np.intersect1d(sides[0].keys, sides[1].keys, return_indices=True)
    together = (before.influence(a) * after.influence(b)).sum(axis=0)
    var = before.found.var + after.found.var - 2 * together
    found = difference(SHARE.interval, after.found, before.found, var)
    rows = []
    for g, cell in enumerate(cells):
        ends = [float(end[g]) for end in (found.low, found.high, found.low_90, found.high_90)]
        bare = not np.isfinite(ends).all()
        rows.append(
            MetricRow(
                metric="share_change",
                group=dict(zip(names, cell, strict=True)),
                value=float(found.value[g]),
                low=ends[0],
                high=ends[1],
                low_90=ends[2],
                high_90=ends[3],
                method=None if bare else "score",
                p=None if bare else float(found.p[g]),
                n=round(before.faces[g] + after.faces[g]),
                n_subjects=round(before.people[g] + after.people[g]),
                n_failed=0,
                n_unlabelled=sides[0].n_unknown + sides[1].n_unknown,
                note="few_effective" if bare else None,
            )
        )
    return rows


def _distances(
    names: tuple[str, ...], sides: tuple[Side, Side], sizes: FloatArray, seed: int
) -> list[FairnessRow]:
    used = [np.flatnonzero(np.asarray(side.counts.sum(axis=1)).ravel()) for side in sides]
    counts = csr_array(vstack([side.counts[at] for side, at in zip(sides, used, strict=True)]))
    keys = [side.keys[at] for side, at in zip(sides, used, strict=True)]
    both = np.concatenate([keys[0], keys[1] ^ np.uint64(1)])
    m = len(keys[0])

    def apart(part: FloatArray) -> tuple[float, float]:
        p, q = divide(part, part.sum()), divide(sizes - part, sizes.sum() - part.sum())
        return float(tv_distance(p, q)), float(jensen_shannon(p, q))

    first = np.asarray(sides[0].counts.sum(axis=0)).ravel()
    drawn, by_group = [], csr_array(counts.T)
    for draw in range(DRAWS):
        inside = np.zeros(len(both))
        inside[np.argpartition(uniforms(both, seed, draw), m - 1)[:m]] = 1.0
        drawn.append(apart(by_group @ inside))
    null = np.array(drawn)
    disjoint = not ((first > 0) & (sizes - first > 0)).any()
    rows = []
    for i, (name, value) in enumerate(zip(("drift_tv", "drift_js"), apart(first), strict=True)):
        reached = int((null[:, i] >= value * (1 - 1e-12)).sum())
        rows.append(
            statistic(
                name,
                names,
                value,
                sizes,
                "disjoint" if disjoint else "biased_extreme",
                null_expected=float(null[:, i].mean()),
                p=(1 + reached) / (DRAWS + 1),
            )
        )
    return rows


def age_drift(first: Faces, second: Faces) -> list[FairnessRow]:
    """Wasserstein distance between the exact ages of both, in years, where both have them."""
    a, b = (faces.years[~np.isnan(faces.years)] for faces in (first, second))
    if not (len(a) and len(b)):
        return []
    sizes = np.array([len(a), len(b)], dtype=np.float64)
    value = float(wasserstein_distance(a, b))
    return [statistic("drift_w1_age", ("age",), value, sizes, "descriptive")]
