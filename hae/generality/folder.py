"""A folder holds one grid, which may grow: what it is made of is written beside the cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from audit.errors import InputError
from audit.files import write_text
from hae.data.core import Manifest, state_hash
from hae.generality.cells import Bench
from hae.generality.grid import GridConfig

SIGN = "grid.json"
GROWING = (
    "backbones", "aggregators", "expression_heads", "heads", "ks", "bin_widths", "seeds",
    "seeds_of",
)  # fmt: skip
"""Keys that may name more than before: the cells that are there stay as they are."""


@contextmanager
def signed(grid: GridConfig, bench: Bench, others: Manifest | None, out: Path) -> Iterator[None]:
    """Keep a folder to one grid; one that was refused before a cell began leaves it as it was.

    Raises
    ------
    InputError
        The folder holds a grid that is no part of this one, or one of other faces.
    """
    path = out / SIGN
    parts = {"train": bench.train, "validation": bench.validation, "test": bench.test}
    parts |= {"first": others} if others is not None else {}
    wanted: dict[str, Any] = grid.model_dump(mode="json")
    wanted["data"] = {name: state_hash(manifest) for name, manifest in parts.items()}
    before = path.read_text(encoding="utf-8") if path.exists() else None
    if before is not None:
        _check_sign(path, before, wanted)
    write_text(path, json.dumps(wanted, indent=1) + "\n")
    try:
        yield
    except InputError:
        if before is None:
            path.unlink()
        else:
            write_text(path, before)
        raise


def _check_sign(path: Path, before: str, wanted: Mapping[str, Any]) -> None:
    found = None
    with suppress(ValueError):
        found = json.loads(before)
    if not isinstance(found, dict):
        raise InputError(f"{path}: does not say which grid this is; give another --out")
    found = _whole(found)
    changed = [key for key in wanted if not _goes_on(key, found, wanted)]
    if changed:
        more = "; a grid may grow, so name all that it has" if {*changed} & {*GROWING} else ""
        raise InputError(
            f"{path.parent}: holds a grid that differs in {', '.join(changed)}{more}; give another "
            "--out"
        )


def _whole(found: dict[str, Any]) -> dict[str, Any]:
    """A grid as it was written, with defaults for the keys that did not exist then."""
    data = found.get("data")
    with suppress(ValueError):  # one that this version cannot read differs
        own = {key: value for key, value in found.items() if key != "data"}
        found = GridConfig.model_validate(own).model_dump(mode="json")
    return found | {"data": data}


def _goes_on(key: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a key is as it was, or names more than it did."""
    before, now = found.get(key), wanted[key]
    if before == now:
        return True
    if key == "seeds_of":
        old, new = _seeds(found), _seeds(wanted)
        return bool(old) and all(own <= new.get(name, own) for name, own in old.items())
    if key == "data":  # people to learn from, where nobody learned yet
        bare = any(backbone["init"] == "random" for backbone in found.get("backbones", []))
        return not bare and before == {k: v for k, v in now.items() if k != "first"}
    return key in GROWING and isinstance(before, list) and all(item in now for item in before)


def _seeds(written: Mapping[str, Any]) -> dict[str, set[int]]:
    """The seeds of every backbone of a grid as it was written; empty if it cannot be read."""
    with suppress(ValueError):
        own = {key: value for key, value in written.items() if key != "data"}
        grid = GridConfig.model_validate(own)
        names = [backbone.label for backbone in grid.backbones]
        return {name: {*grid.seeds_of.get(name, grid.seeds)} for name in names}
    return {}
