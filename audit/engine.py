"""The order of the work: sums -> blocks -> rows -> record. No arithmetic of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from audit.age_extras import Extras, extra_specs
from audit.age_plan import AgePlan, plan_curve_layout
from audit.aggregates import aggregate_rows, two_rate_rows
from audit.block import Setting, build_block, moments_wanted
from audit.calibrated import Calibrated
from audit.collect import Collected
from audit.concerns import block_warnings, failure_warnings, source_warnings, table_warnings
from audit.curves import age_curves, expression_curves
from audit.error_rows import error_curves
from audit.evidence import Evidence, gather
from audit.facts import Facts
from audit.fairness_rows import fairness_rows
from audit.gaps import AnyGap, gap_rows
from audit.groups import Grouping, grouping
from audit.metrics.expression import class_mix
from audit.metrics.gate import gate_pairs
from audit.mix_rows import ADJUSTMENTS
from audit.options import Options, names_of, setting_of
from audit.permutation import Permuted
from audit.resample import all_quantiles, resample, weightings
from audit.result import AuditResult, RunInfo
from audit.rows import Concern, CurveRow, FairnessRow, MetricRow, SliceRow
from audit.spec import build_spec
from audit.stated import check_stated
from audit.units import group_sums
from audit.values import metric_rows
from audit.verdict import judged
from audit.where_rows import shown_gaps, shown_metrics

Combination = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Source:
    """A table to audit.

    Parameters
    ----------
    facts, plan : Facts, AgePlan
        What holds for the whole table.
    combinations : tuple of tuple of str
        The attribute combinations asked for.
    n_units : int
        Persons in the table.
    parts : callable
        Gives the sums of the parts of the table, which share no person, whenever it is called.
    calibrations : callable
        Setting -> for everyone and each combination what about calibration needs all rows at once.
    extras : callable
        Setting -> what a table in memory has beyond metrics and plain gaps by group.
    slices : callable
        Setting -> the worst slices, and what was searched, in words.
    permuted : callable
        Setting -> for everyone and each combination the permutation of whole persons, by metric.
    """

    facts: Facts
    plan: AgePlan
    combinations: tuple[Combination, ...]
    n_units: int
    parts: Callable[[], Iterable[Collected]]
    calibrations: Callable[[Setting], Sequence[Calibrated]] = lambda _: ()
    extras: Callable[[Setting], Extras] = lambda _: Extras()
    slices: Callable[[Setting], tuple[list[SliceRow], str | None]] = lambda _: ([], None)
    permuted: Callable[[Setting], Sequence[Mapping[str, Permuted]]] = lambda _: ()

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes of all combinations."""
        return tuple(dict.fromkeys(name for names in self.combinations for name in names))


def audit_source(source: Source, options: Options) -> AuditResult:
    """Audit a table by its parts.

    Raises
    ------
    InputError
        Margins, primary metrics or label sources that the audit does not have; too many cells.
    """
    facts, names = source.facts, source.names
    setting = setting_of(facts, source.plan, options)
    extra = extra_specs(setting, source.plan, options.gate_target)
    check_stated(options.stated, names_of(setting, extra, facts, source.combinations))
    by_age = [c for c in ((), *((name,) for name in names)) if "age" not in c]
    aged = [(*c, "age") for c in by_age] if facts.task == "age" else []
    evidence = gather(
        source.parts(),
        names,
        list(dict.fromkeys([(), *source.combinations, *aged])),
        moments_wanted(setting),
        source.n_units,
        options.max_cells,
        plan_curve_layout(source.plan),
        ((), *source.combinations),
    )
    if facts.task == "expression":
        mix = class_mix(setting.layout, evidence.moments[()].totals.sum(axis=0))
        setting = setting_of(facts, source.plan, options, mix)
    groupings = [
        grouping(evidence.units.cells, names, combination, evidence.order)
        for combination in ((), *source.combinations)
    ]
    setting = replace(setting, in_buckets=len(evidence.units.by_unit[0]) < source.n_units)
    metrics, gaps, fairness, curves, warnings = _work(setting, source, evidence, groupings)
    if "mae" in {metric.name for metric in setting.metrics}:
        for c in aged:
            if c in evidence.moments:
                curves += age_curves(setting, evidence.moments[c], c, evidence.order)
    curves += error_curves(evidence.spread, evidence.order)
    slices, searched = source.slices(setting)
    more = source.extras(setting)
    curves += more.curves
    gaps += more.gaps
    adjusted = {gap.kind for gap in more.gaps}
    spec = build_spec(setting, facts, evidence, groupings[1:], source.plan.bands, options, curves)
    spec = spec.model_copy(
        update={
            **options.stated.for_spec(),
            "metrics": spec.metrics | extra,
            "slices": searched,
            "reference": options.reference,
            "adjustments": {k: text for k, text in ADJUSTMENTS.items() if k in adjusted},
            "permute_within": options.permute_within,
        }
    )
    unknown = {name: evidence.n_unknown[name] for name in names}
    given = {name: spec.attributes[name].source for name in spec.attributes}
    told = [*table_warnings(facts), *source_warnings(given, unknown, facts.n), *more.warnings]
    info = options.run or RunInfo(model="predictions", seed=options.seed)
    files = [*info.files, *facts.files]
    return AuditResult(
        task=facts.task,
        run=info.model_copy(update={"files": files, "seed": options.seed}),
        spec=spec,
        metrics=shown_metrics([*metrics, *more.metrics]),
        gaps=judged(shown_gaps(gaps), options.stated.margin_of),
        fairness=fairness,
        slices=slices,
        curves=curves,
        warnings=[*told, *warnings],
    )


def _work(
    setting: Setting, source: Source, evidence: Evidence, groupings: Sequence[Grouping]
) -> tuple[list[MetricRow], list[AnyGap], list[FairnessRow], list[CurveRow], list[Concern]]:
    classes, expression = source.facts.classes, source.facts.task == "expression"
    metrics: list[MetricRow] = []
    gaps: list[AnyGap] = []
    fairness: list[FairnessRow] = []
    curves: list[CurveRow] = []
    warnings: list[Concern] = []
    weights = weightings(setting, evidence.units)
    quantiles = all_quantiles(setting, evidence.errors, weights, groupings)
    row_based = source.calibrations(setting) or [Calibrated({}, {}) for _ in groupings]
    compared = replace(setting, metrics=tuple(m for m in setting.metrics if m.has_gaps))
    permuted = source.permuted(setting) or [{} for _ in groupings]
    for item, quantile, found, moved in zip(groupings, quantiles, row_based, permuted, strict=True):
        grouped, whole = group_sums(evidence.units, item), evidence.moments[item.names]
        block = build_block(setting, item, grouped, quantile, found.values, whole)
        metrics += metric_rows(setting, block, classes, found.expected)
        curves += found.curves
        warnings += block_warnings(setting, block)
        if expression:
            curves += expression_curves(setting, block, classes)
        if item.names:
            rows = gap_rows(compared, block, resample(compared, block, weights), moved)
            warnings += failure_warnings(rows)
            gaps += rows
            gaps += aggregate_rows(compared, block, classes)
            for pair in gate_pairs(source.plan.gates) if source.plan.gates else ():
                gaps += two_rate_rows(setting, block, pair, "gate", pair[0].class_)
            if expression:
                fairness += fairness_rows(setting, block, classes)
    return metrics, gaps, fairness, curves, warnings
