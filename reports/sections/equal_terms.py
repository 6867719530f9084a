"""Differences on equal terms: what stays when groups are given the same ages, or expressions."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import AdjustedGap, Gap, Group, PairGap
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Section, Table, table
from reports.figures import Mark, Role, forest
from reports.format import (
    beside,
    bracketed,
    capital,
    combination_label,
    count,
    estimate,
    group_label,
    metric_label,
    metric_title,
    note_codes,
    number,
    p_value,
    semicolons,
    sentences,
    unit_word,
)
from reports.language import english, say
from reports.lookup import headline, unit
from reports.sections.gaps import difference_axis, margin_band
from reports.sections.marks import bars_words
from reports.words import (
    by,
    interval_words,
    level_words,
    mark_of,
    verdict_label,
    verdict_words,
)

MAX_PAIRS = 8
MAX_ROWS = 600
_WHY = {
    "age": english(
        "Groups differ in what they are made of. Where errors grow with age, a group of older "
        "people seems to be served worse whatever the model does to them."
    ),
    "expression": english(
        "Groups differ in what they are made of. Some expressions are harder to tell than others, "
        "and a group that shows more of them seems to be served worse."
    ),
}
_HERE = {
    "age": english(
        "Here both groups of a pair are given the same mix. Standardised differences weight every "
        "age band alike for both: as it occurs among everyone, in equal shares, or as a given mix "
        "says."
    ),
    "expression": english(
        "Here both groups of a pair are given the same mix. Standardised differences weight every "
        "expression alike for both: as it occurs among everyone, in equal shares, or as a given "
        "mix says."
    ),
}
_REGRESSION = english(
    "Adjusted differences come from a regression on the age and on the other audited attributes."
)
_PARTS = english(
    "Mix and rate are the two parts of the difference as it is, and add up to it: the first comes "
    "from what the groups are made of, the second from how they are served."
)
_COLUMNS = (
    ("standardised_difference", "pooled", english("standardised to everyone")),
    ("standardised_difference", "uniform", english("to equal shares")),
    ("standardised_difference", "user", english("to the given mix")),
    ("adjusted_difference", None, english("adjusted by regression")),
    ("kitagawa_mix", None, english("part of the mix")),
    ("kitagawa_rate", None, english("part of the rates")),
)
_DRAWN = (("standardised_difference", "pooled"), ("adjusted_difference", None))
_ROLES: dict[str | None, Role] = {
    "gap": "gap",
    "no material gap": "none",
    "inconclusive": "inconclusive",
}
Sides = tuple[tuple[tuple[str, str | None], ...], ...]
Kind = tuple[str, str | None]
Pairs = dict[Sides, dict[Kind, Gap]]
_RAW: Kind = ("difference", None)


def build(result: AuditResult) -> Section | None:
    """For each combination: a figure of the leading metric, and a table of all metrics."""
    rows = [gap for gap in result.gaps if isinstance(gap, AdjustedGap)]
    if not rows:
        return None
    metrics = list(dict.fromkeys(row.metric for row in rows))
    lead = headline(result)
    lead = lead if lead in metrics else metrics[0]
    blocks: list[Block] = [Prose((_reading(result, rows),))]
    for i, names in enumerate(result.spec.combinations):
        found: dict[tuple[str, str | None], Pairs] = {}
        for row in rows:
            if set(row.attributes) == set(names):
                found.setdefault((row.metric, row.class_), {}).setdefault(_sides(row), {})[
                    row.kind, row.reference
                ] = row
        if not found:
            continue
        _add_raw(result, list(names), found)
        blocks.append(Heading(f"equal-{i}", by(list(names))))
        if (lead, None) in found:
            blocks.append(_figure(result, list(names), lead, found[lead, None], f"equal-{i}"))
        if set(found) != {(lead, None)}:
            caption = say("{names}: all metrics on equal terms", names=combination_label(names))
            blocks.append(_table(result, found, f"equal-{i}-all", caption, fold=True))
    return Section("equal-terms", say("Differences on equal terms"), tuple(blocks))


def _reading(result: AuditResult, rows: Sequence[AdjustedGap]) -> str:
    regression = any(row.kind == "adjusted_difference" for row in rows)
    middle = say(_REGRESSION) if regression else ""
    return sentences(say(_WHY[result.task]), say(_HERE[result.task]), middle, say(_PARTS))


def _sides(gap: Gap) -> Sides:
    sides: list[Group | None] = [getattr(gap, "a", None), getattr(gap, "b", None)]
    return tuple(tuple(sorted((side or {}).items())) for side in sides)


def _add_raw(
    result: AuditResult, names: list[str], found: dict[tuple[str, str | None], Pairs]
) -> None:
    """Put the difference as it is beside the adjusted ones, where the record lists it."""
    for gap in result.gaps:
        if (
            isinstance(gap, PairGap)
            and gap.kind == "difference"
            and set(gap.attributes) == {*names}
        ):
            mine = found.get((gap.metric, gap.class_), {}).get(_sides(gap))
            if mine is not None:
                mine[_RAW] = gap


def _figure(
    result: AuditResult, names: list[str], metric: str, pairs: Pairs, id: str
) -> Figure | Table:
    u = unit(result, metric)
    title = say("{metric} {by}, on equal terms", metric=capital(metric_title(metric)), by=by(names))
    found = _table(result, {(metric, None): pairs}, f"{id}-table", title, fold=False)
    ordered = sorted(pairs.values(), key=_order)
    drawn = [pair for pair in ordered if _best(pair) is not None][:MAX_PAIRS]
    if not drawn:
        return found
    marks = [mark for pair in drawn for mark in _marks(pair, u)]
    margin = next((g.margin for pair in drawn for g in pair.values() if g.margin is not None), None)
    spec, height = forest(
        marks, axis=difference_axis(metric, u), right=say("people"), reference=0.0,
        reference_label=say("no difference"), band=margin,
    )  # fmt: skip
    caption = sentences(_sentence(result, drawn[0], u), bars_words(result))
    if margin is not None:
        caption = sentences(caption, margin_band(margin, u))
    if any(mark.role == "small" for mark in marks):
        caption = sentences(caption, say("Grey: not tested."))
    if len(drawn) < len(pairs):
        words = say(
            "Drawn are {n} of {all} pairs: tested ones first, the widest at equal mix on top.",
            n=len(drawn), all=len(pairs),
        )  # fmt: skip
        caption = sentences(caption, words)
    said = semicolons(mark.hover for mark in marks[:12])
    alt = say("{title}. {text}.", title=title, text=said)
    panel = Panel(f"{id}-plot", title, alt, spec, height)
    return Figure(f"{id}-figure", title, caption, (panel,), found)


def _best(pair: dict[Kind, Gap]) -> Gap | None:
    """The adjusted difference of a pair, else the standardised one."""
    found = [pair[kind] for kind in reversed(_DRAWN) if kind in pair]
    return next((gap for gap in found if gap.value is not None), None)


def _order(pair: dict[Kind, Gap]) -> tuple[bool, float]:
    best = _best(pair)
    return (best is None or _untested(best), -abs((best and best.value) or 0.0))


def _untested(gap: Gap) -> bool:
    return gap.p is None or "below_min_n" in note_codes(gap.note)


def _marks(pair: dict[Kind, Gap], u: str) -> list[Mark]:
    found: list[Mark] = []
    words = (say("as it is"), say("standardised"), say("adjusted"))
    for kind, word in zip((_RAW, *_DRAWN), words, strict=True):
        gap = pair.get(kind)
        if gap is None or gap.value is None:
            continue
        named = beside(_pair_label(gap), word)
        label = named if not found else word
        people = f"{count(gap.n_subjects_a)} / {count(gap.n_subjects_b)}" if not found else ""
        value = estimate(gap.value, gap.low, gap.high, u)
        hover = say("{name}: {text}", name=named, text=value)
        role: Role = "small" if _untested(gap) else _ROLES.get(gap.verdict, "plain")
        found.append(Mark(label, gap.value, gap.low, gap.high, people, hover, role))
    return found


def _pair_label(gap: Gap) -> str:
    a, b = getattr(gap, "a", None), getattr(gap, "b", None)
    return f"{group_label(a or {})} − {group_label(b or {})}"


def _sentence(result: AuditResult, pair: dict[Kind, Gap], u: str) -> str:
    """What the rows of the pair on top say: how large at equal mix, and how sure."""
    gap, raw = _best(pair), pair.get(_RAW)
    assert gap is not None
    words = (
        english("{pair}: {value} adjusted")
        if gap.kind == "adjusted_difference"
        else english("{pair}: {value} standardised")
    )
    value = estimate(gap.value, gap.low, gap.high, u, unit_word(u))
    said = say(words, pair=_pair_label(gap), value=value)
    if raw is not None and raw.value is not None:
        said = beside(said, say("{value} as it is", value=number(raw.value, u)))
    if _untested(gap):
        return say("{text}; not tested.", text=said)
    sure = verdict_words(gap, u) if gap.verdict else interval_words(gap, level_words(result))
    return sentences(say("{text}.", text=said), sure)


def _table(
    result: AuditResult,
    found: dict[tuple[str, str | None], Pairs],
    id: str,
    caption: str,
    *,
    fold: bool,
) -> Table:
    marks: dict[str, str] = {}
    there = {kind for pairs in found.values() for pair in pairs.values() for kind in pair}
    shown = [column for column in _COLUMNS if column[:2] in there]
    lines = []
    for (metric, class_), pairs in found.items():
        u = unit(result, metric)
        for pair in pairs.values():
            first = next(iter(pair.values()))
            judged = _best(pair)
            p = judged.p_adjusted if judged else None
            lines.append([
                *([Cell(metric_label(metric, class_), head=True)] if fold else []),
                Cell(_pair_label(first), head=True),
                *(_value(pair.get(kind), u, marks)
                  for kind in (_RAW, *(column[:2] for column in shown))),
                Cell("" if p is None else p_value(p), p),
                Cell(verdict_label(judged.verdict if judged else None)),
                *(Cell("" if n is None else count(n), n)
                  for n in (first.n_subjects_a, first.n_subjects_b)),
            ])  # fmt: skip
    heads = (say("as it is"), *(say(head) for *_, head in shown), say("p for the family"))
    columns = (
        *((say("metric"),) if fold else ()), say("pair"),
        *(Column(head, numeric=True) for head in heads), say("verdict at equal mix"),
        Column(say("people first"), numeric=True), Column(say("people second"), numeric=True),
    )  # fmt: skip
    cut = len(lines) - MAX_ROWS
    more = say("{n} more pairs are in audit.json.", n=count(cut)) if cut > 0 else None
    summary = bracketed(caption, count(len(lines))) if fold else None
    return table(
        id, caption, columns, lines[:MAX_ROWS], footnotes=marks, summary=summary, more=more,
        gaps=True,
    )  # fmt: skip


def _value(gap: Gap | None, u: str, marks: dict[str, str]) -> Cell:
    if gap is None:
        return Cell("")
    return Cell(estimate(gap.value, gap.low, gap.high, u), gap.value, mark_of(gap.note, marks))
