"""What labels tell of groups, and how far the ages of groups overlap, beside chance alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from audit.data_set.faces import Faces, band_of
from audit.data_set.shares import shares_of, statistic
from audit.disparity import permuted
from audit.groups import MAX_DRAWN, Attribute, Grouping
from audit.hashing import Keys, poisson_weights
from audit.intervals import order_interval
from audit.metrics.core import divide
from audit.metrics.fairness import nmi, npmi
from audit.metrics.representation import cramers_v, cramers_v_corrected, tv_distance
from audit.rows import CurveRow, FairnessRow
from audit.units import sum_rows

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
DRAWS = 200
_CHUNK = 64
_FEW, _UNSTABLE = 5, 0.01
STATISTICS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "nmi": nmi,
    "cramers_v": cramers_v,
    "cramers_v_corrected": cramers_v_corrected,
}


@dataclass(frozen=True, eq=False)
class Crossed:
    """Faces by class of every (person, group), (entries, K), of the known groups alone.

    ``group`` numbers the groups that are known, ``person`` the persons whose ``keys`` are given.
    """

    names: tuple[str, ...]
    group: IntArray
    person: IntArray
    keys: Keys
    counts: csr_array
    n_groups: int

    @property
    def table(self) -> FloatArray:
        """Faces by group and class, (G, K)."""
        return np.asarray((self._of_group @ self.counts).todense())

    @property
    def people(self) -> FloatArray:
        """People by group and class, (G, K)."""
        shown = self.counts.copy()
        shown.data = (shown.data > 0).astype(np.float64)
        return np.asarray((self._of_group @ shown).todense())

    def replicates(self, seed: int, n_boot: int) -> FloatArray:
        """Tables under Poisson weights of the persons, (n_boot, G, K)."""
        k = self.counts.shape[1]
        cells = self.counts.tocoo()
        at = (self.person[cells.row], self.group[cells.row] * k + cells.col)
        of_cell = csr_array((cells.data, at), shape=(len(self.keys), self.n_groups * k)).T
        parts = []
        for start in range(0, n_boot, _CHUNK):
            weights = poisson_weights(self.keys, seed, start, min(_CHUNK, n_boot - start))
            parts.append((of_cell @ weights.T).T)
        return np.concatenate(parts).reshape(n_boot, self.n_groups, k)

    @property
    def _of_group(self) -> csr_array:
        n = len(self.group)
        return csr_array((np.ones(n), (self.group, np.arange(n))), shape=(self.n_groups, n))


def crossed(faces: Faces, item: Grouping, group: IntArray, label: Attribute) -> Crossed:
    """Cross the known groups with a label."""
    known = np.cumsum(item.known) - 1
    rows = np.flatnonzero(item.known[group] & (label.codes >= 0))
    shape = (len(rows), len(label.values))
    ones = csr_array((np.ones(len(rows)), (np.arange(len(rows)), label.codes[rows])), shape=shape)
    of, person, counts = sum_rows(known[group[rows]], faces.unit[rows], len(faces.keys), ones)
    return Crossed(item.names, of, person, faces.keys, counts, int(item.known.sum()))


@dataclass(frozen=True, eq=False)
class Chance:
    """Statistics and overlaps with the groups permuted among the persons, (draws, ...)."""

    statistics: dict[str, FloatArray]
    overlaps: FloatArray


def by_chance(cross: Crossed, seed: int) -> Chance:
    """What the statistics would be if the label told nothing of the group.

    The groups are permuted among the persons, so the photos of a person stay together.
    """
    found: dict[str, list[FloatArray]] = {name: [] for name in STATISTICS}
    overlaps = []
    keys = cross.keys[cross.person]
    for table in permuted(cross.group, keys, cross.counts, cross.n_groups, seed, DRAWS):
        for name, value in STATISTICS.items():
            found[name].append(value(table))
        overlaps.append(_overlaps(table))
    return Chance({name: np.array(drawn) for name, drawn in found.items()}, np.array(overlaps))


def association_rows(
    cross: Crossed, item: Grouping, label: Attribute, chance: Chance, seed: int, n_boot: int
) -> list[FairnessRow]:
    """How much a label tells of the group: each statistic beside its mean by chance, and a test.

    p is the share of permutations that reach the value, the value itself counted as one. There is
    none where a person lies in several of the groups: the people cannot be dealt out among them.
    """
    table = cross.table
    sizes = table.sum(axis=1)
    reason = _reason(table)
    if reason is not None:
        return [
            statistic(f"{name}_{label.name}", item.names, np.nan, sizes, reason)
            for name in STATISTICS
        ]
    rows = []
    several = int((np.bincount(cross.person) > 1).sum())
    note = "biased_extreme" + (
        f"; varies_within_subject: {several} of the people" if several else ""
    )
    for name, formula in STATISTICS.items():
        value, drawn = float(formula(table)), chance.statistics[name]
        reached = int((drawn >= value * (1 - 1e-12)).sum())
        rows.append(
            statistic(
                f"{name}_{label.name}",
                item.names,
                value,
                sizes,
                note,
                null_expected=float(drawn.mean()),
                p=None if several else (1 + reached) / (DRAWS + 1),
            )
        )
    if len(sizes) <= MAX_DRAWN:
        rows += _pointwise(cross, item, label, seed, n_boot)
    return rows


def _reason(table: FloatArray) -> str | None:
    if (table.sum(axis=1) > 0).sum() < 2:
        return "single_group"
    return "one_value" if (table.sum(axis=0) > 0).sum() < 2 else None


def _pointwise(
    cross: Crossed, item: Grouping, label: Attribute, seed: int, n_boot: int
) -> list[FairnessRow]:
    """NPMI of every group and class with the percentile interval of the bootstrap by person."""
    table, people = cross.table, cross.people
    value = npmi(table)
    drawn = npmi(cross.replicates(seed, n_boot)) if n_boot else np.empty((0, *table.shape))
    rows = []
    for i, g in enumerate(np.flatnonzero(item.known)):
        for k, name in enumerate(label.values):
            low, high, note = _ends(drawn[:, i, k], people[i, k])
            if np.isnan(value[i, k]):
                low = high = np.nan
                note = "class_absent"
            rows.append(
                statistic(
                    f"npmi_{label.name}",
                    item.names,
                    float(value[i, k]),
                    table.sum(axis=1),
                    note,
                    class_=name,
                    group=item.label(int(g)),
                    low=low,
                    high=high,
                    method=None if np.isnan(low) else "percentile",
                )
            )
    return rows


def _ends(samples: FloatArray, people: float) -> tuple[float, float, str | None]:
    defined = samples[~np.isnan(samples)]
    if people < _FEW:
        return np.nan, np.nan, "few_in_cell"
    if len(defined) < (1 - _UNSTABLE) * len(samples):
        return np.nan, np.nan, "unstable_replicates"
    low, high = order_interval(defined, 0.95) if len(defined) else (np.nan, np.nan)
    return low, high, "too_few_replicates" if np.isnan(low) else None


def age_overlap_rows(cross: Crossed, item: Grouping, chance: Chance) -> list[FairnessRow]:
    """How much the ages of a group overlap with everyone else's, sum over bands of min(p, q)."""
    table = cross.table
    sizes = table.sum(axis=1)
    several = (sizes > 0).sum() > 1
    found, null = _overlaps(table), chance.overlaps.mean(axis=0)
    rows = []
    for i, g in enumerate(np.flatnonzero(item.known)):
        note = "biased_extreme" if several else "single_group"
        rows.append(
            statistic(
                "age_overlap",
                item.names,
                float(found[i]),
                sizes[[i]],
                note if sizes[i] > 0 else "empty_group",
                group=item.label(int(g)),
                null_expected=float(null[i]),
            ).model_copy(update={"n_groups": int((sizes > 0).sum())})
        )
    return rows


def _overlaps(table: FloatArray) -> FloatArray:
    """1 - total variation between each row's distribution and that of the others, (G,)."""
    own = divide(table, table.sum(axis=1, keepdims=True))
    rest = table.sum(axis=0) - table
    return 1 - tv_distance(own, divide(rest, rest.sum(axis=1, keepdims=True)))


def age_curves(faces: Faces, item: Grouping, group: IntArray) -> list[CurveRow]:
    """The share of every age band within each group, with its interval by person."""
    ages = faces.attributes["age"]
    lower = [band_of(value)[0] for value in ages.values]
    if len(item.groups) > MAX_DRAWN:
        return []
    rows = []
    for g in np.flatnonzero(item.known):
        some = np.flatnonzero((group == g) & (ages.codes >= 0))
        if not len(some):
            continue
        found = shares_of(faces.by_person(ages.codes, len(lower), some))
        for k, x in enumerate(lower):
            one = found.fields(k)
            rows.append(
                CurveRow(
                    name="age_share",
                    group=item.label(int(g)),
                    x=x,
                    y=one["value"],
                    low=one["low"],
                    high=one["high"],
                    n=round(found.faces[k]),
                    n_subjects=round(found.people[k]),
                )
            )
    return rows
