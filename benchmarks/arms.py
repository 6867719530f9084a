"""What the benchmarks of models share: arms trained alike, compared on the same faces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from audit import audit
from audit.configs import checked, read_toml
from hae.adapters.checkpoint import load_checkpoint
from hae.config import RunConfig, ViewsConfig
from hae.data.core import Manifest
from hae.data.decode import decoded, decoders
from hae.inference import chunk_size, view_tensor
from hae.models.age import AgeModel
from hae.precision import exact
from hae.predict import predict
from hae.settings import with_settings
from hae.training.run import Order
from hae.training.train_age import train_age
from hae.views import ViewParams, fixed_views

Ages = npt.NDArray[np.float64]
Estimates = Mapping[str, Ages]
Features = dict[bytes, npt.NDArray[np.float32]]
"""Views, as bytes -> what a backbone says of them for each face, (n, k, d_b)."""
CPU, BATCH = torch.device("cpu"), 256


class Silent:
    """Tells nobody; fulfils the report of a training run."""

    def stage(self, text: str, total: int) -> Any:
        """Nothing."""
        return lambda done: None

    def step(self, step: int, figures: Any) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """Nothing."""


def config_of(recipe: Path, settings: Sequence[str]) -> RunConfig:
    """A recipe with settings over it."""
    content = with_settings(read_toml(recipe, "the recipe"), settings)
    return checked(RunConfig, content, recipe.name)


def trained(
    config: RunConfig,
    train: Manifest,
    validation: Manifest | None,
    out: Path,
    cache: Path,
    work: Callable[[Order, Silent], Path] = train_age,
) -> Path:
    """Train an arm, or find it trained."""
    order = Order(
        train=train,
        validation=validation,
        config=config,
        out=out,
        cache=cache,
        init=None,
        devices=1,
        versions={},
    )
    return work(order, Silent())


def estimates_of(checkpoint: Path, test: Manifest, stored: Features | None = None) -> Ages:
    """Estimates of the test faces in years, (n,); NaN where an image cannot be read.

    Arms on one frozen backbone share what it says of the same views: they pass the same
    ``stored``, which begins empty.
    """
    predictor = load_checkpoint(checkpoint)
    if stored is None:
        return predict(test, predictor, workers=1)["age_pred"].to_numpy(dtype=float)
    found = _features(predictor.model, test, predictor.views, stored)
    return _ages(found, lambda features: predictor.model.from_features(features).age)


def view_mean(checkpoint: Path, test: Manifest, views: ViewsConfig, stored: Features) -> Ages:
    """Mean over K fixed views of the estimate from each alone: test-time augmentation, (n,)."""
    model = load_checkpoint(checkpoint).model
    found = _features(model, test, fixed_views(views, seed=0), stored)
    return _ages(found, lambda features: model.view_ages(features).mean(dim=1))


def _features(
    model: AgeModel, test: Manifest, views: ViewParams, stored: Features
) -> npt.NDArray[np.float32]:
    """What the backbone says of the views of every face, (n, k, d_b); NaN for no image."""
    key = b"".join(part.numpy().tobytes() for part in (views.theta, views.colour, views.box))
    if key not in stored:
        size, chunk = (model.config.size, model.config.size), chunk_size(CPU, views.k)
        parts = []
        with decoders(1) as pool, torch.inference_mode(), exact():
            for batch in decoded(
                test, range(len(test)), size, model.config.keep, pool=pool, batch_size=chunk
            ):
                known = np.array([not isinstance(face, str) for face in batch])
                pixels = np.stack(
                    [np.zeros((*size, 3), np.uint8) if isinstance(f, str) else f for f in batch]
                )
                found = model.features(view_tensor(model.config, torch.from_numpy(pixels), views))
                parts.append(np.where(known[:, None, None], found.numpy(), np.nan))
        stored[key] = np.concatenate(parts)
    return stored[key]


def _ages(features: npt.NDArray[np.float32], age: Callable[[torch.Tensor], torch.Tensor]) -> Ages:
    with torch.inference_mode(), exact():
        parts = [
            age(torch.from_numpy(features[start : start + BATCH])).double().numpy()
            for start in range(0, len(features), BATCH)
        ]
    return np.concatenate(parts)


def beside(
    test: Manifest,
    estimates: Mapping[str, npt.NDArray[np.generic]],
    *,
    arm: str,
    metrics: Sequence[str] = ("mae",),
    task: Literal["age", "expression"] = "age",
) -> dict[str, Any]:
    """Figures of every arm, and how ``arm`` differs from the others, paired by person.

    The arms are the groups of one table in which every person has a row in each of them, so the
    engine's differences between groups that share people are paired. A face that names no person is
    one.

    Returns
    -------
    figures
        For each metric ``{"figures": {arm: interval}, "<arm>_minus": {other: interval and p}}``.
    """
    keep = ["sample_id", "subject_id", task]
    known = test.frame[[name for name in keep if name in test.frame.columns]].copy()
    person = known["subject_id"] if "subject_id" in known.columns else pd.Series(index=known.index)
    known["subject_id"] = person.astype("str").where(person.notna(), known["sample_id"])
    tables = [
        known.assign(
            **{"sample_id": known["sample_id"] + f"/{name}", "arm": name, f"{task}_pred": values}
        )
        for name, values in estimates.items()
    ]
    result = audit(pd.concat(tables, ignore_index=True), task=task, by=["arm"], n_boot=0)
    found: dict[str, Any] = {}
    for metric in metrics:
        rows = [row for row in result.metrics if row.metric == metric and row.group]
        gaps = [
            gap
            for gap in result.gaps
            if gap.metric == metric and gap.kind == "difference" and {"arm": arm} in (gap.a, gap.b)
        ]
        found[metric] = {
            "figures": {
                str(row.group["arm"]): {"value": row.value, "low": row.low, "high": row.high}
                for row in rows
            },
            f"{arm}_minus": dict(_other(gap, arm) for gap in gaps),
        }
    return found


def _other(gap: Any, arm: str) -> tuple[str, dict[str, float]]:
    """The other arm, and M(arm) - M(other)."""
    if gap.a == {"arm": arm}:
        return gap.b["arm"], {"value": gap.value, "low": gap.low, "high": gap.high, "p": gap.p}
    return gap.a["arm"], {"value": -gap.value, "low": -gap.high, "high": -gap.low, "p": gap.p}


def shown(row: Mapping[str, float]) -> str:
    """A figure with its interval."""
    return f"{row['value']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def print_beside(found: Mapping[str, Any], arm: str, before: str = "") -> None:
    """Print what :func:`beside` found."""
    for metric, parts in found.items():
        for name, row in parts["figures"].items():
            print(f"{before}{name:24} {metric} {shown(row)}")
        for name, row in parts[f"{arm}_minus"].items():
            print(f"{before}{arm} - {name:18} {metric} {shown(row)}")
