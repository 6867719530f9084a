"""What TNet's looking costs: MACs, time and memory of 0 to 5 locations beside dense crops.

    python -m benchmarks.tnet [--sizes 224 448 896] [--repeats 5]
        [--out benchmarks/results/tnet.json]

The claim (Papadopoulos, Korus & Memon, NeurIPS 2021) is about compute: at 896 px a network sees the
whole at 224 px and a few windows at full resolution, and its cost grows with the windows and not
with the image. All cases of a size stand in one run, on one image of noise, with one extractor
without weights (EfficientNet-B0 of timm), on one thread of a CPU, without gradients:

- ``plain``: the extractor on the whole image at its full size;
- ``k``: TNet, the whole at the base and the k windows that it finds best;
- ``dense``: TNet on all places of its grid, which equals dense crops (tests);
- at 896 px ``2,1`` and ``9,9``: the paper's two levels of 3 x 3 windows of half the side, in passes
  1 + 2 + 2; and all 91.

The base is 224 px (112 at 224 px). Windows of one level show full resolution: 4 x 4 that tile the
image without overlap at 896 px (the cheapest dense crops there are), 3 x 3 of half the side at
224 and 448 px. ``macs`` are half of the operations that torch counts in convolutions and matrix
products; ``per_pass`` is their share of passes x the extractor at the base. Seconds are the least
of some calls, which go round the cases, so that all share the machine's moods; ``of_plain`` are
ratios to the plain extractor at the same size. ``allocated_mb``: what torch's allocator holds
beyond weights and image at most; ``process_mb``: the peak of a process of its own less what it held
before (Linux; else left out). On a machine that works beside, seconds say nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from audit.files import write_text
from hae.backbones.network import Backbone
from hae.backbones.tnet import TNet
from hae.config import BackboneConfig
from hae.generality.memory import peak_of
from hae.precision import exact

EXTRACTOR = "efficientnet_b0"
BASE = {224: 112, 448: 224, 896: 224}
FLAT = {224: (3, 0.5), 448: (3, 0.5), 896: (4, 0.25)}
"""Grid and overlap of one level whose windows are as large as the base."""
LOCATIONS = range(6)
MIB = 2**20
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """``locations``: how many at each level; None is the plain extractor."""

    size: int
    name: str
    grid: int
    overlap: float
    locations: tuple[int, ...] | None

    @property
    def passes(self) -> int:
        """Of the extractor: 1 + k1 + k1 k2 + ..."""
        total, before = 1, 1
        for k in self.locations or ():
            before *= k
            total += before
        return total


def cases_of(size: int) -> list[Case]:
    """What stands side by side at a size."""
    grid, overlap = FLAT[size]
    found = [Case(size, "plain", grid, overlap, None)]
    found += [Case(size, str(k), grid, overlap, (k,) if k else ()) for k in LOCATIONS]
    found.append(Case(size, "dense", grid, overlap, (grid**2,)))
    if size == 896:
        found += [Case(size, "2,1", 3, 0.5, (2, 1)), Case(size, "9,9", 3, 0.5, (9, 9))]
    return found


def network_of(case: Case, extractor: str) -> Callable[[Tensor], Tensor]:
    """A pass without gradients over images of a size."""
    torch.manual_seed(0)
    if case.locations is None:
        plain = Backbone(extractor, size=case.size).eval()
        return torch.inference_mode()(plain)
    settings = BackboneConfig(
        name="tnet",
        of=extractor,
        base=BASE[case.size],
        grid=case.grid,
        overlap=case.overlap,
        locations=case.locations or (1,),
    )
    backbone, locations = Backbone(settings, size=case.size).eval(), case.locations
    network = backbone.network
    assert isinstance(network, TNet)

    @torch.inference_mode()
    def run(images: Tensor) -> Tensor:
        return network.attend(images, locations=locations).features

    return run


def image_of(size: int) -> Tensor:
    """One image of noise, channels last."""
    draw = torch.Generator().manual_seed(1)
    noise = torch.randn(1, 3, size, size, generator=draw)
    return noise.to(memory_format=torch.channels_last)


def macs_of(work: Callable[[], object]) -> int:
    """Multiplications with additions, of convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops()) // 2


def held(key: str) -> int | None:
    """Bytes that this process holds (``VmRSS``) or held at most (``VmHWM``); None off Linux."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    lines = (line.split() for line in status.read_text("ascii").splitlines())
    return next(1024 * int(words[1]) for words in lines if words and words[0] == f"{key}:")


def alone(case: Case, extractor: str) -> None:
    """In a process of its own: print the bytes that one pass adds at most."""
    work, image = network_of(case, extractor), image_of(case.size)
    before = held("VmRSS")
    with exact():
        work(image)
    most = held("VmHWM")
    print("null" if before is None or most is None else most - before)


def process_bytes(case: Case, extractor: str) -> int | None:
    """What :func:`alone` says."""
    command = [sys.executable, "-m", "benchmarks.tnet", "--extractor", extractor, "--alone"]
    said = subprocess.run(
        [*command, json.dumps(asdict(case))], check=True, capture_output=True, text=True
    )
    found: int | None = json.loads(said.stdout)
    return found


def beside(size: int, repeats: int, extractor: str) -> list[dict[str, Any]]:
    """All cases of a size, on the same image."""
    cases, image = cases_of(size), image_of(size)
    works = {case.name: network_of(case, extractor) for case in cases}
    at_base = Case(BASE[size], "plain", *FLAT[size], None)
    one_pass = network_of(at_base, extractor)
    macs_at_base = macs_of(lambda: one_pass(image_of(BASE[size])))
    rows, least = [], dict.fromkeys(works, float("inf"))
    for i in range(repeats + 1):  # the first warms up
        for name, work in works.items():
            start = time.perf_counter()
            work(image)
            if i:
                least[name] = min(least[name], time.perf_counter() - start)
    for case in cases:
        work, own = works[case.name], process_bytes(case, extractor)
        macs = macs_of(lambda work=work: work(image))  # type: ignore[misc]
        row = {
            "size": size,
            "case": case.name,
            "passes": case.passes,
            "macs": macs,
            "seconds": round(least[case.name], 4),
            "allocated_mb": round(peak_of(lambda work=work: work(image), CPU) / MIB, 1),  # type: ignore[misc]
            "process_mb": None if own is None else round(own / MIB, 1),
        }
        if case.locations is not None:
            row["per_pass"] = round(macs / (case.passes * macs_at_base), 4)
        plain = rows[0] if rows else row
        names = ("macs", "seconds", "allocated_mb", "process_mb")
        row["of_plain"] = {k: round(row[k] / plain[k], 3) for k in names if row[k] and plain[k]}
        rows.append(row)
        print(shown(row), flush=True)
    return rows


def shown(row: dict[str, Any]) -> str:
    """A case in one line."""
    ratios = ", ".join(f"{name} {value:.2f}" for name, value in row["of_plain"].items())
    return (
        f"{row['size']} px {row['case']:>6}: {row['passes']:2} passes, {row['macs'] / 1e9:6.3f} "
        f"GMAC, {row['seconds']:.3f} s, {row['allocated_mb']} MB allocated; of plain: {ratios}"
    )


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", choices=list(FLAT), default=list(FLAT))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--extractor", default=EXTRACTOR)
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # without weights deep maps may shrink to them
    if options.alone:
        alone(Case(**json.loads(options.alone)), options.extractor)
        return
    before = os.getloadavg()[0]
    with exact():
        rows = [
            r for size in options.sizes for r in beside(size, options.repeats, options.extractor)
        ]
    found = {
        "machine": {
            "cpu": platform.machine(),
            "cores": os.cpu_count(),
            "threads": 1,
            "load_before": round(before, 1),
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "timm")},
        },
        "extractor": options.extractor,
        "repeats": options.repeats,
        "bases": {str(size): BASE[size] for size in options.sizes},
        "cases": rows,
    }
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.out, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
