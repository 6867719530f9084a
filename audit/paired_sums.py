"""Tables of runs to sums: every run once, and every pair on the faces that both processed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from audit.absolute import all_errors, error_part
from audit.age_plan import AgePlan
from audit.align import processed_by_all
from audit.block import Quantiles, Setting
from audit.collect import Collected, collect_table
from audit.groups import Grouping, grouping
from audit.paired import Pair
from audit.paired_block import PairedBlock
from audit.paired_family import Resampling
from audit.predictions import Predictions
from audit.resample import Weightings, all_quantiles
from audit.units import UnitSums, bucketed, group_sums, person_keys, person_weight, sample_keys

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reading:
    """How tables become sums, the same for every run."""

    names: tuple[str, ...]
    combinations: tuple[tuple[str, ...], ...]
    edges: tuple[float, ...] | None
    plan: AgePlan
    max_cells: int


@dataclass(frozen=True, eq=False)
class RunSums:
    """One table's sums by person; and by face, where several faces may be of one person."""

    table: Predictions
    persons: Collected
    faces: UnitSums | None

    def groupings(self, reading: Reading) -> list[Grouping]:
        """Everyone, then the combinations."""
        found = self.persons
        return [
            grouping(found.sums.cells, found.attributes, names, found.order)
            for names in ((), *reading.combinations)
        ]


def by_person(table: Predictions) -> Predictions:
    """The table with row weights that give every person the same total over labelled photos."""
    samples = sample_keys(table, 0)
    weight = np.ones(len(table)) if table.weight is None else table.weight
    share = person_weight(person_keys(table, samples), table.labelled, weight)
    return replace(table, weight=share)


def sums_of(table: Predictions, reading: Reading) -> RunSums:
    """Sums of one run."""

    def collected(table: Predictions) -> Collected:
        plan, cells = reading.plan, reading.max_cells
        names, edges, bands = reading.names, reading.edges, plan.bands
        return collect_table([table], names, edges, bands, "image", cells, plan)

    faces = None if table.subject_id is None else collected(replace(table, subject_id=None)).sums
    return RunSums(table, collected(table), faces)


def on_faces_of_all(runs: Sequence[RunSums], reading: Reading) -> list[RunSums]:
    """The sums of the faces that every run processed."""
    tables = processed_by_all([run.table for run in runs])
    return [
        run if table is run.table else sums_of(table, reading)
        for run, table in zip(runs, tables, strict=True)
    ]


def pair_of(first: RunSums, second: RunSums, item: Grouping) -> Pair:
    """Two runs in one combination."""
    runs = [group_sums(run.persons.sums, item) for run in (first, second)]
    if first.faces is None or second.faces is None:
        return Pair(item, (runs[0], runs[1]), None)
    faces = [group_sums(part, item) for part in (first.faces, second.faces)]
    return Pair(item, (runs[0], runs[1]), (faces[0], faces[1]))


def blocks_of(
    setting: Setting,
    names: tuple[str, str],
    runs: tuple[RunSums, RunSums],
    reading: Reading,
    weights: Resampling,
) -> list[PairedBlock]:
    """Two runs in every combination, everyone first."""
    both = on_faces_of_all(runs, reading)
    items = runs[0].groupings(reading)
    quantiles = [quantiles_of(setting, run, items, weights) for run in both]
    return [
        PairedBlock(
            setting,
            names,
            both=pair_of(both[0], both[1], item),
            every=pair_of(*runs, item),
            quantiles=(first, second),
            weights=weights,
        )
        for item, first, second in zip(items, *quantiles, strict=True)
    ]


def quantiles_of(
    setting: Setting, run: RunSums, items: Sequence[Grouping], weights: Resampling
) -> Sequence[Mapping[str, Quantiles]]:
    """The quantiles of one run in every combination, with their replicates."""
    sums = run.persons.sums
    boot = weights.boot
    whole = Weightings(bucketed(sums), boot, np.zeros((0, boot.shape[1])))
    rows = sums.rows
    errors = None
    if rows is not None and rows.abs_error is not None:
        part = error_part(rows, sums.cells, len(sums.by_unit[0]))
        errors = all_errors([part], sums.cells)
    return all_quantiles(setting, errors, whole, items)
