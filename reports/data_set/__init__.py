"""The sections of the report on a data set, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable

from audit.result import AuditResult
from reports.blocks import Section
from reports.data_set import ages, copies, drift, labels, methods, represented, summary
from reports.sections import provenance, warnings

SECTIONS: tuple[Callable[[AuditResult], Section | None], ...] = (
    summary.build,
    warnings.build,
    represented.build,
    labels.build,
    ages.build,
    copies.build,
    drift.build,
    methods.build,
    provenance.build,
)
"""Each gives a section, or None when the record has no data for it."""
