"""A look at a site on this machine: loopback only, built again when records change."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from reports.language import Language
from reports.site.build import NAMES, publish
from reports.site.record import FILE

HOST = "127.0.0.1"
Stamp = dict[Path, tuple[int, int]]


TODAY = "1970-01-01"
"""A view has no date of publication."""


def follower(folder: Path, site: Path, language: Language = "en") -> Callable[[], None]:
    """What keeps a site up with the records below a folder when it is called before a page."""
    lock = Lock()
    seen: Stamp = {}

    def follow() -> None:
        with lock:
            now = _stamps(folder, site)
            changed = [path for path, stamp in now.items() if seen.get(path) != stamp]
            stale = [path for path in seen if now.get(path) != seen[path]]
            if stale:  # what was shown of them goes
                (site / FILE).unlink(missing_ok=True)
            if changed or stale or not (site / FILE).exists():
                runs = sorted(now) if stale else sorted(changed)
                name = folder.absolute().name
                publish(runs, site, date=TODAY, title=name, language=language)
            seen.clear()
            seen.update(now)

    return follow


def _stamps(folder: Path, site: Path) -> Stamp:
    found = (path for name in NAMES for path in folder.rglob(name))
    kept = [path for path in found if site not in path.parents]
    return {path: (stat.st_mtime_ns, stat.st_size) for path in kept if (stat := path.stat())}


class _Handler(SimpleHTTPRequestHandler):
    """Files of the site, read only; a request with another host's name is refused."""

    def __init__(self, *args: Any, follow: Callable[[], None] | None, **known: Any) -> None:
        self.follow = follow
        super().__init__(*args, **known)

    def do_GET(self) -> None:
        # a page elsewhere must not read these through a name that it points at this machine
        if (self.headers.get("Host") or "").rpartition(":")[0] not in {HOST, "localhost"}:
            self.send_error(403)
            return
        if self.follow is not None and self.path in {"/", "/index.html"}:
            self.follow()
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: the terminal shows the address."""


@contextmanager
def serve(folder: Path, port: int, language: Language = "en") -> Iterator[ThreadingHTTPServer]:
    """A server of a site, or of one made on the fly from the runs below a folder.

    Parameters
    ----------
    folder : Path
        A site that was published, which is shown as it is; or any folder: every record below it is
        published into a folder that is gone afterwards, again whenever one changes.
    port : int
        0 for any that is free.
    language : {"en", "zh"}
        Of what is made on the fly; a site keeps its own.
    """
    with tempfile.TemporaryDirectory() as made:
        published = (folder / FILE).exists()
        site = folder if published else Path(made)
        follow = None if published else follower(folder, site, language)
        handler = partial(_Handler, directory=str(site), follow=follow)
        with ThreadingHTTPServer((HOST, port), handler) as server:
            yield server
