"""The index of a site, and the trend of a model over its releases, as pages."""

from __future__ import annotations

from collections.abc import Sequence

from reports.blocks import Block, Cell, Column, Figure, Panel, Prose, Section, Table, table
from reports.figures import Line, Point, lines
from reports.format import estimate, metric_title, number, plain, plural, unit_word
from reports.html import Page
from reports.site.record import FILE, Entry, Measured, Site

KINDS = {"audit": "audit", "comparison": "comparison", "generality": "grid",
         "recalibration": "recalibration"}  # fmt: skip
Series = tuple[str, str, str]
"""Task, model and data: what the releases of a trend have in common."""


def index_page(site: Site) -> Page:
    """All records, the newest first; what is broken is listed with its error."""
    blocks: list[Block] = [_table(site)] if site.entries else [Prose(("Nothing is published.",))]
    sections = [Section("records", "Records", tuple(blocks), fold=False)]
    found = trends(site)
    if found:
        rows = [
            [Cell(entries[-1].model, head=True, href=f"trends/{trend_id(entries)}.html"),
             Cell(entries[-1].data), Cell(plural(len(entries), "release"), len(entries))]
            for entries in found.values()
        ]  # fmt: skip
        made = table("trends-table", "Models over their releases", ("model", "data", "releases"),
                     rows)  # fmt: skip
        sections.append(Section("trends", "Trends", (made,), fold=False))
    if site.broken:
        errors = [[Cell(plain(one.name), head=True), Cell(plain(one.error))]
                  for one in site.broken]  # fmt: skip
        made = table("broken-table", "Not published", ("record", "why"), errors)
        sections.append(Section("broken", "Not published", (made,), fold=False))
    return Page(
        kind="Audits of face models", heading=plain(site.title),
        data=plural(len(site.entries), "record"),
        sections=tuple(sections), record=site, file=FILE,
    )  # fmt: skip


def _table(site: Site) -> Table:
    rows = []
    for place, entry in reversed(list(enumerate(site.entries))):
        everyone = next((m for m in entry.measured if m.what == "everyone"), None)
        gaps = [m for m in entry.measured if m.what != "everyone" and m.verdict]
        judged = "; ".join(f"{m.what}: {m.verdict}" for m in gaps)
        rows.append([
            Cell(entry.published, sort=place),
            Cell(entry.model, head=True, href=f"pages/{entry.id}.html",
                 detail="simulated faces" if entry.simulated else ""),
            Cell(entry.data), Cell(KINDS[entry.kind], detail=entry.task), Cell(entry.release),
            Cell(_shown(entry, everyone), everyone.value if everyone else None,
                 detail=metric_title(entry.metric) if entry.metric else ""),
            Cell(judged or "no verdict", detail=entry.answer),
            Cell("JSON", href=f"records/{entry.id}.json", detail=f"SHA-256 {entry.sha256}"),
        ])  # fmt: skip
    columns = ("published", "model", "data", "kind", "release", "everyone", "verdicts", "record")
    return table("records-table", "Records, the newest first", columns, rows, stack=True,
                 filters=(1, 2, 0, 3))  # fmt: skip


def _shown(entry: Entry, found: Measured | None) -> str:
    if found is None:
        return ""
    return estimate(found.value, found.low, found.high, entry.unit, unit_word(entry.unit))


def trends(site: Site) -> dict[Series, list[Entry]]:
    """Audits of one model on the same data, in the order of publication, where there are two."""
    found: dict[Series, list[Entry]] = {}
    for entry in site.entries:
        if entry.metric is not None:
            found.setdefault((entry.task, entry.model, entry.data), []).append(entry)
    return {key: entries for key, entries in found.items() if len(entries) > 1}


def trend_id(entries: Sequence[Entry]) -> str:
    """Name of the page of a trend: that of its first record."""
    return entries[0].id


def trend_page(entries: Sequence[Entry]) -> Page:
    """The headline metric of everyone and the largest gap of each attribute, release by release.

    Releases with another headline metric than the last are in the table and not drawn.
    """
    last = entries[-1]
    drawn = [(i, e) for i, e in enumerate(entries, 1) if e.metric == last.metric]
    title = metric_title(last.metric or "")
    panels = []
    kinds = list(dict.fromkeys(m.what for _, e in drawn for m in e.measured))
    for j, what in enumerate(kinds):
        points = [
            Point(i, m.value, m.low, m.high, f"{e.release}: {_shown(e, m)}")
            for i, e in drawn
            for m in e.measured
            if m.what == what
        ]
        said = title if what == "everyone" else f"largest gap by {what}"
        spec = lines([Line("", points)], x_axis="release", y_axis=said, zero=what != "everyone")
        spec["layout"]["xaxis"] |= {"dtick": 1}
        alt = f"{said}: {'; '.join(p.hover for p in points)}"
        panels.append(Panel(f"trend-{j}-plot", said, alt, spec, 300))
    rows = [
        [Cell(e.release, i, head=True, href=f"../pages/{e.id}.html"), Cell(e.published, i),
         *(_cell(e, what) for what in kinds)]
        for i, e in enumerate(entries, 1)
    ]  # fmt: skip
    heads: list[str | Column] = [
        "release",
        "published",
        *(Column(what, numeric=True) for what in kinds),
    ]
    made = table("trend-table", f"{title} of everyone, and largest gaps", heads, rows)
    caption = "Each release has its own interval; whether two differ, a comparison says."
    block = Figure("trend-figure", f"{title.capitalize()} over releases", caption, tuple(panels),
                   made, "half")  # fmt: skip
    return Page(
        kind="Trend over releases", heading=last.model, data=last.data,
        sections=(Section("trend", "Trend", (block,), fold=False),), file="trend.json",
        record=Site(title=last.model, entries=list(entries)),
        simulated=any(e.simulated for e in entries),
    )  # fmt: skip


def _cell(entry: Entry, what: str) -> Cell:
    found = next((m for m in entry.measured if m.what == what), None)
    if found is None:
        return Cell(number(None))
    return Cell(_shown(entry, found), found.value, detail=found.verdict or "")
