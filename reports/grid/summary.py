"""The short answer: what every aggregator gains over all backbones."""

from __future__ import annotations

from audit.generality.record import Generality, SummaryRow
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Table, Tile, Tiles, table
from reports.figures import Mark, Role, forest
from reports.format import count, group_label, metric_title, number, p_value, plain, plural
from reports.grid.lookup import (
    contrasts,
    ends,
    gain,
    in_unit,
    leading,
    sign,
    summaries_of,
    titled,
    unit,
    verdict_words,
    words,
)
from reports.sections.warnings import notices
from reports.words import mark_of

_ROLES: dict[str | None, Role] = {"better": "better", "worse": "worse"}


def build(result: Generality) -> Section:
    """Tiles, the gain of every aggregator over all backbones, and what to know before."""
    metric = leading(result)
    blocks: list[Block] = [Prose(_lead(result, metric)), _tiles(result)]
    rows = [row for pair in contrasts(result) for row in summaries_of(result, metric, pair)]
    shown = summary_table(result, rows, "summary-table", "Gain over all backbones, everyone")
    blocks.append(_figure(result, metric, rows, shown) if rows else shown)
    others = [
        row
        for name in result.spec.analysed[1:]
        for pair in contrasts(result)
        for row in summaries_of(result, name, pair)
    ]
    if others:
        caption = "Gain over all backbones by the other metrics"
        blocks.append(summary_table(result, others, "summary-others", caption, fold=True))
    return Section("summary", "Summary", (*blocks, *notices(result.warnings)))


def _lead(result: Generality, metric: str) -> tuple[str, ...]:
    control = plain(result.spec.control)
    found = [
        row
        for pair in contrasts(result)
        for row in summaries_of(result, metric, pair)
        if row.against == result.spec.control
    ]
    said = {
        word: [plain(row.aggregator) for row in found if row.verdict == word]
        for word in ("better", "worse")
    }
    shown = [
        f"{word} than {control} beyond chance: {', '.join(names)}"
        for word, names in said.items()
        if names
    ]
    if all(row.p is None for row in found):
        answer = "No aggregator could be tested over backbones; each is shown by itself below."
    elif shown:
        answer = f"Over all backbones, {'; '.join(shown)}. For the others nothing is settled."
    else:
        answer = (
            f"Over all backbones no aggregator is better or worse than {control} beyond chance."
        )
    how = (
        f"Every aggregator is compared with {control} on the same backbone, the same seeds and the "
        f"same faces, paired by person. A gain above 0 is in favour of the aggregator; the page "
        f"leads with {metric_title(metric)}."
    )
    trained = (
        (f"How it was trained: {plain(result.spec.training)}.",) if result.spec.training else ()
    )
    return (answer, how, f"What this holds for: {result.spec.scope}.", *trained)


def _tiles(result: Generality) -> Tiles:
    done = sum(cell.status == "done" for cell in result.cells)
    lost = len(result.cells) - done
    seeds = len({cell.seed for cell in result.cells})
    everyone = [row for row in result.gains if not row.group and row.n]
    tiles = [
        Tile("backbones", count(len(result.spec.backbones))),
        Tile("aggregators", count(len(result.spec.aggregators)), "the control among them"),
        Tile("seeds", count(seeds)),
        Tile("trainings", count(done), f"{plural(lost, 'failed cell')}" if lost else "none failed"),
    ]
    if everyone:
        people = plural(everyone[0].n_subjects, "person", "people")
        tiles.append(Tile("faces compared", count(everyone[0].n), f"of {people}"))
    return Tiles(tuple(tiles))


def _figure(result: Generality, metric: str, rows: list[SummaryRow], shown: Table) -> Figure:
    u, title = unit(result, metric), metric_title(metric)
    marks = []
    for row in rows:
        value, low, high = gain(result, row)
        name = titled(result, row.aggregator, row.against)
        hover = f"{name}: {words(result, metric, (value, low, high))}; {verdict_words(row)}"
        role = _ROLES.get(row.verdict, "unsettled")
        right = f"{row.n_better} of {row.n_backbones}"
        marks.append(Mark(name, value, low, high, right, hover, role))
    spec, height = forest(
        marks, axis=f"gain in {title}" + (f", {u}" if u else ""), right="better on",
        reference=0.0, reference_label=f"as {plain(result.spec.control)}",
    )  # fmt: skip
    heading = f"Gain in {title} over all backbones"
    caption = (
        "Right of the line the aggregator is better. Bars are 95 % intervals of the mean over "
        "backbones of which these are a sample; the mark says what holds for all of them together."
    )
    said = "; ".join(f"{m.label} {number(m.value, u)}" for m in marks)
    panel = Panel("summary-plot", heading, f"{heading}. {said}.", spec, height)
    return Figure("summary-figure", heading, caption, (panel,), shown)


def summary_table(
    result: Generality,
    rows: list[SummaryRow],
    id: str,
    caption: str,
    *,
    fold: bool = False,
    where: bool = False,
) -> Table:
    """One line for each summary of gains."""
    marks: dict[str, str] = {}
    found = []
    for row in rows:
        u, by = unit(result, row.metric), sign(result, row.metric)
        new = ends(row.low_new, row.high_new, by)
        cells = [Cell(titled(result, row.aggregator, row.against), head=True)]
        if where:
            cells.append(Cell(group_label(row.group)))
        cells += [
            Cell(plain(row.metric)),
            Cell(words(result, row.metric, gain(result, row)), gain(result, row)[0],
                 mark_of(row.note, marks)),
            Cell("" if new[0] is None else f"{number(new[0], u)} to {number(new[1], u)}"),
            Cell("" if row.tau is None else in_unit(result, row.metric, row.tau), row.tau),
            Cell(f"{row.n_better} of {row.n_backbones}", row.n_better),
            *(Cell("" if p is None else p_value(p), p) for p in (row.p, row.p_adjusted)),
            Cell(verdict_words(row)),
        ]  # fmt: skip
        found.append(cells)
    columns = [
        "aggregator", *(["group"] if where else []), "metric", "gain [interval]",
        "on a new backbone", "SD between backbones", "backbones better", "p", "p adjusted",
        "verdict",
    ]  # fmt: skip
    summary = f"{caption} ({count(len(rows))})" if fold else None
    return table(id, caption, columns, found, summary=summary, footnotes=marks)
