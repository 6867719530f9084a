"""A frozen backbone sees many views of every face once; training draws K of them each time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from audit.errors import InputError
from audit.files import write_text
from audit.hashing import mix, uniforms
from hae.inference import chunk_size, filled, view_tensor
from hae.models.age import AgeModel
from hae.models.expression import ExpressionModel
from hae.models.neck import features_of, regions_of
from hae.precision import exact
from hae.training.faces import Faces
from hae.training.store import locked, new_array
from hae.views import ViewParams

Features = npt.NDArray[np.float16]
IntArray = npt.NDArray[np.int64]
ViewsOf = Callable[[npt.NDArray[np.int64]], ViewParams]
"""Keys of some faces (int64) -> their views."""
Network = AgeModel | ExpressionModel
"""A model whose backbone looks at the faces."""


@dataclass(frozen=True, eq=False)
class Kind:
    """What is kept of a view: views (b, V, 3, h, w) -> (b, V, *shape)."""

    name: str
    shape: tuple[int, ...]
    run: Callable[[Tensor], Tensor]


def kept_features(model: Network) -> Kind:
    """What comes out of the backbone, (d_b,)."""
    backbone = model.backbone
    return Kind("features", (backbone.out_dim,), lambda views: features_of(backbone, views))


def kept_regions(model: Network) -> Kind:
    """The regions that the aggregator uses, (r, c).

    Raises
    ------
    InputError
        The backbone has none.
    """
    cells, backbone = model.config.aggregator.cells, model.backbone
    shape = (backbone.n_regions(model.config.size, cells), backbone.region_dim)
    return Kind(f"regions-{cells}", shape, lambda views: regions_of(backbone, views, cells))


def embed(
    model: Network,
    faces: Faces,
    views_of: ViewsOf,
    n_views: int,
    recipe: str,
    cache: Path,
    device: torch.device,
    progress: Callable[[int], object] = lambda done: None,
    kind: Kind | None = None,
) -> Features:
    """Features (n, V, d_b) of every view of every face, float16, in a memory-mapped file.

    Or of another ``kind``, (n, V, *shape).

    An interrupted run goes on after the last whole block. ``recipe`` says what pixels and views
    depend on; the file's name is a hash of it, of the faces, of the normalisation and of the
    backbone's weights.

    Raises
    ------
    InputError
        A feature is not finite in float16, or the disk is full.
    """
    kind = kept_features(model) if kind is None else kind
    name = f"{kind.name}-{_digest(model, faces, recipe)}"
    path, state = cache / f"{name}.npy", cache / f"{name}.json"
    shape = (len(faces), n_views, *kind.shape)
    with locked(path.with_suffix(".lock")):
        done = _done(state) if path.is_file() else 0
        if done == 0:
            state.unlink(missing_ok=True)  # it would speak of a file that is gone
            new_array(path, np.float16, shape).flush()
        if done < len(faces):
            store = np.load(path, mmap_mode="r+")
            _fill(model, kind, faces, views_of, store, done, state, device, progress)
        else:
            progress(done)
    stored: Features = np.load(path, mmap_mode="r")
    return stored


@torch.inference_mode()
def _fill(
    model: Network,
    kind: Kind,
    faces: Faces,
    views_of: ViewsOf,
    store: np.memmap[Any, np.dtype[np.float16]],
    done: int,
    state: Path,
    device: torch.device,
    progress: Callable[[int], object],
) -> None:
    chunk, block_size = chunk_size(device, store.shape[1]), 16 * chunk_size(device)
    progress(done)
    for block in range(done, len(faces), block_size):
        end = min(block + block_size, len(faces))
        for start in range(block, end, chunk):
            rows = np.arange(start, min(start + chunk, end))
            pixels = filled(torch.from_numpy(faces.pixels(rows)).to(device), chunk)
            keys = np.zeros(chunk, dtype=np.int64)
            keys[: len(rows)] = faces.sample[rows].view(np.int64)
            views = view_tensor(model.config, pixels, views_of(keys).to(device))
            with exact():
                found = kind.run(views)[: len(rows)].half().cpu().numpy()
            if not np.isfinite(found).all():
                raise InputError(
                    "embed_views: the backbone's features exceed what float16 holds; train with "
                    "embed_views = 0"
                )
            store[rows] = found
            progress(len(rows))
        store.flush()
        write_text(state, json.dumps({"faces": end}))


def _done(state: Path) -> int:
    try:
        return int(json.loads(state.read_text(encoding="utf-8"))["faces"])
    except (OSError, ValueError, KeyError):
        return 0


def _digest(model: Network, faces: Faces, recipe: str) -> str:
    config = model.config
    seen = (recipe, config.backbone.identity, config.size, config.keep, config.mean, config.std)
    digest = sha256(repr(seen).encode())
    digest.update(np.ascontiguousarray(faces.sample).tobytes())
    digest.update(np.ascontiguousarray(faces.store[faces.row[:1]]).tobytes())
    for key, values in sorted(model.backbone.state_dict().items()):
        digest.update(key.encode())
        digest.update(values.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def choose_views(
    faces: Faces, rows: IntArray, epoch: int, seed: int, n_views: int, k: int
) -> IntArray:
    """K of the V embedded views for each row in an epoch, all different, (b, k).

    The order of a hash of (seed, epoch, view, face) decides, so that rows and batches do not
    matter.
    """
    keys = mix(faces.sample[rows])  # draws of their own: those of the faces order the epochs
    draws = [uniforms(keys, seed, epoch * n_views + view) for view in range(n_views)]
    return np.argsort(np.stack(draws, axis=1), axis=1, kind="stable")[:, :k]
