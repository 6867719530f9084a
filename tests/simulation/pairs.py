"""Many simulated comparisons at once: every pair of runs is a group of one large table of sums.

Two runs see the same faces: they share most of the luck of a person and of a face, so their errors
are correlated. Only the reading of tables is left out; sums, influences and intervals are the
engine's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from audit.block import Setting
from audit.groups import Grouping
from audit.metrics.age import age_metrics
from audit.metrics.age_features import age_layout
from audit.paired import Pair, Places, Sides, sides_of
from audit.paired_family import resampling, together
from audit.paired_tests import between_gaps, between_runs
from audit.units import GroupedSums

PERSON = 0.4
"""Share of the variance of the latent luck that belongs to the person, not to the photo."""

Draw = Callable[[int, int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""Signed errors in years of two runs on the photos (m, k) of m persons."""


def latent(m: int, k: int, shared: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Standard normal luck of two runs on k photos of m persons, correlated by ``shared``."""

    def luck() -> np.ndarray:
        person, photo = rng.standard_normal((m, 1)), rng.standard_normal((m, k))
        return np.sqrt(PERSON) * person + np.sqrt(1 - PERSON) * photo

    common = luck()
    return [np.sqrt(shared) * common + np.sqrt(1 - shared) * luck() for _ in (0, 1)]


def shares(a: float, b: float, shared: float) -> Draw:
    """Errors of 0 (hit) or 20 years, so that cs5 is an accuracy of ``a`` and of ``b``."""

    def draw(m, k, rng):
        first, second = latent(m, k, shared, rng)
        return np.where(first < ndtri(a), 0.0, 20.0), np.where(second < ndtri(b), 0.0, 20.0)

    return draw


def errors(more: float, shared: float) -> Draw:
    """Errors with SD 5; those of the second run are wider by the factor ``1 + more``."""

    def draw(m, k, rng):
        first, second = latent(m, k, shared, rng)
        return 5 * first, 5 * (1 + more) * second

    return draw


def setting_for(metric: str) -> Setting:
    metrics = tuple(m for m in age_metrics() if m.name == metric)
    layout = age_layout()
    return Setting(
        metrics, {}, layout, np.arange(layout.size), 0, 0, 2, all_pairs=False, adjust="max_t"
    )


def features(error: np.ndarray) -> np.ndarray:
    """Sums of one photo's features, (..., F), as far as the simulated metrics read them."""
    layout = age_layout()
    found = np.zeros((*error.shape, layout.size))
    parts = {"n": 1.0, "w": 1.0, "abs_error": np.abs(error), "error": error, "error2": error**2}
    for name, part in (parts | {"cs5": np.abs(error) <= 5}).items():
        found[..., layout.columns(name)[0]] = part
    return found


def paired(sizes: np.ndarray, first: np.ndarray, second: np.ndarray) -> Pair:
    """The sums of two runs with errors (m, k), the persons in groups of the given sizes."""
    m, k = first.shape
    group = np.repeat(np.arange(len(sizes)), sizes)
    names = tuple((f"{g:06d}",) for g in range(len(sizes)))
    known = np.ones(len(sizes), dtype=np.bool_)
    grouping = Grouping(("group",), names, np.arange(len(sizes)), known)
    by_photo = [features(error) for error in (first, second)]
    persons = [_grouped(part.sum(axis=1), group, sizes) for part in by_photo]
    flat = [part.reshape(m * k, -1) for part in by_photo]
    faces = [_grouped(part, np.repeat(group, k), sizes * k) for part in flat]
    return Pair(grouping, (persons[0], persons[1]), None if k == 1 else (faces[0], faces[1]))


def _grouped(values: np.ndarray, group: np.ndarray, sizes: np.ndarray) -> GroupedSums:
    unit = np.arange(len(values))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    keys = unit.astype(np.uint64)
    return GroupedSums(keys, unit, group, values, starts, len(sizes), shared=False)


@dataclass(frozen=True)
class Coverage:
    """Shares of runs whose 95 % interval holds the truth: of the difference, and of its gap."""

    change: float
    gap: float
    width: float


def coverage(
    draw: Draw, metric: str, m: int, photos: int, runs: int, seed: int, truth: float
) -> Coverage:
    """Coverage of paired differences, and of their differences between two alike groups."""
    rng = np.random.default_rng(seed)
    step = max(1, min(runs, 100_000 // (2 * m * photos)))
    setting = setting_for(metric)
    chosen = setting.metrics[0]
    change, gap, width = [], [], []
    for start in range(0, runs, step):
        n = min(step, runs - start)
        pair = paired(np.full(2 * n, m), *draw(2 * n * m, photos, rng))
        sides = sides_of(setting, pair, chosen, Places(np.arange(2 * n)))
        assert isinstance(sides, Sides)
        alone = between_runs(chosen, sides).contrast
        change.append((alone.low <= truth + 1e-12) & (truth - 1e-12 <= alone.high))
        width.append(alone.high - alone.low)
        first = np.arange(n)
        both = between_gaps(chosen, sides.take(first), sides.take(n + first)).contrast
        inside = (both.low <= 0) & (both.high >= 0)
        assert np.array_equal(both.p < 0.05, ~inside)
        gap.append(inside)
    return Coverage(*(float(np.concatenate(part).mean()) for part in (change, gap, width)))


@dataclass(frozen=True)
class Errors:
    """Shares of families without any difference in which something was found all the same."""

    paired: float
    gaps: float
    holm: float


def family_wise(
    draw: Draw, metric: str, sizes: np.ndarray, photos: int, runs: int, n_boot: int, seed: int
) -> Errors:
    """Family-wise error of all groups, and of all their pairs, of two equally good runs."""
    rng = np.random.default_rng(seed)
    setting = setting_for(metric)
    chosen = setting.metrics[0]
    i, j = np.triu_indices(len(sizes), 1)
    found = np.zeros((runs, 3), dtype=np.bool_)
    for run in range(runs):
        pair = paired(sizes, *draw(int(sizes.sum()), photos, rng))
        sides = sides_of(setting, pair, chosen, Places(np.arange(len(sizes))))
        assert isinstance(sides, Sides)
        weights = resampling(pair.runs[0].keys, run, n_boot)
        alone, both = (
            between_runs(chosen, sides),
            between_gaps(chosen, sides.take(i), sides.take(j)),
        )
        for at, (statistic, adjust) in enumerate(
            ((alone, "max_t"), (both, "max_t"), (both, "holm"))
        ):
            tested = np.ones(len(statistic.value), dtype=np.bool_)
            joint = together(adjust, [statistic], [tested], weights)[0]
            if adjust == "max_t":
                assert np.array_equal(joint.p < 0.05, (joint.low > 0) | (joint.high < 0))
            found[run, at] = (joint.p < 0.05).any()
    return Errors(*(float(x) for x in found.mean(axis=0)))
