"""What is in a data set twice, and who is in two of its parts."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.blocks import Block, Cell, Column, Prose, Section, Table, table
from reports.data_set.lookup import everyone, rows_of
from reports.format import combination_label, count, group_value, number, plain
from reports.words import mark_of

_SHARED = {
    "shared_people": "people",
    "shared_photos": "near-duplicate photos",
    "shared_images": "image files",
}
_COUNTED = ("number", "share", "of")
MAX_ROWS = 1000
_READING = (
    "Copies count a person or a picture twice, and on both sides of a split they make a model look "
    "better than it is. These numbers describe the files as they are; they have no interval."
)


def build(result: AuditResult) -> Section | None:
    """Copies of all faces and by group, then what the parts share."""
    whole = [
        row
        for name in ("near_duplicates", "same_bytes", "unread_images")
        if (row := everyone(result, name)) is not None
    ]
    shared = [row for name in _SHARED for row in rows_of(result, name)]
    if not (whole or shared):
        return None
    blocks: list[Block] = [Prose((_READING,))]
    if whole:
        blocks.append(_whole(whole))
    for i, names in enumerate(result.spec.combinations):
        rows = rows_of(result, "near_duplicates", names)
        if rows:
            blocks.append(_by_group(rows, f"copies-{i}", combination_label(names)))
    if shared:
        blocks.append(_parts(shared))
    return Section("copies", "Copies and splits", tuple(blocks))


def _by_group(rows: list[MetricRow], id: str, by: str) -> Table:
    caption = f"Faces with a near-duplicate, by {by}"
    lines = [
        [
            *(Cell(group_value(value), head=True) for value in row.group.values()),
            Cell(count(_hits(row)), _hits(row)),
            Cell(number(row.value, "share"), row.value),
            Cell(count(row.n), row.n),
        ]
        for row in rows[:MAX_ROWS]
    ]
    names = [plain(name) for name in rows[0].group]
    columns = [*map(Column, names), *(Column(head, numeric=True) for head in _COUNTED)]
    return table(id, caption, columns, lines, summary=caption)


def _whole(rows: list[MetricRow]) -> Table:
    marks: dict[str, str] = {}
    words = {
        "near_duplicates": "faces with a near-duplicate",
        "same_bytes": "files that are another one byte for byte",
        "unread_images": "images missing or unreadable",
    }
    lines = [
        [
            Cell(words[row.metric], head=True),
            Cell(count(_hits(row)), _hits(row)),
            Cell(number(row.value, "share"), row.value,
                 mark_of(None if row.note == "descriptive" else row.note, marks)),
            Cell(count(row.n), row.n),
        ]
        for row in rows
    ]  # fmt: skip
    columns: list[str | Column] = ["what", *(Column(head, numeric=True) for head in _COUNTED)]
    return table("copies-all", "Copies and damaged images", columns, lines, footnotes=marks)


def _parts(rows: list[MetricRow]) -> Table:
    lines = [
        [
            Cell(plain(row.group["split"] or ""), head=True), Cell(plain(row.class_ or "")),
            Cell(_SHARED[row.metric]), Cell(count(_hits(row)), _hits(row)),
            Cell(number(row.value, "share"), row.value), Cell(count(row.n), row.n),
            Cell(count(row.n_subjects), row.n_subjects),
        ]
        for row in rows
    ]  # fmt: skip
    heads = ("its faces that do", "share", "of", "people or pictures in both")
    columns: list[str | Column] = ["part", "shares with", "what"]
    columns += [Column(head, numeric=True) for head in heads]
    return table("shared", "What the parts share", columns, lines)


def _hits(row: MetricRow) -> int | None:
    return None if row.value is None or row.n is None else round(row.value * row.n)
