"""The report: one HTML file that needs nothing outside itself, made from an audit record alone."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from audit.files import write_text
from audit.result import AuditResult
from reports.blocks import Figure, Section
from reports.format import plain
from reports.sections import SECTIONS

PLAIN_JSON_BYTES = 1_000_000
"""A record above this size is embedded compressed, so that the page stays small."""

TASKS = {"age": "Face age audit", "expression": "Facial expression audit"}


def render(result: AuditResult) -> str:
    """The report as one HTML page; the same record gives the same text.

    Parameters
    ----------
    result : AuditResult
        The record; nothing else is read and nothing is computed again.

    Returns
    -------
    str
        A page without a single outside reference: scripts, styles, figures and the record itself
        are inside it, and its content policy forbids every request.

    See Also
    --------
    write_report : the same, to a file.
    """
    found = [build(result) for build in SECTIONS]
    sections = [section for section in found if section is not None]
    title = f"{TASKS[result.task]}: {plain(result.run.model)}"
    record, encoding = _record(result)
    script, plotly = _asset("report.js"), _plotly_source()
    return _environment().get_template("page.html.j2").render(
        title=title, result=result, model=plain(result.run.model), task=TASKS[result.task],
        data=plain(result.run.data or "") or "data not stated", sections=sections,
        style=Markup(_asset("style.css")), script=Markup(script), plotly=Markup(_packed_plotly()),
        hashes=[_hash(script), _hash(plotly)], figures=_json(_specs(sections)),
        record=record, encoding=encoding,
    )  # fmt: skip


def write_report(result: AuditResult, path: Path) -> None:
    """Write the report whole or not at all."""
    write_text(path, render(result))


def pack(text: str) -> str:
    """The text as gzip in base64, without a time stamp."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


@lru_cache(maxsize=1)
def _packed_plotly() -> str:
    return pack(_plotly_source())


def _record(result: AuditResult) -> tuple[Markup, str]:
    text = result.to_json()
    if len(text) <= PLAIN_JSON_BYTES:
        return _escaped(text), "json"
    return Markup(pack(text)), "gzip+base64"


def _specs(sections: list[Section]) -> dict[str, Any]:
    figures = [b for section in sections for b in section.blocks if isinstance(b, Figure)]
    return {panel.id: panel.spec for figure in figures for panel in figure.panels}


def _json(value: object) -> Markup:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _escaped(text)


def _escaped(text: str) -> Markup:
    # In JSON these characters occur only inside strings, where the escape means the same.
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def _asset(name: str) -> str:
    return files("reports").joinpath(name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _plotly_source() -> str:
    return files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")
