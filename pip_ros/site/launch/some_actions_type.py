"""One launch action or several."""

from __future__ import annotations

from launch.some_entities_type import SomeEntitiesType

SomeActionsType = SomeEntitiesType
