"""How the tests of the commands run them and read what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

FILES = ["audit.json", "predictions.parquet", "report.html"]
FEW = ("--n-boot", 20)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


def process(
    *arguments: object, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, with more environment if it is given."""
    command = [sys.executable, "-m", "hae.cli", *map(str, arguments)]
    everything = {**os.environ, **(environment or {})}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, check=False, env=everything
    )


def refused(done: Done) -> str:
    """The error line of a command that must end with 2 and say why in one line."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("hae-audit: error: ")
    return lines[0].removeprefix("hae-audit: error: ")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
