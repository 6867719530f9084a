"""Where a model looks, in worlds without and with a difference, on the engine's own functions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from audit.age_plan import AgePlan, plan_layout
from audit.bands import DECADES
from audit.block import Setting, build_block
from audit.collect import collect_table, table_bands
from audit.face_regions import REGIONS
from audit.gaps import gap_rows
from audit.groups import grouping
from audit.metrics.where import where_metrics
from audit.predictions import predictions_from_frame
from audit.resample import resample, weightings
from audit.rows import Gap
from audit.units import group_sums
from audit.where import region_columns

GROUPS = {"a": 40, "b": 60, "c": 90}
WORLDS = 100
NAME = "where_gradcam"
MEAN = np.array([1, 4, 4, 3, 1.5, 1.5, 3, 1, 6]) / 25


def world(seed: int, shift: float = 0.0) -> list[Gap]:
    """Gaps of people who have a habit of their own and 1 to 4 photos; c looks at its chin more."""
    rng = np.random.default_rng([57, seed])
    people = np.repeat(list(GROUPS), list(GROUPS.values()))
    photos = rng.integers(1, 5, len(people))
    habit = np.array([rng.dirichlet(12 * MEAN) for _ in people])
    habit[people == "c"] *= 1 - shift
    habit[people == "c", REGIONS.index("chin")] += shift
    person = np.repeat(np.arange(len(people)), photos)
    shares = rng.gamma(25 * habit[person] + 1e-3)
    shares /= shares.sum(axis=1, keepdims=True)
    frame = pd.DataFrame(shares, columns=region_columns("gradcam"))
    frame["subject_id"] = [f"p{i}" for i in person]
    frame["group"], frame["age"], frame["age_pred"] = people[person], 40.0, 41.0
    table = predictions_from_frame(frame, task="age")
    bands = table_bands([table], DECADES)
    plan = AgePlan(bands, looks=(NAME,))
    layout = plan_layout(plan)
    columns = layout.columns(NAME, f"{NAME}_w", "n", "w")
    setting = Setting(
        where_metrics([NAME]), {}, layout, columns, 99, seed, 30, all_pairs=False, adjust="max_t"
    )
    found = collect_table([table], ("group",), None, bands, "image", 1000, plan)
    item = grouping(found.sums.cells, found.attributes, ("group",), found.order)
    block = build_block(setting, item, group_sums(found.sums, item), {})
    return gap_rows(setting, block, resample(setting, block, weightings(setting, found.sums)))


def rejected(gaps: list[Gap], kind: str) -> set[tuple[str | None, str]]:
    return {
        (gap.class_, str(gap.a))
        for gap in gaps
        if gap.kind == kind and gap.p_adjusted is not None and gap.p_adjusted < 0.05
    }


def test_no_difference_is_called_where_none_was_planted() -> None:
    """100 worlds, two families each: at most 5 % false alarms and 3 standard errors, 11 worlds.

    The standard error of a rate of 0.05 over 100 worlds is 0.0218.
    """
    alarms = {"vs_rest": 0, "difference": 0}
    for seed in range(WORLDS):
        gaps = world(seed)
        for kind in alarms:
            alarms[kind] += bool(rejected(gaps, kind))
    most = WORLDS * (0.05 + 3 * np.sqrt(0.05 * 0.95 / WORLDS))
    assert max(alarms.values()) <= most, alarms


def test_what_was_planted_is_found_there() -> None:
    """A share of 0.1 moved to the chin of one group: found in 9 of 10 worlds or more."""
    worlds = [rejected(world(1000 + seed, shift=0.1), "vs_rest") for seed in range(10)]
    assert sum(("chin", "{'group': 'c'}") in found for found in worlds) >= 9
