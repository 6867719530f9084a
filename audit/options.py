"""What an audit is asked for, checked, and fixed before the numbers are seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from audit.age_plan import AgePlan, plan_impossible, plan_layout, plan_metrics
from audit.block import Adjust, Setting
from audit.curves import counted_columns
from audit.declared import Declared, Names, classes_of
from audit.errors import InputError
from audit.facts import Facts
from audit.gates import Gate, check_target, gates_of
from audit.metrics.core import Metric
from audit.metrics.expression import expression_layout, expression_metrics
from audit.metrics.fairness_list import fairness_specs
from audit.metrics.gate import gate_pairs
from audit.metrics.one_vs_rest import error_rates
from audit.metrics.scores import score_metrics
from audit.result import MetricSpec, RunInfo
from audit.stated import Stated, statements

FloatArray = npt.NDArray[np.float64]
_FAILURE_METRICS = ("_all",)
_NO_MOMENTS = frozenset({"none", "percentile"})


@dataclass(frozen=True)
class Options:
    """What an audit is asked for; the fields are arguments of :func:`audit.run.audit`."""

    n_boot: int
    seed: int
    estimand: Literal["image", "subject"]
    min_n: int
    edges: tuple[float, ...] | None
    max_cells: int
    pairs: Literal["auto", "all"]
    stated: Stated
    adjust: Adjust
    sources: Mapping[str, str]
    gates: tuple[Gate, ...]
    gate_target: float | None
    reference: Mapping[str, float] | None
    slices: bool
    slice_by: tuple[str, ...]
    permute_within: Literal["age"] | None
    run: RunInfo | None


def check_edges(age_bands: Sequence[float] | None) -> None:
    """Refuse edges of age bands that do not rise from at least 0.

    Raises
    ------
    InputError
        Names them.
    """
    if age_bands is not None and (
        len(age_bands) == 0
        or not all(map(math.isfinite, age_bands))
        or age_bands[0] < 0
        or any(low >= high for low, high in pairwise(age_bands))
    ):
        raise InputError(
            f"--age-bands {','.join(map(str, age_bands))}: edges must rise from at least 0, "
            "such as 0,13,18,25,40,60"
        )


def checked_options(
    *,
    n_boot: int = 1000,
    seed: int = 0,
    estimand: Literal["image", "subject"] = "image",
    min_n: int = 30,
    age_bands: Sequence[float] | None = None,
    max_cells: int = 20_000,
    pairs: Literal["auto", "all"] = "auto",
    margins: Mapping[str, float] | None = None,
    adjust: Adjust = "max_t",
    primary: Sequence[str] = (),
    policy: Declared | None = None,
    sources: Mapping[str, str] | None = None,
    gates: Sequence[str | float | tuple[float, float]] = (),
    gate_target: float | None = None,
    reference: Mapping[str, float] | None = None,
    slices: bool = True,
    slice_by: Sequence[str] = (),
    permute_within: Literal["age"] | None = None,
    run: RunInfo | None = None,
) -> Options:
    """The options of an audit, with their defaults.

    Raises
    ------
    InputError
        With the option, its value and what it must be.
    """
    if not isinstance(n_boot, int) or n_boot < 0 or min_n < 2:
        raise InputError(f"--n-boot {n_boot} must be at least 0 and --min-n {min_n} at least 2")
    if estimand not in {"image", "subject"}:
        raise InputError(f"--estimand {estimand!r}: must be image or subject")
    if pairs not in {"auto", "all"}:
        raise InputError(f"--pairs {pairs!r}: must be auto or all")
    if adjust not in get_args(Adjust):
        raise InputError(f"--adjust {adjust!r}: must be one of {', '.join(get_args(Adjust))}")
    if permute_within not in {None, "age"}:
        raise InputError(f"--permute-within {permute_within!r}: must be age")
    check_edges(age_bands)
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise InputError(f"--seed {seed}: must be a whole number between 0 and 2^63 - 1")
    asked = gates_of(gates)
    check_target(gate_target, asked)
    return Options(
        n_boot=n_boot,
        seed=seed,
        estimand=estimand,
        min_n=min_n,
        edges=tuple(float(edge) for edge in age_bands) if age_bands else None,
        max_cells=max_cells,
        pairs=pairs,
        stated=statements(margins or {}, primary, policy),
        adjust=adjust if n_boot or adjust != "max_t" else "holm",
        sources=dict(sources or {}),
        gates=asked,
        gate_target=gate_target,
        reference=None if reference is None else dict(reference),
        slices=slices,
        slice_by=tuple(slice_by),
        permute_within=permute_within,
        run=run,
    )


def names_of(
    setting: Setting,
    extra: Mapping[str, MetricSpec],
    facts: Facts,
    combinations: Sequence[Sequence[str]],
) -> Names:
    """The names that margins, primary metrics and policies may use."""
    return Names(
        metrics={metric.name: metric.better for metric in setting.metrics}
        | {name: spec.better for name, spec in extra.items()},
        classes=classes_of((metric.name, metric.class_) for metric in setting.metrics),
        combinations=combinations,
        without_interval=set(fairness_specs()) if facts.task == "expression" else set(),
        late=set(extra),
    )


def setting_of(
    facts: Facts, plan: AgePlan, options: Options, mix: FloatArray | None = None
) -> Setting:
    """What holds for the whole audit; metrics that cannot exist for this table are marked.

    ``mix`` is the class mix (K,) that accuracy is standardised to, ``plan`` what an age table has.
    """
    counted: tuple[Metric, ...] = ()
    if facts.task == "age":
        layout, metrics = plan_layout(plan), plan_metrics(plan)
        cannot = plan_impossible(facts, plan)
        pairs = gate_pairs(plan.gates) if plan.gates else ()
        counted = tuple(metric for pair in pairs for metric in pair)
    else:
        layout = expression_layout(len(facts.classes), facts.extras)
        metrics = expression_metrics(facts.classes, facts.extras, mix)
        no_scores = [metric.name for metric in score_metrics(len(facts.classes))]
        cannot = {} if facts.has_scores else dict.fromkeys(no_scores, "no_probabilities")
        rates = (metric for pair in error_rates(facts.classes) for metric in pair)
        counted = (*rates, *counted_columns(layout))
    if facts.streamed:
        cannot = {m.name: "not_streamed" for m in metrics if m.rowwise} | cannot
    kept = tuple(m for m in metrics if facts.n_failed or not m.name.endswith(_FAILURE_METRICS))
    needed = [m for m in metrics if m.interval not in _NO_MOMENTS and m.name not in cannot]
    columns = layout.columns(*dict.fromkeys(name for m in needed for name in m.features))
    return Setting(
        kept,
        cannot,
        layout,
        np.sort(columns),
        options.n_boot,
        options.seed,
        options.min_n,
        options.pairs == "all",
        options.adjust,
        counted,
        options.stated.primary,
    )
