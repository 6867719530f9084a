"""Faces per second from files and from a pack, beside a plain PyTorch loader, in one run.

    python benchmarks/data_speed.py [--data fairface:../shared/data/fairface] [--faces 4096]
        [--out benchmarks/results/data_speed.json]

Every way is taken once to warm up and then in turn, round by round; figures are the quartile, the
median and the quartile of the rounds, and a ratio is taken within each round. ``per_cpu_s`` counts
the seconds of all threads and worker processes together: where other programs run beside it
(``load``) it says what a core does, and waiting for the disk does not count. ``loader`` is what
most training code has: a Dataset that opens an image with Pillow, converts, resizes and makes a
tensor.

Two sources: the faces of ``--data``, and some of them scaled up to 1,024 pixels, which are decoded
at a smaller scale where the decoder can. All files lie in the page cache. simplejpeg is measured
where it is installed; it is no dependency.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import multiprocessing
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms import v2

from hae.data.core import Manifest
from hae.data.decode import decoded, decoders
from hae.data.images import fit_face
from hae.data.manifest import read_manifest
from hae.data.packs.info import PIXELS
from hae.data.packs.read import read_pack
from hae.data.packs.write import write_pack
from hae.data.readers import read_data
from hae.training.faces import load_faces

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

SIZE, BATCH, LARGE, LARGE_SIDE = 224, 64, 128, 1024
HEADER = 128
Bytes = npt.NDArray[np.uint8]
Job = Callable[[], object]
"""What it gives back is called after the clock has stopped, if it can be called."""
Rates = tuple[float, float]
"""Per second on the clock, and per second of all cores together."""


class Plain(Dataset[torch.Tensor]):
    """The dataset of most training code."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        resize = v2.Resize((SIZE, SIZE))
        self.steps = v2.Compose([resize, v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index]) as image:
            return self.steps(image.convert("RGB"))  # type: ignore[no-any-return]


def loader(paths: list[Path], workers: int) -> Job:
    """An epoch of the plain loader; its processes live on between the rounds."""
    batches = DataLoader(Plain(paths), BATCH, num_workers=workers, persistent_workers=workers > 0)
    return lambda: sum(len(batch) for batch in batches)


def ours(manifest: Manifest, workers: int) -> Job:
    """All faces through the decoding threads, as prediction takes them."""

    def job() -> int:
        with decoders(workers) as pool:
            rows = range(len(manifest))
            found = decoded(manifest, rows, (SIZE, SIZE), 1.0, pool=pool, batch_size=BATCH)
            return sum(len(torch.from_numpy(np.stack(faces))) for faces in found)

    return job


def packing(manifest: Manifest, folder: Path) -> Job:
    """A pack, decoded, summed and written, each time into a new folder; the first one stays."""
    numbers = itertools.count()

    def job() -> Callable[[], object]:
        number = next(numbers)
        write_pack(manifest, folder / f"p{number}", SIZE, workers=2)
        return lambda: number and shutil.rmtree(folder / f"p{number}")

    return job


def from_pack(folder: Path) -> dict[str, Job]:
    """Every byte of a pack once, by several ways."""
    manifest = read_pack(folder, None, {})
    faces = load_faces(manifest, SIZE, 1.0, folder / "unused", truth=False).faces
    path, n = folder / PIXELS, len(faces)
    memory, buffer = np.array(faces.store), np.empty((BATCH, SIZE, SIZE, 3), np.uint8)
    shuffled = np.random.default_rng(0).permutation(n)

    def plain_read() -> None:
        with path.open("rb", buffering=0) as stream:
            stream.seek(HEADER)
            while stream.readinto(memoryview(buffer).cast("B")):
                pass

    def copy(source: Bytes) -> None:
        for start in range(0, n, BATCH):
            part = source[start : start + BATCH]
            np.copyto(buffer[: len(part)], part)

    def batches(order: npt.NDArray[np.int64]) -> None:
        for start in range(0, n, BATCH):
            faces.pixels(order[start : start + BATCH])

    return {
        "plain read of the file": plain_read,
        "copy in memory": lambda: copy(memory),
        "pack, mapped anew, in order": lambda: copy(np.load(path, mmap_mode="r")),
        "pack, mapped, in order": lambda: copy(faces.store),
        "pack, training batches, in order": lambda: batches(np.arange(n)),
        "pack, training batches, shuffled": lambda: batches(shuffled),
        "pack, as prediction takes it": ours(manifest, 2),
    }


def decoding(files: list[bytes]) -> dict[str, Job]:
    """One thread, from a JPEG's bytes to (224, 224, 3); every decoder ends with Pillow's resize."""

    def resized(pixels: Bytes) -> Bytes:
        return fit_face(Image.fromarray(pixels), (SIZE, SIZE), 1.0)

    def pillow(data: bytes) -> Bytes:
        return fit_face(Image.open(io.BytesIO(data)), (SIZE, SIZE), 1.0)

    def whole(data: bytes) -> Bytes:
        return resized(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))

    def torchvision(data: bytes) -> Bytes:
        found = decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)
        return resized(np.ascontiguousarray(found.permute(1, 2, 0).numpy()))

    def simple(data: bytes) -> Bytes:
        return resized(simplejpeg.decode_jpeg(data, min_height=2 * SIZE, min_width=2 * SIZE))

    ways = {"pillow, as now": pillow, "pillow, whole": whole, "torchvision": torchvision}
    ways |= {"simplejpeg": simple} if simplejpeg else {}
    return {name: _each(way, files) for name, way in ways.items()}


def _each(way: Callable[[bytes], Bytes], files: list[bytes]) -> Job:
    return lambda: [way(data) for data in files]


def differences(files: list[bytes]) -> dict[str, dict[str, float]]:
    """How far the pixels of the other decoders are from those of today."""
    found = {name: np.stack(job()) for name, job in decoding(files[:64]).items()}  # type: ignore[call-overload]
    first = found.pop("pillow, as now").astype(np.int64)
    return {
        name: {
            "share_of_bytes_equal": round(float((pixels == first).mean()), 4),
            "largest_difference": int(np.abs(pixels - first).max()),
        }
        for name, pixels in found.items()
    }


def rounds(jobs: Mapping[str, Job], amount: float, repeats: int) -> dict[str, list[Rates]]:
    """Amount per second of each job in each round, after one round that does not count."""
    found: dict[str, list[Rates]] = {name: [] for name in jobs}
    for number in range(repeats + 1):
        for name, job in jobs.items():
            start, cpu = time.perf_counter(), cpu_seconds()
            after = job()
            wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
            if number:
                found[name].append((amount / wall, amount / max(cpu, 1e-3)))
            if callable(after):
                after()
    return found


def cpu_seconds() -> float:
    """Of this process and its living children."""
    total, tick = time.process_time(), os.sysconf("SC_CLK_TCK")
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / tick
    return total


def table(found: Mapping[str, list[Rates]], against: str) -> list[dict[str, Any]]:
    """Median and quartiles of each, and of its ratio to another in the same round."""
    rows, base = [], np.array(found[against])
    for name, pairs in found.items():
        rates = np.array(pairs)
        row: dict[str, Any] = {"way": name}
        for column, unit in enumerate(("s", "cpu_s")):
            row[f"per_{unit}"] = _spread(rates[:, column])
            row[f"ratio_per_{unit}"] = _spread(rates[:, column] / base[:, column])
        rows.append(row)
        print({**row, "against": against}, flush=True)
    return rows


def _spread(values: Any) -> list[float]:
    """[quartile, median, quartile] to 3 digits."""
    return [float(f"{value:.3g}") for value in np.quantile(values, (0.25, 0.5, 0.75))]


def enlarged(manifest: Manifest, folder: Path) -> Manifest:
    """The first faces at 1,024 pixels with fine noise, as JPEGs."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    names = []
    for number, path in enumerate(manifest.paths()[:LARGE]):
        with Image.open(path) as image:
            large = image.convert("RGB").resize((LARGE_SIDE, LARGE_SIDE), Image.Resampling.BICUBIC)
        noisy = np.asarray(large) + rng.normal(0, 4, (LARGE_SIDE, LARGE_SIDE, 1))
        names.append(f"{number}.jpg")
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / names[-1], quality=90)
    pd.DataFrame({"path": names}).to_csv(folder / "t.csv", index=False)
    return read_manifest(folder / "t.csv", None, {})


def source(manifest: Manifest, folder: Path, repeats: int) -> dict[str, Any]:
    """From files: loaders, packing and decoders."""
    paths, files = manifest.paths(), [path.read_bytes() for path in manifest.paths()]
    jobs = {
        "loader, in the process": loader(paths, 0),
        "loader, 2 workers": loader(paths, 2),
        "hae-audit, 1 thread": ours(manifest, 1),
        "hae-audit, 2 threads": ours(manifest, 2),
        "packing, 2 threads": packing(manifest, folder),
    }
    few = files[: min(len(files), 256)]
    with Image.open(paths[0]) as image:
        side = image.size
    return {
        "n": len(files),
        "side": side,
        "mean_file_bytes": round(float(np.mean([len(data) for data in files]))),
        "faces": table(rounds(jobs, len(files), repeats), "loader, 2 workers"),
        "faces_of_one_decoding_thread": table(
            rounds(decoding(few), len(few), repeats), "pillow, as now"
        ),
        "pixels_against_pillow_as_now": differences(files),
    }


@contextmanager
def scratch(place: Path | None) -> Iterator[Path]:
    """A folder for packs that is removed at the end."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


def machine() -> dict[str, Any]:
    """Where and with what."""
    names = ("numpy", "pillow", "torch", "torchvision", "simplejpeg")
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_at_start": round(os.getloadavg()[0], 1)}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return {**found, "python": platform.python_version(), "torch_threads": 1}


def main() -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fairface:../shared/data/fairface")
    parser.add_argument("--faces", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--scratch", type=Path, help="folder for the packs; default: the system's")
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    command = " ".join(["python benchmarks/data_speed.py", *sys.argv[1:]])
    found: dict[str, Any] = {"command": command, "note": options.note, "machine": machine()}
    manifest = read_data(options.data)
    manifest = Manifest(
        manifest.name, manifest.root, manifest.frame[: options.faces], (), crop=manifest.crop
    )
    with scratch(options.scratch) as folder:
        for number, faces in enumerate((manifest, enlarged(manifest, folder / "large"))):
            place = folder / f"packs{number}"
            found[("files", "large_files")[number]] = source(faces, place, options.repeats)
        gigabytes = len(manifest) * 3 * SIZE**2 / 1e9
        reading = rounds(from_pack(folder / "packs0" / "p0"), gigabytes, 3 * options.repeats)
        found["pack_gigabytes"] = round(gigabytes, 3)
        found["pack_gigabytes_read"] = table(reading, "plain read of the file")
    found["machine"]["load_at_end"] = round(os.getloadavg()[0], 1)
    print(found["machine"])
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
