"""Says plainly what these small packages leave to a ROS installation."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

PACKAGES = ("launch", "launch_ros", "launch_testing")


def sentence(what: str) -> str:
    """Return the sentence for something that only the real packages have."""
    return f"'{what}' needs a ROS installation (pip_ros does not have it): source /opt/ros/jazzy/setup.bash"


def lazy_attribute(package: str) -> Callable[[str], Any]:
    """Return a module `__getattr__` that imports submodules and refuses every other public name.

    Raises (from the returned function):
        ModuleNotFoundError: with a sentence naming the missing part.
        AttributeError: for private names, which Python itself probes.
    """

    def __getattr__(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return importlib.import_module(f"{package}.{name}")

    return __getattr__


class _RefuseMissing:
    """The last import finder: a submodule that is not here gets the sentence."""

    @classmethod
    def find_spec(cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        package, _, rest = fullname.partition(".")
        if package in PACKAGES and rest and not rest.split(".")[-1].startswith("_"):
            raise ModuleNotFoundError(sentence(fullname), name=fullname)


def install() -> None:
    """Put the refusing finder behind all others, once."""
    if _RefuseMissing not in sys.meta_path:
        sys.meta_path.append(_RefuseMissing)  # type: ignore[arg-type]
