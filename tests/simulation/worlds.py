"""Many simulated audits at once: every run is a pair of groups of one large table.

The engine under test does all the work (features, sums by person, values, intervals, gaps); a run
differs from a real audit only in having thousands of neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.age_plan import AgePlan, age_plan, plan_layout, plan_metrics
from audit.bands import DECADES
from audit.block import Block, Setting, build_block
from audit.collect import collect_table, table_bands
from audit.gates import gates_of
from audit.groups import grouping
from audit.intervals import Contrast, difference, limits
from audit.metrics.expression import expression_layout, expression_metrics
from audit.pairs import pair_sides
from audit.predictions import Predictions, predictions_from_frame
from audit.simulate import person_errors, person_hits
from audit.units import group_sums

Draw = Callable[[int, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""(persons, photos of each, generator) -> errors in years, or columns by name; person of each."""
ROWS = 600_000


def normal_errors(m, photos, rng):
    return person_errors(m, photos, rng)


def heavy_errors(m, photos, rng):
    return person_errors(m, photos, rng, heavy=True)


def hits(accuracy: float) -> Draw:
    """Errors of 0 (hit) or 20 years, so that cs5 is the accuracy."""

    def draw(m, photos, rng):
        hit, person = person_hits(m, photos, rng, accuracy=accuracy, icc=0.4)
        return np.where(hit, 0.0, 20.0), person

    return draw


@dataclass(frozen=True)
class World:
    """Two groups of the same truth, so the true gap is 0; of the same persons if ``shared``."""

    draw: Draw
    persons: tuple[int, int]
    photos: int
    metric: str
    truth: float
    task: str = "age"
    shared: bool = False
    gates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Coverage:
    value: float
    gap: float
    gap_excludes: float


def truth_of(draw: Draw, metric: str, seed: int = 99) -> float:
    error, _ = draw(2_000_000, np.ones(2_000_000, dtype=np.int64), np.random.default_rng(seed))
    return float(np.abs(error).mean() if metric == "mae" else (np.abs(error) <= 5).mean())


def coverage(world: World, runs: int, seed: int, *, by_person: bool = True) -> Coverage:
    """Share of runs whose 95 % interval holds the truth: of one group's value, and of the gap.

    Runs in which there is none, such as a precision without a single relabel, do not count.
    """
    value, gap, outside = [], [], []
    for setting, block, metric, n in _blocks(world, runs, seed, by_person=by_person):
        a, b = np.arange(n), n + np.arange(n)
        low, high = limits(metric.interval, block.estimates[metric.key], 0.95)
        value.append(((low <= world.truth) & (world.truth <= high))[a][~np.isnan(low[a])])
        contrast = _gap(setting, block, metric, a, b)
        known = ~np.isnan(contrast.low)
        inside = ((contrast.low <= 0) & (contrast.high >= 0))[known]
        assert np.array_equal(contrast.p[known] < 0.05, ~inside)
        gap.append(inside)
        outside.append(~inside)
    parts = (np.concatenate(x).mean() for x in (value, gap, outside))
    return Coverage(*map(float, parts))


def _gap(setting: Setting, block: Block, metric, a, b) -> Contrast:
    sides = pair_sides(setting, block, metric, a, b)[0]
    return difference(metric.interval, sides.a, sides.b, sides.var)


def _setting(table: Predictions, plan: AgePlan, key: str) -> Setting:
    """The one metric, and of its features alone."""
    if table.task == "age":
        layout, metrics = plan_layout(plan), plan_metrics(plan)
    else:
        layout = expression_layout(len(table.classes), table.extras)
        metrics = expression_metrics(table.classes, table.extras)
    metric = next(m for m in metrics if m.key == key)
    columns = np.sort(layout.columns(*metric.features))
    return Setting((metric,), {}, layout, columns, 0, 0, 2, all_pairs=False, adjust="holm")


def _blocks(world: World, runs: int, seed: int, *, by_person: bool) -> Iterator[tuple]:
    per_run = sum(world.persons) * world.photos
    step = max(1, min(runs, ROWS // per_run))
    rng = np.random.default_rng(seed)
    for start in range(0, runs, step):
        n = min(step, runs - start)
        if world.shared:
            frame = _both(world, n, rng)
        else:
            frame = pd.concat([_side(world, side, n, rng) for side in (0, 1)], ignore_index=True)
        if not by_person:
            frame = frame.drop(columns="subject_id")
        table = predictions_from_frame(frame, task=world.task)
        bands = table_bands([table], DECADES)
        plan = AgePlan(bands)
        if world.task == "age":
            plan = replace(age_plan([table], bands, gates_of(world.gates)), knots=())
        found = collect_table([table], ("group",), None, bands, "image", 2 * n, plan)
        item = grouping(found.sums.cells, found.attributes, ("group",), found.order)
        setting = _setting(table, plan, world.metric)
        block = build_block(setting, item, group_sums(found.sums, item), {})
        yield setting, block, setting.metrics[0], n


def _both(world: World, runs: int, rng: np.random.Generator) -> pd.DataFrame:
    """Every person has ``photos`` photos in either group."""
    m = world.persons[0]
    error, person = world.draw(runs * m, np.full(runs * m, 2 * world.photos, dtype=np.int64), rng)
    side = np.tile(np.repeat([0, 1], world.photos), runs * m)
    run = np.char.zfill((person // m).astype("U5"), 5)
    group = np.char.add(np.char.add(side.astype("U1"), "-"), run)
    return pd.DataFrame(
        {"subject_id": person, "age": 40.0, "age_pred": 40.0 + error, "group": group}
    )


def _side(world: World, side: int, runs: int, rng: np.random.Generator) -> pd.DataFrame:
    m = world.persons[side]
    found, person = world.draw(runs * m, np.full(runs * m, world.photos, dtype=np.int64), rng)
    columns = found if isinstance(found, dict) else {"age": 40.0, "age_pred": 40.0 + found}
    run = person // m
    subject = person + side * 10_000_000
    group = np.char.add(f"{side}-", np.char.zfill(run.astype("U5"), 5))
    return pd.DataFrame({"subject_id": subject, "group": group, **columns})
