"""The base of everything that a launch description may hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class LaunchDescriptionEntity:
    """An action, a launch description, or anything else that can be visited."""

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Do the entity's work and return the entities to visit next."""
        return None

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Return a future that is done when the entity's work is, or None if it already is."""
        return None

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities that will be visited after this one, as far as that is known before launching."""
        return []

    def describe_conditional_sub_entities(self) -> list[tuple[str, Iterable[LaunchDescriptionEntity]]]:
        """Return the entities that may be visited later, each group with the reason in words."""
        return []
