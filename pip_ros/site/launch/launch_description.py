"""LaunchDescription: what a launch file returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from launch.launch_description_entity import LaunchDescriptionEntity

if TYPE_CHECKING:
    from launch.actions import DeclareLaunchArgument
    from launch.launch_context import LaunchContext


class LaunchDescription(LaunchDescriptionEntity):
    """A sequence of entities."""

    def __init__(
        self,
        initial_entities: Iterable[LaunchDescriptionEntity] | None = None,
        *,
        deprecated_reason: str | None = None,
    ) -> None:
        self.entities: list[LaunchDescriptionEntity] = list(initial_entities or [])
        self.deprecated_reason = deprecated_reason
        self.deprecated = deprecated_reason is not None

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities."""
        return self.entities

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities."""
        return self.entities

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        """Append an entity."""
        self.entities.append(entity)

    def add_action(self, action: LaunchDescriptionEntity) -> None:
        """Append an action."""
        self.add_entity(action)

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """Return the arguments declared here and in included files, the first of each name.

        Sets `_conditionally_included` on each.
        """
        return self._declared_arguments(follow_includes=True)

    def get_own_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """Return the arguments declared here, without those in included files."""
        return self._declared_arguments(follow_includes=False)

    def _declared_arguments(self, follow_includes: bool) -> list[DeclareLaunchArgument]:
        found: dict[str, DeclareLaunchArgument] = {}
        _collect(self.entities, follow_includes, False, found)
        return list(found.values())


def _collect(
    entities: Iterable[LaunchDescriptionEntity],
    follow_includes: bool,
    conditional: bool,
    found: dict[str, DeclareLaunchArgument],
) -> None:
    from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription

    for entity in entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity._conditionally_included = conditional or entity.condition is not None
            found.setdefault(entity.name, entity)
        elif follow_includes or not isinstance(entity, IncludeLaunchDescription):
            _collect(entity.describe_sub_entities(), follow_includes, conditional, found)
            for _, sub_entities in entity.describe_conditional_sub_entities():
                _collect(sub_entities, follow_includes, True, found)
