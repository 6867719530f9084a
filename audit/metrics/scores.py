"""Scores that need probabilities: log loss, Brier score and calibration of one set of scores.

The same definitions serve the ordinary scores and the unscaled ones, whose names end in ``_raw``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.classes import Probabilities
from audit.metrics.binning import N_BINS, N_COARSE, Bins, bin_index, mass_index
from audit.metrics.calibration import calibration_metrics
from audit.metrics.confidence import confidence_metrics
from audit.metrics.core import Array, Metric, Sums, ratio_of
from audit.metrics.isotonic import rowwise_metrics
from audit.metrics.pieces import Piece

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
FLOOR = 2.0**-52


def score_shapes(n_classes: int, suffix: str = "") -> dict[str, tuple[int, ...]]:
    """Names and shapes of the features of one set of scores."""
    scalars = ("nll", "brier", "conf_gap", "z_sum", "z_var")
    bins = ("bin_n", "bin_w", "bin_conf", "bin_hit", "mass_gap")
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(scalars, ()),
        **dict.fromkeys(bins, (N_BINS,)),
        **dict.fromkeys(("half_w", "half_gap"), (2, N_COARSE)),
        **dict.fromkeys(("class_gap", "top_gap"), (n_classes, N_BINS)),
    }
    return {name + suffix: shape for name, shape in shapes.items()}


def score_pieces(
    scores: Probabilities, y: IntArray, used: IntArray, w: FloatArray, bins: Bins, suffix: str = ""
) -> list[Piece]:
    """Features of the used faces of true class ``y`` and weight ``w``."""
    proba, k = scores.proba[used], len(scores.classes)
    logs = scores.log_proba()
    rows = np.arange(len(used))
    nll = -np.log(np.maximum(proba[rows, y], FLOOR)) if logs is None else -logs[used][rows, y]
    truth = np.zeros_like(proba)
    truth[rows, y] = 1.0
    confidence, top = proba.max(axis=1), proba.argmax(axis=1)
    hit = (top == y).astype(np.float64)
    gap, lean = confidence - hit, 1.0 - 2.0 * confidence
    at, edges = bin_index(confidence, N_BINS), bins.edges[suffix]
    half_at = bins.half[used] * N_COARSE + mass_index(confidence, edges[N_COARSE])
    found: list[Piece] = [
        (used, "nll", 0, w * nll),
        (used, "brier", 0, w * ((proba - truth) ** 2).sum(axis=1)),
        (used, "conf_gap", 0, w * gap),
        (used, "z_sum", 0, -w * gap * lean),
        (used, "z_var", 0, w**2 * lean**2 * confidence * (1.0 - confidence)),
        (used, "bin_n", at, (w > 0).astype(np.float64)),
        (used, "bin_w", at, w),
        (used, "bin_conf", at, w * confidence),
        (used, "bin_hit", at, w * hit),
        (used, "mass_gap", mass_index(confidence, edges[N_BINS]), w * gap),
        (used, "half_w", half_at, w),
        (used, "half_gap", half_at, w * gap),
        (used, "top_gap", top * N_BINS + at, w * gap),
    ]
    for j in range(k):
        place = j * N_BINS + bin_index(proba[:, j], N_BINS)
        found.append((used, "class_gap", place, w * (proba[:, j] - truth[:, j])))
    return [(r, name + suffix, at, values) for r, name, at, values in found]


def _score(name: str, suffix: str, definition: str, source: str) -> Metric:
    feature = name + suffix

    def parts(s: Sums) -> tuple[Array, Array]:
        return s[feature], s["w"]

    return Metric(
        name=feature,
        interval="log_t",
        unit="nats" if name == "nll" else "squared probability",
        better="lower",
        definition=definition + ("; of the logits before they are scaled" if suffix else ""),
        source=source,
        features=(feature, "w"),
        formula=ratio_of(parts),
        parts=parts,
        has_ratio=True,
    )


def score_metrics(n_classes: int, suffix: str = "") -> tuple[Metric, ...]:
    """All metrics of one set of scores."""
    return (
        _score(
            "nll",
            suffix,
            "mean -log p of the true class; p is at least 2^-52, logits go through log-softmax",
            "Good (1952)",
        ),
        _score("brier", suffix, "mean of sum_k (p_k - [y = k])^2, between 0 and 2", "Brier (1950)"),
        *confidence_metrics(suffix),
        *calibration_metrics(n_classes, N_BINS, suffix),
        *rowwise_metrics(suffix),
    )
