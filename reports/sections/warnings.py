"""What a reader must know before trusting the numbers, the gravest first."""

from __future__ import annotations

from collections.abc import Sequence

from audit.notes import WARNING_CODES
from audit.result import AuditResult
from audit.rows import Concern
from reports.blocks import Notice, Section
from reports.format import plain
from reports.language import say

_ORDER = ("serious", "warning", "info")


def build(result: AuditResult) -> Section | None:
    """All warnings of the record."""
    if not result.warnings:
        return None
    return Section("warnings", say("Warnings"), notices(result.warnings), fold=False)


def notices(concerns: Sequence[Concern]) -> tuple[Notice, ...]:
    """Warnings as notices, the gravest first."""
    ordered = sorted(concerns, key=lambda warning: _ORDER.index(warning.severity))
    return tuple(
        Notice(
            w.severity, say(WARNING_CODES[w.code]), plain(w.message), plain(w.where or "") or None
        )
        for w in ordered
    )
