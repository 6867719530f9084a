"""What is in a data set twice, and who is in two of its parts."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.blocks import Block, Cell, Column, Prose, Section, Table, table
from reports.data_set.lookup import everyone, rows_of
from reports.format import combination_label, count, group_value, number, plain
from reports.language import english, say
from reports.words import mark_of

_SHARED = {
    "shared_people": english("people"),
    "shared_photos": english("near-duplicate photos"),
    "shared_images": english("image files"),
}
_WHOLE = {
    "near_duplicates": english("faces with a near-duplicate"),
    "same_bytes": english("files that are another one byte for byte"),
    "unread_images": english("images missing or unreadable"),
}
MAX_ROWS = 1000
_READING = english(
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
    blocks: list[Block] = [Prose((say(_READING),))]
    if whole:
        blocks.append(_whole(whole))
    for i, names in enumerate(result.spec.combinations):
        rows = rows_of(result, "near_duplicates", names)
        if rows:
            blocks.append(_by_group(rows, f"copies-{i}", combination_label(names)))
    if shared:
        blocks.append(_parts(shared))
    return Section("copies", say("Copies and splits"), tuple(blocks))


def _by_group(rows: list[MetricRow], id: str, by: str) -> Table:
    caption = say("Faces with a near-duplicate, by {groups}", groups=by)
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
    columns = [*map(Column, names), *_counted()]
    return table(id, caption, columns, lines, summary=caption)


def _whole(rows: list[MetricRow]) -> Table:
    marks: dict[str, str] = {}
    lines = [
        [
            Cell(say(_WHOLE[row.metric]), head=True),
            Cell(count(_hits(row)), _hits(row)),
            Cell(number(row.value, "share"), row.value,
                 mark_of(None if row.note == "descriptive" else row.note, marks)),
            Cell(count(row.n), row.n),
        ]
        for row in rows
    ]  # fmt: skip
    columns: list[str | Column] = [say("what"), *_counted()]
    return table("copies-all", say("Copies and damaged images"), columns, lines, footnotes=marks)


def _counted() -> list[Column]:
    heads = (say("number"), say("share"), say("of"))
    return [Column(head, numeric=True) for head in heads]


def _parts(rows: list[MetricRow]) -> Table:
    lines = [
        [
            Cell(plain(row.group["split"] or ""), head=True), Cell(plain(row.class_ or "")),
            Cell(say(_SHARED[row.metric])), Cell(count(_hits(row)), _hits(row)),
            Cell(number(row.value, "share"), row.value), Cell(count(row.n), row.n),
            Cell(count(row.n_subjects), row.n_subjects),
        ]
        for row in rows
    ]  # fmt: skip
    heads = (
        say("its faces that do"), say("share"), say("of"), say("people or pictures in both"),
    )  # fmt: skip
    columns: list[str | Column] = [say("part"), say("shares with"), say("what")]
    columns += [Column(head, numeric=True) for head in heads]
    return table("shared", say("What the parts share"), columns, lines)


def _hits(row: MetricRow) -> int | None:
    return None if row.value is None or row.n is None else round(row.value * row.n)
