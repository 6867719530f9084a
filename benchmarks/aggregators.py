"""HAE beside its controls on drawn faces of people held out.

    python -m benchmarks.aggregators --backbone BACKBONE.safetensors [--seeds 1 2 3]
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

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from sklearn.linear_model import Ridge

from benchmarks.arms import beside, config_of, estimates_of, print_beside, trained
from hae.data.core import Manifest
from hae.data.readers import read_data
from hae.data.rendered.spec import noise_floor, read_spec

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


def trained_arm(arm: str, seed: int, args: argparse.Namespace) -> Path:
    """Train one arm with its aggregator and seed, or find it; only the backbone is given."""
    more = [] if args.steps is None else [f"steps={args.steps}"]
    first = f"model.backbone.init={args.backbone}"
    config = config_of(RECIPE, [*ARMS[arm], f"seed={seed}", f"name={arm}", first, *more])
    parts = read_data(args.faces, "train"), read_data(args.faces, "val")
    return trained(config, *parts, args.work / f"{arm}-{seed}", args.work / "cache")


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
            path = trained_arm(arm, seed, args)
            seconds[arm] = round(time.perf_counter() - start, 1)
            estimates[arm] = estimates_of(path, test)
        found = beside(test, {**estimates, **fixed}, arm="sae")
        print_beside(found, "sae", f"seed {seed} ")
        mae = found["mae"]
        runs.append(
            {"seed": seed, "seconds": seconds, "mae": mae["figures"], "sae_minus": mae["sae_minus"]}
        )
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
