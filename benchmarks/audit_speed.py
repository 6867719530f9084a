"""The complete audit of 10,000 to 20,000,000 predictions: seconds, memory, what bounds it.

    python benchmarks/audit_speed.py [--huge] [--out benchmarks/results/audit_speed.json]

A simulated table with three attributes (2 x 7 x 9 values: 126 cells) in all of their seven
combinations: all metrics, 1,000 replicates, max-T and adjusted intervals, aggregates, debiased
largest gaps, pooling, slices, curves. Ages with a face a person; ages and expressions (seven
classes with probabilities) with three photos a person; ages with a predicted distribution and
three age gates. With ``--huge`` a Parquet file of twenty
million rows is written in row groups and audited as a stream. Every audit runs in a process of its
own, so that its peak memory is its own; ``seconds`` leave out start and imports. The exponent of
the growth is the slope of log seconds on log rows. What bounds it: shares of the time by stage,
from a profile of another run, which is slower than the timed one.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import platform
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from audit import audit
from audit.stream import audit_file

ATTRIBUTES = {
    "gender": [f"gender {i}" for i in range(2)],
    "race": [f"race {i}" for i in range(7)],
    "band": [f"band {i}" for i in range(9)],
}
BY = [",".join(names) for k in (1, 2, 3) for names in combinations(ATTRIBUTES, k)]
GATES = ("18", "18:25", "21")
CLASSES = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
PHOTOS = 3
KINDS = {
    "age": ("age", 1),
    "people": ("age", PHOTOS),
    "expression": ("expression", PHOTOS),
    "distribution": ("distribution", 1),
}
HUGE = 20_000_000
GROUP = 2**18
STAGES = {
    "reading and checking the table": ("predictions_from_frame", "audit/predictions.py"),
    "sums by person and cell": ("collect_table", "audit/collect.py"),
    "moments over persons": ("all_moments", "audit/moments.py"),
    "sums of resampled units": ("_resampled", "audit/evidence.py"),
    "quantiles": ("all_quantiles", "audit/resample.py"),
    "calibration beside chance": ("calibrations", "audit/calibrated.py"),
    "replicates and folds": ("resample", "audit/resample.py"),
    "estimates": ("build_block", "audit/block.py"),
    "rows of values": ("metric_rows", "audit/values.py"),
    "gaps, families, largest gaps": ("gap_rows", "audit/gaps.py"),
    "aggregates": ("aggregate_rows", "audit/aggregates.py"),
    "fairness statistics": ("fairness_rows", "audit/fairness_rows.py"),
    "gaps at equal age or class mix": ("equal_terms_rows", "audit/equal_terms.py"),
    "permutation of persons": ("permute", "audit/permutation.py"),
    "worst slices": ("slice_rows", "audit/slices.py"),
    "parts on disk": ("write_parts", "audit/spill.py"),
}


def rows_of(n: int, start: int, task: str, photos: int) -> pd.DataFrame:
    """Rows ``start`` to ``start + n`` of the table: the same whatever the groups it is cut into."""
    rng = np.random.default_rng([start, n])
    row = np.arange(start, start + n)
    person = row // photos
    mixed = (person.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    found: dict[str, Any] = {"sample_id": [f"face{i:09d}" for i in row]}
    if photos > 1:
        found["subject_id"] = [f"person{i:09d}" for i in person]
    for shift, (name, values) in zip((11, 23, 37), ATTRIBUTES.items(), strict=True):
        code = (mixed >> np.uint64(shift)) % np.uint64(len(values))
        found[name] = pd.Categorical.from_codes(code.astype(np.int64), values).astype(str)
    if task != "expression":
        age = rng.uniform(0, 90, n)
        found |= {"age": age, "age_pred": age + rng.normal(0, 6, n)}
        return pd.DataFrame(found | ({"age_std": 6.0} if task == "distribution" else {}))
    k = len(CLASSES)
    score, y = rng.normal(0, 1, (n, k)), rng.integers(0, k, n)
    score[np.arange(n), y] += 2
    proba = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    found["expression"] = np.array(CLASSES, dtype=object)[y]
    return pd.DataFrame(found | {f"prob_{c}": proba[:, j] for j, c in enumerate(CLASSES)})


def write_huge(path: Path, n: int, task: str, photos: int) -> None:
    """Write the table in row groups, never whole."""
    writer = None
    for start in range(0, n, GROUP):
        table = pa.Table.from_pandas(
            rows_of(min(GROUP, n - start), start, task, photos), preserve_index=False
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def here(task: str, n: int, photos: int, path: str | None, *, profiled: bool) -> dict[str, Any]:
    """One audit in this process: seconds, peak memory, and the stages of a profile on request."""
    job: Callable[[], Any]
    if path is None:
        frame = rows_of(n, 0, task, photos)
        more: dict[str, Any] = {"gates": GATES} if task == "distribution" else {}
        of = "age" if task == "distribution" else task
        job = lambda: audit(frame, task=of, by=BY, **more)  # noqa: E731
    else:
        job = lambda: audit_file(path, task=task, by=BY)  # noqa: E731
    load = os.getloadavg()[0]
    profile = cProfile.Profile() if profiled else None
    start = time.perf_counter()
    if profile is not None:
        profile.enable()
    result = job()
    if profile is not None:
        profile.disable()
    seconds = time.perf_counter() - start
    found = {
        "task": task,
        "rows": n,
        "photos_a_person": photos,
        "streamed": path is not None,
        "seconds": round(seconds, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "load_before": round(load, 1),
        "metric_rows": len(result.metrics),
        "gap_rows": len(result.gaps),
    }
    return found | ({"stages": stages(profile)} if profile is not None else {})


def stages(profile: cProfile.Profile) -> dict[str, float]:
    """Share of the time of every stage, largest first; what is in none of them is ``other``."""
    stats: Any = pstats.Stats(profile)
    total = stats.total_tt
    spent = {
        stage: sum(
            row[3]
            for (file, _, name), row in stats.stats.items()
            if name == function and file.endswith(module)
        )
        for stage, (function, module) in STAGES.items()
    }
    found = {stage: round(part / total, 3) for stage, part in spent.items() if part > 0}
    found["other"] = round(max(0.0, 1 - sum(found.values())), 3)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def apart(task: str, n: int, photos: int, path: Path | None, *, profiled: bool) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--one", task, str(n), str(photos), str(path or "")]
    command += ["--profile"] if profiled else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def exponent(rows: Sequence[dict[str, Any]]) -> float | None:
    """Slope of log seconds on log rows; None for fewer than two sizes."""
    if len(rows) < 2:
        return None
    x, y = (np.log([row[name] for row in rows]) for name in ("rows", "seconds"))
    return round(float(np.polyfit(x, y, 1)[0]), 2)


def machine() -> dict[str, Any]:
    """Where and with what."""
    names = ("numpy", "scipy", "pandas", "pyarrow", "pydantic")
    threads = {name: os.environ.get(name, "unset") for name in ("OMP_NUM_THREADS",)}
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
        **threads,
    }


def series(task: str, photos: int, sizes: Sequence[int]) -> dict[str, Any]:
    """One kind of table at several sizes, its exponent, and what bounds the largest."""
    rows = []
    for n in sizes:
        rows.append(apart(task, n, photos, None, profiled=False))
        print(rows[-1], flush=True)
    bounds = apart(task, sizes[-1], photos, None, profiled=True)["stages"]
    found = {"task": task, "photos_a_person": photos, "sizes": rows}
    found |= {"exponent_all": exponent(rows), "exponent_last": exponent(rows[-2:])}
    found["bounded_by"] = bounds
    print({key: found[key] for key in ("exponent_all", "exponent_last", "bounded_by")}, flush=True)
    return found


def added(plain: dict[str, Any], full: dict[str, Any]) -> list[float]:
    """What distributions, gates and gaps at equal age add to the time of the rest, by size.

    Gaps at equal age are in both: their share comes from the profile of the largest table.
    """
    equal = plain["bounded_by"].get("gaps at equal age or class mix", 0.0)
    pairs = zip(plain["sizes"], full["sizes"], strict=True)
    return [round(b["seconds"] / (a["seconds"] * (1 - equal)) - 1, 2) for a, b in pairs]


def huge(task: str, photos: int, n: int) -> dict[str, Any]:
    """A streamed file, written for the purpose and removed."""
    with tempfile.TemporaryDirectory(prefix="audit-speed-") as folder:
        path = Path(folder) / "table.parquet"
        write_huge(path, n, task, photos)
        found = apart(task, n, photos, path, profiled=False)
        found["file_mib"] = round(path.stat().st_size / 2**20)
    print(found, flush=True)
    return found


def main() -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--huge", action="store_true", help="also twenty million rows, streamed")
    parser.add_argument("--huge-rows", type=int, default=HUGE)
    parser.add_argument("--only", choices=[*KINDS, "huge"], nargs="+")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--profile", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        task, n, photos, path = options.one
        found = here(task, int(n), int(photos), path or None, profiled=options.profile)
        print(json.dumps(found))
        return
    wanted = options.only or [*KINDS, *(["huge"] if options.huge else [])]
    result: dict[str, Any] = {"machine": machine(), "load_at_start": os.getloadavg()[0]}
    result["series"] = [series(*KINDS[kind], options.rows) for kind in KINDS if kind in wanted]
    if {"age", "distribution"} <= set(wanted):
        result["calibration_adds"] = added(*(result["series"][i] for i in (0, -1)))
        print("distributions, gates and equal age add:", result["calibration_adds"], flush=True)
    if "huge" in wanted:
        result["streamed"] = [huge("age", photos, options.huge_rows) for photos in (1, PHOTOS)]
    print(result["machine"])
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
