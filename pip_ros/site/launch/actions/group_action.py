"""GroupAction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.actions.configuration import (
    PopEnvironment,
    PopLaunchConfigurations,
    PushEnvironment,
    PushLaunchConfigurations,
    ResetEnvironment,
    ResetLaunchConfigurations,
    SetLaunchConfiguration,
)
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.some_substitutions_type import SomeSubstitutionsType

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class GroupAction(Action):
    """Several actions under one condition, in a scope of their own.

    Scoped: launch configurations and environment are restored afterwards. Not forwarding: the group
    starts with only the given launch configurations.
    """

    def __init__(
        self,
        actions: Iterable[LaunchDescriptionEntity],
        *,
        scoped: bool = True,
        forwarding: bool = True,
        launch_configurations: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.actions = list(actions)
        self.scoped = scoped
        self.forwarding = forwarding
        self.launch_configurations = dict(launch_configurations or {})

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the actions, with what makes their scope around them."""
        set_all = [SetLaunchConfiguration(name, value) for name, value in self.launch_configurations.items()]
        if not self.scoped:
            return [*set_all, *self.actions]
        if self.forwarding:
            start: list[Action] = [PushLaunchConfigurations(), PushEnvironment(), *set_all]
        else:
            reset = ResetLaunchConfigurations(self.launch_configurations)
            start = [PushLaunchConfigurations(), PushEnvironment(), ResetEnvironment(), reset]
        return [*start, *self.actions, PopEnvironment(), PopLaunchConfigurations()]

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the actions in their scope."""
        return self.get_sub_entities()
