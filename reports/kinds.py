"""Every kind of record that has a page, and how to read one without knowing which it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.comparison import Comparison
from audit.errors import InputError
from audit.generality.record import Generality
from audit.recalibration.run import Recalibration
from audit.result import AuditResult
from reports.comparison import comparison_page
from reports.generality import generality_page
from reports.html import Page
from reports.page import page_of
from reports.recalibration import recalibration_page


@dataclass(frozen=True)
class Kind:
    """How a kind of record is read, paged, and laid out as flat tables."""

    name: str
    read: Callable[[Path], Any]
    page: Callable[[Any], Page]
    tables: tuple[str, ...]


KINDS: dict[str, Kind] = {
    "audit": Kind(
        "audit", AuditResult.read, page_of,
        ("metrics", "gaps", "fairness", "slices", "curves", "warnings"),
    ),
    "comparison": Kind(
        "comparison", Comparison.read, comparison_page,
        ("paired", "gaps", "agreement", "pareto", "seeds"),
    ),
    "generality": Kind(
        "generality", Generality.read, generality_page,
        ("gains", "gaps", "summaries", "concordance", "cells", "warnings"),
    ),
    "recalibration": Kind("recalibration", Recalibration.read, recalibration_page, ()),
}  # fmt: skip
"""By the second part of the schema, ``hae-audit/KIND/1``."""


_HEAD = re.compile(rb'\s*\{\s*"schema":\s*"([a-z0-9/-]+)"')


def read_any(path: Path) -> tuple[Kind, Any]:
    """Read a record of any kind.

    Raises
    ------
    InputError
        The file is missing, is no JSON, or is no record that has a page.
    """
    kind = KINDS.get(_named(path))
    if kind is None:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            AuditResult.read(path)  # says what is wrong with the file
            raise
        found = content.get("schema") if isinstance(content, dict) else None
        kind = KINDS.get(_kind_in(found))
        if kind is None:
            known = ", ".join(f"{name}.json" for name in KINDS)
            raise InputError(
                f"{path}: schema is {found!r}, must be that of {known}; give a record of hae-audit"
            )
    return kind, kind.read(path)


def _named(path: Path) -> str:
    """The kind that the head of a file names, as we write it; its reader checks the rest."""
    try:
        with path.open("rb") as file:
            head = _HEAD.match(file.read(200))
    except OSError:
        return ""
    return _kind_in(head[1].decode()) if head else ""


def _kind_in(schema: object) -> str:
    parts = str(schema).split("/")
    return parts[1] if parts[0] == "hae-audit" and len(parts) == 3 else ""
