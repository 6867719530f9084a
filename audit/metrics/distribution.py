"""Metrics of predicted age distributions: sharpness, coverage, scores and calibration by group.

For exact truth y: scores of the distribution at y. For ages known as bands: only what a band
settles, which is the probability of the bands; everything else is null, note ``interval_truth``.
Centres are points: the mass of a grid is on its ages, none between or beyond them.
"""

from __future__ import annotations

import numpy as np

from audit.bands import overlap
from audit.metrics.core import Array, Interval, Metric, Sums, divide, ratio_of, variance
from audit.metrics.distribution_features import LEVELS, PINBALL, DistributionPlan
from audit.rows import Better

COMPARED_LEVEL = 90
"""Gaps of coverage, width and interval score are made at this level alone."""


def _score(
    name: str,
    feature: str,
    kind: Interval,
    unit: str,
    better: Better,
    definition: str,
    source: str,
    *,
    at: int | None = None,
    base: str = "w",
    counts: str = "n",
    class_: str | None = None,
    has_gaps: bool = True,
    undefined: str = "empty_group",
) -> Metric:
    def of(s: Sums, column: str) -> Array:
        return s[column] if at is None or column in {"w", "n"} else s[column][..., at]

    def parts(s: Sums) -> tuple[Array, Array]:
        return of(s, feature), of(s, base)

    return Metric(
        name=name,
        interval=kind,
        unit=unit,
        better=better,
        definition=definition,
        source=source,
        features=(feature, base),
        formula=ratio_of(parts),
        parts=parts,
        counts=None if counts == "n" else lambda s: of(s, counts),
        class_=class_,
        has_ratio=kind == "log_t",
        has_gaps=has_gaps,
        undefined=undefined,
    )


_FEW_OUTSIDE = (
    "; it rests on the few ages outside, so with 200 persons its 95 % interval covers 91 %"
)


def _z_variance(s: Sums) -> Array:
    found = variance(s["z"], s["z2"], s["z_w"])
    return np.asarray(found * divide(s["z_n"], s["z_n"] - 1))


def exact_distribution_metrics() -> tuple[Metric, ...]:
    """Metrics that need a true age in years."""
    found = [
        _score(
            "crps",
            "crps",
            "log_t",
            "years",
            "lower",
            "mean continuous ranked probability score, E|Y - y| - E|Y - Y'| / 2; of a single "
            "number it would be |e|",
            "Matheson and Winkler (1976); Gneiting and Raftery (2007)",
        )
    ]
    for k, q in enumerate(PINBALL):
        found.append(
            _score(
                f"pinball_{q:02d}",
                "pinball",
                "log_t",
                "years",
                "lower",
                f"mean pinball loss of the predicted {q} % quantile{_FEW_OUTSIDE}",
                "Koenker and Bassett (1978)",
                at=k,
                has_gaps=False,
            )
        )
    for k, level in enumerate(LEVELS):
        compared = level == COMPARED_LEVEL
        found += [
            _score(
                f"coverage_{level}",
                "covered",
                "wilson",
                "share",
                "none",
                f"share of true ages in the closed central {level} % interval; {level / 100:g} if "
                "calibrated, more where probabilities sit on single ages",
                "Winkler (1972)",
                at=k,
                has_gaps=compared,
            ),
            _score(
                f"interval_score_{level}",
                "interval_score",
                "log_t",
                "years",
                "lower",
                f"mean width of the central {level} % interval plus "
                f"{2 / (1 - level / 100):g} times the distance of a true age outside it"
                f"{_FEW_OUTSIDE}",
                "Winkler (1972); Gneiting and Raftery (2007)",
                at=k,
                has_gaps=compared,
            ),
        ]
    z = "z = (true age - predicted mean) / predicted standard deviation"
    left = "; faces with all probability on one age are left out"
    found.append(
        _score(
            "z_mean",
            "z",
            "t",
            "standard deviations",
            "zero",
            f"mean {z}; 0 if calibrated, positive: under-estimated{left}",
            "standard",
            base="z_w",
            counts="z_n",
            undefined="no_spread",
        )
    )

    def z_parts(s: Sums) -> tuple[Array, Array]:
        return s["z2"], s["z_w"]

    found.append(
        Metric(
            name="z_variance",
            interval="log_t",
            unit="squared standard deviations",
            better="none",
            definition=f"n / (n - 1) times the variance of {z}; 1 if calibrated, above 1: the "
            f"distributions are too narrow{left}",
            source="standard",
            features=("z", "z2", "z_w", "z_n"),
            formula=_z_variance,
            parts=z_parts,
            counts=lambda s: s["z_n"],
            has_ratio=True,
            undefined="no_spread",
            undefined_note=lambda s: "one_value" if s["z_n"] > 0 else "no_spread",
        )
    )
    return tuple(found)


def band_distribution_metrics() -> tuple[Metric, ...]:
    """Metrics of ages known as bands only, besides those that any truth has."""
    return tuple(
        _score(
            f"band_coverage_{level}",
            "band_covered",
            "logit_t",
            "share",
            "none",
            "mean share of the true band's range of probability [P(Y < low), P(Y < high)] that "
            f"lies in the central {level} %; {level / 100:g} if the bands' probabilities are "
            "calibrated",
            "coverage of the non-randomised PIT: Czado, Gneiting and Held (2009), "
            "doi:10.1111/j.1541-0420.2009.01191.x",
            at=k,
            has_gaps=level == COMPARED_LEVEL,
        )
        for k, level in enumerate(LEVELS)
    )


def distribution_metrics(plan: DistributionPlan) -> tuple[Metric, ...]:
    """All metrics of the distributions of a table; which cannot exist says ``impossible``."""
    common = [
        _score(
            "rps",
            "rps",
            "log_t",
            "squared probability",
            "lower",
            "mean over the inner edges of the age bands of (P(Y < edge) - [y < edge])^2, averaged "
            "over faces: the ranked probability score over the number of bands less one, 0 to 1",
            "Epstein (1969); Murphy (1971)",
        ),
        _score(
            "band_nll",
            "band_nll",
            "log_t",
            "nats",
            "lower",
            "mean -log of the probability of the true age band, which is at least 2^-52; "
            "probability of ages below 0 belongs to the band that begins at 0",
            "Good (1952)",
        ),
    ]
    for k, level in enumerate(LEVELS):
        common.append(
            _score(
                f"width_{level}",
                "width",
                "log_t",
                "years",
                "none",
                f"mean width of the central {level} % interval: sharpness, to be read beside the "
                "coverage",
                "Gneiting, Balabdaoui and Raftery (2007)",
                at=k,
                has_gaps=level == COMPARED_LEVEL,
            )
        )
    for k, age in enumerate(plan.legal):
        common += [
            _score(
                "age_over_bias",
                "over_gap",
                "t",
                "probability",
                "zero",
                "mean predicted probability of being at least the age named, less the share of "
                "faces who are; positive: people look older than they are. Only at ages with faces "
                "on both sides and no true band across",
                "calibration in the large",
                at=k,
                class_=f"{age:g}",
            ),
            _score(
                "age_over_brier",
                "over_brier",
                "log_t",
                "squared probability",
                "lower",
                "mean (P(age >= the age named) - [it is])^2",
                "Brier (1950)",
                at=k,
                class_=f"{age:g}",
                has_gaps=False,
            ),
        ]
    band = band_distribution_metrics() if plan.is_band else ()
    return (*exact_distribution_metrics(), *band, *common)


def impossible_distribution(plan: DistributionPlan) -> dict[str, str]:
    """Metric name -> note, for what cannot exist with this truth."""
    found: dict[str, str] = {}
    if plan.is_band:
        found |= {metric.name: "interval_truth" for metric in exact_distribution_metrics()}
    if overlap(plan.bands):
        found["rps"] = "overlapping_bands"
    elif len(plan.bands) < 2:
        found["rps"] = "single_band"
    return found
