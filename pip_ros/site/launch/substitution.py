"""The base of all substitutions: text that is known only while launching."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class Substitution:
    """Something that `perform` turns into text."""

    def describe(self) -> str:
        """Return the text that `--show-args` prints for a default value."""
        return f"{self.__class__.__name__}()"

    def perform(self, context: LaunchContext) -> str:
        """Return the text in this context."""
        raise NotImplementedError
