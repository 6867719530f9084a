"""The faces: who failed on which, and how often the runs agree."""

from __future__ import annotations

from audit.comparison import Agreement, Comparison
from reports.blocks import Block, Cell, Heading, Prose, Section, Table, table
from reports.compared.lookup import others, short
from reports.format import count, group_label, metric_title, number, plain
from reports.language import english, say

MAX_ROWS = 200
_MISSING = {
    "both": english(
        "Errors are compared on the faces that both runs processed. Those are the easier ones: "
        "where one run fails more often, or more often in one group, the comparison flatters it "
        "there. Failure rates, and metrics whose name ends in _all, are of all labelled faces."
    ),
    "worst": english(
        "A failure counts as wrong, on all labelled faces. Errors in years have no worst, so they "
        "are not compared."
    ),
}


def build(result: Comparison) -> Section | None:
    """Failures of each run, and a table of agreement for each pair."""
    blocks: list[Block] = [Prose((say(_MISSING[result.spec.missing]),)), _runs(result)]
    for i, run in enumerate(others(result)):
        rows = [row for row in result.agreement if row.run_b == run and row.n]
        if rows:
            title = say(
                "{run} and {baseline}, face by face",
                run=short(result, run), baseline=short(result, result.spec.baseline),
            )  # fmt: skip
            blocks.append(Heading(f"faces-{i}", title))
            blocks.append(_agreement(rows, f"faces-{i}-table"))
    return Section("faces", say("Faces and failures"), tuple(blocks))


def _runs(result: Comparison) -> Table:
    rows = [
        [
            Cell(plain(run.name), head=True), Cell(say("baseline") if run.baseline else ""),
            Cell(count(run.n_failed), run.n_failed), Cell(count(run.n_absent), run.n_absent),
            Cell(plain(run.run.model)), Cell(plain(run.run.data or "")),
            Cell(plain(run.setting or "")),
        ]
        for run in result.runs
    ]  # fmt: skip
    columns = (
        say("run"), "", say("failed"), say("not in its table"), say("model"), say("data"),
        say("seed of"),
    )  # fmt: skip
    caption = say("Runs, and the faces that they did not process")
    return table("runs", caption, columns, rows)


def _agreement(rows: list[Agreement], id: str) -> Table:
    first = rows[0]
    years = any(row.mean_abs_difference is not None for row in rows)
    found = []
    for row in rows[:MAX_ROWS]:
        numbers = (
            row.n, row.n_both, row.failed_a, row.failed_b, row.failed_both, row.same,
            row.both_right, row.only_a, row.only_b, row.both_wrong,
        )  # fmt: skip
        cells = [Cell(group_label(row.group), head=True), *(Cell(count(n), n) for n in numbers)]
        if years:
            apart = row.mean_abs_difference
            cells.append(Cell(number(apart, "years"), apart))
        found.append(cells)
    columns = [
        say("group"), say("labelled faces"), say("processed by both"),
        say("failed in the first only"), say("failed in the second only"), say("failed in both"),
        say("same answer"), say("both right"), say("only the first right"),
        say("only the second right"), say("both wrong"),
        *([say("mean difference, years")] if years else []),
    ]  # fmt: skip
    caption = say(
        "Faces; first {first}, second {second}; right is told by {metric}",
        first=plain(first.run_a), second=plain(first.run_b), metric=metric_title(first.right),
    )  # fmt: skip
    cut = len(rows) - len(found)
    more = (
        say("{n} more groups are in {file}.", n=count(cut), file="comparison.json")
        if cut > 0
        else None
    )
    return table(id, caption, columns, found, more=more)
