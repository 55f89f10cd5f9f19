"""A plugin of mypy that notes which attributes of which classes are read, and where.

Each read is a line `module.Class.attribute`, in the file that VITAL_ATTRIBUTES_READ names. Reads in a class's own
`__post_init__`, and the line that declares it, are left out: a value that is only checked is used by nobody.
"""

import os
from collections.abc import Callable
from pathlib import Path

from mypy.checker import TypeChecker
from mypy.nodes import FuncDef
from mypy.plugin import AttributeContext, Plugin
from mypy.types import Type

PACKAGES = "vital_"


class AttributesRead(Plugin):
    """See the module's docstring."""

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Called by mypy for each attribute that it looks up."""
        if not fullname.startswith(PACKAGES):
            return None

        def note(context: AttributeContext) -> Type:
            if not _is_own_check(context, fullname.rpartition(".")[0]):
                with open(os.environ["VITAL_ATTRIBUTES_READ"], "a") as file:
                    file.write(fullname + "\n")
            return context.default_attr_type

        return note


def _is_own_check(context: AttributeContext, owner: str) -> bool:
    checker = context.api
    assert isinstance(checker, TypeChecker)
    function = checker.scope.current_function()
    if function is None:  # the line that declares it
        inside = checker.scope.active_class()
    elif isinstance(function, FuncDef) and function.name == "__post_init__":
        inside = checker.scope.enclosing_class(function)
    else:
        return False
    return inside is not None and inside.fullname == owner


def plugin(_version: str) -> type[Plugin]:
    """What mypy asks this module for."""
    Path(os.environ["VITAL_ATTRIBUTES_READ"]).touch()
    return AttributesRead
