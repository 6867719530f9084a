"""The sections of a grid's page, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable

from audit.generality.record import Generality
from reports.blocks import Section
from reports.grid import (
    agreement,
    attention,
    cells,
    claimed,
    cost,
    gains,
    gaps,
    groups,
    methods,
    summary,
)

SECTIONS: tuple[Callable[[Generality], Section | None], ...] = (
    summary.build,
    gains.build,
    groups.build,
    gaps.build,
    agreement.build,
    cost.build,
    attention.build,
    claimed.build,
    cells.build,
    methods.build,
)
"""Each gives a section, or None when the record has no data for it."""
