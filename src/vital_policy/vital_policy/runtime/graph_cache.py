"""Exported graphs in the user's cache, each under the checkpoint's hash and its own.

What is torn, changed, or belongs to somebody else is taken for missing; a place that cannot be written to is no reason
not to run. The newest `MOST_GRAPHS` are kept.
"""

import logging
import os
import stat
from pathlib import Path

from vital_core.files import safe_file

MOST_GRAPHS = 12  # of 30 MB each
MOST_BYTES = 1_000_000_000
CHECKPOINT_DIGITS = 16
log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """`vital/policies` in XDG_CACHE_HOME, by default `~/.cache`."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if given.startswith("/") else Path(os.path.expanduser("~/.cache"))
    return base / "vital" / "policies"


def kept_graph(checkpoint_sha256: str) -> bytes | None:
    """The graph of this checkpoint; None where there is none that is whole and one's own."""
    folder = cache_folder()
    try:
        for path in sorted(folder.glob(f"{checkpoint_sha256[:CHECKPOINT_DIGITS]}.*.onnx")):
            if not (_own(folder) and _own(path)):
                log.warning("%s is not taken: others may write to it", path)
                continue
            data = safe_file.read_bytes(path, MOST_BYTES)
            if path.name == _name(checkpoint_sha256, data):
                return data
            log.warning("%s is not taken: it is not what was written", path)
    except OSError as error:
        log.warning("exported policies cannot be read: %s", error)
    return None


def keep_graph(checkpoint_sha256: str, graph: bytes) -> None:
    """Keep the graph of a checkpoint in the place of the one before, whole or not at all."""
    folder = cache_folder()
    path = folder / _name(checkpoint_sha256, graph)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        safe_file.write_bytes(path, graph)
        for other in folder.glob(f"{checkpoint_sha256[:CHECKPOINT_DIGITS]}.*.onnx"):
            if other != path:
                other.unlink(missing_ok=True)
        graphs = sorted(folder.glob("*.onnx"), key=lambda kept: kept.stat().st_mtime_ns, reverse=True)
        for old in graphs[MOST_GRAPHS:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        log.warning("the exported policy is not kept, the next start takes seconds longer: %s", error)


def _name(checkpoint_sha256: str, graph: bytes) -> str:
    return f"{checkpoint_sha256[:CHECKPOINT_DIGITS]}.{safe_file.sha256(graph)}.onnx"


def _own(path: Path) -> bool:
    """Whether nobody else (but root) can have written it."""
    told = path.lstat()
    mine = told.st_uid in (os.geteuid(), 0) and not stat.S_ISLNK(told.st_mode)
    return mine and not told.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
