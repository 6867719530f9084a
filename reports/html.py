"""A page: one HTML file that needs nothing outside itself, from sections and a record's text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.blocks import Figure, Section, Table
from reports.language import TAGS, english, say, spoken

PLAIN_JSON_BYTES = 1_000_000
"""A record above this size is embedded compressed, so that the page stays small."""
PLAIN_FIGURES_BYTES = 500_000
"""So are figures above this size."""


Plotly = Literal["inline", "directory", "cdn", "none"]
CDN = "https://cdn.plot.ly"
SLIM_HTML_BYTES = 350_000
"""Tables of a page that shares the library are cut to about this size."""
SEVERITIES = {"info": english("info"), "warning": english("warning"), "serious": english("serious")}
ROLES = {
    "worst": english("worst"), "best": english("best"), "highest": english("highest"),
    "lowest": english("lowest"), "overall": english("overall"), "gap": english("gap"),
}  # fmt: skip
ROWS_KEPT = (2000, 400, 150, 60, 30, 15, 8, 4)


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
        Address of the record from the page. By default it is inside the page.
    root, feed : str, optional
        For a page of a site: the way up to its index, and its Atom feed.
    """
    slim = plotly == "directory"
    sections = trimmed(page.sections, SLIM_HTML_BYTES) if slim else page.sections
    drawn = plotly != "none"
    embedded, encoding = _embedded("null" if record else page.text, PLAIN_JSON_BYTES)
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
        encoding=encoding, link=record, root=root, feed=feed, language=TAGS[spoken()],
    )  # fmt: skip


def plotly_file() -> tuple[str, str]:
    """Name and text of the drawing library, for a folder of pages that share it."""
    return f"plotly-{_version()}.min.js", _plotly_source()


def trimmed(sections: Sequence[Section], size: int) -> tuple[Section, ...]:
    """The sections with tables cut, all to one number of rows, until about ``size`` bytes are left.

    A cut table says how many rows are missing and where they are. The first section stays whole.
    """
    for rows in ROWS_KEPT:
        cut = tuple(_cut(section, rows) if i else section for i, section in enumerate(sections))
        if sum(map(_weight, cut)) <= size:
            break
    return cut


def _cut(section: Section, rows: int) -> Section:
    blocks = [
        replace(block, table=_shorter(block.table, rows)) if isinstance(block, Figure)
        else _shorter(block, rows) if isinstance(block, Table) else block
        for block in section.blocks
    ]  # fmt: skip
    return replace(section, blocks=tuple(blocks))


def _shorter(found: Table, rows: int) -> Table:
    missing = len(found.rows) - rows
    if missing <= 0:
        return found
    told = say("{n:,} more rows of this table are in the record, and in its CSV.", n=missing)
    more = told if found.more is None else f"{told} {found.more}"
    return replace(found, rows=found.rows[:rows], more=more)


def _weight(section: Section) -> int:
    """About how many bytes the tables of a section take."""
    tables = [
        block.table if isinstance(block, Figure) else block
        for block in section.blocks
        if isinstance(block, Figure | Table)
    ]
    cells = (cell for found in tables for row in found.rows for cell in row)
    return sum(len(cell.text.encode()) + 70 for cell in cells)


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
    found = Environment(
        loader=PackageLoader("reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    # Globals, because a macro that is imported does not see what a page is rendered with.
    found.globals |= {"say": say, "severities": SEVERITIES, "roles": ROLES}
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
