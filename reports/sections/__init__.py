"""The sections of a report, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable

from audit.result import AuditResult
from reports.blocks import Section
from reports.sections import (
    by_age,
    calibration,
    confusion,
    cure,
    distribution,
    equal_terms,
    fairness,
    gaps,
    gates,
    groups,
    intersections,
    methods,
    provenance,
    scorecard,
    slices,
    spread,
    untested,
    warnings,
    where,
)

SECTIONS: tuple[Callable[[AuditResult], Section | None], ...] = (
    scorecard.build,
    warnings.build,
    groups.build,
    gaps.build,
    equal_terms.build,
    spread.build,
    fairness.build,
    intersections.build,
    slices.build,
    by_age.build,
    gates.build,
    distribution.build,
    calibration.build,
    confusion.build,
    cure.build,
    where.build,
    untested.build,
    methods.build,
    provenance.build,
)
"""Each gives a section, or None when the record has no data for it."""
