"""What the metrics and statistics of a data set audit are, as the record states them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from audit.data_set.shares import SHARE
from audit.metrics.core import Metric
from audit.metrics.fairness_list import fairness_specs
from audit.result import MetricSpec
from audit.rows import Better
from audit.spec import metric_specs

_CATALOGUE = "Dominguez-Catena et al. (2023), arXiv:2303.15889"
_LIN = "Lin (1991), doi:10.1109/18.61115"
_AS_IF = "; interval as if the people were sampled"


def _plain(name: str, definition: str) -> Metric:
    return replace(SHARE, name=name, definition=definition, better="lower", interval="none")


METRICS: tuple[Metric, ...] = (
    replace(SHARE, definition=SHARE.definition + _AS_IF),
    replace(
        SHARE,
        name="representation_ratio",
        unit="ratio",
        definition="share over the share in the reference, which is taken as exact; 1 is equal",
    ),
    replace(
        SHARE,
        name="share_change",
        definition="share in the other data set minus the share in this; people of both as one",
    ),
    _plain(
        "near_duplicates",
        "faces with a near-duplicate (perceptual hash of 256 bits, mirrored ones too) over those "
        "read",
    ),
    _plain("unread_images", "faces whose image is missing or cannot be read, over all"),
    _plain("same_bytes", "image files that are another one byte for byte, over all files"),
    _plain(
        "shared_people",
        "faces of the part whose person is in the other part (class) too; people are n_subjects",
    ),
    _plain("shared_photos", "faces of the part with a near-duplicate in the other part (class)"),
    _plain("shared_images", "faces of the part whose image file the other part (class) has too"),
)

STATISTICS: dict[str, tuple[str, Better, str, str]] = {
    "evenness": (
        "coefficient",
        "higher",
        "Shannon entropy of the groups' shares over its maximum: 1 for equal groups",
        "Pielou (1966), doi:10.1016/0022-5193(66)90013-0",
    ),
    "effective_groups": (
        "groups",
        "higher",
        "exp of the Shannon entropy: as many equal groups are as even",
        "Hill (1973), doi:10.2307/1934352",
    ),
    "tv_reference": (
        "share",
        "lower",
        "total variation: the share of faces that would have to move to match the reference",
        "standard",
    ),
    "js_reference": ("bits", "lower", "Jensen-Shannon divergence to the reference, 0 to 1", _LIN),
    "chi2_reference": (
        "chi-square",
        "lower",
        "sum (found - expected)^2 / expected over the mean design effect of photos per person; by "
        "chance its degrees of freedom",
        "Rao and Scott (1981), doi:10.1080/01621459.1981.10477633",
    ),
    "age_overlap": (
        "share",
        "higher",
        "sum over age bands of the lesser of a group's share and everyone else's; below 1 the ages "
        "differ, and so will errors that depend on age",
        "Inman and Bradley (1989), doi:10.1080/03610928908830127",
    ),
    "drift_tv": (
        "share",
        "lower",
        "total variation between both data sets; p by dealing the persons anew",
        "standard",
    ),
    "drift_js": (
        "bits",
        "lower",
        "Jensen-Shannon divergence between both data sets, 0 to 1; p by dealing the persons anew",
        _LIN,
    ),
    "drift_w1_age": (
        "years",
        "lower",
        "Wasserstein distance between the exact ages of both: the mean shift that would match them",
        "standard",
    ),
}
_PERMUTED = "; p and chance by permuting the groups among the persons"
LABELLED: dict[str, tuple[str, Better, str, str]] = {
    "nmi": ("coefficient", "lower", "I(group; {}) / H(group, {})" + _PERMUTED, _CATALOGUE),
    "cramers_v": (
        "coefficient",
        "lower",
        "Cramer's V of group and {}, not corrected for chance" + _PERMUTED,
        "Cramer (1946)",
    ),
    "cramers_v_corrected": (
        "coefficient",
        "lower",
        "Cramer's V of group and {} less what as many independent faces show" + _PERMUTED,
        "Bergsma (2013), doi:10.1016/j.jkss.2012.10.002",
    ),
    "npmi": (
        "coefficient",
        "zero",
        "ln(p_gk / (p_g p_k)) / -ln p_gk of group and {}: 0 independent, 1 only together, -1 never",
        "Bouma (2009); " + _CATALOGUE,
    ),
}
CURVES = {
    "age_share": "x: lower edge of the age band in years, y: its share within the group, n: faces "
    "of the band"
}


def specs_of(names: Iterable[str]) -> dict[str, MetricSpec]:
    """The metrics of some names, in the order of the list."""
    wanted = set(names)
    return metric_specs([metric for metric in METRICS if metric.name in wanted])


def statistic_specs(names: Iterable[str], labels: Iterable[str]) -> dict[str, MetricSpec]:
    """The statistics of some names; those of a label end in its name."""
    known = fairness_specs() | {name: _spec(*entry) for name, entry in STATISTICS.items()}
    for label in labels:
        for name, (unit, better, text, source) in LABELLED.items():
            definition = text.replace("{}", label)
            interval = "percentile" if name == "npmi" else "none"
            known[f"{name}_{label}"] = _spec(unit, better, definition, source, interval)
    return {name: known[name] for name in dict.fromkeys(names)}


def _spec(
    unit: str, better: Better, definition: str, source: str, interval: str = "none"
) -> MetricSpec:
    return MetricSpec(
        unit=unit,
        better=better,
        scale="identity",
        interval=interval,
        definition=definition,
        source=source,
    )
