"""The base of launch description sources."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext
    from launch.launch_description import LaunchDescription


class LaunchDescriptionSource:
    """A launch description that comes from somewhere, such as a file."""

    def __init__(
        self,
        launch_description: LaunchDescription | None = None,
        location: SomeSubstitutionsType = "",
        method: str = "unspecified mechanism from a script",
    ) -> None:
        self._launch_description = launch_description
        self._location: list[Substitution] = normalize_to_list_of_substitutions(location)
        self._expanded_location: str | None = None
        self.method = method

    @property
    def location(self) -> str:
        """The path when known, or else the substitutions in words."""
        if self._expanded_location is not None:
            return self._expanded_location
        return " + ".join(sub.describe() for sub in self._location)

    def try_get_launch_description_without_context(self) -> LaunchDescription | None:
        """Return the launch description, as far as it can be found and read before launching.

        Raises:
            Exception: when its place depends on the launch, or it cannot be read.
        """
        if self._launch_description is None:
            from launch.launch_context import LaunchContext

            location = perform_substitutions(LaunchContext(noninteractive=True), self._location)
            return self._get_launch_description(os.path.abspath(location))
        return self._launch_description

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """Return the launch description, read when first asked for."""
        if self._expanded_location is None:
            self._expanded_location = os.path.abspath(perform_substitutions(context, self._location))
        if self._launch_description is None:
            self._launch_description = self._get_launch_description(self._expanded_location)
        return self._launch_description

    def _get_launch_description(self, location: str) -> LaunchDescription:
        raise NotImplementedError
