"""The mix of expressions of every group: what of a difference in accuracy comes from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audit.age_mix import Mix
from audit.mix_rows import Groups
from audit.units import GroupedSums


def class_mix(persons: GroupedSums, groups: Groups, classes: Sequence[str]) -> Mix:
    """Right and all faces of every class by group; every group is one cell.

    ``persons`` are the sums of the confusion by person and group.
    """
    k = len(classes)
    every = np.eye(k * k).reshape(k, k, k * k)
    of_top = np.stack([every[j, j] for j in range(k)])
    of_bottom = np.stack([every[j].sum(axis=0) for j in range(k)])
    size = len(groups.grouping.groups)
    top, bottom = (np.asarray(persons.values @ of.T) for of in (of_top, of_bottom))
    known = groups.grouping.known[:, None]

    def table(values: np.ndarray) -> np.ndarray:
        columns = [np.bincount(persons.group, values[:, j], size) for j in range(k)]
        return np.where(known, np.stack(columns, axis=1), 0.0)

    place = [(g, g, j) for g in np.flatnonzero(groups.grouping.known) for j in range(k)]
    df = np.minimum(groups.m, groups.effective) - 1
    sums = (table(top), table(bottom), table(bottom > 0))
    return Mix(tuple(classes), *sums, df, np.array(place), of_top, of_bottom)
