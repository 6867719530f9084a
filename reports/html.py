"""A page: one HTML file that needs nothing outside itself, from sections and a record's text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.blocks import Figure, Section

PLAIN_JSON_BYTES = 1_000_000
"""A record above this size is embedded compressed, so that the page stays small."""
PLAIN_FIGURES_BYTES = 500_000
"""So are figures above this size."""


@dataclass(frozen=True)
class Page:
    """What a page says: its headings, its sections, and the record (``text``) that it offers.

    ``file`` is the name under which the record is saved, ``schema`` its schema.
    """

    kind: str
    heading: str
    data: str
    sections: tuple[Section, ...]
    text: str
    file: str
    schema: str
    simulated: bool = False

    @property
    def title(self) -> str:
        """The title of the window."""
        return f"{self.kind}: {self.heading}"


def html_of(page: Page) -> str:
    """The page as HTML; the same page gives the same text.

    There is no outside reference: scripts, styles, figures and the record itself are inside it, and
    its content policy forbids every request.
    """
    record, encoding = _embedded(page.text, PLAIN_JSON_BYTES)
    figures, figures_as = _embedded(_json(_specs(page.sections)), PLAIN_FIGURES_BYTES)
    script, plotly = _asset("report.js"), _plotly_source()
    return _environment().get_template("page.html.j2").render(
        page=page, style=Markup(_asset("style.css")), script=Markup(script),
        plotly=Markup(_packed_plotly()), hashes=[_hash(script), _hash(plotly)],
        figures=figures, figures_as=figures_as, record=record, encoding=encoding,
    )  # fmt: skip


def pack(text: str) -> str:
    """The text as gzip in base64, without a time stamp."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


@lru_cache(maxsize=1)
def _packed_plotly() -> str:
    return pack(_plotly_source())


def _embedded(text: str, most: int) -> tuple[Markup, str]:
    """JSON as it stands in the page, and how it is written there."""
    if len(text) <= most:
        return _escaped(text), "json"
    return Markup(pack(text)), "gzip+base64"


def _specs(sections: Sequence[Section]) -> dict[str, Any]:
    figures = [b for section in sections for b in section.blocks if isinstance(b, Figure)]
    return {panel.id: panel.spec for figure in figures for panel in figure.panels}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


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
