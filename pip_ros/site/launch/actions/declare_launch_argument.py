"""DeclareLaunchArgument."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import launch.logging
from launch.action import Action
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class DeclareLaunchArgument(Action):
    """Declares an argument of the launch file; its value becomes a launch configuration."""

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeSubstitutionsType | None = None,
        description: str | None = None,
        choices: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.choices = None if choices is None else list(choices)
        self.default_value = None if default_value is None else normalize_to_list_of_substitutions(default_value)
        self.description = self._describe_value(description)
        self._conditionally_included = False
        if self.choices is not None:
            self._check_choices(default_value)

    def _describe_value(self, description: str | None) -> str:
        if description is None:
            return "no description given" if self.choices is None else f"One of: {self.choices}"
        text = description
        if self.choices is None:
            return text
        return f"{text}{'' if text.endswith('.') else '.'} Valid choices are: {self.choices}"

    def _check_choices(self, default_value: Any) -> None:
        if not self.choices:
            raise ValueError("Provided choices arg is empty.")
        if isinstance(default_value, str) and default_value not in self.choices:
            raise ValueError(f'Provided default_value "{default_value}" is not in provided choices "{self.choices}".')

    def execute(self, context: LaunchContext) -> None:
        """Give the argument its default if nobody has set it, and check its value.

        Raises:
            RuntimeError: without a value and a default, or with a value that is not a choice.
        """
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                self._refuse(
                    f"Required launch argument '{self.name}' (description: '{self.description}') was not provided"
                )
            default = perform_substitutions(context, self.default_value)
            context.launch_configurations[self.name] = default
        value = context.launch_configurations[self.name]
        if self.choices is not None and value not in self.choices:
            self._refuse(
                f'Argument "{self.name}" provided value "{value}" is not valid. Valid options are: {self.choices}'
            )

    @staticmethod
    def _refuse(message: str) -> NoReturn:
        launch.logging.get_logger("launch.actions.declare_launch_argument").error(message)
        raise RuntimeError(message)
