"""Simulated confidences: pairs of groups that are calibrated, or whose confidence is too high.

As in ``worlds``, a run is a pair of groups of one large table and the engine does all the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from audit.block import Setting, build_block
from audit.collect import collect_table
from audit.groups import grouping
from audit.intervals import Contrast, difference
from audit.metrics.expression import expression_layout, expression_metrics
from audit.pairs import pair_sides
from audit.predictions import predictions_from_frame
from audit.units import group_sums

ROWS = 300_000
NAMES = ("confidence_bias", "squared_ce")


@dataclass(frozen=True)
class Side:
    """One group: persons, photos of each, and how much confidence exceeds accuracy."""

    persons: int
    photos: int = 1
    excess: float = 0.0


def contrasts(sides: tuple[Side, Side], runs: int, seed: int) -> Iterator[dict[str, Contrast]]:
    """The gap between both sides in many runs, by metric."""
    rng = np.random.default_rng(seed)
    step = max(1, min(runs, ROWS // sum(side.persons * side.photos for side in sides)))
    for start in range(0, runs, step):
        n = min(step, runs - start)
        frame = pd.concat([_faces(side, i, n, rng) for i, side in enumerate(sides)])
        table = predictions_from_frame(frame, task="expression")
        found = collect_table([table], ("group",), None, (), "image", 2 * n)
        item = grouping(found.sums.cells, found.attributes, ("group",), found.order)
        layout = expression_layout(2)
        metrics = tuple(m for m in expression_metrics(["a", "b"]) if m.name in NAMES)
        columns = layout.columns(*dict.fromkeys(name for m in metrics for name in m.features))
        setting = Setting(metrics, {}, layout, columns, 0, 0, 2, all_pairs=False, adjust="holm")
        block = build_block(setting, item, group_sums(found.sums, item), {})
        a, b = np.arange(n), n + np.arange(n)
        compared = {m.name: pair_sides(setting, block, m, a, b)[0] for m in metrics}
        yield {name: difference(s.kind, s.a, s.b, s.var) for name, s in compared.items()}


def _faces(side: Side, index: int, runs: int, rng: np.random.Generator) -> pd.DataFrame:
    """Two classes; the predicted one with confidence 1/2 to 1, photos of a person are alike."""
    persons = runs * side.persons
    person = np.repeat(np.arange(persons), side.photos)
    confidence = 0.6 + 0.4 * rng.beta(2, 1.5, len(person))
    shared = rng.standard_normal(persons)[person]
    latent = ndtr(np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.standard_normal(len(person)))
    right = latent < confidence - side.excess
    run = person // side.persons
    return pd.DataFrame(
        {
            "subject_id": person + index * 10_000_000,
            "expression": np.where(right, "a", "b"),
            "expression_pred": "a",
            "prob_a": confidence,
            "prob_b": 1 - confidence,
            "group": np.char.add(f"{index}-", np.char.zfill(run.astype("U5"), 5)),
        }
    )
