"""The command line: the only place that prints and that sees all three packages."""

from __future__ import annotations

import io
import shlex
import signal
import sys


def main() -> None:
    """Run ``hae-audit``: 0 done, 2 bad input or usage, 3 part failed, 130 interrupted.

    A reader that closes the pipe early ends the command quietly.
    """
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a sign that a terminal lacks is no failure
    from hae.cli.app import app

    try:
        app(prog_name="hae-audit", obj=shlex.join(["hae-audit", *sys.argv[1:]]))
    except (ValueError, OSError) as error:
        _fail(error)


def _fail(error: Exception) -> None:
    """Print what the user can mend in one line; anything else is a bug and shows itself."""
    from audit.errors import InputError

    if not isinstance(error, InputError | OSError):
        raise error
    print(f"hae-audit: error: {' '.join(str(error).split())}", file=sys.stderr)
    raise SystemExit(2)
