"""Scores that need probabilities: log loss, Brier score and calibration of one set of scores.

The same definitions serve the ordinary scores and the unscaled ones, whose names end in ``_raw``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.classes import Probabilities
from audit.metrics.calibration import bin_index, calibration_metrics
from audit.metrics.core import Array, Metric, Sums, ratio_of
from audit.metrics.pieces import Piece

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
N_BINS = 15
FLOOR = 2.0**-52
RAW_SUFFIX = "_raw"


def score_shapes(n_classes: int, suffix: str = "") -> dict[str, tuple[int, ...]]:
    """Names and shapes of the features of one set of scores."""
    scalar = dict.fromkeys((f"nll{suffix}", f"brier{suffix}"), ())
    bins = (f"bin_n{suffix}", f"bin_w{suffix}", f"bin_conf{suffix}", f"bin_hit{suffix}")
    return {
        **scalar,
        **dict.fromkeys(bins, (N_BINS,)),
        f"class_gap{suffix}": (n_classes, N_BINS),
    }


def score_pieces(
    scores: Probabilities, y: IntArray, used: IntArray, w: FloatArray, suffix: str = ""
) -> list[Piece]:
    """Features of the used faces of true class ``y`` and weight ``w``."""
    proba, k = scores.proba[used], len(scores.classes)
    logs = scores.log_proba()
    rows = np.arange(len(used))
    nll = -np.log(np.maximum(proba[rows, y], FLOOR)) if logs is None else -logs[used][rows, y]
    truth = np.zeros_like(proba)
    truth[rows, y] = 1.0
    confidence, hit = proba.max(axis=1), (proba.argmax(axis=1) == y).astype(np.float64)
    at = bin_index(confidence, N_BINS)
    found: list[Piece] = [
        (used, "nll", 0, w * nll),
        (used, "brier", 0, w * ((proba - truth) ** 2).sum(axis=1)),
        (used, "bin_n", at, (w > 0).astype(np.float64)),
        (used, "bin_w", at, w),
        (used, "bin_conf", at, w * confidence),
        (used, "bin_hit", at, w * hit),
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
        *calibration_metrics(n_classes, N_BINS, suffix),
    )
