"""The rows of one group as an oracle sees them: plain arrays, nothing of the engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

Array = np.ndarray
CURE = ("importance", "low_group", "relabelled", "flipped", "corrected")
SCORES = ("proba", "logits", "raw", "half")
BY_ROW = ("weight", "failed", "age", "band", "pred", "y", "y_pred", *SCORES, *CURE)


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one group: codes or ages, failures as a mask, only labelled rows."""

    weight: Array
    failed: Array
    age: Array | None = None
    band: Array | None = None  # (n, 2) the true band
    pred: Array | None = None  # (n, 2) the estimate, equal ends for a single age
    bands: Array | None = None  # (B, 2) all bands of the table
    y: Array | None = None
    y_pred: Array | None = None
    proba: Array | None = None
    logits: Array | None = None
    raw: Array | None = None  # (n, K) logits before scaling
    half: Array | None = None  # 0 or 1 by person
    edges: dict[int, list[float]] | None = None  # of equal-mass bins, from the whole table
    raw_edges: dict[int, list[float]] | None = None
    importance: Array | None = None
    low_group: Array | None = None
    relabelled: Array | None = None
    flipped: Array | None = None
    corrected: Array | None = None
    mix: Array | None = None  # (K,) class shares of the processed faces of the whole table
    n_classes: int = 0
    k: int = 0

    def processed(self) -> Rows:
        """Only the rows with an estimate."""
        keep = ~self.failed
        parts = {name: getattr(self, name) for name in BY_ROW}
        return replace(self, **{n: None if p is None else p[keep] for n, p in parts.items()})


Oracle = Callable[[Rows], float]


def failure_rate(r: Rows) -> float:
    """Failed among labelled rows."""
    return float(np.average(r.failed, weights=r.weight))


def with_failures(oracle: Oracle, keep: Callable[[Rows], Array] | None = None) -> Oracle:
    """Share right of the processed, spread over processed and failed."""

    def found(r: Rows) -> float:
        used = r if keep is None else _some(r, keep(r))
        done = used.processed()
        if math.fsum(used.weight) == 0:
            return math.nan
        if math.fsum(done.weight) == 0:
            return 0.0
        return oracle(done) * math.fsum(done.weight) / math.fsum(used.weight)

    return found


def _some(r: Rows, mask: Array) -> Rows:
    return replace(replace(r, failed=~mask).processed(), failed=r.failed[mask])
