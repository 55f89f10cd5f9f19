"""Output of a process, logged line by line."""

from __future__ import annotations

import logging
from collections.abc import Callable


class LoggedStream:
    """One output stream: bytes in, log lines out, an unfinished line kept for later."""

    def __init__(self, logger: logging.Logger, format_line: Callable[[str], str], cached: bool) -> None:
        self._logger = logger
        self._format_line = format_line
        self._pending = b""
        self._cached: list[str] | None = [] if cached else None

    @property
    def text(self) -> str | None:
        """All output so far, or None unless it is cached."""
        return None if self._cached is None else "".join(self._cached)

    def feed(self, data: bytes) -> None:
        """Log the lines that are complete."""
        if self._cached is not None:
            self._cached.append(data.decode(errors="replace"))
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._log(line)

    def flush(self) -> None:
        """Log an unfinished last line."""
        if self._pending:
            line, self._pending = self._pending, b""
            self._log(line)

    def _log(self, line: bytes) -> None:
        self._logger.info("%s", self._format_line(line.decode(errors="replace").removesuffix("\r")))
