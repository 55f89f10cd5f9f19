"""`ros2 launch`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from ros2cli_pip.main import needs_ros


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of `ros2 launch`."""
    parser = argparse.ArgumentParser(prog="ros2 launch", description="Run a launch file")
    parser.add_argument("-n", "--noninteractive", action="store_true", help="Run the launch system non-interactively")
    parser.add_argument("-d", "--debug", action="store_true", help="Put the launch system in debug mode")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-p", "--print", "--print-description", action="store_true", help="needs a ROS installation")
    group.add_argument(
        "-s",
        "--show-args",
        "--show-arguments",
        action="store_true",
        help="Show arguments that may be given to the launch file.",
    )
    parser.add_argument(
        "-a",
        "--show-all-subprocesses-output",
        action="store_true",
        help="Show all launched subprocesses' output by overriding their output configuration",
    )
    parser.add_argument("--launch-prefix", help="Prefix command, which should go before all executables.")
    parser.add_argument("--launch-prefix-filter", help="Regex pattern for filtering which executables get the prefix")
    parser.add_argument("package_name", help="Name of the ROS package, or path of the launch file")
    parser.add_argument("launch_file_name", nargs="?", help="Name of the launch file")
    parser.add_argument(
        "launch_arguments",
        nargs="*",
        help="Arguments to the launch file; '<name>:=<value>' (for duplicates, last one wins)",
    )
    return parser


def find_launch_file(package: str, file_name: str) -> str:
    """Return the path of a file anywhere in the share directory of a package.

    Raises:
        RuntimeError: when the package or the file is not found, or the file more than once.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        share = get_package_share_directory(package)
    except (PackageNotFoundError, ValueError) as error:
        raise RuntimeError(f"Package '{package}' not found: {error}") from error
    paths = [os.path.join(root, file_name) for root, _, files in os.walk(share) if file_name in files]
    if not paths:
        raise RuntimeError(
            f"file '{file_name}' was not found in the share directory of package '{package}' which is at '{share}'"
        )
    if len(paths) > 1:
        places = ", ".join(f"'{path}'" for path in paths)
        raise RuntimeError(
            f"file '{file_name}' was found more than once in the share directory of package '{package}': [{places}]"
        )
    return paths[0]


def parse_launch_arguments(arguments: Iterable[str]) -> dict[str, str]:
    """Return '<name>:=<value>' arguments by name; of duplicates the last one wins.

    Raises:
        RuntimeError: for an argument of another form, or without a value.
    """
    parsed = {}
    for argument in arguments:
        name, separator, value = argument.partition(":=")
        if not separator or not name or not value:
            raise RuntimeError(f"malformed launch argument '{argument}', expected format '<name>:=<value>'")
        parsed[name] = value
    return parsed


def show_arguments(path: str) -> int:
    """Print the arguments that a launch file declares, included files among it."""
    from launch.launch_description_sources import get_launch_description_from_any_launch_file

    arguments = get_launch_description_from_any_launch_file(path).get_launch_arguments()
    print("Arguments (pass arguments as '<name>:=<value>'):")
    for argument in arguments:
        print(f"\n    '{argument.name}':{'*' if argument._conditionally_included else ''}")
        print(f"        {argument.description}")
        if argument.default_value is not None:
            default = " + ".join(sub.describe() for sub in argument.default_value)
            print(f"        (default: {default})")
    if not arguments:
        print("\n  No arguments.")
    elif any(argument._conditionally_included for argument in arguments):
        print("\n* argument(s) which are only used if specific conditions occur")
    return 0


def launch_file(path: str, arguments: list[str], options: argparse.Namespace) -> int:
    """Launch a file and return the exit code."""
    from launch import LaunchDescription, LaunchService
    from launch.actions import IncludeLaunchDescription, SetLaunchConfiguration
    from launch.launch_description_sources import AnyLaunchDescriptionSource

    values = parse_launch_arguments(arguments)
    noninteractive = True if options.noninteractive else None
    service = LaunchService(argv=arguments, noninteractive=noninteractive, debug=options.debug)
    prefixes = {"launch-prefix": options.launch_prefix, "launch-prefix-filter": options.launch_prefix_filter}
    include = IncludeLaunchDescription(AnyLaunchDescriptionSource(path), launch_arguments=values.items())
    settings = [SetLaunchConfiguration(name, value) for name, value in prefixes.items() if value is not None]
    service.include_launch_description(LaunchDescription([*settings, include]))
    return service.run()


def main(arguments: list[str]) -> int | str | None:
    """Run `ros2 launch`."""
    options = make_parser().parse_intermixed_args(arguments)
    launch_arguments = list(options.launch_arguments)
    if os.path.isfile(options.package_name):
        path = options.package_name
        if options.launch_file_name is not None:
            launch_arguments.insert(0, options.launch_file_name)
    elif options.launch_file_name is None:
        return f"No launch file supplied: '{options.package_name}' is not a file"
    else:
        path = find_launch_file(options.package_name, options.launch_file_name)
    if options.print:
        return needs_ros("ros2 launch --print")
    if options.show_args:
        return show_arguments(path)
    if options.show_all_subprocesses_output:
        os.environ["OVERRIDE_LAUNCH_PROCESS_OUTPUT"] = "both"
    return launch_file(path, launch_arguments, options)
