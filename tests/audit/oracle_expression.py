"""Expression metrics a second time: sklearn where it has one, else a loop."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable

import numpy as np
from sklearn import metrics as sk

from tests.audit.oracle_rows import Array, Oracle, Rows, failure_rate, with_failures


def accuracy(r: Rows) -> float:
    return float(sk.accuracy_score(r.y, r.y_pred, sample_weight=r.weight))


def _present(r: Rows) -> list[int]:
    return [k for k in range(r.n_classes) if r.weight[r.y == k].sum() > 0]


def balanced_accuracy(r: Rows) -> float:
    labels = _present(r)
    return float(
        sk.recall_score(r.y, r.y_pred, labels=labels, average="macro", sample_weight=r.weight)
    )


def macro_f1(r: Rows) -> float:
    return float(
        sk.f1_score(
            r.y,
            r.y_pred,
            labels=_present(r),
            average="macro",
            sample_weight=r.weight,
            zero_division=0.0,
        )
    )


def recall(r: Rows) -> float:
    return _one_class(sk.recall_score, r)


def precision(r: Rows) -> float:
    return _one_class(sk.precision_score, r)


def _one_class(score: Callable[..., Array], r: Rows) -> float:
    found = score(
        r.y, r.y_pred, labels=[r.k], average=None, sample_weight=r.weight, zero_division=np.nan
    )
    return float(found[0])


def cohen_kappa(r: Rows) -> float:
    if len({*r.y[r.weight > 0], *r.y_pred[r.weight > 0]}) < 2:
        return math.nan
    return float(sk.cohen_kappa_score(r.y, r.y_pred, sample_weight=r.weight))


def mcc(r: Rows) -> float:
    used = r.weight > 0
    if len(set(r.y[used])) < 2 or len(set(r.y_pred[used])) < 2:
        return math.nan
    return float(sk.matthews_corrcoef(r.y, r.y_pred, sample_weight=r.weight))


def nll(r: Rows) -> float:
    if r.logits is None:
        return float(
            sk.log_loss(r.y, r.proba, labels=list(range(r.n_classes)), sample_weight=r.weight)
        )
    losses = []
    for row, y in zip(r.logits.tolist(), r.y.tolist(), strict=True):
        top = max(row)
        losses.append(top + math.log(math.fsum(math.exp(x - top) for x in row)) - row[y])
    return float(np.average(losses, weights=r.weight))


def brier(r: Rows) -> float:
    labels = list(range(r.n_classes))
    return float(
        sk.brier_score_loss(
            r.y, r.proba, labels=labels, sample_weight=r.weight, scale_by_half=False
        )
    )


def binned(score: Array, hit: Array, weight: Array, n_bins: int) -> list[tuple[float, float]]:
    """(weight, abs(mean score - mean hit)) of every bin [j/B, (j + 1)/B), the last one closed."""
    edges = [j / n_bins for j in range(1, n_bins)]
    bins: list[list[int]] = [[] for _ in range(n_bins)]
    for i, s in enumerate(score.tolist()):
        bins[bisect_right(edges, s)].append(i)
    found = []
    for at in bins:
        total = math.fsum(weight[i] for i in at)
        if total > 0:
            gap = math.fsum(weight[i] * (score[i] - hit[i]) for i in at) / total
            found.append((total, abs(gap)))
    return found


def _top(r: Rows, n_bins: int = 15) -> list[tuple[float, float]]:
    return binned(r.proba.max(axis=1), r.proba.argmax(axis=1) == r.y, r.weight, n_bins)


def ece(r: Rows) -> float:
    return math.fsum(w * gap for w, gap in _top(r)) / math.fsum(r.weight)


def mce(r: Rows) -> float:
    return max((gap for _, gap in _top(r)), default=math.nan)


def classwise_ece(r: Rows) -> float:
    total = 0.0
    for k in range(r.n_classes):
        bins = binned(r.proba[:, k], r.y == k, r.weight, 15)
        total += math.fsum(w * gap for w, gap in bins) / math.fsum(r.weight)
    return total / r.n_classes


EXPRESSION: dict[str, tuple[str, Oracle]] = {
    "accuracy": ("sklearn accuracy_score", accuracy),
    "accuracy_all": ("sklearn accuracy_score, failures wrong", with_failures(accuracy)),
    "balanced_accuracy": ("sklearn recall_score (macro)", balanced_accuracy),
    "recall": ("sklearn recall_score", recall),
    "recall_all": (
        "sklearn recall_score, failures wrong",
        with_failures(accuracy, lambda r: r.y == r.k),
    ),
    "precision": ("sklearn precision_score", precision),
    "macro_f1": ("sklearn f1_score (macro)", macro_f1),
    "cohen_kappa": ("sklearn cohen_kappa_score", cohen_kappa),
    "mcc": ("sklearn matthews_corrcoef", mcc),
    "nll": ("sklearn log_loss; log-sum-exp loop for logits", nll),
    "brier": ("sklearn brier_score_loss", brier),
    "ece": ("loop over bins", ece),
    "classwise_ece": ("loop over bins and classes", classwise_ece),
    "mce": ("loop over bins", mce),
    "failure_rate": ("numpy average", failure_rate),
}
