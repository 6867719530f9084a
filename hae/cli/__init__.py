"""The command line: the only place that prints and that sees all three packages."""

from __future__ import annotations


def main() -> None:
    """Run ``hae-audit``."""
    raise SystemExit("hae-audit: not there yet")
