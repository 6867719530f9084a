"""Metrics of age gates: who is let through too young, and who is stopped although of age.

A gate lets a person pass whose estimate is at least the challenge age. Definitions follow NIST IR
8525 (2024) where it has them; ages are half-open intervals, a 17-year-old is in [17, 18).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from audit.metrics.core import Array, Metric, Sums, divide, ratio_of
from audit.metrics.gate_features import FAR_YEARS, GatePlan

_NIST = "NIST IR 8525 (2024)"
_CLASS = "; class: legal age : challenge age"
_EXACT = ("gate_severity", "gate_far_share")
_TEENS = (
    ("teen_tpr", "teen_in", "teen", "higher", "of 13 to 16 whose estimate is 13 to 16"),
    ("teen_under", "teen_under", "teen", "lower", "of 13 to 16 whose estimate is 8 to 12"),
    ("teen_over", "teen_over", "teen", "lower", "of 13 to 16 whose estimate is 17 to 22"),
    ("teen_fpr_below", "below_in", "below", "lower", "of 8 to 12 whose estimate is 13 to 16"),
    ("teen_fpr_above", "above_in", "above", "lower", "of 17 to 22 whose estimate is 13 to 16"),
)


def _rate(
    name: str,
    class_: str | None,
    definition: str,
    parts: Callable[[Sums], tuple[Array, Array]],
    counts: Callable[[Sums], Array],
    features: tuple[str, ...],
    undefined: str,
    *,
    better: str = "lower",
    has_gaps: bool = True,
) -> Metric:
    return Metric(
        name=name,
        class_=class_,
        interval="wilson",
        unit="share",
        better=better,  # type: ignore[arg-type]
        definition=definition,
        source=_NIST,
        features=features,
        formula=ratio_of(parts),
        parts=parts,
        counts=counts,
        has_ratio=True,
        has_gaps=has_gaps,
        undefined=undefined,
    )


def gate_pair(plan: GatePlan, at: int) -> tuple[Metric, Metric]:
    """(False positive, false negative) rate of a gate, failures counted as not passed."""
    name, k = plan.gates[at].name, plan.legal.index(plan.gates[at].legal)

    def fpr(s: Sums) -> tuple[Array, Array]:
        return s["minor_pass"][..., at], s["minor_w"][..., k] + s["minor_failed_w"][..., k]

    def fnr(s: Sums) -> tuple[Array, Array]:
        failed = s["adult_failed_w"][..., k]
        return s["adult_stop"][..., at] + failed, s["adult_w"][..., k] + failed

    return (
        _rate(
            "gate_fpr",
            name,
            "share of people under the legal age who pass: their estimate is at least the "
            f"challenge age. A face that was not processed is blocked{_CLASS}",
            fpr,
            lambda s: s["minor_n"][..., k] + s["minor_failed_n"][..., k],
            ("minor_pass", "minor_w", "minor_failed_w"),
            "no_minors",
        ),
        _rate(
            "gate_fnr",
            name,
            "share of people of legal age who do not pass: their estimate is below the challenge "
            f"age, or the face was not processed; they are asked for a document{_CLASS}",
            fnr,
            lambda s: s["adult_n"][..., k] + s["adult_failed_n"][..., k],
            ("adult_stop", "adult_w", "adult_failed_w"),
            "no_adults",
        ),
    )


def gate_pairs(plan: GatePlan) -> tuple[tuple[Metric, Metric], ...]:
    """The pair of every gate; none where estimates are bands."""
    return () if plan.predicted_bands else tuple(gate_pair(plan, k) for k in range(len(plan.gates)))


def _processed(plan: GatePlan, at: int) -> tuple[Metric, ...]:
    """The same rates of the faces that were processed."""
    name, k = plan.gates[at].name, plan.legal.index(plan.gates[at].legal)

    def fpr(s: Sums) -> tuple[Array, Array]:
        return s["minor_pass"][..., at], s["minor_w"][..., k]

    def fnr(s: Sums) -> tuple[Array, Array]:
        return s["adult_stop"][..., at], s["adult_w"][..., k]

    words = "without the faces that were not processed"
    return (
        _rate(
            "gate_fpr_processed",
            name,
            f"gate_fpr {words}{_CLASS}",
            fpr,
            lambda s: s["minor_n"][..., k],
            ("minor_pass", "minor_w"),
            "no_minors",
            has_gaps=False,
        ),
        _rate(
            "gate_fnr_processed",
            name,
            f"gate_fnr {words}{_CLASS}",
            fnr,
            lambda s: s["adult_n"][..., k],
            ("adult_stop", "adult_w"),
            "no_adults",
            has_gaps=False,
        ),
    )


def _severity(plan: GatePlan, at: int) -> tuple[Metric, ...]:
    name = plan.gates[at].name

    def mean(s: Sums) -> tuple[Array, Array]:
        return s["severity"][..., at], s["minor_pass"][..., at]

    def far(s: Sums) -> tuple[Array, Array]:
        return s["far"][..., at], s["minor_pass"][..., at]

    def passed(s: Sums) -> Array:
        return np.asarray(s["minor_pass_n"][..., at])

    common = {
        "class_": name,
        "source": _NIST,
        "has_gaps": False,
        "counts": passed,
        "undefined": "none_passed",
    }
    return (
        Metric(
            name="gate_severity",
            interval="log_t",
            unit="years",
            better="lower",
            definition="mean of legal age - true age over the people under the legal age who pass"
            + _CLASS,
            features=("severity", "minor_pass"),
            formula=ratio_of(mean),
            parts=mean,
            **common,  # type: ignore[arg-type]
        ),
        Metric(
            name="gate_far_share",
            interval="wilson",
            unit="share",
            better="lower",
            definition="share of the people under the legal age who pass that are more than "
            f"{FAR_YEARS:g} years under it{_CLASS}",
            features=("far", "minor_pass"),
            formula=ratio_of(far),
            parts=far,
            **common,  # type: ignore[arg-type]
        ),
    )


def _teen_mae(s: Sums) -> Array:
    by_year = divide(s["teen_age_abs"], s["teen_age_w"])
    return np.asarray(by_year.mean(axis=-1))


def _teen_metrics() -> tuple[Metric, ...]:
    found = []
    for name, hits, base, better, words in _TEENS:

        def parts(s: Sums, hits: str = hits, base: str = base) -> tuple[Array, Array]:
            return s[hits], s[f"{base}_w"]

        def counts(s: Sums, base: str = base) -> Array:
            return s[f"{base}_n"]

        definition = f"share, among processed faces, {words}"
        features = (hits, f"{base}_w")
        found.append(
            _rate(
                name,
                None,
                definition,
                parts,
                counts,
                features,
                "no_such_ages",
                better=better,
                has_gaps=False,
            )
        )

    def of_teens(s: Sums) -> tuple[Array, Array]:
        return s["teen_age_abs"].sum(axis=-1), s["teen_w"]

    mae = Metric(
        name="teen_mae",
        interval="log_t",
        unit="years",
        better="lower",
        definition="mean of the four mean absolute errors at 13, 14, 15 and 16 years",
        source=_NIST,
        features=("teen_age_w", "teen_age_abs"),
        formula=_teen_mae,
        parts=of_teens,
        counts=lambda s: s["teen_n"],
        has_gaps=False,
        undefined="no_such_ages",
    )
    return (*found, mae)


def gate_metrics(plan: GatePlan) -> tuple[Metric, ...]:
    """All metrics of the gates of a table."""
    found: list[Metric] = []
    for at in range(len(plan.gates)):
        found += gate_pair(plan, at)
        found += _processed(plan, at) if plan.failures else ()
        found += _severity(plan, at)
    return (*found, *_teen_metrics())


def impossible_gates(plan: GatePlan) -> dict[str, str]:
    """Metric name -> note, for what cannot exist with this truth or with predicted bands."""
    names = {metric.name for metric in gate_metrics(plan)}
    if plan.predicted_bands:
        return dict.fromkeys(sorted(names), "predicted_bands")
    needs_years = {*_EXACT, *(metric.name for metric in _teen_metrics())}
    return {} if plan.exact else dict.fromkeys(sorted(needs_years), "interval_truth")
