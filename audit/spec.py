"""The spec of a record: what was computed and how, and who assigned the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from audit.bands import Band, bands_from_edges
from audit.block import Setting
from audit.collect import Collected
from audit.curves import DESCRIPTIONS
from audit.errors import InputError
from audit.evidence import Evidence
from audit.facts import Facts
from audit.groups import Grouping
from audit.metrics.core import Metric
from audit.metrics.fairness_list import fairness_specs
from audit.metrics.spread import spread_specs
from audit.options import Options
from audit.pooling import POOLING
from audit.result import AttributeSpec, MetricSpec, Spec
from audit.rows import CurveRow, LabelSource
from audit.values import METHODS

UNITS = (
    "persons; above 2^14 of them the bootstrap, the folds, gaps at equal age or class mix, the "
    "covariance of groups that share persons and what chance shows of the spread are by 2^13 hash "
    "buckets of them"
)
BY_PERSON = (
    "; every person counts once, spread over their labelled photos: a failed photo keeps its share"
)


def build_spec(
    setting: Setting,
    facts: Facts,
    table: Collected | Evidence,
    groupings: Sequence[Grouping],
    bands: tuple[Band, ...],
    options: Options,
    curves: Sequence[CurveRow],
) -> Spec:
    """Everything that fixes the numbers; refuses sources of attributes that are not audited."""
    sources, edges = options.sources, options.edges
    used = [name for item in groupings for name in item.names]
    odd = [name for name in sources if name not in used]
    if odd:
        raise InputError(
            f"--label-source {odd[0]}: no such attribute in --by; choose of {', '.join(used)}"
        )
    for name, source in sources.items():
        if source not in get_args(LabelSource):
            raise InputError(
                f"--label-source {name}={source}: must be one of {', '.join(get_args(LabelSource))}"
            )
    return Spec(
        attributes={
            name: AttributeSpec(
                source=sources.get(name, "unknown"),
                values=list(table.order[name]),
                n_unknown=table.n_unknown[name],
            )
            for name in dict.fromkeys(used)
        },
        combinations=[list(item.names) for item in groupings],
        unit_of_resampling="person" if facts.has_subjects else "face",
        units=UNITS + (BY_PERSON if options.estimand == "subject" else ""),
        estimand=options.estimand,
        n_boot=setting.n_boot,
        min_n=setting.min_n,
        adjust=setting.adjust,
        pooling=POOLING if any(len(item.names) > 1 for item in groupings) else None,
        gates=[gate.name for gate in options.gates],
        gate_target=options.gate_target,
        classes=list(facts.classes) or None,
        bands=[[low, high] for low, high in bands] or None,
        age_bands=[b[0] for b in bands_from_edges(edges)] if edges else None,
        metrics=metric_specs(setting.metrics),
        fairness=fairness_specs() if facts.task == "expression" and groupings else {},
        aggregates=dict(spread_specs()) if groupings else {},
        curves={name: DESCRIPTIONS[name] for name in dict.fromkeys(row.name for row in curves)},
    )


def metric_specs(metrics: Sequence[Metric]) -> dict[str, MetricSpec]:
    """What some metrics are, by name."""
    return {
        m.name: MetricSpec(
            unit=m.unit,
            better=m.better,
            scale=m.scale,
            interval=METHODS.get(m.interval, "none"),
            definition=m.definition,
            source=m.source,
            counts_failures=m.counts_failures,
        )
        for m in metrics
    }
