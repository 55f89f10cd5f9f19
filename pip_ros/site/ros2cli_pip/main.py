"""`ros2`: finds the command's module and runs its verb."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

# command -> (module, what --help says); modules are imported only when asked for
COMMANDS = {
    "action": ("ros2cli_pip.action_command", "Various action related sub-commands"),
    "interface": ("ros2cli_pip.interface_command", "Show information about ROS interfaces"),
    "launch": ("ros2cli_pip.launch_command", "Run a launch file"),
    "node": ("ros2cli_pip.node_command", "Various node related sub-commands"),
    "param": ("ros2cli_pip.param_command", "Various param related sub-commands"),
    "pkg": ("ros2cli_pip.pkg_command", "Various package related sub-commands"),
    "run": ("ros2cli_pip.run_command", "Run a package specific executable"),
    "service": ("ros2cli_pip.service_command", "Various service related sub-commands"),
    "topic": ("ros2cli_pip.topic_command", "Various topic related sub-commands"),
}

NEEDS_ROS = 2


def needs_ros(what: str) -> int:
    """Say plainly that something needs a ROS installation and return its exit code."""
    print(f"'{what}' needs a ROS installation: source /opt/ros/jazzy/setup.bash", file=sys.stderr)
    return NEEDS_ROS


def usage() -> str:
    """Return what `ros2 --help` prints."""
    lines = [f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: ros2 [-h] Call `ros2 <command> -h` for more detailed usage. ...",
            "",
            "ros2 for systems without a ROS installation (pip_ros): the commands that this project uses.",
            "",
            "Commands:",
            *lines,
            "",
            "  Call `ros2 <command> -h` for more detailed usage.",
        ]
    )


def _run(command: str, arguments: Sequence[str]) -> int | str | None:
    module = importlib.import_module(COMMANDS[command][0])
    try:
        return module.main(list(arguments))  # type: ignore[no-any-return]
    except KeyboardInterrupt:
        return int(signal.SIGINT)
    except (ValueError, RuntimeError) as error:
        return str(error)
    except Exception as error:
        if type(error).__name__ == "ExternalShutdownException":
            return int(signal.SIGINT)
        raise


def main(argv: Sequence[str] | None = None) -> int | str | None:
    """Run the command line; a returned text is for standard error, with exit code 1."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    command, *rest = arguments
    if command.startswith("-") or command not in COMMANDS:
        return needs_ros(f"ros2 {command}")
    return _run(command, rest)


class VerbParser:
    """The parser of a command with verbs: a verb that is not here needs a ROS installation."""

    def __init__(self, command: str, description: str) -> None:
        self.command = command
        self._parser = argparse.ArgumentParser(prog=f"ros2 {command}", description=description)
        self._verbs = self._parser.add_subparsers(title="Verbs", metavar="verb", dest="verb")

    def add(self, verb: str, text: str) -> argparse.ArgumentParser:
        """Add a verb and return its parser."""
        return self._verbs.add_parser(verb, help=text, description=text)

    def parse(self, arguments: list[str]) -> argparse.Namespace | int:
        """Return the parsed arguments, or the exit code when there is nothing to do."""
        if not arguments:
            self._parser.print_help()
            return 0
        if not arguments[0].startswith("-") and arguments[0] not in self._verbs.choices:
            return needs_ros(f"ros2 {self.command} {arguments[0]}")
        return self._parser.parse_args(arguments)
