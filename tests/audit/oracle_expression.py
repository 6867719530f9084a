"""Expression metrics a second time: sklearn where it has one, else a loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from sklearn import metrics as sk

from tests.audit.oracle_calibration import CALIBRATION
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


def standardised_accuracy(r: Rows) -> float:
    """Accuracy with faces weighted so that the classes have the shares of the whole table."""
    total = {k: r.weight[r.y == k].sum() for k in _present(r)}
    keep = np.isin(r.y, list(total))
    weight = [w * r.mix[y] / total[y] for w, y in zip(r.weight[keep], r.y[keep], strict=True)]
    return float(sk.accuracy_score(r.y[keep], r.y_pred[keep], sample_weight=weight))


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


def raw(oracle: Oracle) -> Oracle:
    """The same oracle on the logits before scaling."""

    def found(r: Rows) -> float:
        proba = np.exp(r.raw - r.raw.max(axis=1, keepdims=True))
        proba /= proba.sum(axis=1, keepdims=True)
        return oracle(replace(r, proba=proba, logits=r.raw, edges=r.raw_edges))

    return found


def _share(r: Rows, top: Callable[..., bool], of: Callable[..., bool], *names: str) -> float:
    """Weighted share ``top`` of the faces ``of`` which all columns are known, face by face."""
    hit = total = 0.0
    columns = (getattr(r, name).tolist() for name in names)
    for weight, *values in zip(r.weight.tolist(), *columns, strict=True):
        if any(math.isnan(x) for x in values):
            continue
        if of(*values):
            total += weight
            hit += weight * float(top(*values))
    return hit / total if total > 0 else math.nan


def _corrected(r: Rows) -> Rows:
    """An unknown corrected is no: it is known wherever a face was flipped and relabelled."""
    known = np.isnan(r.flipped) | np.isnan(r.relabelled)
    return replace(r, corrected=np.where(known, np.nan, np.nan_to_num(r.corrected)))


def importance(r: Rows) -> float:
    return _share(r, lambda a: a, lambda _: True, "importance")


def low_group_share(r: Rows) -> float:
    return _share(r, lambda low: low, lambda _: True, "low_group")


def relabel_rate(r: Rows) -> float:
    return _share(r, lambda x: x == 1, lambda _: True, "relabelled")


def relabel_precision(r: Rows) -> float:
    r = _corrected(r)
    return _share(r, lambda c, _: c == 1, lambda _, x: x == 1, "corrected", "relabelled")


def relabel_recall(r: Rows) -> float:
    r = _corrected(r)
    return _share(r, lambda c, _: c == 1, lambda _, f: f == 1, "corrected", "flipped")


def relabel_damage(r: Rows) -> float:
    return _share(r, lambda x, _: x == 1, lambda _, f: f == 0, "relabelled", "flipped")


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
    "standardised_accuracy": ("sklearn accuracy_score, reweighted", standardised_accuracy),
    "macro_f1": ("sklearn f1_score (macro)", macro_f1),
    "cohen_kappa": ("sklearn cohen_kappa_score", cohen_kappa),
    "mcc": ("sklearn matthews_corrcoef", mcc),
    "nll": ("sklearn log_loss; log-sum-exp loop for logits", nll),
    "brier": ("sklearn brier_score_loss", brier),
    **CALIBRATION,
    "failure_rate": ("numpy average", failure_rate),
    "nll_raw": ("log-sum-exp loop", raw(nll)),
    "brier_raw": ("sklearn brier_score_loss", raw(brier)),
    **{f"{name}_raw": (text, raw(oracle)) for name, (text, oracle) in CALIBRATION.items()},
    "importance": ("loop over faces", importance),
    "low_group_share": ("loop over faces", low_group_share),
    "relabel_rate": ("loop over faces", relabel_rate),
    "relabel_precision": ("loop over faces", relabel_precision),
    "relabel_recall": ("loop over faces", relabel_recall),
    "relabel_damage": ("loop over faces", relabel_damage),
}
