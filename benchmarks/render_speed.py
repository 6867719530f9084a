"""Rendered faces per second.

    python benchmarks/render_speed.py [--faces 2048] [--out benchmarks/results/render_speed.json]

The best of three runs for each size and number of threads, from the table of parameters to bytes;
absolute numbers depend on the machine. ``faces_per_cpu_s`` counts the seconds of all cores
together: where other programs run beside it (``load`` is their number) it says what a core does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from hae.data.rendered.paint import paint
from hae.data.rendered.people import cohort
from hae.data.rendered.spec import RenderSpec

SIZES = (64, 96, 128)
THREADS = (1, 2)
RUNS = 3


def speeds(faces: int) -> list[dict[str, Any]]:
    """One row for each size and number of threads."""
    params = cohort(RenderSpec(people=faces, photos=1))
    rows = []
    for size in SIZES:
        for threads in THREADS:
            times = [_seconds(params, size, threads) for _ in range(RUNS)]
            wall, cpu = (round(faces / min(column)) for column in zip(*times, strict=True))
            row = {"size": size, "threads": threads, "faces_per_s": wall, "faces_per_cpu_s": cpu}
            rows.append(row)
            print(row, flush=True)
    return rows


def _seconds(params: pd.DataFrame, size: int, threads: int) -> tuple[float, float]:
    """On the clock, and of all cores together."""
    wall, cpu = time.perf_counter(), time.process_time()
    paint(params, size, threads)
    return time.perf_counter() - wall, time.process_time() - cpu


def machine() -> dict[str, Any]:
    """Where and with what."""
    names = ("numpy", "scipy", "pandas")
    versions = {name: version(name) for name in names}
    load = round(os.getloadavg()[0], 1)
    return {"cores": os.cpu_count(), "load": load, "python": platform.python_version(), **versions}


def main() -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=2048)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = {"machine": machine(), "faces": options.faces, "speed": speeds(options.faces)}
    print(found["machine"])
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
