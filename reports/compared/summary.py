"""The first screen: which runs, which is better overall, and what happens to the largest gap."""

from __future__ import annotations

from audit.comparison import ComparedRun, Comparison, GapChange, PairedRow, ParetoPoint
from reports.blocks import Block, Card, Cards, Notice, Prose, Section, Side, Tile, Tiles
from reports.compared.findings import surest
from reports.compared.lookup import (
    LARGEST,
    better,
    combinations,
    gaps_of,
    headline,
    others,
    overall,
    short,
    unit,
)
from reports.compared.words import (
    DIRECTIONS,
    badge,
    change_words,
    from_to,
    is_reversed,
    sure_words,
)
from reports.format import (
    amount,
    beside,
    combination_label,
    count,
    group_label,
    interval,
    metric_title,
    people,
    plain,
    plural,
)
from reports.language import english, say
from reports.sections.warnings import notices

_PAIRED = {
    "both": english(
        "Each run is compared with {baseline} on the same faces, paired by person: differences are "
        "those of the second run minus {baseline}, on faces that both runs processed. The page "
        "leads with {metric} ({direction})."
    ),
    "worst": english(
        "Each run is compared with {baseline} on the same faces, paired by person: differences are "
        "those of the second run minus {baseline}, on all labelled faces, where a failure counts "
        "as wrong. The page leads with {metric} ({direction})."
    ),
}


def build(result: Comparison) -> Section:
    """What was compared, and the answer for everyone and for the largest gaps."""
    metric = headline(result)
    blocks: list[Block] = []
    if metric is None:
        blocks.append(
            Notice("serious", say("Nothing could be compared"), say("No metric has a value."))
        )
    else:
        blocks += [_tiles(result, metric), Prose(_lead(result, metric))]
        blocks += [Prose(surest(result))]
        cards = [
            card
            for run in others(result)
            for card in (
                _overall_card(result, metric, run),
                *(_gap_card(result, metric, run, names) for names in combinations(result)),
            )
            if card is not None
        ]
        blocks.append(Cards(tuple(cards)))
    blocks += notices(result.warnings)
    return Section("summary", say("Summary"), tuple(blocks))


def _tiles(result: Comparison, metric: str) -> Tiles:
    u = unit(result, metric)
    tiles = []
    for run in result.runs:
        value, ends = _value_of(result, metric, run)
        role = say("baseline") if run.baseline else ""
        detail = beside(interval(*ends, u), role)
        tiles.append(Tile(plain(run.name), amount(value, u), detail))
    first = overall(result, metric, others(result)[0])
    if first is not None:
        named = result.spec.unit_of_resampling == "person"
        words = of_people(first.n_subjects) if named else say("each a person")
        tiles.append(Tile(say("faces compared"), count(first.n), words))
    return Tiles(tuple(tiles))


def of_people(n: int) -> str:
    """How many people the faces are of."""
    return plural(n, english("of {n} person"), english("of {n} people"))


def _value_of(
    result: Comparison, metric: str, run: ComparedRun
) -> tuple[float | None, tuple[float | None, float | None]]:
    point: ParetoPoint | None = next((p for p in result.pareto if p.run == run.name), None)
    if point is not None and point.metric == metric:
        return point.value, (point.low, point.high)
    other = others(result)[0] if run.baseline else run.name
    row = overall(result, metric, other)
    if row is None:
        return None, (None, None)
    return (row.value_a if run.baseline else row.value_b), (None, None)


def _lead(result: Comparison, metric: str) -> tuple[str, ...]:
    base = plain(result.spec.baseline)
    title = metric_title(metric)
    direction = say(DIRECTIONS[better(result, metric)])
    said = say(_PAIRED[result.spec.missing], baseline=base, metric=title, direction=direction)
    scope = say(
        "All of this holds {scope}: another training of the same model may come out otherwise, and "
        "these intervals do not say how far.",
        scope=say(result.spec.scope),
    )
    return said, scope


def _overall_card(result: Comparison, metric: str, run: str) -> Card | None:
    row: PairedRow | None = overall(result, metric, run)
    if row is None:
        return None
    label, tone = badge(row)
    sides = (Side("overall", from_to(result, row), "", people(row.n_subjects)),)
    return Card(
        say("{run}: everyone", run=short(result, run)),
        sides,
        change_words(result, row),
        None,
        label,
        tone,
        (sure_words(result, row),),
        "",
    )


def _gap_card(result: Comparison, metric: str, run: str, names: list[str]) -> Card | None:
    rows = gaps_of(result, metric, run, names, LARGEST)
    if not rows:
        return None
    row = rows[0]
    title = say("{run}: gap by {groups}", run=short(result, run), groups=combination_label(names))
    if row.value is None or row.a is None or row.b is None:
        return Card(title, (), "", None, say("not tested"), "open", (say("Not compared."),), "")
    label, tone = badge(row)
    words = ("highest", "lowest") if row.kind == "max_minus_min" else ("worst", "best")
    sides = tuple(
        Side(word, group_label(side), "", "")
        for word, side in zip(words, (row.a, row.b), strict=True)
    )
    return Card(
        title,
        (*sides, Side("gap", from_to(result, row), "", people(row.n_subjects))),
        change_words(result, row),
        None,
        label,
        tone,
        _gap_words(result, row),
        say("The groups are those of {run}.", run=short(result, row.run_a)),
    )


def _gap_words(result: Comparison, row: GapChange) -> tuple[str, ...]:
    found = [sure_words(result, row)]
    if row.verdict in {"narrower", "wider"} and is_reversed(row):
        found.append(say("The group that was ahead is now behind."))
    return tuple(found)
