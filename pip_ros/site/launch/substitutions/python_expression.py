"""PythonExpression, for literals, comparisons, logic and arithmetic; nothing is ever passed to eval."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from launch._needs_ros import sentence
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.substitutions.values import SubstitutionFailure, describe_all
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}


class PythonExpression(Substitution):
    """The value of a Python expression, as text."""

    def __init__(self, expression: SomeSubstitutionsType, python_modules: Any = ("math",)) -> None:
        self.expression = normalize_to_list_of_substitutions(expression)

    def describe(self) -> str:
        """Return PythonExpr(...)."""
        return f"PythonExpr({describe_all(self.expression)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the value as text.

        Raises:
            SubstitutionFailure: when the expression is not Python, or holds calls, names or attributes,
                which only the real PythonExpression evaluates.
        """
        text = perform_substitutions(context, self.expression)
        try:
            return str(_value(ast.parse(text.strip(), mode="eval").body))
        except (SyntaxError, TypeError, ZeroDivisionError) as error:
            raise SubstitutionFailure(f"python expression '{text}' failed: {error}") from error


def _value(node: ast.AST) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_value(element) for element in elements]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left), _value(right))
        case ast.BoolOp(op=op, values=values):
            return _logic(op, values)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _comparison(left, ops, comparators)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body) if _value(test) else _value(orelse)
    raise SubstitutionFailure(sentence(f"PythonExpression({ast.unparse(node)})"))


def _logic(op: ast.boolop, values: list[ast.expr]) -> Any:
    result: Any = None
    for value in values:
        result = _value(value)
        if bool(result) == isinstance(op, ast.Or):
            return result
    return result


def _comparison(left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr]) -> bool:
    value = _value(left)
    for op, comparator in zip(ops, comparators, strict=True):
        other = _value(comparator)
        if not _OPERATORS[type(op)](value, other):
            return False
        value = other
    return True
