"""The order of the work: tables -> sums -> blocks -> rows -> record. No arithmetic of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.age_extras import age_extras, extra_specs
from audit.age_plan import AgePlan, age_plan
from audit.aggregates import aggregate_rows, two_rate_rows
from audit.bands import DECADES
from audit.block import Adjust, Setting, build_block
from audit.calibrated import calibrations
from audit.collect import Collected, collect_table, common_form, table_bands
from audit.columns import as_text
from audit.concerns import block_warnings, failure_warnings, source_warnings, table_warnings
from audit.curves import BY_AGE, age_curves, expression_curves
from audit.declared import Declared
from audit.errors import InputError
from audit.fairness_rows import fairness_rows
from audit.gaps import AnyGap, gap_rows
from audit.gates import check_target, gates_of
from audit.groups import Grouping, attributes_of, combinations_of, grouping
from audit.metrics.gate import gate_pairs
from audit.options import check_options, names_of, setting_of
from audit.predictions import Predictions, check_sources, predictions_from_frame
from audit.resample import Weightings, all_quantiles, resample, weightings
from audit.result import AuditResult, RunInfo
from audit.rows import Concern, CurveRow, FairnessRow, MetricRow
from audit.slices import slice_rows
from audit.spec import build_spec
from audit.stated import check_stated, statements
from audit.units import group_sums
from audit.values import metric_rows
from audit.verdict import judged

FloatArray = npt.NDArray[np.float64]
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
        Metrics that were named before the numbers were seen; the rest is exploratory.
    policy : Declared, optional
        From :func:`audit.declared.read_policy`; it states margins and primary metrics instead, and
        its attributes are audited too.
    gates : sequence, optional
        Age gates: a legal age ``"18"``, or with the estimate from which on people pass ``"18:25"``.
    gate_target : float, optional
        Largest share of people under the legal age that may pass; asks for the challenge age that
        keeps to it in every group.
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
    check_options(n_boot, min_n, estimand, age_bands, pairs, adjust)
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise InputError(f"--seed {seed}: must be a whole number between 0 and 2^63 - 1")
    shards = common_form(_tables(predictions, task))
    by = [by] if isinstance(by, str) else by
    edges = tuple(float(edge) for edge in age_bands) if age_bands else None
    asked = gates_of(gates)
    check_target(gate_target, asked)
    bands = table_bands(shards, edges or DECADES)
    stated = statements(margins or {}, primary, policy)
    combinations = stated.combinations(combinations_of(by, shards[0]), attributes_of(shards[0]))
    names = tuple(dict.fromkeys(name for names in combinations for name in names))
    plan = AgePlan(bands)
    if shards[0].task == "age":
        plan = age_plan(shards, bands, asked)
    elif asked:
        raise InputError(f"--gate {asked[0].name}: gates are of ages; the task is expression")
    cut = tuple(dict.fromkeys((*names, *slice_by))) if slices else names
    table = collect_table(shards, cut, edges, bands, estimand, max_cells, plan)
    adjust = adjust if n_boot or adjust != "max_t" else "holm"
    setting = setting_of(shards, table, plan, n_boot, seed, min_n, adjust, all_pairs=pairs == "all")
    extra = extra_specs(setting, plan, gate_target)
    check_stated(stated, names_of(setting, extra, shards[0], combinations))
    groupings = [
        grouping(table.sums.cells, table.attributes, combination, table.order)
        for combination in ((), *combinations)
    ]
    weights = weightings(setting, table.sums)
    metrics, gaps, fairness, curves, warnings = _work(
        setting, plan, shards, table, weights, groupings
    )
    curves += _age_curves(setting, table, names)
    found, searched = slice_rows(setting, table, cut) if slices and len(cut) > 1 else ([], None)
    more = age_extras(setting, plan, table, shards, groupings, gate_target)
    curves += more.curves
    spec = build_spec(
        setting, shards, table, groupings[1:], sources or {}, estimand, bands, edges, curves
    )
    spec = spec.model_copy(
        update={
            **stated.for_spec(),
            "metrics": spec.metrics | extra,
            "gates": [gate.name for gate in asked],
            "gate_target": gate_target,
            "slices": searched,
        }
    )
    n = sum(map(len, shards))
    unknown = {name: table.n_unknown[name] for name in names}
    given = {name: spec.attributes[name].source for name in spec.attributes}
    told = [*table_warnings(shards), *source_warnings(given, unknown, n), *more.warnings]
    warnings = [*told, *warnings]
    info = run or RunInfo(model="predictions", seed=seed)
    files = [*info.files, *(file for shard in shards for file in shard.files)]
    return AuditResult(
        task=shards[0].task,
        run=info.model_copy(update={"files": files, "seed": seed}),
        spec=spec,
        metrics=[*metrics, *more.metrics],
        gaps=judged(gaps, stated.margin_of),
        fairness=fairness,
        slices=found,
        curves=curves,
        warnings=warnings,
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


def _work(
    setting: Setting,
    plan: AgePlan,
    shards: Sequence[Predictions],
    table: Collected,
    weights: Weightings,
    groupings: Sequence[Grouping],
) -> tuple[list[MetricRow], list[AnyGap], list[FairnessRow], list[CurveRow], list[Concern]]:
    classes = shards[0].classes
    metrics: list[MetricRow] = []
    gaps: list[AnyGap] = []
    fairness: list[FairnessRow] = []
    curves: list[CurveRow] = []
    warnings: list[Concern] = []
    quantiles = all_quantiles(setting, table.sums, weights, groupings)
    found = calibrations(setting, table.sums, groupings, table.edges)
    compared = replace(setting, metrics=tuple(m for m in setting.metrics if m.has_gaps))
    for item, quantile, calibrated in zip(groupings, quantiles, found, strict=True):
        grouped = group_sums(table.sums, item)
        block = build_block(setting, item, grouped, quantile, calibrated.values)
        metrics += metric_rows(setting, block, classes, calibrated.expected)
        curves += calibrated.curves
        warnings += block_warnings(setting, block)
        if shards[0].task == "expression":
            curves += expression_curves(setting, block, classes)
        if item.names:
            rows = gap_rows(compared, block, resample(compared, block, weights))
            warnings += failure_warnings(rows)
            gaps += rows
            gaps += aggregate_rows(compared, block, classes)
            for pair in gate_pairs(plan.gates) if plan.gates else ():
                gaps += two_rate_rows(setting, block, pair, "gate", pair[0].class_)
            if shards[0].task == "expression":
                fairness += fairness_rows(setting, block, classes)
    return metrics, gaps, fairness, curves, warnings


def _age_curves(setting: Setting, table: Collected, names: tuple[str, ...]) -> list[CurveRow]:
    if "age" not in table.attributes or not any(m.name == "mae" for m in setting.metrics):
        return []
    few = tuple(m for m in setting.metrics if m.name in BY_AGE)
    needed = dict.fromkeys(name for m in few for name in m.features)
    small = replace(setting, metrics=few, columns=setting.layout.columns(*needed))
    rows: list[CurveRow] = []
    for combination in ((), *((name,) for name in names if name != "age")):
        item = grouping(table.sums.cells, table.attributes, (*combination, "age"), table.order)
        block = build_block(small, item, group_sums(table.sums, item), {})
        rows += age_curves(small, block)
    return rows
