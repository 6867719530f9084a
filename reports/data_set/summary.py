"""The first screen: which data set, who is least and most in it, and what its labels tell."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.blocks import Block, Cell, Column, Prose, Section, Table, Tile, Tiles, table
from reports.data_set.lookup import (
    beside_chance,
    everyone,
    extremes,
    labels_of,
    rows_of,
    share_of,
    statistic,
)
from reports.format import combination_label, count, group_label, number, plain, plural
from reports.words import SOURCES


def build(result: AuditResult) -> Section:
    """The scorecard of a data set; it exists for every record."""
    blocks: list[Block] = [Tiles(_tiles(result))]
    told = tuple(text for text in (_apart(result), _shared(result), _sources(result)) if text)
    if told:
        blocks.append(Prose(told))
    if result.spec.combinations:
        blocks.append(_glance(result))
    return Section("scorecard", "Scorecard", tuple(blocks))


def _tiles(result: AuditResult) -> tuple[Tile, ...]:
    whole = everyone(result, "share")
    people = (
        Tile("people", count(whole.n_subjects if whole else None), "intervals are by person")
        if result.spec.unit_of_resampling == "person"
        else Tile("people", "not named", "each face counts as its own person")
    )
    double, unread = everyone(result, "near_duplicates"), everyone(result, "unread_images")
    tiles = [Tile("faces", count(whole.n if whole else None), "whose labels can be used"), people]
    if double is None or unread is None:
        return (*tiles, Tile("images", "not read", "copies and damage are not known"))
    read = f"of {plural(double.n, 'face')} that were read"
    return (
        *tiles,
        Tile("faces with a near-duplicate", _percent(double), read),
        Tile("images missing or unreadable", _percent(unread), f"of {count(unread.n)}"),
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
    return (
        f"Beside the reference, {group_label(least.group)} has {share_of(least)} of its share, "
        f"{group_label(most.group)} {share_of(most)}."
    )


def _shared(result: AuditResult) -> str:
    rows = [r for name in ("shared_people", "shared_photos") for r in rows_of(result, name)]
    worst = max((row for row in rows if row.value), key=lambda row: row.value or 0, default=None)
    if not rows:
        return ""
    if worst is None:
        return "No part of the data shares anybody with another part."
    what = "their person" if worst.metric == "shared_people" else "a near-duplicate"
    return (
        f"{100 * (worst.value or 0):.3g} % of the {plain(worst.group['split'] or '')} faces have "
        f"{what} in {plain(worst.class_ or '')} too."
    )


def _sources(result: AuditResult) -> str:
    """Who assigned the groups, and how many faces have none."""
    names: dict[str, list[str]] = {}
    for name, spec in result.spec.attributes.items():
        unknown = f" ({plural(spec.n_unknown, 'face')} unknown)" if spec.n_unknown else ""
        names.setdefault(SOURCES[spec.source], []).append(plain(name) + unknown)
    parts = [f"{', '.join(found)}: {words}" for words, found in names.items()]
    return f"Source of the labels: {'; '.join(parts)}." if parts else ""


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
    heads = [f"{plain(label)} tells the group" for label in labels]
    heads += ["distance to the other data set"] if drifts else []
    columns = (Column("by"), Column("groups", numeric=True), Column("least"), Column("most"),
               Column("evenness", numeric=True), *map(Column, heads))  # fmt: skip
    more = (
        "Evenness is 1 where all groups are of one size. How much a label tells of the group is "
        "Cramer's V, corrected for small samples: 0 nothing, 1 all."
    )
    return table("glance", "At a glance", columns, lines, more=more)


def _end(row: MetricRow) -> str:
    return f"{group_label(row.group)} {share_of(row)}"
