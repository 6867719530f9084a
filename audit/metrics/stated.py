"""Metrics of the intervals of age that a table states: coverage, width and interval score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.metrics.core import Array, Interval, Metric, Sums, ratio_of
from audit.predictions import Predictions
from audit.rows import Better

FloatArray = npt.NDArray[np.float64]


def stated_shapes(levels: tuple[float, ...]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the features."""
    return dict.fromkeys(("stated_covered", "stated_width", "stated_score"), (len(levels),))


def stated_features(predictions: Predictions, weight: FloatArray) -> FloatArray:
    """Features of every face, (n, 3 L), 0 where a row does not enter.

    What needs a true age in years is left 0 where ages are known as bands.
    """
    stated, truth = predictions.intervals, predictions.truth
    assert stated is not None
    assert truth is not None
    used = predictions.labelled & predictions.processed
    low, high, y = stated.low, stated.high, truth.low[:, None]
    under, above = np.maximum(low - y, 0), np.maximum(y - high, 0)
    alpha = 1 - np.array(stated.levels) / 100
    covered = ((under == 0) & (above == 0)).astype(np.float64)
    score = high - low + 2 / alpha * (under + above)
    parts = [covered, high - low, score]
    if truth.is_band:
        parts = [np.zeros_like(low), high - low, np.zeros_like(low)]
    found = np.concatenate(parts, axis=1) * weight[:, None]
    return np.asarray(np.where(used[:, None], found, 0.0))


def stated_metrics(levels: tuple[float, ...]) -> tuple[Metric, ...]:
    """Three metrics for every level."""
    found = []
    for k, level in enumerate(levels):
        text = f"{level:g}"
        found += [
            _metric(
                f"stated_coverage_{text}",
                "stated_covered",
                k,
                "wilson",
                "share",
                "none",
                f"share of true ages in the closed interval_{text}_low to interval_{text}_high; "
                f"{level / 100:g} if it keeps its promise",
            ),
            _metric(
                f"stated_width_{text}",
                "stated_width",
                k,
                "log_t",
                "years",
                "lower",
                f"mean width of the stated {text} % interval; to be read beside its coverage",
            ),
            _metric(
                f"stated_score_{text}",
                "stated_score",
                k,
                "log_t",
                "years",
                "lower",
                f"mean width of the stated {text} % interval plus {2 / (1 - level / 100):g} times "
                "the distance of a true age outside it",
            ),
        ]
    return tuple(found)


def impossible_stated(levels: tuple[float, ...], *, truth_is_band: bool) -> dict[str, str]:
    """Metric name -> note, for what bands do not settle."""
    names = [f"stated_{part}_{level:g}" for level in levels for part in ("coverage", "score")]
    return dict.fromkeys(names, "interval_truth") if truth_is_band else {}


def _metric(
    name: str, feature: str, at: int, kind: Interval, unit: str, better: Better, definition: str
) -> Metric:
    def parts(s: Sums) -> tuple[Array, Array]:
        return s[feature][..., at], s["w"]

    return Metric(
        name=name,
        interval=kind,
        unit=unit,
        better=better,
        definition=definition,
        source="Winkler (1972), doi:10.1080/01621459.1972.10481224",
        features=(feature, "w"),
        formula=ratio_of(parts),
        parts=parts,
        has_ratio=True,
    )
