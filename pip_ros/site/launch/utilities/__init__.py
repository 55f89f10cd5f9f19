"""Turning "some substitutions" into text, and visiting trees of entities."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from launch.substitution import Substitution

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext
    from launch.launch_description_entity import LaunchDescriptionEntity


def normalize_to_list_of_substitutions(subs: Any) -> list[Substitution]:
    """Return text, a substitution or a flat sequence of both as a list of substitutions.

    Raises:
        TypeError: for anything else; numbers, booleans, nested lists and paths among them.
    """
    from launch.substitutions import TextSubstitution

    def one(part: Any) -> Substitution:
        if isinstance(part, str):
            return TextSubstitution(text=part)
        if isinstance(part, Substitution):
            return part
        raise TypeError(
            "Failed to normalize given item of type "
            f"'{type(part)}', when only 'str' or 'launch.Substitution' were expected."
        )

    if isinstance(subs, str | Substitution) or not isinstance(subs, Iterable):
        return [one(subs)]
    return [one(part) for part in subs]


def perform_substitutions(context: LaunchContext, subs: Iterable[Substitution]) -> str:
    """Return the performed substitutions joined into one text."""
    return "".join(context.perform_substitution(sub) for sub in subs)


def is_true(context: LaunchContext, value: bool | list[Substitution]) -> bool:
    """Return a boolean given as such or as substitutions that say true, 1, false or 0."""
    if isinstance(value, bool):
        return value
    from launch.conditions import evaluate_condition_expression

    return evaluate_condition_expression(context, value)


def normalize_bool(value: Any) -> bool | list[Substitution]:
    """Return a boolean as it is and anything else as a list of substitutions."""
    return value if isinstance(value, bool) else normalize_to_list_of_substitutions(value)


def normalize_entities(entities: Any) -> list[Any]:
    """Return None, one entity or several as a list of entities."""
    if entities is None:
        return []
    return list(entities) if isinstance(entities, Iterable) else [entities]


def visit_all_entities_and_collect_futures(
    entity: LaunchDescriptionEntity, context: LaunchContext
) -> list[tuple[LaunchDescriptionEntity, asyncio.Future[None]]]:
    """Visit an entity and all that it returns, depth first, and return the work still under way."""
    sub_entities = entity.visit(context)
    future = entity.get_asyncio_future()
    pairs = [] if future is None else [(entity, future)]
    for sub_entity in sub_entities or ():
        pairs += visit_all_entities_and_collect_futures(sub_entity, context)
    return pairs
