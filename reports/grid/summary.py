"""The short answer: what every aggregator gains over all backbones."""

from __future__ import annotations

from audit.generality.record import Generality, SummaryRow
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Table, Tile, Tiles, table
from reports.compared.summary import of_people
from reports.figures import Mark, Role, forest
from reports.format import (
    bracketed,
    commas,
    count,
    group_label,
    metric_title,
    number,
    p_value,
    plain,
    plural,
    semicolons,
)
from reports.grid.lookup import (
    contrasts,
    ends,
    gain,
    gain_axis,
    in_unit,
    leading,
    sign,
    summaries_of,
    titled,
    unit,
    verdict_words,
    words,
)
from reports.language import english, say
from reports.sections.warnings import notices
from reports.words import mark_of

_BEYOND = {
    "better": english("better than {control} beyond chance: {names}"),
    "worse": english("worse than {control} beyond chance: {names}"),
}
_ROLES: dict[str | None, Role] = {"better": "better", "worse": "worse"}


def build(result: Generality) -> Section:
    """Tiles, the gain of every aggregator over all backbones, and what to know before."""
    metric = leading(result)
    blocks: list[Block] = [Prose(_lead(result, metric)), _tiles(result)]
    rows = [row for pair in contrasts(result) for row in summaries_of(result, metric, pair)]
    caption = say("Gain over all backbones, everyone")
    shown = summary_table(result, rows, "summary-table", caption)
    blocks.append(_figure(result, metric, rows, shown) if rows else shown)
    others = [
        row
        for name in result.spec.analysed[1:]
        for pair in contrasts(result)
        for row in summaries_of(result, name, pair)
    ]
    if others:
        caption = say("Gain over all backbones by the other metrics")
        blocks.append(summary_table(result, others, "summary-others", caption, fold=True))
    return Section("summary", say("Summary"), (*blocks, *notices(result.warnings)))


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
        say(_BEYOND[word], control=control, names=commas(names))
        for word, names in said.items()
        if names
    ]
    if all(row.p is None for row in found):
        answer = say("No aggregator could be tested over backbones; each is shown by itself below.")
    elif shown:
        answer = say(
            "Over all backbones, {found}. For the others nothing is settled.",
            found=semicolons(shown),
        )
    else:
        answer = say(
            "Over all backbones no aggregator is better or worse than {control} beyond chance.",
            control=control,
        )
    how = say(
        "Every aggregator is compared with {control} on the same backbone, the same seeds and the "
        "same faces, paired by person. A gain above 0 is in favour of the aggregator; the page "
        "leads with {metric}.",
        control=control, metric=metric_title(metric),
    )  # fmt: skip
    scope = say("What this holds for: {scope}.", scope=say(result.spec.scope))
    training = result.spec.training
    trained = say("How it was trained: {training}.", training=plain(training)) if training else ""
    return (answer, how, scope, *([trained] if trained else []))


def _tiles(result: Generality) -> Tiles:
    done = sum(cell.status == "done" for cell in result.cells)
    lost = len(result.cells) - done
    seeds = len({cell.seed for cell in result.cells})
    everyone = [row for row in result.gains if not row.group and row.n]
    tiles = [
        Tile(say("backbones"), count(len(result.spec.backbones))),
        Tile(
            say("aggregators"), count(len(result.spec.aggregators)), say("the control among them"),
        ),
        Tile(say("seeds"), count(seeds)),
        Tile(
            say("trainings"), count(done),
            plural(lost, english("{n} failed cell"), english("{n} failed cells"))
            if lost else say("none failed"),
        ),
    ]  # fmt: skip
    if everyone:
        people = of_people(everyone[0].n_subjects)
        tiles.append(Tile(say("faces compared"), count(everyone[0].n), people))
    return Tiles(tuple(tiles))


def _figure(result: Generality, metric: str, rows: list[SummaryRow], shown: Table) -> Figure:
    u, title = unit(result, metric), metric_title(metric)
    marks = []
    for row in rows:
        value, low, high = gain(result, row)
        name = titled(result, row.aggregator, row.against)
        hover = say(
            "{where}: {gain}; {verdict}",
            where=name, gain=words(result, metric, (value, low, high)), verdict=verdict_words(row),
        )  # fmt: skip
        role = _ROLES.get(row.verdict, "unsettled")
        right = say("{n} of {all}", n=row.n_better, all=row.n_backbones)
        marks.append(Mark(name, value, low, high, right, hover, role))
    spec, height = forest(
        marks, axis=gain_axis(title, u), right=say("better on"),
        reference=0.0, reference_label=say("as {name}", name=plain(result.spec.control)),
    )  # fmt: skip
    heading = say("Gain in {metric} over all backbones", metric=title)
    caption = say(
        "Right of the line the aggregator is better. Bars are 95 % intervals of the mean over "
        "backbones of which these are a sample; the mark says what holds for all of them together."
    )
    said = semicolons(f"{m.label} {number(m.value, u)}" for m in marks)
    alt = say("{title}. {said}.", title=heading, said=said)
    panel = Panel("summary-plot", heading, alt, spec, height)
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
            Cell("" if new[0] is None else
                 say("{low} to {high}", low=number(new[0], u), high=number(new[1], u))),
            Cell("" if row.tau is None else in_unit(result, row.metric, row.tau), row.tau),
            Cell(say("{n} of {all}", n=row.n_better, all=row.n_backbones), row.n_better),
            *(Cell("" if p is None else p_value(p), p) for p in (row.p, row.p_adjusted)),
            Cell(verdict_words(row)),
        ]  # fmt: skip
        found.append(cells)
    columns = [
        say("aggregator"), *([say("group")] if where else []), say("metric"),
        say("gain [interval]"), say("on a new backbone"), say("SD between backbones"),
        say("backbones better"), "p", say("p adjusted"), say("verdict"),
    ]  # fmt: skip
    summary = bracketed(caption, count(len(rows))) if fold else None
    return table(id, caption, columns, found, summary=summary, footnotes=marks)
