"""The Self-Cure Network beside plain cross-entropy on labels that were flipped on purpose.

    python -m benchmarks.cure --out benchmarks/results/cure.json
        [--data rendered:people=2000,photos=2,seed=5,ambiguous=0.15] [--splits train val test]
        [--noises symmetric:0.3 instance:0.3] [--seeds 1 2 3] [--arms ARM ...]
        [--most N] [--set KEY=VALUE ...] [--work DIR]

    python -m benchmarks.cure --data ferplus:ROOT --splits train valid test --most 6000 --noises \
        symmetric:0 symmetric:0.3 --arms scn_paper scn_no_relabel cross_entropy --set steps=1200 \
        model.size=48 model.backbone.init=random model.backbone.partial=false \
        expression.relabel_from=5 --out benchmarks/results/cure_ferplus.json

Every arm has the same network, first weights, steps, faces, views and flipped labels: plain
cross-entropy, SCN with relabels in the low group (the paper), in the whole batch (the released
code) and without any. Weights are chosen on validation faces whose labels are clean, for every arm
alike. Test faces keep their labels. Differences are paired by face, their intervals are by person
(by face where no person is named), and do not hold the spread between seeds.

Beside them stands how well flipped labels of the training faces are told by low importance, by the
margin P_max - P_label and by the loss of the label (AUC; intervals by resampling persons), and how
well low importance tells labels of the test faces that are flipped symmetrically: those faces were
never seen, so that it cannot know them. Faces whose label cannot be used, such as those without a
majority of the votes, are left out; ``--most`` takes about that many training faces, by a hash.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.special import log_softmax
from sklearn.metrics import roc_auc_score

from audit.hashing import text_keys, uniforms
from benchmarks.arms import beside, config_of, print_beside, trained
from hae.adapters.checkpoint import load_checkpoint
from hae.config import RunConfig
from hae.data.core import Manifest
from hae.data.label_noise import flip_labels
from hae.data.readers import read_data
from hae.predict import predict
from hae.training.cure_table import TABLE
from hae.training.train_expression import train_expression

RECIPE = Path(__file__).parent.parent / "recipes" / "cure.toml"
FACES = "rendered:people=2000,photos=2,seed=5,ambiguous=0.15"
ARMS = {
    "scn_paper": ["expression.relabel=low_group"],
    "scn_released": ["expression.relabel=whole_batch"],
    "scn_no_relabel": ["expression.relabel=off"],
    "cross_entropy": ["expression.cure=false"],
}
METRICS = ("accuracy",)
DRAWS = 500
Floats = npt.NDArray[np.float64]


def faces_of(source: str, split: str, most: int | None = None) -> Manifest:
    """The usable faces of a split, or about as many of them as asked for, by a hash of their id."""
    manifest = read_data(source, split)
    usable = np.array([not manifest.failure(row) for row in range(len(manifest))])
    keys = text_keys(manifest.frame["sample_id"].tolist(), "sample")
    share = 1.0 if most is None else most / max(usable.sum(), 1)
    usable &= uniforms(keys, 0, 0) < share
    if usable.all():
        return manifest
    if manifest.images is not None or manifest.boxes is not None:
        raise SystemExit(f"{source}: only image files without boxes can be taken in part")
    frame = manifest.frame[usable].reset_index(drop=True)
    return replace(manifest, frame=frame, reasons=(), rolls=None)


def parts_of(args: argparse.Namespace) -> list[Manifest]:
    """Training, validation and test faces; only training is taken in part."""
    first, *others = args.splits
    return [faces_of(args.data, first, args.most), *(faces_of(args.data, s) for s in others)]


def auc(flipped: npt.NDArray[np.bool_], score: Floats, person: npt.NDArray[Any]) -> dict[str, Any]:
    """Area under the curve of a score that is high for flipped labels, with its 95 % interval."""
    _, unit = np.unique(person, return_inverse=True)
    rng, n, found = np.random.default_rng(0), int(unit.max()) + 1, []
    for _ in range(DRAWS):
        weight = np.bincount(rng.integers(0, n, n), minlength=n)[unit]
        found.append(roc_auc_score(flipped, score, sample_weight=weight))
    low, high = np.quantile(found, (0.025, 0.975))
    return {"value": float(roc_auc_score(flipped, score)), "low": float(low), "high": float(high)}


def detection(table: pd.DataFrame) -> dict[str, Any]:
    """How well each score of a training table tells the flipped labels, and what was relabelled."""
    classes = [name.removeprefix("logit_") for name in table if name.startswith("logit_")]
    logs = log_softmax(table[[f"logit_{name}" for name in classes]].to_numpy(float), axis=1)
    given = table["expression_given"].map({name: k for k, name in enumerate(classes)}).to_numpy()
    own = logs[np.arange(len(table)), given]
    flipped = table["flipped"].to_numpy() == 1
    who = table["subject_id"] if "subject_id" in table else table["sample_id"]
    scores = {"margin": np.exp(logs.max(axis=1)) - np.exp(own), "loss": -own}
    if "importance" in table:
        scores = {"importance": -table["importance"].to_numpy(float), **scores}
    found: dict[str, Any] = {f"auc_{k}": auc(flipped, v, who.to_numpy()) for k, v in scores.items()}
    found["flipped"] = float(flipped.mean())
    if "relabelled" in table:
        relabelled, corrected = (table[name].sum() for name in ("relabelled", "corrected"))
        found |= {
            "relabelled": float(table["relabelled"].mean()),
            "precision": float(corrected / relabelled) if relabelled else None,
            "recall": float(corrected / flipped.sum()),
            "importance_mean": float(table["importance"].mean()),
            "importance_sd": float(table["importance"].std()),
        }
    return found


def fresh(predicted: pd.DataFrame, test: Manifest, seed: int) -> dict[str, Any] | None:
    """AUC of low importance for labels of unseen faces that are flipped symmetrically, 30 %."""
    if "importance" not in predicted:
        return None
    seen = predicted[predicted["importance"].notna()]
    codes, names = pd.factorize(seen["expression"], sort=True)
    keys = text_keys(seen["sample_id"].tolist(), "sample")
    flipped = flip_labels(codes.astype(np.int64), keys, len(names), 0.3, "symmetric", seed) != codes
    who = seen["subject_id"] if "subject_id" in seen else seen["sample_id"]
    return auc(flipped, -seen["importance"].to_numpy(float), who.to_numpy())


def one_run(noise: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """All arms of one seed and one kind of noise."""
    kind, _, rate = noise.partition(":")
    data = parts_of(args)
    test, estimates, found = data[-1], {}, {}
    for arm in args.arms:
        flips = [f"expression.noise={kind}", f"expression.label_noise={rate}"]
        flips = flips if float(rate) else []
        settings = [*args.set, *ARMS[arm], *flips, f"seed={seed}", f"name={arm}"]
        config: RunConfig = config_of(args.recipe, settings)
        out, start = args.work / f"{kind}-{rate}" / f"{arm}-{seed}", time.perf_counter()
        validation = data[1] if len(data) > 2 else None
        path = trained(config, data[0], validation, out, args.work / "cache", train_expression)
        seconds = round(time.perf_counter() - start, 1)
        predicted = predict(test, load_checkpoint(path), workers=1)
        estimates[arm] = predicted["expression_pred"].to_numpy(dtype=object)
        found[arm] = {"seconds": seconds, "fresh_auc": fresh(predicted, test, seed)}
        if float(rate):
            found[arm] |= detection(pd.read_parquet(out / TABLE))
    compared = beside(test, estimates, arm="cross_entropy", metrics=METRICS, task="expression")
    print_beside(compared, "cross_entropy", f"{noise} seed {seed} ")
    return {"noise": kind, "rate": float(rate), "seed": seed, "compared": compared, "arms": found}


def main() -> None:
    """Train, predict, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=FACES)
    parser.add_argument("--splits", nargs="+", default=["train", "val", "test"])
    parser.add_argument("--noises", nargs="+", default=["symmetric:0.3", "instance:0.3"])
    parser.add_argument("--most", type=int, help="about so many training faces")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--work", type=Path, default=Path("runs/cure"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/cure.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = [one_run(noise, seed, args) for noise in args.noises for seed in args.seeds]
    sizes = dict(zip(args.splits, map(len, parts_of(args)), strict=True))
    record = {
        "data": read_data(args.data).name,
        "faces": sizes,
        "settings": args.set,
        "versions": {name: version(name) for name in ("torch", "timm", "numpy")},
        "runs": runs,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
