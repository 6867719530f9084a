"""A page as PDF, printed by a Chromium without a window, where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from audit.errors import InputError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 300


def write_pdf(html: str, target: Path) -> None:
    """Print a page; every fold is open on paper.

    Raises
    ------
    InputError
        No browser is installed, or it could not print.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise InputError("--format pdf: needs Chromium, found none; install it, or leave pdf out")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page, made = Path(folder, "page.html"), Path(folder, "page.pdf")
        page.write_text(html, encoding="utf-8")
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        command = [
            browser, "--headless", "--disable-gpu", *(["--no-sandbox"] if root else []),
            f"--user-data-dir={folder}/profile", "--disable-background-networking",
            "--no-first-run", "--no-pdf-header-footer", "--virtual-time-budget=60000",
            f"--print-to-pdf={made}", page.as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise InputError(
                f"--format pdf: {browser} did not end in {SECONDS} s; leave pdf out"
            ) from None
        if done.returncode != 0 or not made.is_file():
            raise InputError(f"--format pdf: {browser} failed ({done.returncode}); leave pdf out")
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            shutil.copyfile(made, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
