"""Expression metrics: the weighted confusion matrix and the scores that need probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from audit.metrics.age import failure_rate
from audit.metrics.age_features import COUNTS
from audit.metrics.calibration import bin_index, calibration_metrics
from audit.metrics.core import Array, Layout, Metric, Sums, divide, ratio_of
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]
N_BINS = 15
FLOOR = 2.0**-52


def expression_layout(n_classes: int) -> Layout:
    """Features of the expression task for K classes; ``confusion`` is [true, predicted]."""
    k = n_classes
    return Layout(
        {
            **dict.fromkeys(COUNTS, ()),
            "confusion": (k, k),
            "failed_true": (k,),
            "nll": (),
            "brier": (),
            "true_n": (k,),
            "pred_n": (k,),
            "failed_true_n": (k,),
            "bin_n": (N_BINS,),
            "bin_w": (N_BINS,),
            "bin_conf": (N_BINS,),
            "bin_hit": (N_BINS,),
            "class_gap": (k, N_BINS),
        }
    )


def core_features(layout: Layout) -> npt.NDArray[np.int64]:
    """Columns that an interval may need: all but the calibration bins of single classes."""
    return layout.columns(*(name for name in layout.shapes if name != "class_gap"))


def n_floored(predictions: Predictions) -> int:
    """Faces whose true class has a probability below 2^-52, which nll raises to that floor."""
    scores = predictions.probabilities
    if scores is None or scores.logits is not None or predictions.y_true is None:
        return 0
    used = predictions.labelled & predictions.processed
    return int((scores.proba[used, predictions.y_true[used]] < FLOOR).sum())


def expression_features(predictions: Predictions, weight: FloatArray) -> csr_array:
    """Features of every face, sparse of shape (n, F)."""
    layout = expression_layout(len(predictions.classes))
    n, k = len(predictions), len(predictions.classes)
    labelled, processed = predictions.labelled, predictions.processed
    assert predictions.y_true is not None
    assert predictions.y_pred is not None
    used, failed = np.flatnonzero(labelled & processed), np.flatnonzero(labelled & ~processed)
    y, p, w = predictions.y_true[used], predictions.y_pred[used], weight[used]
    one, lost = (w > 0).astype(np.float64), (weight[failed] > 0).astype(np.float64)
    pieces = [
        (used, "n", 0, one),
        (used, "w", 0, w),
        (failed, "failed_n", 0, lost),
        (failed, "failed_w", 0, weight[failed]),
        (np.flatnonzero(~labelled), "unlabelled_n", 0, np.ones(int((~labelled).sum()))),
        (used, "confusion", y * k + p, w),
        (used, "true_n", y, one),
        (used, "pred_n", p, one),
        (failed, "failed_true", predictions.y_true[failed], weight[failed]),
        (failed, "failed_true_n", predictions.y_true[failed], lost),
        *_score_pieces(predictions, used, w),
    ]
    rows = np.concatenate([piece[0] for piece in pieces])
    columns = np.concatenate(
        [np.broadcast_to(layout.columns(name)[0] + at, len(r)) for r, name, at, _ in pieces]
    )
    data = np.concatenate([piece[3] for piece in pieces])
    return coo_array((data, (rows, columns)), shape=(n, layout.size)).tocsr()


def _score_pieces(
    predictions: Predictions, used: npt.NDArray[np.int64], w: FloatArray
) -> list[tuple[npt.NDArray[np.int64], str, Array | int, FloatArray]]:
    scores = predictions.probabilities
    if scores is None:
        return []
    assert predictions.y_true is not None
    y, proba, k = predictions.y_true[used], scores.proba[used], len(predictions.classes)
    logs = scores.log_proba()
    rows = np.arange(len(used))
    nll = -np.log(np.maximum(proba[rows, y], FLOOR)) if logs is None else -logs[used][rows, y]
    truth = np.zeros_like(proba)
    truth[rows, y] = 1.0
    confidence, hit = proba.max(axis=1), (proba.argmax(axis=1) == y).astype(np.float64)
    at = bin_index(confidence, N_BINS)
    gaps = [
        (
            used,
            "class_gap",
            j * N_BINS + bin_index(proba[:, j], N_BINS),
            w * (proba[:, j] - truth[:, j]),
        )
        for j in range(k)
    ]
    return [
        (used, "nll", 0, w * nll),
        (used, "brier", 0, w * ((proba - truth) ** 2).sum(axis=1)),
        (used, "bin_n", at, (w > 0).astype(np.float64)),
        (used, "bin_w", at, w),
        (used, "bin_conf", at, w * confidence),
        (used, "bin_hit", at, w * hit),
        *gaps,
    ]


def _recalls(s: Sums) -> Array:
    return divide(_diagonal(s), s["confusion"].sum(axis=-1))


def _diagonal(s: Sums) -> Array:
    return np.diagonal(s["confusion"], axis1=-2, axis2=-1)


def _f1(s: Sums) -> Array:
    rows, columns = s["confusion"].sum(axis=-1), s["confusion"].sum(axis=-2)
    both = divide(2.0 * _diagonal(s), rows + columns)
    return np.where(rows.real > 0, both, np.nan)


def support(s: Sums) -> npt.NDArray[np.bool_]:
    """The classes with a true face, shape (..., K)."""
    return np.asarray(s["confusion"].sum(axis=-1).real > 0, dtype=np.bool_)


def _class_mean(values: Array, classes: Array) -> Array:
    count = np.broadcast_to(classes, values.shape).sum(axis=-1)
    total = np.where(classes, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _balanced(s: Sums, classes: Array | None = None) -> Array:
    return _class_mean(_recalls(s), support(s) if classes is None else classes)


def _macro_f1(s: Sums, classes: Array | None = None) -> Array:
    return _class_mean(_f1(s), support(s) if classes is None else classes)


def _accuracy_parts(s: Sums) -> tuple[Array, Array]:
    return _diagonal(s).sum(axis=-1), s["w"]


def _kappa(s: Sums) -> Array:
    total, rows = s["w"], s["confusion"].sum(axis=-1)
    chance = divide((rows * s["confusion"].sum(axis=-2)).sum(axis=-1), total * total)
    observed = divide(_diagonal(s).sum(axis=-1), total)
    good = (1.0 - chance).real > 1e-12
    return np.where(good, (observed - chance) / np.where(good, 1.0 - chance, 1.0), np.nan)


def _mcc(s: Sums) -> Array:
    """Gorodkin (2004), doi:10.1016/j.compbiolchem.2004.09.006."""
    total, hits = s["w"], _diagonal(s).sum(axis=-1)
    rows, columns = s["confusion"].sum(axis=-1), s["confusion"].sum(axis=-2)
    left = total * total - (rows * rows).sum(axis=-1)
    right = total * total - (columns * columns).sum(axis=-1)
    product = left * right
    product = np.where(product.real > 1e-12 * np.abs(total.real) ** 4, product, 0.0)
    return divide(hits * total - (rows * columns).sum(axis=-1), np.sqrt(product))


def _per_class(k: int, name: str) -> tuple[Metric, ...]:
    def recall(s: Sums) -> tuple[Array, Array]:
        return s["confusion"][..., k, k], s["confusion"][..., k, :].sum(axis=-1)

    def recall_all(s: Sums) -> tuple[Array, Array]:
        hit, total = recall(s)
        return hit, total + s["failed_true"][..., k]

    def precision(s: Sums) -> tuple[Array, Array]:
        return s["confusion"][..., k, k], s["confusion"][..., k].sum(axis=-1)

    common = {"interval": "wilson", "unit": "share", "better": "higher", "class_": name}
    return (
        Metric(
            name="recall",
            definition="share of a class's faces that are given that class",
            source="standard",
            features=("confusion",),
            formula=ratio_of(recall),
            parts=recall,
            counts=lambda s: s["true_n"][..., k],
            has_ratio=True,
            undefined="class_absent",
            **common,  # type: ignore[arg-type]
        ),
        Metric(
            name="recall_all",
            definition="recall; failures to process count as wrong",
            source="standard",
            features=("confusion", "failed_true"),
            formula=ratio_of(recall_all),
            parts=recall_all,
            has_ratio=True,
            counts=lambda s: s["true_n"][..., k] + s["failed_true_n"][..., k],
            undefined="class_absent",
            **common,  # type: ignore[arg-type]
        ),
        Metric(
            name="precision",
            definition="share of the faces given a class that are of it",
            source="standard",
            features=("confusion",),
            formula=ratio_of(precision),
            parts=precision,
            counts=lambda s: s["pred_n"][..., k],
            has_ratio=True,
            undefined="never_predicted",
            **common,  # type: ignore[arg-type]
        ),
    )


def _score(name: str, definition: str, source: str) -> Metric:
    def parts(s: Sums) -> tuple[Array, Array]:
        return s[name], s["w"]

    return Metric(
        name=name,
        interval="log_t",
        unit="nats" if name == "nll" else "squared probability",
        better="lower",
        definition=definition,
        source=source,
        features=(name, "w"),
        formula=ratio_of(parts),
        parts=parts,
        has_ratio=True,
    )


def expression_metrics(classes: Sequence[str]) -> tuple[Metric, ...]:
    """All expression metrics for the classes of the whole table."""

    def parts_all(s: Sums) -> tuple[Array, Array]:
        hits, total = _accuracy_parts(s)
        return hits, total + s["failed_w"]

    share = {"interval": "wilson", "unit": "share", "better": "higher"}
    agreement = {"interval": "t", "unit": "coefficient", "better": "higher"}
    mean = "; a class without a true face is left out, a gap uses the classes of both groups"
    return (
        Metric(
            name="accuracy",
            definition="share of faces given their true class",
            source="standard",
            features=("confusion", "w"),
            formula=ratio_of(_accuracy_parts),
            parts=_accuracy_parts,
            has_ratio=True,
            **share,  # type: ignore[arg-type]
        ),
        Metric(
            name="accuracy_all",
            definition="accuracy; failures to process count as wrong",
            source="standard",
            features=("confusion", "w", "failed_w"),
            formula=ratio_of(parts_all),
            parts=parts_all,
            counts=lambda s: s["n"] + s["failed_n"],
            has_ratio=True,
            **share,  # type: ignore[arg-type]
        ),
        Metric(
            name="balanced_accuracy",
            definition=f"mean recall over classes{mean}",
            source="Brodersen et al. (2010)",
            features=("confusion",),
            formula=_balanced,
            masked=True,
            has_ratio=True,
            **share,  # type: ignore[arg-type]
        ),
        Metric(
            name="macro_f1",
            definition=f"mean over classes of 2 tp / (2 tp + fp + fn){mean}",
            source="standard",
            features=("confusion",),
            formula=_macro_f1,
            masked=True,
            has_ratio=True,
            **share,  # type: ignore[arg-type]
        ),
        Metric(
            name="cohen_kappa",
            definition="(observed - chance) / (1 - chance) agreement",
            source="Cohen (1960)",
            features=("confusion", "w"),
            formula=_kappa,
            undefined="one_value",
            **agreement,  # type: ignore[arg-type]
        ),
        Metric(
            name="mcc",
            definition="Matthews correlation for K classes",
            source="Gorodkin (2004)",
            features=("confusion", "w"),
            formula=_mcc,
            undefined="one_value",
            **agreement,  # type: ignore[arg-type]
        ),
        *(m for k, name in enumerate(classes) for m in _per_class(k, name)),
        _score(
            "nll",
            "mean -log p of the true class; p is at least 2^-52, logits go through log-softmax",
            "Good (1952)",
        ),
        _score("brier", "mean of sum_k (p_k - [y = k])^2, between 0 and 2", "Brier (1950)"),
        *calibration_metrics(len(classes), N_BINS),
        failure_rate(),
    )
