"""NIST's two headline numbers of age gates: macro means over cells of sex, region and age."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from audit.age_plan import AgePlan, plan_curve_layout
from audit.collect import Collected
from audit.groups import grouping
from audit.intervals import Estimates, limits
from audit.metrics.core import Interval
from audit.metrics.gate_features import NIST_YEARS, YEARS
from audit.result import MetricSpec
from audit.rows import MetricRow
from audit.units import GroupedSums, group_sums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MAE, FPR = "nist_mae_26", "nist_fpr_12"
_SEXES, _REGIONS = ("gender", "sex"), ("region", "region_of_birth")
_N_REGIONS, _LEGAL, _CHALLENGE, _MINOR = 6, 18.0, 25.0, 17
_SOURCE = "NIST FATE age estimation and verification; NIST IR 8525 (2024)"


def nist_specs() -> dict[str, MetricSpec]:
    """What the two rows are."""
    return {
        MAE: MetricSpec(
            unit="years",
            better="lower",
            scale="log",
            interval="cluster_t (log)",
            definition="mean of the 26 mean absolute errors of 2 sexes x single ages 18 to 30",
            source=_SOURCE,
        ),
        FPR: MetricSpec(
            unit="share",
            better="lower",
            scale="logit",
            interval="cluster_t (logit)",
            definition="mean over 12 cells, 2 sexes x 6 regions of birth, of the share of people "
            "of 17 whose estimate is 25 or more; needs the gate 18:25",
            source=_SOURCE,
        ),
    }


def nist_rows(plan: AgePlan, table: Collected) -> list[MetricRow]:
    """Both means with intervals by person, or why the table has no such cells."""
    layout, gates = plan_curve_layout(plan), plan.gates
    if gates is None:
        return []
    if layout is None or table.curves is None or not gates.exact:
        note = "interval_truth" if not gates.exact else "predicted_bands"
        return [_row(name, None, note) for name in (MAE, FPR)]
    sex = _attribute(table, _SEXES, 2)
    if sex is None:
        note = "nist_cells: no attribute gender or sex with two values"
        return [_row(name, None, note) for name in (MAE, FPR)]
    errors, base, counts = (layout.columns(f"nist_{part}") for part in ("abs", "w", "n"))
    found = [_mean(MAE, _cells(table, (sex,)), errors, base, counts, 2 * len(NIST_YEARS))]
    region = _attribute(table, _REGIONS, _N_REGIONS)
    at = [k for k, g in enumerate(gates.gates) if (g.legal, g.challenge) == (_LEGAL, _CHALLENGE)]
    if region is None or not at:
        why = "the gate 18:25 is not asked for" if region else "no attribute region with six values"
        return [*found, _row(FPR, None, f"nist_cells: {why}")]
    hits = layout.columns("year_error")[[at[0] * YEARS + _MINOR]]
    base, counts = (layout.columns(f"year_{part}")[[_MINOR]] for part in ("w", "n"))
    cells = _cells(table, (sex, region))
    return [*found, _mean(FPR, cells, hits, base, counts, 2 * _N_REGIONS)]


def _attribute(table: Collected, names: Sequence[str], size: int) -> str | None:
    for name in names:
        if name in table.attributes and len(table.order[name]) == size:
            return name
    return None


def _cells(table: Collected, names: tuple[str, ...]) -> tuple[GroupedSums, IntArray]:
    assert table.curves is not None
    item = grouping(table.curves.cells, table.attributes, names, table.order)
    return group_sums(table.curves, item), np.flatnonzero(item.known)


def _mean(
    name: str,
    cells: tuple[GroupedSums, IntArray],
    hits: IntArray,
    base: IntArray,
    counts: IntArray,
    wanted: int,
) -> MetricRow:
    """The plain mean of the ratios of all cells (known groups x columns), by person."""
    grouped, known = cells
    psi = np.zeros(len(grouped.keys))
    values, parts, persons, n = [], [], [], 0
    for g in known:
        entries = slice(grouped.starts[g], grouped.starts[g + 1])
        top, bottom = (np.asarray(grouped.of(g)[:, at].todense()) for at in (hits, base))
        w = bottom.sum(axis=0)
        filled = np.flatnonzero(w > 0)
        ratio = top.sum(axis=0)[filled] / w[filled]
        m = (bottom > 0).sum(axis=0)[filled]
        residual = (top[:, filled] - bottom[:, filled] * ratio) / w[filled] / wanted
        residual *= np.sqrt(m / np.maximum(m - 1, 1))
        np.add.at(psi, grouped.unit[entries], residual.sum(axis=1))
        values += ratio.tolist()
        parts += (residual**2).sum(axis=0).tolist()
        persons += m.tolist()
        n += round(float(grouped.of(g)[:, counts].sum()))
    empty = wanted - len(values)
    if empty:
        return _row(name, None, f"nist_cells: {empty} of {wanted} are empty", n)
    v, df = np.array(parts), np.maximum(np.array(persons) - 1, 0)
    if (df == 0).any():
        return _row(name, float(np.mean(values)), "one_subject", n)
    var = float((psi**2).sum())
    if var <= 0:
        return _row(name, float(np.mean(values)), "zero_variance", n)
    e = _estimate(float(np.mean(values)), var, v.sum() ** 2 / (v**2 / df).sum())
    kind: Interval = "log_t" if name == MAE else "logit_t"
    ends = [float(x[0]) for level in (0.95, 0.90) for x in limits(kind, e, level)]
    names = ("low", "high", "low_90", "high_90")
    row = _row(name, float(e.value[0]), None, n, int((psi != 0).sum()))
    return row.model_copy(
        update=dict(zip(names, ends, strict=True)) | {"method": nist_specs()[name].interval}
    )


def _estimate(value: float, var: float, df: float) -> Estimates:
    one, none = np.ones(1), np.full(1, np.nan)
    plain = np.zeros(1, dtype=np.bool_)
    return Estimates(value * one, var * one, df * one, none, plain, none, none)


def _row(
    name: str, value: float | None, note: str | None, n: int = 0, persons: int = 0
) -> MetricRow:
    return MetricRow(
        metric=name,
        group={},
        value=value,
        n=n,
        n_subjects=persons,
        n_failed=0,
        n_unlabelled=0,
        note=note,
    )
