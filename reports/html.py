"""A page: one HTML file that needs nothing outside itself, from sections and a record's text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from audit.record import record_text, uncollected
from audit.rows import Record
from reports.blocks import Figure, Section
from reports.cut import cut
from reports.language import TAGS, english, say, spoken
from reports.still import WIDTHS, still

PLAIN_JSON_BYTES = 1_000_000
"""A record above this size is embedded compressed, so that the page stays small."""
PLAIN_FIGURES_BYTES = 500_000
"""So are figures above this size."""


Plotly = Literal["inline", "directory", "cdn", "none"]
CDN = "https://cdn.plot.ly"
SLIM_HTML_BYTES, WIDE_HTML_BYTES = 350_000, 3_200_000
"""Tables of a page that shares the library, and of one that holds it, are cut to about this."""
EMBEDDED_ROWS = 16_000
"""A record of more rows than this is beside the page, not in it."""
SEVERITIES = {"info": english("info"), "warning": english("warning"), "serious": english("serious")}
ROLES = {
    "worst": english("worst"), "best": english("best"), "highest": english("highest"),
    "lowest": english("lowest"), "overall": english("overall"), "gap": english("gap"),
}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """What a page says: its headings, its sections, and the record that it is made from.

    ``file`` is the name under which the record is saved; ``faces`` says that people are shown.
    """

    kind: str
    heading: str
    data: str
    sections: tuple[Section, ...]
    record: Record
    file: str
    simulated: bool = False
    faces: bool = False

    @property
    def title(self) -> str:
        """The title of the window."""
        return say("{name}: {text}", name=self.kind, text=self.heading)

    @property
    def schema(self) -> str:
        """The schema of the record."""
        return str(getattr(self.record, "schema_", ""))


@uncollected()
def html_of(
    page: Page, plotly: Plotly = "inline", record: str | None = None, *, root: str = "",
    feed: str = "",
) -> str:  # fmt: skip
    """The page as HTML; the same page in the same language gives the same text.

    Parameters
    ----------
    page : Page
        What it says.
    plotly : {"inline", "directory", "cdn", "none"}
        Where the drawing library is: in the page, which then has no outside reference and whose
        content policy forbids every request; in a file beside it (:func:`plotly_file`); at a public
        address, checked by its hash; or nowhere: tables take the place of figures.
    record : str, optional
        Address of the record from the page. By default it is inside the page, and beside it where
        it is large.
    root, feed : str, optional
        For a page of a site: the way up to its index, and its Atom feed.
    """
    slim = plotly == "directory"
    sections = cut(page.sections, SLIM_HTML_BYTES if slim else WIDE_HTML_BYTES)
    drawn = plotly != "none"
    link = record or (page.file if _rows(page.record) > EMBEDDED_ROWS else None)
    text = "null" if link else record_text(page.record)
    embedded, encoding = _embedded(text, PLAIN_JSON_BYTES)
    most = 0 if slim else PLAIN_FIGURES_BYTES
    figures, figures_as = _embedded(_json(_specs(sections) if drawn else {}), most)
    script = _asset("report.js")
    inside = plotly == "inline"
    allowed = [_hash(script), *([_hash(_plotly_source())] if inside else [])]
    allowed += {"directory": ["'self'"], "cdn": [CDN]}.get(plotly, [])
    return _environment().get_template("page.html.j2").render(
        page=page, sections=sections, style=Markup(_asset("style.css")), script=Markup(script),
        plotly=Markup(_packed_plotly()) if inside else "", source=_source(plotly, root),
        drawn=drawn, allowed=allowed, figures=figures, figures_as=figures_as, record=embedded,
        encoding=encoding, link=link, root=root, feed=feed, language=TAGS[spoken()],
    )  # fmt: skip


def plotly_file() -> tuple[str, str]:
    """Name and text of the drawing library, for a folder of pages that share it."""
    return f"plotly-{_version()}.min.js", _plotly_source()


def _rows(record: Record) -> int:
    """How many rows all tables of a record have."""
    tables = (getattr(record, name) for name in type(record).model_fields)
    return sum(len(table) for table in tables if isinstance(table, list))


def _source(plotly: Plotly, root: str) -> tuple[str, str] | None:
    """Address and hash of a library that is not in the page."""
    if plotly == "directory":
        return f"{root}{plotly_file()[0]}", ""
    if plotly == "cdn":
        digest = hashlib.sha256(_plotly_source().encode()).digest()
        address = f"{CDN}/plotly-{_version()}.min.js"
        return address, f"sha256-{base64.b64encode(digest).decode()}"
    return None


def pack(text: str) -> str:
    """The text as gzip in base64, without a time stamp."""
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode("ascii")


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
    found = Environment(
        loader=PackageLoader("reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    # Globals, because a macro that is imported does not see what a page is rendered with.
    found.globals |= {
        "say": say, "severities": SEVERITIES, "roles": ROLES, "still": still, "widths": WIDTHS,
    }  # fmt: skip
    return found


def _asset(name: str) -> str:
    return files("reports").joinpath(name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _plotly_source() -> str:
    return files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _version() -> str:
    """The version of plotly.js, as its source begins with it."""
    found = re.search(r"plotly\.js v(\d[\w.-]*)", _plotly_source()[:2000])
    assert found is not None
    return found[1]
