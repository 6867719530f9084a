"""Metrics of where a model looked: mean share of each region of the canonical face, by source.

A metric is a source, its classes are the regions: all regions of a source and all groups are one
family of tests. The mean is over the labelled and processed faces of which it is known.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from audit.face_regions import REGIONS, SIDE
from audit.metrics.core import Array, Layout, Metric, Sums, ratio_of
from audit.metrics.pieces import Piece
from audit.predictions import Predictions
from audit.where import PREFIX, Where

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
SOURCES = {
    "gradcam": (
        "the gradient of the prediction at the last map (Grad-CAM; its size for ages, its positive "
        "part for the predicted expression)",
        "Selvaraju et al., ICCV 2017, doi:10.1109/ICCV.2017.74",
    ),
    "attention": ("the network's own spatial attention maps", "the network's paper"),
    "boxes": ("the boxes that the network looks into", "the network's paper"),
    "regions": ("the aggregator's attention to the places of the face", "the aggregator's paper"),
}
"""What the sources of this package are, and where they come from."""
_LEFT = "; left and right are the viewer's; faces of which it is known"


def is_where(metric: str) -> bool:
    """Whether a metric says where a model looks.

    Examples
    --------
    >>> is_where("where_gradcam"), is_where("mae")
    (True, False)
    """
    return metric.startswith(PREFIX)


def where_names(extras: Collection[str]) -> tuple[str, ...]:
    """The metrics among the optional columns of a table."""
    return tuple(name for name in extras if is_where(name))


def where_shapes(names: Collection[str]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the features: the regions, their weight and the faces."""
    return {
        name + part: shape
        for name in names
        for part, shape in (("", (len(REGIONS),)), ("_w", ()), ("_n", ()))
    }


def where_pieces(where: Where, used: IntArray, w: FloatArray) -> list[Piece]:
    """Features of the used faces of weight ``w``; a face of which it is unknown adds nothing."""
    found: list[Piece] = []
    for source, values in where.shares.items():
        name = f"{PREFIX}{source}"
        shares = values[used]
        known = ~np.isnan(shares[:, 0])
        rows, weight, shares = used[known], w[known], shares[known]
        found += [(rows, name, k, weight * shares[:, k]) for k in range(len(REGIONS))]
        found += [
            (rows, f"{name}_w", 0, weight),
            (rows, f"{name}_n", 0, (weight > 0).astype(np.float64)),
        ]
    return found


def where_metrics(names: Collection[str]) -> tuple[Metric, ...]:
    """A metric for every region of every source."""
    return tuple(_metric(name, k) for name in names for k in range(len(REGIONS)))


def _metric(name: str, k: int) -> Metric:
    def parts(s: Sums) -> tuple[Array, Array]:
        return s[name][..., k], s[f"{name}_w"]

    what, source = SOURCES.get(name.removeprefix(PREFIX), ("a map that the table states", "stated"))
    return Metric(
        name=name,
        class_=REGIONS[k],
        interval="logit_t",
        unit="share",
        better="none",
        definition=f"mean share of {what} in a region of the canonical face{_LEFT}",
        source=source,
        features=(name, f"{name}_w"),
        formula=ratio_of(parts),
        parts=parts,
        counts=lambda s: s[f"{name}_n"],
        undefined="not_known",
    )


def map_layout(sources: Sequence[str]) -> Layout:
    """The sums of the maps: weighted cells, weight and faces of each source."""
    return Layout(
        {
            name: shape
            for source in sources
            for name, shape in ((source, (SIDE * SIDE,)), (f"{source} w", ()), (f"{source} n", ()))
        }
    )


def map_features(shard: Predictions, weight: FloatArray) -> FloatArray | None:
    """What every face adds to the sums of the maps, (n, F); None without maps."""
    where = shard.where
    if where is None or not where.maps:
        return None
    parts = []
    used = shard.labelled & shard.processed
    for source in sorted(where.maps):
        cells = where.maps[source]
        w = np.where(used & ~np.isnan(cells[:, 0]), weight, 0.0)
        parts += [np.nan_to_num(cells) * w[:, None], w[:, None], (w > 0)[:, None]]
    return np.concatenate(parts, axis=1).astype(np.float64)
