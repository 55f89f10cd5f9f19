"""Says plainly what these small packages leave to a ROS installation."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

# Public names of launch and launch_testing 3.4.3 and launch_ros 0.26.6 that are not here.
NAMES = Path(__file__).with_name("needs_ros.txt")


def sentence(what: str) -> str:
    """Return the sentence for something that only the real packages have."""
    return f"'{what}' needs a ROS installation (pip_ros does not have it): source /opt/ros/jazzy/setup.bash"


@cache
def _names() -> frozenset[str]:
    return frozenset(NAMES.read_text().split())


def lazy_attribute(package: str) -> Callable[[str], Any]:
    """Return a module `__getattr__` that imports submodules and refuses what only the real package has.

    Raises (from the returned function):
        ModuleNotFoundError: with a sentence naming the missing part.
        AttributeError: for names that the real package has not either.
    """

    def __getattr__(name: str) -> Any:
        fullname = f"{package}.{name}"
        if fullname in _names() or (not name.startswith("_") and importlib.util.find_spec(fullname) is not None):
            return importlib.import_module(fullname)
        raise AttributeError(f"module '{package}' has no attribute '{name}'")

    return __getattr__


class _RefuseMissing:
    """The last import finder: what only the real packages have gets the sentence."""

    @classmethod
    def find_spec(cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        if fullname in _names():
            raise ModuleNotFoundError(sentence(fullname), name=fullname)


def install() -> None:
    """Put the refusing finder behind all others, once."""
    if _RefuseMissing not in sys.meta_path:
        sys.meta_path.append(_RefuseMissing)  # type: ignore[arg-type]
