"""The sections of a comparison, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable

from audit.comparison import Comparison
from reports.blocks import Section
from reports.compared import faces, findings, gaps, groups, methods, seeds, summary, tradeoff

SECTIONS: tuple[Callable[[Comparison], Section | None], ...] = (
    summary.build,
    findings.build,
    groups.build,
    gaps.build,
    tradeoff.build,
    faces.build,
    seeds.build,
    methods.build,
)
"""Each gives a section, or None when the record has no data for it."""
