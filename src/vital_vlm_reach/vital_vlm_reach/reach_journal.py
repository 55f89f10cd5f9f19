"""What the reach node has been asked and what came of it, for log and diagnostics."""

from collections.abc import Mapping
from typing import Any

from rclpy.node import Node

from vital_ros.diagnostics import OK, WARN, Health


class ReachJournal:
    """Counts requests, and keeps the last one's sentence."""

    def __init__(self, node: Node) -> None:
        self._logger = node.get_logger()
        self._counts = {"localized": 0, "not_localized": 0, "reached": 0, "not_reached": 0}
        self._last, self._level = "nothing asked yet", OK

    def well(self, counter: str, text: str) -> None:
        """A request that was carried out."""
        self._note(counter, text, OK)
        self._logger.info(text)

    def failed(self, counter: str, text: str) -> None:
        """One that was not."""
        self._note(counter, text, WARN)
        self._logger.warning(text)

    def _note(self, counter: str, text: str, level: Any) -> None:
        self._counts[counter] += 1
        self._last, self._level = text, level

    def health(self, pointing_fault: str, values: Mapping[str, object]) -> Health:
        """pointing_fault: why pointing does not work; empty: it does. values: further figures."""
        figures = {**self._counts, **values}
        if pointing_fault:
            return Health(WARN, f"pointing: {pointing_fault}", figures)
        return Health(self._level, self._last, figures)
