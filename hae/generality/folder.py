"""A folder holds one grid: what it was made of is written beside the cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit.errors import InputError
from audit.files import write_text
from hae.data.core import Manifest, state_hash
from hae.generality.cells import Bench
from hae.generality.grid import GridConfig

SIGN = "grid.json"


@contextmanager
def signed(grid: GridConfig, bench: Bench, others: Manifest | None, out: Path) -> Iterator[None]:
    """Keep a folder to one grid; one that was refused before a cell began leaves it free.

    Raises
    ------
    InputError
        The folder holds another grid, or one of other faces.
    """
    path = out / SIGN
    parts = {"train": bench.train, "validation": bench.validation, "test": bench.test}
    parts |= {"first": others} if others is not None else {}
    wanted: dict[str, Any] = grid.model_dump(mode="json")
    wanted["data"] = {name: state_hash(manifest) for name, manifest in parts.items()}
    new = not path.exists()
    if new:
        write_text(path, json.dumps(wanted, indent=1) + "\n")
    else:
        _check_sign(path, wanted)
    try:
        yield
    except InputError:
        if new:
            path.unlink()
        raise


def _check_sign(path: Path, wanted: Mapping[str, Any]) -> None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path}: does not say which grid this is; give another --out")
    changed = [key for key in wanted if found.get(key) != wanted[key]]
    if changed:
        raise InputError(
            f"{path.parent}: holds a grid that differs in {', '.join(changed)}; give another --out"
        )
