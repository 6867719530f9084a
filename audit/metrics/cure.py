"""What training did with the faces of a group: importance, relabelling, and whether it was right.

Every metric is a ratio of sums, ``<name>_top`` over ``<name>_of`` with ``<name>_n`` faces, over the
labelled and processed faces of which its columns are known. Means of shares have an interval on the
logit scale, which stays in [0, 1]. Near 1, where importances lie, it covered better than that on
the log scale in simulation (30 persons: 0.93 against 0.91 at a mean of 0.89, 0.88 against 0.84 at
0.96, where the tail to the left is too long for any simple interval).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.cure import FLOW, Cure
from audit.metrics.core import Array, Interval, Metric, Sums, ratio_of
from audit.metrics.pieces import Piece
from audit.rows import Better

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_SCN = "Wang et al., CVPR 2020, doi:10.1109/CVPR42600.2020.00693"
_NOISE = "confusion of relabelled and flipped; Fawcett (2006), doi:10.1016/j.patrec.2005.10.010"


@dataclass(frozen=True)
class _Ratio:
    """One metric: the columns it needs, its top and bottom per face, and how it is described."""

    name: str
    needs: tuple[str, ...]
    top: Callable[..., FloatArray]
    bottom: Callable[..., FloatArray]
    interval: Interval
    better: Better
    undefined: str
    definition: str
    source: str


_RATIOS = (
    _Ratio(
        "importance",
        ("importance",),
        lambda a: a,
        np.ones_like,
        "logit_t",
        "none",
        "not_known",
        "mean importance that the network gives a face, between 0 and 1; no direction is better by "
        "itself, but a group with a lower one weighs less in training and is predicted less surely",
        _SCN,
    ),
    _Ratio(
        "low_group_share",
        ("low_group",),
        lambda low: low,
        np.ones_like,
        "logit_t",
        "none",
        "not_known",
        "mean share of a face's visits in which it was among the least important of its batch; if "
        "importance does not depend on the group, it is the share that training sets aside",
        _SCN,
    ),
    _Ratio(
        "relabel_rate",
        ("relabelled",),
        lambda r: r,
        np.ones_like,
        "wilson",
        "none",
        "not_known",
        "share of faces whose label training changed",
        _SCN,
    ),
    _Ratio(
        "relabel_precision",
        ("relabelled", "flipped", "corrected"),
        lambda r, f, c: np.where(r * f == 1, c, 0.0),
        lambda r, f, c: r,
        "wilson",
        "higher",
        "none_relabelled",
        "corrected / relabelled: share of the changed labels that became the true one",
        _NOISE,
    ),
    _Ratio(
        "relabel_recall",
        ("relabelled", "flipped", "corrected"),
        lambda r, f, c: np.where(r * f == 1, c, 0.0),
        lambda r, f, c: f,
        "wilson",
        "higher",
        "none_flipped",
        "corrected / flipped: share of the wrong labels that became the true one",
        _NOISE,
    ),
    _Ratio(
        "relabel_damage",
        ("relabelled", "flipped"),
        lambda r, f: r * (1 - f),
        lambda r, f: 1 - f,
        "wilson",
        "lower",
        "all_flipped",
        "relabelled / right: share of the right labels that training changed",
        _NOISE,
    ),
)


def _given(columns: Collection[str]) -> list[_Ratio]:
    return [item for item in _RATIOS if set(item.needs) <= set(columns)]


def cure_shapes(columns: Collection[str], n_classes: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the features that the given columns make possible.

    ``flow`` is [label before training, label after], ``flow_n`` the faces of each label before.
    """
    parts = (f"{item.name}_{part}" for item in _given(columns) for part in ("top", "of", "n"))
    flow = {"flow": (n_classes, n_classes), "flow_n": (n_classes,)} if FLOW in columns else {}
    return dict.fromkeys(parts, ()) | flow


def cure_pieces(cure: Cure, used: IntArray, w: FloatArray, n_classes: int) -> list[Piece]:
    """Features of the used faces of weight ``w``; a face of unknown columns adds nothing."""
    found: list[Piece] = []
    for item in _given(cure.given):
        columns = [getattr(cure, name)[used] for name in item.needs]
        # whether a face was corrected is only asked where it was flipped and relabelled
        asked = columns[:-1] if item.needs[-1] == "corrected" else columns
        known = ~np.isnan(np.stack(asked)).any(axis=0)
        parts, rows, weight = [part[known] for part in columns], used[known], w[known]
        bottom = item.bottom(*parts)
        found += [
            (rows, f"{item.name}_top", 0, weight * item.top(*parts)),
            (rows, f"{item.name}_of", 0, weight * bottom),
            (rows, f"{item.name}_n", 0, ((weight > 0) & (bottom > 0)).astype(np.float64)),
        ]
    if cure.before is not None and cure.after is not None:
        before, after = cure.before[used], cure.after[used]
        known = (before >= 0) & (after >= 0)
        before, after, weight = before[known], after[known], w[known]
        found += [
            (used[known], "flow", before * n_classes + after, weight),
            (used[known], "flow_n", before, (weight > 0).astype(np.float64)),
        ]
    return found


def cure_metrics(columns: Collection[str]) -> tuple[Metric, ...]:
    """The metrics that the given columns make possible."""
    return tuple(map(_metric, _given(columns)))


def _metric(item: _Ratio) -> Metric:
    top, bottom, n = (f"{item.name}_{part}" for part in ("top", "of", "n"))

    def parts(s: Sums) -> tuple[Array, Array]:
        return s[top], s[bottom]

    return Metric(
        name=item.name,
        interval=item.interval,
        unit="share",
        better=item.better,
        definition=f"{item.definition}; faces of which it is known",
        source=item.source,
        features=(top, bottom),
        formula=ratio_of(parts),
        parts=parts,
        counts=lambda s: s[n],
        has_ratio=True,
        undefined=item.undefined,
    )
