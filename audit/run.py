"""Auditing a table in memory: frames or checked predictions in, the record out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Literal

import pandas as pd

from audit.age_extras import Extras, age_extras
from audit.age_plan import AgePlan, age_plan
from audit.bands import DECADES
from audit.block import Adjust, Setting
from audit.calibrated import Calibrated, calibrations
from audit.collect import collect_table, common_form, table_bands
from audit.columns import as_text
from audit.declared import Declared
from audit.engine import Source, audit_source
from audit.equal_terms import equal_terms_rows
from audit.errors import InputError
from audit.facts import all_facts, facts_of
from audit.groups import attributes_of, combinations_of, grouping
from audit.options import Options, checked_options
from audit.permutation import Permuted, age_strata, permute
from audit.predictions import Predictions, check_sources, predictions_from_frame
from audit.reference import check_reference
from audit.result import AuditResult, RunInfo
from audit.rows import SliceRow
from audit.slices import slice_rows
from audit.where_rows import map_curves

Table = Predictions | pd.DataFrame


def audit(
    predictions: Table | Sequence[Table],
    *,
    task: str | None = None,
    by: Sequence[str | Sequence[str]] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    estimand: Literal["image", "subject"] = "image",
    min_n: int = 30,
    age_bands: Sequence[float] | None = None,
    max_cells: int = 20_000,
    pairs: Literal["auto", "all"] = "auto",
    margins: Mapping[str, float] | None = None,
    adjust: Adjust = "max_t",
    primary: Sequence[str] = (),
    policy: Declared | None = None,
    gates: Sequence[str | float | tuple[float, float]] = (),
    gate_target: float | None = None,
    reference: Mapping[str, float] | None = None,
    permute_within: Literal["age"] | None = None,
    sources: Mapping[str, str] | None = None,
    slices: bool = True,
    slice_by: Sequence[str] = (),
    run: RunInfo | None = None,
) -> AuditResult:
    """Audit predictions by group, with intervals by person.

    Parameters
    ----------
    predictions : Predictions or DataFrame, or a sequence of shards of one table
        In the contract's columns (``hae-audit schema predictions``).
    task : {"age", "expression"}, optional
        Needed for frames; a ``Predictions`` knows its own.
    by : sequence of str, optional
        Attribute combinations such as ``["gender", "gender,race"]``; by default those of gender,
        sex, race, ethnicity, skin_tone and age that exist, each alone.
    n_boot : int
        Bootstrap replicates; 0 for closed forms only.
    estimand : {"image", "subject"}
        Mean over faces, or every person with total weight 1 over their labelled photos.
    min_n : int
        Fewer persons than this are shown but not tested.
    age_bands : sequence of float, optional
        Edges in years of the attribute ``age``; the last band is open.
    margins : mapping, optional
        Metric -> the largest gap, in the unit of the metric, that would not matter; it decides the
        verdicts.
    adjust : {"max_t", "holm", "bh"}
        How p-values and intervals are adjusted for the family: the joint bootstrap, or Holm or
        Benjamini-Hochberg on the p-values. Without replicates ``max_t`` becomes ``holm``.
    primary : sequence of str
        Metrics that were named before the numbers were seen; the rest is exploratory. Their groups
        are also compared by permuting persons; if none is named, those of the headline metric.
    policy : Declared, optional
        From :func:`audit.declared.read_policy`; it states margins and primary metrics instead, and
        its attributes are audited too.
    gates : sequence, optional
        Age gates: a legal age ``"18"``, or with the estimate from which on people pass ``"18:25"``.
    gate_target : float, optional
        Largest share of people under the legal age that may pass; asks for the challenge age that
        keeps to it in every group.
    reference : mapping, optional
        A mix of ages to which groups are standardised too: age band, such as ``"20-29"``, -> share.
    permute_within : {"age"}, optional
        Permute persons only within the decade of their median age.
    sources : mapping, optional
        Who assigned each attribute: self_reported, perceived, predicted, drawn or unknown.
    slices : bool
        Search the worst slices of up to three attributes, where there are two or more.
    slice_by : sequence of str
        Further columns to search slices by.

    Returns
    -------
    AuditResult
        The record; ``.to_frame()`` gives its metric rows.

    Raises
    ------
    InputError
        With place, rule, value and remedy.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [20, 30, 40, 50], "age_pred": [22, 29, 44, 49],
    ...                       "gender": ["f", "m", "f", "m"]})
    >>> result = audit(frame, task="age", by=["gender"], n_boot=0)
    >>> [(row.group, row.value) for row in result.metrics if row.metric == "mae"]
    [({}, 2.0), ({'gender': 'f'}, 3.0), ({'gender': 'm'}, 1.0)]
    """
    options = checked_options(
        n_boot=n_boot,
        seed=seed,
        estimand=estimand,
        min_n=min_n,
        age_bands=age_bands,
        max_cells=max_cells,
        pairs=pairs,
        margins=margins,
        adjust=adjust,
        primary=primary,
        policy=policy,
        sources=sources,
        gates=gates,
        gate_target=gate_target,
        reference=reference,
        slices=slices,
        slice_by=slice_by,
        permute_within=permute_within,
        run=run,
    )
    shards = common_form(_tables(predictions, task))
    return audit_source(_source(shards, by, options), options)


def _source(
    shards: Sequence[Predictions], by: Sequence[str | Sequence[str]] | None, options: Options
) -> Source:
    """Tables in memory as one part."""
    bands = table_bands(shards, options.edges or DECADES)
    asked = combinations_of([by] if isinstance(by, str) else by, shards[0])
    combinations = options.stated.combinations(asked, attributes_of(shards[0]))
    names = tuple(dict.fromkeys(name for names in combinations for name in names))
    plan = AgePlan(bands)
    if shards[0].task == "age":
        plan = age_plan(shards, bands, options.gates)
    elif options.gates:
        name = options.gates[0].name
        raise InputError(f"--gate {name}: gates are of ages; the task is expression")
    cut = tuple(dict.fromkeys((*names, *options.slice_by))) if options.slices else names
    table = collect_table(
        shards, cut, options.edges, bands, options.estimand, options.max_cells, plan
    )
    if options.reference is not None:
        check_reference(options.reference, table.order.get("age"))
    groupings = [
        grouping(table.sums.cells, table.attributes, combination, table.order)
        for combination in ((), *combinations)
    ]

    def calibrated(setting: Setting) -> list[Calibrated]:
        return calibrations(setting, table.sums, groupings, table.edges)

    def searched(setting: Setting) -> tuple[list[SliceRow], str | None]:
        several = options.slices and len(cut) > 1
        return slice_rows(setting, table, cut) if several else ([], None)

    def extras(setting: Setting) -> Extras:
        found = age_extras(setting, plan, table, shards, groupings, options.gate_target)
        rows = equal_terms_rows(setting, table, groupings, shards[0].classes, options.reference)
        seen = shards[0].where
        if table.looks is not None and seen is not None:
            maps = [map_curves(table.looks, sorted(seen.maps), item) for item in groupings]
            found = replace(found, curves=[*found.curves, *chain.from_iterable(maps)])
        return replace(found, gaps=rows)

    def permuted(setting: Setting) -> list[dict[str, Permuted]]:
        keys = table.sums.by_unit[0]
        strata = age_strata(shards, keys) if options.permute_within else None
        return permute(setting, table.sums, groupings, strata) if setting.n_boot else []

    return Source(
        all_facts([facts_of(shard) for shard in shards]),
        plan,
        combinations,
        len(table.sums.by_unit[0]),
        lambda: [table],
        calibrated,
        extras,
        searched,
        permuted,
    )


def _tables(predictions: Table | Sequence[Table], task: str | None) -> list[Predictions]:
    given = [predictions] if isinstance(predictions, Predictions | pd.DataFrame) else predictions
    if not given:
        raise InputError("audit: no table was given; pass a frame or Predictions")
    shards = []
    for table in given:
        if isinstance(table, pd.DataFrame):
            if task is None:
                raise InputError("audit: a frame needs task='age' or task='expression'")
            table = predictions_from_frame(table, task=task)
        if task is not None and table.task != task:
            raise InputError(f"audit: task={task!r}, but the predictions are of {table.task!r}")
        shards.append(table)
    if len({shard.task for shard in shards}) > 1:
        raise InputError("audit: the shards are of different tasks; audit them apart")
    if len(shards) > 1:
        ids = [shard.sample_id for shard in shards if shard.sample_id is not None]
        double = pd.concat(ids).duplicated() if ids else pd.Series(dtype=bool)
        if double.any():
            first = pd.concat(ids)[double.to_numpy()].iloc[0]
            raise InputError(f"audit: sample_id {first!r} occurs in two shards; ids must be unique")
        _check_people(shards)
    return shards


def _check_people(shards: Sequence[Predictions]) -> None:
    parts = [
        (shard.subject_id, as_text(shard.other["source"], shard.place))
        for shard in shards
        if shard.subject_id is not None and "source" in shard.other.columns
    ]
    if parts:
        subjects = pd.concat([part[0] for part in parts], ignore_index=True)
        sources = pd.concat([part[1] for part in parts], ignore_index=True)
        check_sources(subjects, sources, "audit")
