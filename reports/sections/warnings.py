"""What a reader must know before trusting the numbers, the gravest first."""

from __future__ import annotations

from audit.notes import WARNING_CODES
from audit.result import AuditResult
from reports.blocks import Notice, Section
from reports.format import plain

_ORDER = ("serious", "warning", "info")


def build(result: AuditResult) -> Section | None:
    """All warnings of the record."""
    if not result.warnings:
        return None
    ordered = sorted(result.warnings, key=lambda warning: _ORDER.index(warning.severity))
    notices = tuple(
        Notice(w.severity, WARNING_CODES[w.code], plain(w.message), plain(w.where or "") or None)
        for w in ordered
    )
    return Section("warnings", "Warnings", notices)
