"""The fairness statistics of a record: name, what each reads, and its definition in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from audit.metrics import fairness
from audit.metrics.fairness import class_max, class_mean
from audit.result import MetricSpec
from audit.rows import Better

FloatArray = npt.NDArray[np.float64]
_ODDS = "Putzel and Lee (2022), arXiv:2201.04461"
_PARITY = "Dwork et al. (2012), doi:10.1145/2090236.2090255"
_STEREOTYPE = "Dominguez-Catena et al. (2023), arXiv:2303.15889"


@dataclass(frozen=True)
class Statistic:
    """One statistic over the groups: ``value`` maps the rates that it ``reads`` to (...,).

    Those ``by_class`` map them to (..., K).
    """

    name: str
    reads: Literal["rows", "predicted", "accuracy"]
    value: Callable[[FloatArray], FloatArray]
    definition: str
    source: str
    by_class: bool = False
    better: Better = "lower"
    unit: str = "share"


STATISTICS: tuple[Statistic, ...] = (
    Statistic(
        "equal_opportunity",
        "rows",
        fairness.equal_opportunity,
        "largest minus smallest recall of the class among the groups",
        _ODDS,
        by_class=True,
    ),
    Statistic(
        "equal_opportunity_mean",
        "rows",
        lambda rows: class_mean(fairness.equal_opportunity(rows)),
        "mean over classes of equal_opportunity",
        _ODDS,
    ),
    Statistic(
        "equal_opportunity_max",
        "rows",
        lambda rows: class_max(fairness.equal_opportunity(rows)),
        "largest equal_opportunity of a class",
        _ODDS,
    ),
    Statistic(
        "equalized_odds",
        "rows",
        fairness.equalized_odds,
        "mean over pairs (true class, predicted class) of the largest minus the smallest "
        "P(predicted given true) among the groups",
        _ODDS,
    ),
    Statistic(
        "overall_disparity",
        "rows",
        fairness.overall_disparity,
        "mean over classes of 1 / (G - 1) sum_g (1 - recall_g / max recall)",
        "arXiv:2205.10049",
    ),
    Statistic(
        "demographic_parity",
        "predicted",
        fairness.demographic_parity,
        "largest minus smallest share of faces that are given the class, among the groups; groups "
        "whose true expressions differ are not at parity under a perfect model",
        _PARITY,
        by_class=True,
    ),
    Statistic(
        "demographic_parity_mean",
        "predicted",
        lambda predicted: class_mean(fairness.demographic_parity(predicted)),
        "mean over classes of demographic_parity",
        _PARITY,
    ),
    Statistic(
        "demographic_parity_max",
        "predicted",
        lambda predicted: class_max(fairness.demographic_parity(predicted)),
        "largest demographic_parity of a class",
        _PARITY,
    ),
    Statistic(
        "total_variation_mean",
        "predicted",
        lambda predicted: class_mean(fairness.total_variation(predicted)),
        "mean over pairs of groups of 1/2 sum_k |P(predicted = k given g) - P(k given h)|",
        _PARITY,
    ),
    Statistic(
        "total_variation_max",
        "predicted",
        lambda predicted: class_max(fairness.total_variation(predicted)),
        "largest of the same among the pairs of groups",
        _PARITY,
    ),
    Statistic(
        "accuracy_ratio",
        "accuracy",
        fairness.accuracy_ratio,
        "smallest accuracy of a group / largest; 1 is parity",
        "Xu et al. (2020), arXiv:2007.10075",
        better="higher",
        unit="ratio",
    ),
)

_NMI = "normalised mutual information I(group; class) / H(group, class)"
_NPMI = "ln(p_gk / (p_g p_k)) / -ln p_gk: 0 independent, 1 only together, -1 never"
DESCRIPTIVE: dict[str, tuple[str, str, Better, str]] = {
    "nsd": ("coefficient", "sd of the groups' shares of faces, G / sqrt(G - 1) times", "lower", ""),
    "nmi_labels": ("coefficient", _NMI, "lower", " of true classes"),
    "nmi_predictions": ("coefficient", _NMI, "lower", " of predicted classes"),
    "npmi_labels": ("coefficient", _NPMI, "zero", " of true classes"),
    "npmi_predictions": ("coefficient", _NPMI, "zero", " of predicted classes"),
}
"""Statistics of who is there and what goes with whom: unit, definition, better, of what."""


def fairness_specs() -> dict[str, MetricSpec]:
    """What every fairness statistic is."""
    plain = {"scale": "identity", "interval": "none"}
    found = {
        item.name: MetricSpec(
            unit=item.unit,
            better=item.better,
            definition=item.definition,
            source=item.source,
            **plain,
        )
        for item in STATISTICS
    }
    for name, (unit, text, better, of) in DESCRIPTIVE.items():
        found[name] = MetricSpec(
            unit=unit, better=better, definition=text + of, source=_STEREOTYPE, **plain
        )
    return found
