"""The first screen: which data set, who is least and most in it, and what its labels tell."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.blocks import Block, Cell, Column, Prose, Section, Table, Tile, Tiles, table
from reports.data_set.lookup import (
    beside_chance,
    everyone,
    extremes,
    label_word,
    labels_of,
    rows_of,
    share_of,
    statistic,
)
from reports.format import (
    bracketed,
    combination_label,
    commas,
    count,
    group_label,
    number,
    plain,
    plural,
    semicolons,
)
from reports.language import english, say
from reports.words import SOURCES


def build(result: AuditResult) -> Section:
    """The scorecard of a data set; it exists for every record."""
    blocks: list[Block] = [Tiles(_tiles(result))]
    told = tuple(text for text in (_apart(result), _shared(result), _sources(result)) if text)
    if told:
        blocks.append(Prose(told))
    if result.spec.combinations:
        blocks.append(_glance(result))
    return Section("scorecard", say("Scorecard"), tuple(blocks))


def _tiles(result: AuditResult) -> tuple[Tile, ...]:
    whole = everyone(result, "share")
    people = (
        Tile(
            say("people"),
            count(whole.n_subjects if whole else None),
            say("intervals are by person"),
        )
        if result.spec.unit_of_resampling == "person"
        else Tile(say("people"), say("not named"), say("each face counts as its own person"))
    )
    double, unread = everyone(result, "near_duplicates"), everyone(result, "unread_images")
    usable = say("whose labels can be used")
    tiles = [Tile(say("faces"), count(whole.n if whole else None), usable), people]
    if double is None or unread is None:
        unknown = say("copies and damage are not known")
        return (*tiles, Tile(say("images"), say("not read"), unknown))
    read = plural(
        double.n,
        english("of {n} face that were read"),
        english("of {n} faces that were read"),
    )
    all_images = say("of {n}", n=count(unread.n))
    return (
        *tiles,
        Tile(say("faces with a near-duplicate"), _percent(double), read),
        Tile(say("images missing or unreadable"), _percent(unread), all_images),
    )


def _percent(row: MetricRow) -> str:
    return number(row.value) if row.value is None else f"{100 * row.value:.3g} %"


def _apart(result: AuditResult) -> str:
    """The groups furthest from the reference, in a sentence."""
    rows = rows_of(result, "representation_ratio")
    ends = extremes(rows)
    if ends is None:
        return ""
    least, most = ends
    return say(
        "Beside the reference, {least} has {share} of its share, {most} {other_share}.",
        least=group_label(least.group), share=share_of(least), most=group_label(most.group),
        other_share=share_of(most),
    )  # fmt: skip


def _shared(result: AuditResult) -> str:
    rows = [r for name in ("shared_people", "shared_photos") for r in rows_of(result, name)]
    worst = max((row for row in rows if row.value), key=lambda row: row.value or 0, default=None)
    if not rows:
        return ""
    if worst is None:
        return say("No part of the data shares anybody with another part.")
    of_people = worst.metric == "shared_people"
    person = english("{share:.3g} % of the {part} faces have their person in {other} too.")
    copy = english("{share:.3g} % of the {part} faces have a near-duplicate in {other} too.")
    return say(
        person if of_people else copy,
        share=100 * (worst.value or 0), part=plain(worst.group["split"] or ""),
        other=plain(worst.class_ or ""),
    )  # fmt: skip


def _sources(result: AuditResult) -> str:
    """Who assigned the groups, and how many faces have none."""
    names: dict[str, list[str]] = {}
    for name, spec in result.spec.attributes.items():
        one, many = english("{n} face unknown"), english("{n} faces unknown")
        unknown = plural(spec.n_unknown, one, many) if spec.n_unknown else ""
        source = say(SOURCES[spec.source])
        names.setdefault(source, []).append(bracketed(plain(name), unknown))
    parts = semicolons(
        say("{name}: {text}", name=commas(found), text=words) for words, found in names.items()
    )
    return say("Source of the labels: {sources}.", sources=parts) if parts else ""


def _glance(result: AuditResult) -> Table:
    """A line for each combination: its ends, its evenness, what labels tell, and drift."""
    labels = labels_of(result)
    drifts = any(row.metric == "drift_tv" for row in result.fairness)
    lines = []
    for names in result.spec.combinations:
        rows = rows_of(result, "share", names)
        ends = extremes(rows)
        even = statistic(result, "evenness", names)
        cells = [Cell(combination_label(names), head=True), Cell(count(len(rows)), len(rows))]
        cells += [Cell(_end(row)) for row in ends] if ends else [Cell(""), Cell("")]
        cells.append(Cell(number(even.value), even.value) if even else Cell(""))
        for label in labels:
            row = statistic(result, f"cramers_v_corrected_{label}", names)
            cells.append(Cell("" if row is None else beside_chance(row)))
        if drifts:
            row = statistic(result, "drift_tv", names)
            cells.append(Cell("" if row is None else beside_chance(row)))
        lines.append(cells)
    heads = [say("{label} tells the group", label=label_word(label)) for label in labels]
    heads += [say("distance to the other data set")] if drifts else []
    columns = (Column(say("by")), Column(say("groups"), numeric=True), Column(say("least")),
               Column(say("most")), Column(say("evenness"), numeric=True),
               *map(Column, heads))  # fmt: skip
    more = say(
        "Evenness is 1 where all groups are of one size. How much a label tells of the group is "
        "Cramer's V, corrected for small samples: 0 nothing, 1 all."
    )
    return table("glance", say("At a glance"), columns, lines, more=more)


def _end(row: MetricRow) -> str:
    return f"{group_label(row.group)} {share_of(row)}"
