"""TNet's error against how many places it looks at, on drawn faces of 448 px.

    python -m benchmarks.tnet_faces [--seeds 0 1 2] [--steps 100] [--work runs/tnet]
        [--out benchmarks/results/tnet_faces.json]

One small TNet a seed: a ResNet of 0.5 million parameters that sees everything at 64 px, 5 x 5
windows of 0.34 of the side, 3 of them drawn in training. The extractor begins at the weights of the
embedded example, which knows faces of 64 px of other drawn people, and goes on to learn; what says
where to look begins at random. The faces have the cues that all rendered faces have; nothing is
planted. Then the same weights tell the ages
of people held out with 0 to 5, 9 and all 25 places. Differences from no place are paired by face,
and intervals are by person; hard attention wants at least 5 seeds for a word about the method, so
what is said is of these trainings. Beside them stand the noise floor (the error of the drawn age)
and the best constant. ``cpu_s`` are seconds of all threads, rendering among them.
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
import torch

from audit.files import write_text
from benchmarks.arms import beside, print_beside, trained
from hae.adapters.checkpoint import load_checkpoint
from hae.backbones.tnet import TNet
from hae.config import CHECKPOINT, RunConfig
from hae.data.core import Manifest
from hae.data.readers import read_data
from hae.data.rendered.spec import noise_floor, read_spec
from hae.inference import view_tensor
from hae.precision import exact

FACES = "rendered:people=700,photos=1,size=448,seed=3"
SIZE, CHUNK = 448, 16
LOCATIONS = (0, 1, 2, 3, 4, 5, 9, 25)
ALONE = "0 places"


def config_of(seed: int, steps: int) -> RunConfig:
    """The training of a seed."""
    model = {
        "size": SIZE,
        "embedding": 64,
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "backbone": {
            "name": "tnet",
            "of": "small_resnet",
            "init": "zoo:example",
            "base": 64,
            "locations": [3],
        },
        "aggregator": {"name": "single"},
        "head": {"name": "dldl_v2", "hidden": 64},
        "views": {"k": 1, "erase_area": [0.02, 0.1]},
    }
    return RunConfig.model_validate(
        {
            "name": f"tnet-s{seed}",
            "seed": seed,
            "model": model,
            "steps": steps,
            "batch_size": 16,
            "validate_every": steps,
            "save_every": steps,
            "optimizer": {
                "name": "adamw",
                "lr": 2e-3,
                "weight_decay": 0.05,
                "warmup": steps // 10,
                "clip": 1.0,
            },
        }
    )


@torch.inference_mode()
def estimates(checkpoint: Path, test: Manifest) -> dict[str, npt.NDArray[np.float64]]:
    """Ages told from each number of places, in years."""
    predictor = load_checkpoint(checkpoint)
    model = predictor.model
    network = model.backbone.network
    assert isinstance(network, TNet)
    found: dict[int, list[torch.Tensor]] = {k: [] for k in LOCATIONS}
    with exact():
        for start in range(0, len(test), CHUNK):
            rows = range(start, min(start + CHUNK, len(test)))
            faces = torch.from_numpy(np.stack(test.faces(rows, (SIZE, SIZE), 1.0)))
            images = view_tensor(model.config, faces, predictor.views).flatten(0, 1)
            for k, parts in found.items():
                features = network.attend(images, locations=(k,) if k else ()).features
                parts.append(model.from_features(features[:, None]).age)
    return {f"{k} places": torch.cat(parts).double().numpy() for k, parts in found.items()}


def main() -> None:
    """Train, look at more and more places, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", default=FACES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--work", type=Path, default=Path("runs/tnet"))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    train, val, test = (read_data(args.faces, part) for part in ("train", "val", "test"))
    constant = float(train.frame["age"].astype(float).median())
    runs: list[dict[str, Any]] = []
    for seed in args.seeds:
        out, begun = args.work / f"seed-{seed}", time.process_time()
        there = (out / CHECKPOINT).is_file()
        path = trained(config_of(seed, args.steps), train, val, out, args.work / "cache")
        between = time.process_time()
        ages = estimates(path, test) | {"constant": np.full(len(test), constant)}
        mae = beside(test, ages, arm=ALONE)["mae"]
        print_beside({"mae": mae}, ALONE, f"seed {seed} ")
        minus = {
            name: {k: round(-row[k], 4) for k in ("value", "low", "high")} | {"p": row["p"]}
            for name, row in mae[f"{ALONE}_minus"].items()
        }  # of more places less none; the ends change places
        for row in minus.values():
            row["low"], row["high"] = row["high"], row["low"]
        runs.append(
            {
                "seed": seed,
                "cpu_s": {
                    "training": None if there else round(between - begun, 1),
                    "looking": round(time.process_time() - between, 1),
                },
                "mae": mae["figures"],
                "minus_no_place": minus,
            }
        )
    names = [name for name in runs[0]["mae"] if name != "constant"]
    found = {
        "faces": args.faces,
        "train_faces": len(train),
        "test_faces": len(test),
        "test_people": int(test.frame["subject_id"].nunique()),
        "noise_floor": noise_floor(read_spec(args.faces.removeprefix("rendered:"))),
        "training": config_of(args.seeds[0], args.steps).model_dump(mode="json", exclude={"seed"}),
        "machine": {"cpu": platform.machine(), "threads": 1},
        "versions": {name: version(name) for name in ("torch", "timm", "numpy")},
        "mean_over_seeds": {
            name: round(float(np.mean([run["mae"][name]["value"] for run in runs])), 3)
            for name in names
        },
        "runs": runs,
    }
    print(found["mean_over_seeds"])
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_text(args.out, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
