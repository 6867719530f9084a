"""What an age audit has beyond metrics by group: calibration of distributions, gates, curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.age_plan import AgePlan
from audit.block import Setting
from audit.collect import Collected
from audit.distribution_rows import curve_setting, distribution_rows, distribution_warnings
from audit.gate_rows import challenge_specs, gate_rows, gate_warnings
from audit.groups import Grouping
from audit.nist import nist_rows, nist_specs
from audit.predictions import Predictions
from audit.result import MetricSpec
from audit.rows import AdjustedGap, Concern, CurveRow, MetricRow
from audit.spec import metric_specs


@dataclass(frozen=True, eq=False)
class Extras:
    """Rows of a record, and what must be known of them."""

    metrics: list[MetricRow] = field(default_factory=list)
    gaps: list[AdjustedGap] = field(default_factory=list)
    curves: list[CurveRow] = field(default_factory=list)
    warnings: list[Concern] = field(default_factory=list)


def extra_specs(
    setting: Setting, plan: AgePlan, gate_target: float | None
) -> dict[str, MetricSpec]:
    """What the metrics are that the optional columns and the gates of an age table bring."""
    drawn = curve_setting(setting, plan)
    found = metric_specs(drawn.metrics) if drawn is not None else {}
    if plan.gates is not None:
        found |= nist_specs()
        found |= challenge_specs(gate_target) if gate_target is not None else {}
    return found


def age_extras(
    setting: Setting,
    plan: AgePlan,
    table: Collected,
    shards: Sequence[Predictions],
    groupings: Sequence[Grouping],
    gate_target: float | None,
) -> Extras:
    """Everything that the optional columns and the gates of an age table bring."""
    found = Extras()
    drawn = curve_setting(setting, plan)
    if drawn is not None and plan.distribution is not None and table.curves is not None:
        found.warnings.extend(distribution_warnings(shards, setting.layout, table.sums))
        for item in groupings:
            rows, curves = distribution_rows(drawn, plan.distribution, table.curves, item)
            found.metrics.extend(rows)
            found.curves.extend(curves)
    if plan.gates is not None:
        names = tuple(dict.fromkeys(name for item in groupings for name in item.names))
        rows, curves = gate_rows(plan, table, names, gate_target, setting.min_n)
        found.metrics.extend([*rows, *nist_rows(plan, table)])
        found.curves.extend(curves)
        found.warnings.extend(gate_warnings(shards, plan.gates))
    return found
