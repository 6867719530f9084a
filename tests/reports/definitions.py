"""Every definition that a record may state: the closed lists of the audit."""

from __future__ import annotations

from collections.abc import Iterator

from audit.cure import COLUMNS, RAW
from audit.curves import DESCRIPTIONS
from audit.data_set.specs import CURVES, LABELLED, STATISTICS, statistic_specs
from audit.data_set.specs import METRICS as DATA
from audit.gate_rows import challenge_specs
from audit.generality.run import FAMILIES
from audit.metrics.age import age_metrics
from audit.metrics.core import Metric
from audit.metrics.distribution import (
    band_distribution_metrics,
    distribution_metrics,
    exact_distribution_metrics,
)
from audit.metrics.distribution_calibration import calibration_of_distributions
from audit.metrics.distribution_features import DistributionPlan
from audit.metrics.expression import expression_metrics
from audit.metrics.fairness_list import fairness_specs
from audit.metrics.gate import gate_metrics
from audit.metrics.gate_features import Gate, GatePlan
from audit.metrics.spread import spread_specs
from audit.metrics.stated import stated_metrics
from audit.metrics.where import PREFIX, SOURCES, where_metrics
from audit.nist import nist_specs
from audit.pooling import POOLING
from audit.recalibration.run import METHODS
from audit.result import MetricSpec, Spec
from audit.spec import BY_PERSON, UNITS

BANDS = ((0.0, 18.0), (18.0, 30.0))


def definitions() -> Iterator[str]:
    """Of metrics, statistics, curves, units, families and recalibrations."""
    yield from (metric.definition for metric in _metrics())
    yield from (spec.definition for spec in _specs().values())
    yield from (*DESCRIPTIONS.values(), *CURVES.values())
    yield from (way.definition for ways in METHODS.values() for way in ways.values())
    yield from (UNITS, UNITS + BY_PERSON, POOLING, FAMILIES, Spec.model_fields["families"].default)


def sources() -> Iterator[str]:
    """Where definitions come from, unless it is a publication, which every language cites alike."""
    named = (*_metrics(), *_specs().values())
    yield from (one.source for one in named if not any(map(str.isdigit, one.source)))


def units() -> Iterator[str]:
    """Units and scales of metrics."""
    for one in (*_metrics(), *_specs().values()):
        yield from (one.unit, one.scale)


def _metrics() -> Iterator[Metric]:
    plan = DistributionPlan(BANDS, is_band=False, legal=(18.0,))
    looks = [PREFIX + name for name in (*SOURCES, "other")]
    yield from age_metrics()
    yield from (*exact_distribution_metrics(), *band_distribution_metrics())
    yield from (*distribution_metrics(plan), *calibration_of_distributions(plan))
    yield from gate_metrics(GatePlan((Gate(18.0, 25.0),), exact=True, failures=True))
    yield from (*stated_metrics((90.0,)), *where_metrics(looks))
    yield from expression_metrics(("angry", "happy"), (*COLUMNS, RAW))
    yield from DATA


def _specs() -> dict[str, MetricSpec]:
    labels = ("age", "expression")
    names = (*STATISTICS, *(f"{name}_{label}" for name in LABELLED for label in labels))
    return {
        **fairness_specs(), **spread_specs(), **nist_specs(), **challenge_specs(0.01),
        **statistic_specs(names, labels),
    }  # fmt: skip
