"""Tables of several runs, read once: one list of faces, one setting, the sums of every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audit.age_plan import AgePlan, age_plan
from audit.align import Aligned, align, common_classes
from audit.bands import DECADES, Band
from audit.block import Setting
from audit.collect import table_bands
from audit.facts import all_facts, facts_of
from audit.groups import attribute, combinations_of
from audit.metrics.expression import class_mix
from audit.options import Options, names_of, setting_of
from audit.paired_family import Resampling, resampling
from audit.paired_sums import Reading, RunSums, by_person, sums_of
from audit.predictions import Predictions
from audit.result import Spec
from audit.spec import build_spec
from audit.stated import check_stated


@dataclass(frozen=True, eq=False)
class PairedTables:
    """What every comparison of runs on the same faces is made from; the first run leads."""

    aligned: Aligned
    reading: Reading
    sums: dict[str, RunSums]
    setting: Setting
    bands: tuple[Band, ...]
    weights: Resampling

    @property
    def first(self) -> RunSums:
        """The sums of the first run."""
        return next(iter(self.sums.values()))

    def spec(self, options: Options) -> Spec:
        """Everything that fixes the numbers."""
        items = self.first.groupings(self.reading)[1:]
        one = facts_of(self.first.table)
        persons = self.first.persons
        return build_spec(self.setting, one, persons, items, self.bands, options, [])


def paired_tables(
    runs: Mapping[str, Predictions], by: Sequence[str | Sequence[str]] | None, options: Options
) -> PairedTables:
    """Align the runs and sum them up.

    Raises
    ------
    InputError
        Runs of different tasks, faces, labels or classes; an attribute that no table has; a margin
        for no metric.
    """
    tables = common_classes(runs)
    given = _columns_of(tables)
    combinations = combinations_of([by] if isinstance(by, str) else by, given)
    used = tuple(dict.fromkeys(name for found in combinations for name in found))
    for name in used:
        if name not in given.other.columns:
            attribute(given, name, None)  # says what there is instead
    aligned = align(tables, used)
    if options.estimand == "subject":
        aligned = replace(aligned, runs={k: by_person(t) for k, t in aligned.runs.items()})
    shards = list(aligned.runs.values())
    edges = options.edges
    bands = table_bands(shards[:1], edges or DECADES)
    plan = age_plan(shards, bands) if shards[0].task == "age" else AgePlan(bands)
    plan = replace(plan, errors=False)  # nothing of a comparison draws them
    reading = Reading(used, combinations, edges, plan, options.max_cells)
    sums = {name: sums_of(table, reading) for name, table in aligned.runs.items()}
    persons = next(iter(sums.values())).persons.sums
    facts = all_facts([facts_of(shard) for shard in shards])
    setting = setting_of(facts, plan, options)
    if facts.task == "expression":
        totals = persons.values.sum(axis=0)
        setting = setting_of(facts, plan, options, class_mix(setting.layout, totals))
    check_stated(options.stated, names_of(setting, {}, facts, combinations))
    weights = resampling(np.unique(persons.unit), options.seed, options.n_boot)
    return PairedTables(aligned, reading, sums, setting, bands, weights)


def _columns_of(tables: Mapping[str, Predictions]) -> Predictions:
    """The first table with the columns that any of the tables has."""
    first = next(iter(tables.values()))
    more = {
        name: None
        for table in tables.values()
        for name in table.other.columns
        if name not in first.other.columns
    }
    return replace(first, other=first.other.assign(**more))
