"""Grids that come with the package: a TOML each, and faces where it brings its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from audit.configs import nearest
from audit.errors import InputError

_DRAWN = "group_share=0.35,blur=1.2"


@dataclass(frozen=True)
class Preset:
    """A grid, and the faces that it brings, as ``--data`` and ``--test-data`` would name them."""

    config: Path
    data: str | None = None
    test_data: str | None = None


def _file(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.toml")


PRESETS: Mapping[str, Preset] = {
    # the backbones of the zoo learned from people of seed 1
    "quick": Preset(
        _file("quick"),
        f"rendered:people=1600,photos=1,seed=8,{_DRAWN}",
        f"rendered:people=7000,photos=1,seed=9,{_DRAWN}",
    ),
    "ablation": Preset(_file("ablation")),
    "full": Preset(_file("full")),
}
"""Drawn faces of ``quick``: group B is blurred, so that there is a gap to narrow."""


def preset(name: str) -> Preset:
    """A preset by its name.

    Raises
    ------
    InputError
        There is none of this name; the choices are listed.
    """
    if name not in PRESETS:
        raise InputError(
            f"--preset {name}: no such preset; choose of {', '.join(nearest(name, PRESETS))}"
        )
    return PRESETS[name]
