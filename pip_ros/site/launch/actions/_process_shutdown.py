"""The escalation that ends a process: SIGINT, then SIGTERM, then SIGKILL."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable


class Escalation:
    """Sends SIGTERM and then SIGKILL to a process that outlives its SIGINT."""

    def __init__(
        self,
        *,
        process_name: str,
        logger: logging.Logger,
        send_signal: Callable[[signal.Signals], None],
        sigterm_timeout_s: str,
        sigkill_timeout_s: str,
    ) -> None:
        """Start the two timers; the second timeout starts when the first one ends."""
        self._process_name = process_name
        self._logger = logger
        self._send_signal = send_signal
        total_s = float(sigterm_timeout_s) + float(sigkill_timeout_s)
        loop = asyncio.get_running_loop()
        self._timers = [
            loop.call_later(float(sigterm_timeout_s), self._escalate, sigterm_timeout_s, signal.SIGINT, signal.SIGTERM),
            loop.call_later(total_s, self._escalate, str(total_s), signal.SIGTERM, signal.SIGKILL),
        ]

    def _escalate(self, timeout_s: str, received: signal.Signals, following: signal.Signals) -> None:
        self._logger.error(
            f"process[{self._process_name}] failed to terminate '{timeout_s}' seconds after receiving "
            f"'{received.name}', escalating to '{following.name}'"
        )
        self._send_signal(following)

    def cancel(self) -> None:
        """Stop the timers."""
        for timer in self._timers:
            timer.cancel()
