"""IfCondition and UnlessCondition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from launch import _needs_ros
from launch.condition import Condition
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

TRUE_WORDS = ("true", "1")
FALSE_WORDS = ("false", "0")


class InvalidConditionExpressionError(Exception):
    """A condition's text is neither true, 1, false nor 0."""


def evaluate_condition_expression(context: LaunchContext, expression: Iterable[Substitution]) -> bool:
    """Return what the text says: true, 1, false or 0 in any case and with any space around.

    Raises:
        InvalidConditionExpressionError: for any other text, the empty one included.
    """
    text = perform_substitutions(context, expression).strip().lower()
    if text in TRUE_WORDS:
        return True
    if text in FALSE_WORDS:
        return False
    valid = [*TRUE_WORDS, *FALSE_WORDS]
    raise InvalidConditionExpressionError(f"invalid condition expression, expected one of {valid} but got '{text}'")


class IfCondition(Condition):
    """True when the expression says true or 1."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        expression = normalize_to_list_of_substitutions(predicate_expression)
        super().__init__(predicate=lambda context: evaluate_condition_expression(context, expression))


class UnlessCondition(Condition):
    """True when the expression says false or 0."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        expression = normalize_to_list_of_substitutions(predicate_expression)
        super().__init__(predicate=lambda context: not evaluate_condition_expression(context, expression))


__all__ = [
    "IfCondition",
    "InvalidConditionExpressionError",
    "UnlessCondition",
    "evaluate_condition_expression",
]

__getattr__ = _needs_ros.lazy_attribute(__name__)
