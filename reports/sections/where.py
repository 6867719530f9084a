"""Where the model looks on the face: mean maps by group, shares of regions, and differences."""

from __future__ import annotations

from collections.abc import Sequence

from audit.face_regions import REGIONS
from audit.metrics.where import is_where
from audit.result import AuditResult
from audit.rows import AggregateGap, Group, MetricRow, PairGap
from audit.where import PREFIX
from reports.blocks import (
    Block,
    Cell,
    Column,
    Figure,
    Heading,
    Panel,
    Prose,
    Section,
    Table,
    table,
)
from reports.face_map import cells_of, face_map
from reports.format import (
    combination_label,
    commas,
    count,
    estimate,
    group_label,
    group_value,
    number,
    plain,
    row_estimate,
    semicolons,
    sentences,
)
from reports.language import english, say
from reports.lookup import groups_in_order, metric_row
from reports.sections.curves import MAX_IN_SIGHT, MAX_PANELS, Curve, curves_of
from reports.sections.gaps import gap_table
from reports.words import by, level_words, mark_of

SOURCES = {
    "gradcam": english("Grad-CAM"),
    "attention": english("The network's own attention"),
    "boxes": english("The boxes it looks into"),
    "regions": english("The aggregator's attention"),
}
REGION_WORDS = {
    "forehead": english("forehead"),
    "left_eye": english("left eye"),
    "right_eye": english("right eye"),
    "nose": english("nose"),
    "left_cheek": english("left cheek"),
    "right_cheek": english("right cheek"),
    "mouth": english("mouth"),
    "chin": english("chin"),
    "outside": english("outside"),
}
MAX_ROWS = 400
MAX_GAPS = 45
"""Differences in sight: those with the least adjusted p."""
HEIGHT = 260
LEAST_END = 2.0
"""Colours reach at least to twice an even share, so that even maps look even."""
LEAST_DIFFERENCE = 0.5
_READING = (
    english(
        "Every face is shared out over the regions of one canonical face, as it is and as the only "
        "view; faces are taken to be aligned as their data set cuts them. Left and right are the "
        "viewer's; outside is all that is in no region: hair, ears, jaw line, neck, background."
    ),
    english(
        "A map says where an estimate comes from, not why, and not whether it is right. Groups may "
        "be looked at differently because their pictures differ. Maps are means of at least 20 "
        "people; no map of a single face is kept."
    ),
)
_CAPTION = english(
    "Colours say how many times an even share a cell gets, on one scale for all; dotted boxes are "
    "the regions: forehead, eyes, nose and cheeks, mouth, chin."
)


def build(result: AuditResult) -> Section | None:
    """For each source everyone, then each combination; None where no look is in the record."""
    metrics = dict.fromkeys(row.metric for row in result.metrics if is_where(row.metric))
    if not metrics:
        return None
    blocks: list[Block] = [Prose(tuple(map(say, _READING)))]
    for k, metric in enumerate(metrics):
        source, id = metric.removeprefix(PREFIX), f"where-{k}"
        maps = curves_of(result, "where", source)
        blocks.append(Heading(id, _title(source)))
        blocks.append(_everyone(result, metric, maps.get((), []), id))
        for i, names in enumerate(result.spec.combinations):
            blocks += _combination(
                result, metric, list(names), maps.get(tuple(names), []), f"{id}-{i}"
            )
    return Section("where", say("Where it looks"), tuple(blocks))


def _title(source: str) -> str:
    return say(SOURCES[source]) if source in SOURCES else plain(source)


def _everyone(result: AuditResult, metric: str, curves: list[Curve], id: str) -> Figure | Table:
    marks: dict[str, str] = {}
    rows = []
    for region in REGIONS:
        row = metric_row(result, metric, {}, region)
        if row is not None:
            rows.append([
                Cell(say(REGION_WORDS[region]), head=True),
                Cell(row_estimate(row, "share"), row.value, mark_of(row.note, marks)),
                Cell(count(row.n), row.n), Cell(count(row.n_subjects), row.n_subjects),
            ])  # fmt: skip
    caption = say("Everyone: share [{level} interval]", level=level_words(result))
    columns = (say("region"), say("share [interval]"), say("faces"), say("people"))
    shares = table(f"{id}-all", caption, columns, rows, footnotes=marks)
    drawn = [curve for curve in curves if cells_of(curve.rows) is not None]
    if not drawn:
        return shares
    panel = _panel(result, metric, drawn[0], f"{id}-plot-all", _end(drawn))
    title = say("Where it looks: {name}", name=_title(metric.removeprefix(PREFIX)))
    return Figure(f"{id}-figure-all", title, say(_CAPTION), (panel,), shares, "half")


def _combination(
    result: AuditResult, metric: str, names: list[str], curves: list[Curve], id: str
) -> list[Block]:
    groups = groups_in_order(result, names, metric, REGIONS[0])
    if not groups:
        return []
    shares = _shares(result, metric, names, groups, f"{id}-table")
    blocks: list[Block] = [_maps(result, metric, names, curves, shares, id) or shares]
    gaps = [
        gap
        for gap in result.gaps
        if gap.metric == metric
        and set(gap.attributes) == set(names)
        and not isinstance(gap, AggregateGap)
    ]
    gaps.sort(key=lambda gap: (gap.p is None, gap.p_adjusted is None, gap.p_adjusted or 0.0))
    if gaps:
        blocks.append(gap_table(result, gaps, names, f"{id}-gaps", most=MAX_GAPS))
    return blocks


def _shares(
    result: AuditResult, metric: str, names: list[str], groups: list[Group], id: str
) -> Table:
    marks: dict[str, str] = {}
    rows = []
    for group in groups[:MAX_ROWS]:
        found = [metric_row(result, metric, group, region) for region in REGIONS]
        cells = [Cell(group_value(group[name]), head=True) for name in names]
        for row in found:
            text = "" if row is None else row_estimate(row, "share")
            cells.append(
                Cell(text, row.value if row else None, mark_of(row.note, marks) if row else "")
            )
        base = next((row for row in found if row is not None), None)
        counts = (base.n, base.n_subjects) if base else (None, None)
        rows.append([*cells, *(Cell(count(n), n) for n in counts)])
    columns = [
        *(Column(plain(name)) for name in names),
        *(Column(say(REGION_WORDS[region]), numeric=True) for region in REGIONS),
        Column(say("faces"), numeric=True), Column(say("people"), numeric=True),
    ]  # fmt: skip
    caption = say(
        "{names}: share [{level} interval]",
        names=combination_label(names), level=level_words(result),
    )  # fmt: skip
    cut = len(groups) - MAX_ROWS
    more = say("{n} more groups are in audit.json.", n=count(cut)) if cut > 0 else None
    return table(id, caption, columns, rows, footnotes=marks, more=more)


def _maps(
    result: AuditResult, metric: str, names: list[str], curves: list[Curve], shares: Table, id: str
) -> Figure | None:
    """A map of every group that has one, and of the two between which most is tested."""
    drawn = [curve for curve in curves if cells_of(curve.rows) is not None]
    if not drawn:
        return None
    end = _end(drawn)
    panels = [
        _panel(result, metric, curve, f"{id}-plot-{i}", end)
        for i, curve in enumerate(drawn[:MAX_PANELS])
    ]
    widest = _widest(result, metric, names)
    said = ""
    if widest is not None:
        difference = _difference(widest, drawn, f"{id}-plot-difference")
        if difference is not None:
            panels.append(difference)
            said = say(
                "The last map is {name}, the groups of the largest tested difference: {region} "
                "{value}.",
                name=difference.title, region=_region(widest.class_),
                value=estimate(widest.value, widest.low, widest.high, "share"),
            )  # fmt: skip
    hidden = [group_label(curve.group) for curve in curves if cells_of(curve.rows) is None]
    caption = sentences(
        say(_CAPTION),
        said,
        say("Not drawn, fewer than 20 people: {names}.", names=commas(hidden)) if hidden else "",
        say("The first {n} of {all} groups are drawn.", n=MAX_PANELS, all=len(drawn))
        if len(drawn) > MAX_PANELS
        else "",
    )
    title = say(
        "Where it looks {by}: {name}", by=by(names), name=_title(metric.removeprefix(PREFIX))
    )
    fold = len(drawn) > MAX_IN_SIGHT
    return Figure(f"{id}-figure", title, caption, tuple(panels), shares, "small", fold)


def _widest(result: AuditResult, metric: str, names: list[str]) -> PairGap | None:
    """The largest difference of two groups in any region, among those that were tested."""
    tested = [
        gap
        for gap in result.gaps
        if isinstance(gap, PairGap)
        and gap.kind == "difference"
        and gap.metric == metric
        and set(gap.attributes) == set(names)
        and gap.p is not None
        and gap.value is not None
    ]
    return max(tested, key=lambda gap: abs(gap.value or 0.0), default=None)


def _panel(result: AuditResult, metric: str, curve: Curve, id: str, end: float) -> Panel:
    label = group_label(curve.group)
    rows = (metric_row(result, metric, curve.group, region) for region in REGIONS)
    known = sorted((row for row in rows if row and row.value is not None), key=_largest)
    most = semicolons(f"{_region(row.class_)} {number(row.value, 'share')}" for row in known[:3])
    alt = say("{name}: most on {text}.", name=label, text=most)
    spec = face_map(cells_of(curve.rows) or [], (0.0, end), diverging=False)
    return Panel(id, label, alt, spec, HEIGHT)


def _largest(row: MetricRow) -> float:
    return -(row.value or 0.0)


def _difference(gap: PairGap, drawn: Sequence[Curve], id: str) -> Panel | None:
    """The map of the first group minus that of the second."""
    sides = [
        next((cells_of(curve.rows) for curve in drawn if curve.group == side), None)
        for side in (gap.a, gap.b)
    ]
    if sides[0] is None or sides[1] is None:
        return None
    values = [
        [x - y for x, y in zip(one, other, strict=True)] for one, other in zip(*sides, strict=True)
    ]
    end = max(LEAST_DIFFERENCE, *(abs(x) for line in values for x in line))
    title = f"{group_label(gap.a)} − {group_label(gap.b)}"
    text = f"{_region(gap.class_)} {estimate(gap.value, gap.low, gap.high, 'share')}"
    alt = say("{name}: {text}", name=title, text=text)
    return Panel(id, title, alt, face_map(values, (-end, end), diverging=True), HEIGHT)


def _end(curves: Sequence[Curve]) -> float:
    return max(LEAST_END, *(x for c in curves for line in cells_of(c.rows) or [] for x in line))


def _region(class_: str | None) -> str:
    return say(REGION_WORDS[class_]) if class_ in REGION_WORDS else plain(class_ or "")
