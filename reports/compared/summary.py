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
    combination_label,
    count,
    group_label,
    interval,
    metric_title,
    number,
    plain,
    plural,
    unit_word,
)
from reports.sections.warnings import notices


def build(result: Comparison) -> Section:
    """What was compared, and the answer for everyone and for the largest gaps."""
    metric = headline(result)
    blocks: list[Block] = []
    if metric is None:
        blocks.append(Notice("serious", "Nothing could be compared", "No metric has a value."))
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
    return Section("summary", "Summary", tuple(blocks))


def _tiles(result: Comparison, metric: str) -> Tiles:
    u = unit(result, metric)
    tiles = []
    for run in result.runs:
        value, ends = _value_of(result, metric, run)
        shown = " ".join(filter(None, (number(value, u), unit_word(u))))
        role = "baseline" if run.baseline else ""
        detail = ", ".join(filter(None, (interval(*ends, u), role)))
        tiles.append(Tile(plain(run.name), shown, detail))
    first = overall(result, metric, others(result)[0])
    if first is not None:
        people = result.spec.unit_of_resampling == "person"
        words = f"of {plural(first.n_subjects, 'person', 'people')}" if people else "each a person"
        tiles.append(Tile("faces compared", count(first.n), words))
    return Tiles(tuple(tiles))


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
    direction = DIRECTIONS[better(result, metric)]
    faces = {
        "both": "faces that both runs processed",
        "worst": "all labelled faces, where a failure counts as wrong",
    }[result.spec.missing]
    said = (
        f"Each run is compared with {base} on the same faces, paired by person: differences are "
        f"those of the second run minus {base}, on {faces}. The page leads with {title} "
        f"({direction})."
    )
    scope = (
        f"All of this holds {result.spec.scope}: another training of the same model may come out "
        "otherwise, and these intervals do not say how far."
    )
    return said, scope


def _overall_card(result: Comparison, metric: str, run: str) -> Card | None:
    row: PairedRow | None = overall(result, metric, run)
    if row is None:
        return None
    label, tone = badge(row)
    sides = (Side("overall", from_to(result, row), "", _people(row.n_subjects)),)
    return Card(
        f"{short(result, run)}: everyone",
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
    title = f"{short(result, run)}: gap by {combination_label(names)}"
    if row.value is None or row.a is None or row.b is None:
        return Card(title, (), "", None, "not tested", "open", ("Not compared.",), "")
    label, tone = badge(row)
    words = ("highest", "lowest") if row.kind == "max_minus_min" else ("worst", "best")
    sides = tuple(
        Side(word, group_label(side), "", "")
        for word, side in zip(words, (row.a, row.b), strict=True)
    )
    return Card(
        title,
        (*sides, Side("gap", from_to(result, row), "", _people(row.n_subjects))),
        change_words(result, row),
        None,
        label,
        tone,
        _gap_words(result, row),
        f"The groups are those of {short(result, row.run_a)}.",
    )


def _gap_words(result: Comparison, row: GapChange) -> tuple[str, ...]:
    found = [sure_words(result, row)]
    if row.verdict in {"narrower", "wider"} and is_reversed(row):
        found.append("The group that was ahead is now behind.")
    return tuple(found)


def _people(n: int) -> str:
    return plural(n, "person", "people")
