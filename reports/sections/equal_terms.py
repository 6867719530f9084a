"""Differences on equal terms: what stays when groups are given the same ages, or expressions."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import AdjustedGap, Gap, Group, PairGap
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Section, Table, table
from reports.figures import Mark, Role, forest
from reports.format import (
    combination_label,
    count,
    estimate,
    group_label,
    metric_label,
    metric_title,
    note_codes,
    number,
    p_value,
    plain,
    unit_word,
)
from reports.lookup import headline, unit
from reports.words import by, interval_words, level_words, mark_of, verdict_words

MAX_PAIRS = 8
MAX_ROWS = 600
_READING = (
    "Groups differ in what they are made of. {why} Here both groups of a pair are given the same "
    "mix. Standardised differences weight every {stratum} alike for both: as it occurs among "
    "everyone, in equal shares, or as a given mix says.{regression} Mix and rate are the two parts "
    "of the difference as it is, and add up to it: the first comes from what the groups are made "
    "of, the second from how they are served."
)
_WHY = {
    "age": "Where errors grow with age, a group of older people seems to be served worse whatever "
    "the model does to them.",
    "expression": "Some expressions are harder to tell than others, and a group that shows more of "
    "them seems to be served worse.",
}
_STRATA = {"age": "age band", "expression": "expression"}
_REGRESSION = (
    " Adjusted differences come from a regression on the age and on the other audited attributes."
)
_COLUMNS = (
    ("standardised_difference", "pooled", "standardised to everyone"),
    ("standardised_difference", "uniform", "to equal shares"),
    ("standardised_difference", "user", "to the given mix"),
    ("adjusted_difference", None, "adjusted by regression"),
    ("kitagawa_mix", None, "part of the mix"),
    ("kitagawa_rate", None, "part of the rates"),
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
            caption = f"{combination_label(names)}: all metrics on equal terms"
            blocks.append(_table(result, found, f"equal-{i}-all", caption, fold=True))
    return Section("equal-terms", "Differences on equal terms", tuple(blocks))


def _reading(result: AuditResult, rows: Sequence[AdjustedGap]) -> str:
    regression = any(row.kind == "adjusted_difference" for row in rows)
    return _READING.format(
        why=_WHY[result.task],
        stratum=_STRATA[result.task],
        regression=_REGRESSION if regression else "",
    )


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
    title = f"{metric_title(metric).capitalize()} {by(names)}, on equal terms"
    found = _table(result, {(metric, None): pairs}, f"{id}-table", title, fold=False)
    ordered = sorted(pairs.values(), key=_order)
    drawn = [pair for pair in ordered if _best(pair) is not None][:MAX_PAIRS]
    if not drawn:
        return found
    marks = [mark for pair in drawn for mark in _marks(pair, u)]
    margin = next((g.margin for pair in drawn for g in pair.values() if g.margin is not None), None)
    axis = f"difference in {metric_title(metric)}" + (f", {plain(u)}" if u else "")
    spec, height = forest(
        marks, axis=axis, right="people", reference=0.0, reference_label="no difference",
        band=margin,
    )  # fmt: skip
    caption = f"{_sentence(result, drawn[0], u)} Bars are {level_words(result)} intervals."
    if margin is not None:
        caption += f" The shaded band is the stated margin of ±{number(margin, u)}."
    if any(mark.role == "small" for mark in marks):
        caption += " Grey: not tested."
    if len(drawn) < len(pairs):
        caption += f" Drawn are {len(drawn)} of {len(pairs)} pairs: tested ones first, the widest "
        caption += "at equal mix on top."
    alt = f"{title}. {'; '.join(mark.hover for mark in marks[:12])}."
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
    words = ("as it is", "standardised", "adjusted")
    for kind, word in zip((_RAW, *_DRAWN), words, strict=True):
        gap = pair.get(kind)
        if gap is None or gap.value is None:
            continue
        label = f"{_pair_label(gap)}, {word}" if not found else word
        people = f"{count(gap.n_subjects_a)} / {count(gap.n_subjects_b)}" if not found else ""
        hover = f"{_pair_label(gap)}, {word}: {estimate(gap.value, gap.low, gap.high, u)}"
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
    word = "adjusted" if gap.kind == "adjusted_difference" else "standardised"
    said = f"{_pair_label(gap)}: {estimate(gap.value, gap.low, gap.high, u, unit_word(u))} {word}"
    if raw is not None and raw.value is not None:
        said += f", {number(raw.value, u)} as it is"
    if _untested(gap):
        return f"{said}; not tested."
    sure = verdict_words(gap, u) if gap.verdict else interval_words(gap, level_words(result))
    return f"{said}. {sure}"


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
                Cell((judged.verdict if judged else None) or ""),
                *(Cell("" if n is None else count(n), n)
                  for n in (first.n_subjects_a, first.n_subjects_b)),
            ])  # fmt: skip
    heads = ("as it is", *(head for *_, head in shown), "p for the family")
    columns = (
        *(("metric",) if fold else ()), "pair", *(Column(head, numeric=True) for head in heads),
        "verdict at equal mix", *(Column(f"people {x}", numeric=True) for x in ("first", "second")),
    )  # fmt: skip
    cut = len(lines) - MAX_ROWS
    more = f"{count(cut)} more pairs are in audit.json." if cut > 0 else None
    summary = f"{caption} ({count(len(lines))})" if fold else None
    return table(
        id, caption, columns, lines[:MAX_ROWS], footnotes=marks, summary=summary, more=more,
        gaps=True,
    )  # fmt: skip


def _value(gap: Gap | None, u: str, marks: dict[str, str]) -> Cell:
    if gap is None:
        return Cell("")
    return Cell(estimate(gap.value, gap.low, gap.high, u), gap.value, mark_of(gap.note, marks))
