"""False positive and false negative rate of each class against all others."""

from __future__ import annotations

from collections.abc import Sequence

from audit.metrics.core import Array, Metric, Sums, ratio_of

ONE_VS_REST = "one_vs_rest"


def error_rates(classes: Sequence[str]) -> tuple[tuple[Metric, Metric], ...]:
    """(False positive rate, false negative rate) of every class, as metrics of the confusion."""
    return tuple(
        (_false_positive_rate(k, name), _false_negative_rate(k, name))
        for k, name in enumerate(classes)
    )


def _false_positive_rate(k: int, name: str) -> Metric:
    def parts(s: Sums) -> tuple[Array, Array]:
        true = s["confusion"].sum(axis=-1)
        wrong = s["confusion"][..., k].sum(axis=-1) - s["confusion"][..., k, k]
        return wrong, true.sum(axis=-1) - true[..., k]

    return Metric(
        name="fpr",
        class_=name,
        interval="wilson",
        unit="share",
        better="lower",
        definition="share of the faces of other classes that are given the class",
        source="standard",
        features=("confusion",),
        formula=ratio_of(parts),
        parts=parts,
        counts=lambda s: s["n"] - s["true_n"][..., k],
    )


def _false_negative_rate(k: int, name: str) -> Metric:
    def parts(s: Sums) -> tuple[Array, Array]:
        true = s["confusion"][..., k, :].sum(axis=-1)
        return true - s["confusion"][..., k, k], true

    return Metric(
        name="fnr",
        class_=name,
        interval="wilson",
        unit="share",
        better="lower",
        definition="share of a class's faces that are given another class",
        source="standard",
        features=("confusion",),
        formula=ratio_of(parts),
        parts=parts,
        counts=lambda s: s["true_n"][..., k],
    )
