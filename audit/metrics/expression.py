"""Expression metrics: the weighted confusion matrix and the scores that need probabilities."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from audit.cure import RAW
from audit.metrics.age import failure_rate
from audit.metrics.age_features import COUNTS
from audit.metrics.binning import RAW_SUFFIX, Bins, bins_of
from audit.metrics.core import Array, Formula, Layout, Metric, Sums, divide, ratio_of
from audit.metrics.cure import cure_metrics, cure_pieces, cure_shapes
from audit.metrics.pieces import Piece, counts_pieces, from_pieces
from audit.metrics.scores import FLOOR, score_metrics, score_pieces, score_shapes
from audit.metrics.where import where_metrics, where_names, where_pieces, where_shapes
from audit.predictions import Predictions
from audit.units import person_keys, sample_keys

FloatArray = npt.NDArray[np.float64]


def expression_layout(n_classes: int, extras: Collection[str] = ()) -> Layout:
    """Features of the expression task for K classes; ``confusion`` is [true, predicted].

    ``extras`` are the optional columns of the table that bring features of their own.
    """
    k = n_classes
    return Layout(
        {
            **dict.fromkeys(COUNTS, ()),
            "confusion": (k, k),
            "failed_true": (k,),
            "true_n": (k,),
            "pred_n": (k,),
            "failed_true_n": (k,),
            **score_shapes(k),
            **(score_shapes(k, RAW_SUFFIX) if RAW in extras else {}),
            **cure_shapes(extras, k),
            **where_shapes(where_names(extras)),
        }
    )


def n_floored(predictions: Predictions) -> int:
    """Faces whose true class has a probability below 2^-52, which nll raises to that floor."""
    scores = predictions.probabilities
    if scores is None or scores.logits is not None or predictions.y_true is None:
        return 0
    used = predictions.labelled & predictions.processed
    return int((scores.proba[used, predictions.y_true[used]] < FLOOR).sum())


def expression_features(
    predictions: Predictions, weight: FloatArray, bins: Bins | None = None
) -> csr_array:
    """Features of every face, sparse of shape (n, F); ``bins`` are those of the whole table.

    Without ``bins`` the table is taken to be whole.
    """
    if bins is None:
        units = person_keys(predictions, sample_keys(predictions, 0))
        bins = bins_of([predictions], [weight], [units])[0]
    layout = expression_layout(len(predictions.classes), predictions.extras)
    k = len(predictions.classes)
    labelled, processed = predictions.labelled, predictions.processed
    assert predictions.y_true is not None
    assert predictions.y_pred is not None
    used, failed = np.flatnonzero(labelled & processed), np.flatnonzero(labelled & ~processed)
    y, p, w = predictions.y_true[used], predictions.y_pred[used], weight[used]
    one, lost = (w > 0).astype(np.float64), (weight[failed] > 0).astype(np.float64)
    pieces = [
        *counts_pieces(predictions, weight),
        (used, "confusion", y * k + p, w),
        (used, "true_n", y, one),
        (used, "pred_n", p, one),
        (failed, "failed_true", predictions.y_true[failed], weight[failed]),
        (failed, "failed_true_n", predictions.y_true[failed], lost),
        *_extra_pieces(predictions, y, used, w, bins),
    ]
    return from_pieces(pieces, layout, len(predictions))


def _extra_pieces(
    predictions: Predictions,
    y: npt.NDArray[np.int64],
    used: npt.NDArray[np.int64],
    w: FloatArray,
    bins: Bins,
) -> list[Piece]:
    found: list[Piece] = []
    if predictions.probabilities is not None:
        found += score_pieces(predictions.probabilities, y, used, w, bins)
    if predictions.raw is not None:
        found += score_pieces(predictions.raw, y, used, w, bins, RAW_SUFFIX)
    if predictions.cure is not None:
        found += cure_pieces(predictions.cure, used, w, len(predictions.classes))
    if predictions.where is not None:
        found += where_pieces(predictions.where, used, w)
    return found


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


def class_mix(layout: Layout, totals: Array) -> FloatArray:
    """Share of each true class in the whole table, (K,), from its sums (F,)."""
    true = layout.unpack(np.asarray(totals, dtype=np.float64).ravel())["confusion"].sum(axis=-1)
    return np.asarray(true / true.sum() if true.sum() > 0 else np.full(len(true), 1 / len(true)))


def _standardised(mix: FloatArray) -> Formula:
    def formula(s: Sums, classes: Array | None = None) -> Array:
        share = np.where(support(s) if classes is None else classes, mix, 0.0)
        part = np.where(share > 0, share * _recalls(s), 0.0)
        return divide(part.sum(axis=-1), np.broadcast_to(share, part.shape).sum(axis=-1))

    return formula


def expression_metrics(
    classes: Sequence[str], extras: Collection[str] = (), mix: FloatArray | None = None
) -> tuple[Metric, ...]:
    """All expression metrics for the classes of the whole table and its optional columns.

    ``mix`` are the class shares (K,) of ``standardised_accuracy``; equal shares without it.
    """
    mix = np.full(len(classes), 1 / max(1, len(classes))) if mix is None else mix

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
            name="standardised_accuracy",
            definition="sum_k share_k recall_k with the class shares of the whole table, held "
            "fixed: accuracy as if every group showed the same expressions; shares are scaled to "
            f"sum to 1{mean}",
            source="direct standardisation; Kitagawa (1964), doi:10.2307/2060055",
            features=("confusion",),
            formula=_standardised(mix),
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
        *score_metrics(len(classes)),
        *(score_metrics(len(classes), RAW_SUFFIX) if RAW in extras else ()),
        *cure_metrics(extras),
        *where_metrics(where_names(extras)),
        failure_rate(),
    )
