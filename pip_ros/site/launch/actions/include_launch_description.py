"""IncludeLaunchDescription."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import launch.logging
from launch.action import Action
from launch.actions.configuration import SetLaunchConfiguration
from launch.actions.simple import OpaqueFunction
from launch.launch_description import LaunchDescription
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.launch_description_source import LaunchDescriptionSource
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

_FILE_VARIABLES = ("current_launch_file_path", "current_launch_file_directory")


class IncludeLaunchDescription(Action):
    """Visits another launch description, with arguments; it is not a scope of its own."""

    def __init__(
        self,
        launch_description_source: LaunchDescriptionSource | SomeSubstitutionsType,
        *,
        launch_arguments: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(launch_description_source, LaunchDescriptionSource):
            from launch.launch_description_sources import AnyLaunchDescriptionSource

            launch_description_source = AnyLaunchDescriptionSource(launch_description_source)
        self.launch_description_source = launch_description_source
        self.launch_arguments = tuple(launch_arguments or ())

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the included description; none if its place is not known before launching, or nothing is there."""
        return self._entities_before_launching() if self.condition is None else []

    def describe_conditional_sub_entities(self) -> list[tuple[str, Iterable[LaunchDescriptionEntity]]]:
        """Return the included description of an include with a condition."""
        return [] if self.condition is None else [("Conditionally included", self._entities_before_launching())]

    def _entities_before_launching(self) -> list[LaunchDescriptionEntity]:
        try:
            description = self.launch_description_source.try_get_launch_description_without_context()
        except Exception as error:
            launch.logging.get_logger("launch").debug("include skipped: %s", error)
            return []
        return [] if description is None else [description]

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the arguments as launch configurations and the included description.

        Raises:
            RuntimeError: when a required argument of the included description is not given.
        """
        description = self.launch_description_source.get_launch_description(context)
        previous = {name: context.get_locals_as_dict().get(name) for name in _FILE_VARIABLES}
        path = self.launch_description_source.location
        context.extend_locals(dict(zip(_FILE_VARIABLES, (path, os.path.dirname(path)), strict=True)))
        self._check_arguments(description, context)
        return [
            *[SetLaunchConfiguration(name, value) for name, value in self.launch_arguments],
            description,
            OpaqueFunction(function=lambda context: context.extend_locals(previous)),
        ]

    def _check_arguments(self, description: LaunchDescription, context: LaunchContext) -> None:
        given = [
            perform_substitutions(context, normalize_to_list_of_substitutions(name))
            for name, _ in self.launch_arguments
        ]
        for argument in description.get_own_launch_arguments():
            if argument._conditionally_included or argument.default_value is not None:
                continue
            if argument.name not in given and argument.name not in context.launch_configurations:
                raise RuntimeError(
                    f"Included launch description missing required argument '{argument.name}' "
                    f"(description: '{argument.description}'), given: [{', '.join(given)}]"
                )
