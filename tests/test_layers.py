"""Who may import whom, by the source and by what really gets loaded."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("numpy", "pandas", "torch", "plotly", "jinja2", "onnxruntime", "PIL", "audit", "reports")
FORBIDDEN = {
    "audit": ("torch", "torchvision", "plotly", "jinja2", "onnxruntime", "hae", "reports"),
    "reports": ("torch", "torchvision", "onnxruntime", "hae"),
    "hae": ("plotly", "jinja2", "reports"),
}


def imports_of(path: Path) -> Iterator[str]:
    """Top-level names of everything that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_source_keeps_the_layers(package: str) -> None:
    files = [
        path
        for path in sorted((ROOT / package).rglob("*.py"))
        if (ROOT / "hae" / "cli") not in path.parents
    ]
    assert files
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imports_of(path)
        if name in FORBIDDEN[package]
    ]
    assert not wrong


def run(code: str) -> str:
    """Run code in a fresh interpreter; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


BLOCK = """
import sys
class Block:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "plotly", "jinja2"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block)
"""


def test_audit_works_without_torch() -> None:
    code = """
import audit.run, pandas as pd
frame = pd.DataFrame({"age": [20, 30], "age_pred": [22, 29], "gender": ["f", "m"]})
result = audit.run.audit(frame, task="age", by=["gender"], n_boot=0)
print(next(row.value for row in result.metrics if row.metric == "mae"))
"""
    assert run(BLOCK + code) == "1.5"


def test_prediction_with_onnx_needs_no_torch() -> None:
    code = "import hae.predict, hae.adapters.zoo, hae.data.readers\nprint('ok')"
    assert run(BLOCK + code) == "ok"


@pytest.mark.parametrize("arguments", [["--help"], ["evaluate", "--help"], ["predict", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from hae.cli import main
sys.argv = ["hae-audit", *{arguments!r}]
try:
    main()
except SystemExit as stop:
    assert stop.code in (0, None), stop.code
print("LOADED", sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    assert run(code).endswith("LOADED []")
