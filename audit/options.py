"""What an audit is asked for, checked, and fixed before the numbers are seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import get_args

import numpy as np

from audit.age_plan import AgePlan, plan_impossible, plan_layout, plan_metrics
from audit.block import Adjust, Setting
from audit.collect import Collected
from audit.declared import Names, classes_of
from audit.errors import InputError
from audit.metrics.expression import class_mix, core_features, expression_layout, expression_metrics
from audit.metrics.fairness_list import fairness_specs
from audit.metrics.scores import score_metrics
from audit.predictions import Predictions
from audit.result import MetricSpec

_FAILURE_METRICS = ("_all",)


def check_options(
    n_boot: int,
    min_n: int,
    estimand: str,
    age_bands: Sequence[float] | None,
    pairs: str,
    adjust: str,
) -> None:
    """Refuse options that no audit can have.

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


def names_of(
    setting: Setting,
    extra: Mapping[str, MetricSpec],
    first: Predictions,
    combinations: Sequence[Sequence[str]],
) -> Names:
    """The names that margins, primary metrics and policies may use."""
    return Names(
        metrics={metric.name: metric.better for metric in setting.metrics}
        | {name: spec.better for name, spec in extra.items()},
        classes=classes_of((metric.name, metric.class_) for metric in setting.metrics),
        combinations=combinations,
        without_interval=set(fairness_specs()) if first.task == "expression" else set(),
        late=set(extra),
    )


def setting_of(
    shards: Sequence[Predictions],
    table: Collected,
    plan: AgePlan,
    n_boot: int,
    seed: int,
    min_n: int,
    adjust: Adjust,
    *,
    all_pairs: bool,
) -> Setting:
    """What holds for the whole audit; metrics that cannot exist for these tables are marked.

    ``table`` gives the class mix that accuracy is standardised to, ``plan`` what an age table has.
    """
    first = shards[0]
    failures = any((shard.labelled & ~shard.processed).any() for shard in shards)
    if first.task == "age":
        layout, metrics = plan_layout(plan), plan_metrics(plan)
        cannot = plan_impossible(shards, plan)
        columns = np.arange(layout.size)
    else:
        layout = expression_layout(len(first.classes), first.extras)
        metrics = expression_metrics(
            first.classes, first.extras, class_mix(layout, table.sums.values.sum(axis=0))
        )
        no_scores = [metric.name for metric in score_metrics(len(first.classes))]
        missing = any(shard.probabilities is None for shard in shards)
        cannot = dict.fromkeys(no_scores, "no_probabilities") if missing else {}
        columns = core_features(layout, metrics)
    kept = tuple(m for m in metrics if failures or not m.name.endswith(_FAILURE_METRICS))
    return Setting(kept, cannot, layout, columns, n_boot, seed, min_n, all_pairs, adjust)
