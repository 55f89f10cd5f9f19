"""The arguments of the project's launch files: declared, read, and refused where a name is none of them.

`ros2 launch` takes any name, and `name:=` for an empty value it does not take: so a misspelt argument is looked for
here, and what is left out is said with a word, `none` or `auto`.
"""

import difflib
import os
import sys
from collections.abc import Iterable

from launch import Action, LaunchContext
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration

from vital_core.errors import ErrorCode, coded
from vital_ros.process.process_end import LAUNCH_PID

# name, default, description, choices
Argument = tuple[str, str, str, tuple[str, ...] | None]
# Words for what is left out: nothing is wanted, or what is usual.
LEFT_OUT = ("", "none", "auto")
# What launch itself takes from its command line (ExecuteLocal of launch 3.4).
OF_LAUNCH = ("sigterm_timeout", "sigkill_timeout", "emulate_tty", "launch-prefix", "launch-prefix-filter")
PACKAGE = "vital_bringup"


def declared(arguments: tuple[Argument, ...]) -> list[Action]:
    """The actions that declare launch arguments, and tell the nodes whose end is theirs."""
    declarations = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, default, description, choices in arguments
    ]
    return [*declarations, SetEnvironmentVariable(LAUNCH_PID, str(os.getpid()))]


def text(name: str, context: LaunchContext) -> str:
    """The value of a launch argument."""
    return LaunchConfiguration(name).perform(context)


def given(name: str, context: LaunchContext) -> str:
    """The value of a launch argument that may be left out; empty when it is."""
    value = text(name, context)
    return "" if value in LEFT_OUT else value


def unknown_argument(context: LaunchContext, file: str, names: Iterable[str]) -> str | None:
    """Why an argument of the command line is none of ``names``, or None.

    Only where the command line starts this launch ``file`` itself: when another one includes it, the arguments are
    the other's, and nobody but launch knows them.
    """
    if not _is_started_by_command_line(file):
        return None
    known = sorted({*names, *OF_LAUNCH})
    for argument in context.argv:
        name, separator, _ = argument.partition(":=")
        if separator and name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean '{close[0]}'? " if close else ""
            return coded(
                ErrorCode.BAD_PARAMETER,
                f"there is no argument '{name}'. {hint}"
                f"`ros2 launch {PACKAGE} {os.path.basename(file)} --show-args` lists all",
            )
    return None


def _is_started_by_command_line(file: str) -> bool:
    words = sys.argv[1:]
    by_path = any(word.endswith(".py") and os.path.realpath(word) == os.path.realpath(file) for word in words)
    return by_path or (PACKAGE in words and os.path.basename(file) in words)
