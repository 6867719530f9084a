"""The index of a site, and the trend of a model over its releases, as pages."""

from __future__ import annotations

from collections.abc import Sequence

from reports.blocks import Block, Cell, Column, Figure, Panel, Prose, Section, Table, table
from reports.figures import Line, Point, lines
from reports.format import (
    EVERYONE,
    capital,
    estimate,
    metric_title,
    number,
    plain,
    plot_text,
    plural,
    semicolons,
    shorten,
    unit_word,
)
from reports.html import Page
from reports.language import english, say, spoken
from reports.site.record import FILE, Entry, Measured, Site
from reports.words import verdict_label

KINDS = {
    "audit": english("audit"),
    "comparison": english("comparison"),
    "generality": english("grid"),
    "recalibration": english("recalibration"),
}
TASKS = {"age": english("age"), "expression": english("expression"), "data": english("data")}
_RELEASES = english("{n} release"), english("{n} releases")
MAX_DATA = 40
Series = tuple[str, str, str]
"""Task, model and data: what the releases of a trend have in common."""


def index_page(site: Site) -> Page:
    """All records, the newest first; what is broken is listed with its error."""
    blocks: list[Block] = (
        [_table(site), _hashes(site)] if site.entries else [Prose((say("Nothing is published."),))]
    )
    sections = [Section("records", say("Records"), tuple(blocks), fold=False)]
    found = trends(site)
    if found:
        rows = [
            [Cell(entries[-1].model, head=True, href=f"trends/{trend_id(entries)}.html"),
             Cell(entries[-1].data), Cell(plural(len(entries), *_RELEASES), len(entries))]
            for entries in found.values()
        ]  # fmt: skip
        made = table("trends-table", say("Models over their releases"),
                     (say("model"), say("data"), say("releases")), rows)  # fmt: skip
        sections.append(Section("trends", say("Trends"), (made,), fold=False))
    if site.broken:
        errors = [[Cell(plain(one.name), head=True), Cell(plain(one.error))]
                  for one in site.broken]  # fmt: skip
        title = say("Not published")
        made = table("broken-table", title, (say("record"), say("why")), errors)
        sections.append(Section("broken", title, (made,), fold=False))
    return Page(
        kind=say("Audits of face models"), heading=site.heading,
        data=plural(len(site.entries), english("{n} record"), english("{n} records")),
        sections=tuple(sections), record=site, file=FILE,
    )  # fmt: skip


def _table(site: Site) -> Table:
    rows = []
    for place, entry in reversed(list(enumerate(site.entries))):
        everyone = next((m for m in entry.measured if m.what == EVERYONE), None)
        gaps = [m for m in entry.measured if m.what != EVERYONE and m.verdict]
        judged = semicolons(
            say("{name}: {text}", name=m.what, text=verdict_label(m.verdict)) for m in gaps
        )
        rows.append([
            Cell(entry.published, sort=place, detail=entry.release),
            Cell(entry.model, head=True, href=f"pages/{entry.id}.html",
                 detail=say("simulated faces") if entry.simulated else ""),
            Cell(shorten(entry.data, MAX_DATA)),
            Cell(say(KINDS[entry.kind]), detail=say(TASKS[entry.task])),
            Cell(_shown(entry, everyone), everyone.value if everyone else None,
                 detail=metric_title(entry.metric) if entry.metric else ""),
            Cell(judged or say("no verdict"), detail=entry.answer),
            Cell("JSON", href=f"records/{entry.id}.json"),
        ])  # fmt: skip
    columns = (
        say("published"), say("model"), say("data"), say("kind"), say(EVERYONE), say("verdicts"),
        say("record"),
    )  # fmt: skip
    return table("records-table", say("Records, the newest first"), columns, rows, stack=True,
                 filters=(1, 2, 0, 3))  # fmt: skip


def _hashes(site: Site) -> Table:
    """What each record is known by, to find it unchanged a year later."""
    rows = [
        [Cell(f"{entry.id}.json", head=True, href=f"records/{entry.id}.json"), Cell(entry.sha256)]
        for entry in site.entries
    ]
    title = say("Content hash of each record")
    return table("hashes-table", title, (say("record"), "SHA-256"), rows, summary=title)


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
            Point(i, m.value, m.low, m.high,
                  say("{name}: {text}", name=e.release, text=_shown(e, m)))
            for i, e in drawn
            for m in e.measured
            if m.what == what
        ]  # fmt: skip
        whole = what == EVERYONE
        said = title if whole else say("largest gap by {groups}", groups=what)
        spec = lines([Line("", points)], x_axis=say("release"), y_axis=said, zero=not whole)
        spec["layout"]["xaxis"] |= {
            "tickmode": "array", "tickvals": [i for i, _ in drawn],
            "ticktext": [plot_text(e.release) for _, e in drawn],
        }  # fmt: skip
        alt = say("{name}: {text}", name=said, text=semicolons(p.hover for p in points))
        panels.append(Panel(f"trend-{j}-plot", said, alt, spec, 300))
    rows = [
        [Cell(e.release, i, head=True, href=f"../pages/{e.id}.html"), Cell(e.published, i),
         *(_cell(e, what) for what in kinds)]
        for i, e in enumerate(entries, 1)
    ]  # fmt: skip
    heads: list[str | Column] = [
        say("release"),
        say("published"),
        *(Column(say(EVERYONE) if what == EVERYONE else what, numeric=True) for what in kinds),
    ]
    caption = say("{metric} of everyone, and largest gaps", metric=title)
    made = table("trend-table", caption, heads, rows)
    caption = say("Each release has its own interval; whether two differ, a comparison says.")
    heading = say("{metric} over releases", metric=capital(title))
    block = Figure("trend-figure", heading, caption, tuple(panels), made, "half")
    return Page(
        kind=say("Trend over releases"), heading=last.model, data=last.data,
        sections=(Section("trend", say("Trend"), (block,), fold=False),), file="trend.json",
        record=Site(title=last.model, language=spoken(), entries=list(entries)),
        simulated=any(e.simulated for e in entries),
    )  # fmt: skip


def _cell(entry: Entry, what: str) -> Cell:
    found = next((m for m in entry.measured if m.what == what), None)
    if found is None:
        return Cell(number(None))
    return Cell(_shown(entry, found), found.value, detail=verdict_label(found.verdict))
