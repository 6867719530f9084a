"""HAE beside its controls on drawn faces of people held out.

    python benchmarks/aggregators.py --backbone BACKBONE.safetensors [--seeds 1 2 3]
        [--out benchmarks/results/aggregators.json]

BACKBONE is stage 1 of the example (README). Every arm is stage 2 with the same frozen backbone,
views, steps and head: self-attention (sae), mean and maximum of the embeddings, mean of the
predictions, all with the same K views, and a single view. The test faces are of other people than
training and validation. Differences are paired by face and their intervals are by person. Beside
them stand the noise floor (the drawn age as the estimate), ridge regression on 16 x 16 pixels and
the best constant.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image
from sklearn.linear_model import Ridge

from audit import audit
from hae.adapters.checkpoint import load_checkpoint
from hae.config import RunConfig
from hae.data.core import Manifest
from hae.data.readers import read_data
from hae.data.rendered.spec import noise_floor, read_spec
from hae.predict import predict
from hae.settings import checked, read_toml, with_settings
from hae.training.run import Order
from hae.training.train_age import train_age

ARMS = {
    "sae": [],
    "mean": ["model.aggregator.name=mean"],
    "max": ["model.aggregator.name=max"],
    "mean_predictions": ["model.aggregator.name=mean_predictions"],
    "single": ["model.aggregator.name=single", "model.views.k=1", "selection_views=1"],
}
RECIPE = Path(__file__).parent.parent / "recipes" / "example.toml"
FACES = "rendered:people=8000,photos=2,seed=1"
SIDE = 16
ALPHAS = 10.0 ** np.arange(-2, 5)


class Silent:
    """Tells nobody; fulfils the report of a training run."""

    def stage(self, text: str, total: int) -> Any:
        """Nothing."""
        return lambda done: None

    def step(self, step: int, figures: Any) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """Nothing."""


def config_of(arm: str, seed: int, args: argparse.Namespace) -> RunConfig:
    """The recipe of the example with another aggregator and seed; only the backbone is given."""
    more = [] if args.steps is None else [f"steps={args.steps}"]
    first = f"model.backbone.init={args.backbone}"
    settings = [*ARMS[arm], f"seed={seed}", f"name={arm}", first, *more]
    return checked(RunConfig, with_settings(read_toml(RECIPE, "the recipe"), settings), RECIPE.name)


def trained(arm: str, seed: int, args: argparse.Namespace) -> Path:
    """Train one arm, or find it trained."""
    order = Order(
        train=read_data(args.faces, "train"),
        validation=read_data(args.faces, "val"),
        config=config_of(arm, seed, args),
        out=args.work / f"{arm}-{seed}",
        cache=args.work / "cache",
        init=None,
        devices=1,
        versions={},
    )
    return train_age(order, Silent())


def pixels(manifest: Manifest) -> npt.NDArray[np.float64]:
    """Faces at 16 x 16 pixels, flat."""
    faces = manifest.faces(range(len(manifest)), (64, 64), 1.0)
    small = [
        np.asarray(Image.fromarray(face).resize((SIDE, SIDE), Image.Resampling.BOX))
        for face in faces
        if not isinstance(face, str)
    ]
    return np.stack(small).reshape(len(small), -1) / 255


def baselines(data: str) -> dict[str, npt.NDArray[np.float64]]:
    """Estimates of the test faces that need no network."""
    parts = {name: read_data(data, name) for name in ("train", "val", "test")}
    ages = {name: part.frame["age"].to_numpy(dtype=float) for name, part in parts.items()}
    x = {name: pixels(part) for name, part in parts.items()}
    models = [Ridge(alpha=alpha, solver="svd").fit(x["train"], ages["train"]) for alpha in ALPHAS]
    errors = [np.abs(model.predict(x["val"]) - ages["val"]).mean() for model in models]
    return {
        "ridge_16px": models[int(np.argmin(errors))].predict(x["test"]),
        "constant": np.full(len(ages["test"]), np.median(ages["train"])),
        "drawn_age": parts["test"].frame["drawn_age"].to_numpy(dtype=float),
    }


def beside(test: Manifest, estimates: dict[str, npt.NDArray[np.float64]]) -> dict[str, Any]:
    """MAE of every arm and its difference from ``sae``, paired by person.

    The arms are the groups of one table in which every person has a row in each of them, so the
    engine's differences between groups that share people are paired.
    """
    known = test.frame[["sample_id", "subject_id", "age"]]
    tables = [
        known.assign(sample_id=known["sample_id"] + f"/{arm}", arm=arm, age_pred=values)
        for arm, values in estimates.items()
    ]
    result = audit(pd.concat(tables, ignore_index=True), task="age", by=["arm"], n_boot=0)
    rows = [row for row in result.metrics if row.metric == "mae" and row.group]
    gaps = [
        gap
        for gap in result.gaps
        if gap.metric == "mae" and gap.kind == "difference" and {"arm": "sae"} in (gap.a, gap.b)
    ]
    return {
        "mae": {
            str(row.group["arm"]): {"value": row.value, "low": row.low, "high": row.high}
            for row in rows
        },
        "sae_minus": {_other(gap)[0]: _other(gap)[1] for gap in gaps},
    }


def _other(gap: Any) -> tuple[str, dict[str, float]]:
    """The arm that sae is compared with, and MAE(sae) - MAE(arm)."""
    if gap.a == {"arm": "sae"}:
        return gap.b["arm"], {"value": gap.value, "low": gap.low, "high": gap.high, "p": gap.p}
    return gap.a["arm"], {"value": -gap.value, "low": -gap.high, "high": -gap.low, "p": gap.p}


def _shown(row: dict[str, float]) -> str:
    return f"{row['value']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def main() -> None:
    """Train, predict, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--faces", default=FACES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--work", type=Path, default=Path("runs/aggregators"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/aggregators.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    test = read_data(args.faces, "test")
    fixed, runs = baselines(args.faces), []
    for seed in args.seeds:
        estimates, seconds = {}, {}
        for arm in ARMS:
            start = time.perf_counter()
            path = trained(arm, seed, args)
            seconds[arm] = round(time.perf_counter() - start, 1)
            frame = predict(test, load_checkpoint(path), workers=1)
            estimates[arm] = frame["age_pred"].to_numpy(dtype=float)
        found = beside(test, {**estimates, **fixed})
        runs.append({"seed": seed, "seconds": seconds, **found})
        for arm, row in found["mae"].items():
            print(f"seed {seed} {arm:24} MAE {_shown(row)}")
        for arm, row in found["sae_minus"].items():
            print(f"seed {seed} sae - {arm:18} {_shown(row)}")
    record = {
        "faces": args.faces,
        "test_faces": len(test),
        "test_people": int(test.frame["subject_id"].nunique()),
        "noise_floor": noise_floor(read_spec(args.faces.removeprefix("rendered:"))),
        "machine": {"cpu": platform.machine(), "threads": 1},
        "versions": {name: version(name) for name in ("torch", "timm", "numpy")},
        "runs": runs,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
