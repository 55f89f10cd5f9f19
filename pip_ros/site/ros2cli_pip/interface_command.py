"""`ros2 interface show`."""

from __future__ import annotations

import re
from pathlib import Path

from ros2cli_pip.main import VerbParser
from ros2cli_pip.packages import package_prefix

_FIELD_TYPE = re.compile(r"^\s*([\w/]+?)(?:<=\d+)?(?:\[[^\]]*\])?\s+[a-z]\w*\s*(?:#.*)?(?:\s.*)?$")
_PRIMITIVES = re.compile(r"^(bool|byte|char|float32|float64|u?int(8|16|32|64)|w?string)$")


def interface_path(name: str) -> Path:
    """Return the file that defines 'package/msg/Name', 'package/srv/Name' or 'package/action/Name'.

    Raises:
        ValueError: when the name has another form, or nobody defines it.
    """
    parts = name.split("/")
    if len(parts) != 3:
        raise ValueError(f"Invalid name '{name}'. Expected three parts separated by '/'")
    package, kind, type_name = parts
    prefix = package_prefix(package)
    if prefix is None:
        raise ValueError(f"Unknown package '{package}'")
    path = prefix / "share" / package / kind / f"{type_name}.{kind}"
    if not path.is_file():
        raise ValueError(f"Could not find the interface '{path}'")
    return path


def nested_type(line: str, package: str) -> str | None:
    """Return the message type of a field of a definition's line, or None for any other line."""
    match = _FIELD_TYPE.match(line)
    if match is None:
        return None
    name = match[1]
    if _PRIMITIVES.match(name):
        return None
    owner, _, type_name = name.rpartition("/")
    return f"{owner.split('/')[0] or package}/msg/{type_name}"


def _without_comment(line: str) -> str:
    return line.split("#")[0].rstrip()


def show(name: str, *, comments: bool, nested_comments: bool, level: int = 0) -> None:
    """Print a definition, with the definitions of its fields indented below them."""
    for raw_line in interface_path(name).read_text().splitlines():
        line = raw_line.rstrip()
        shown = line if comments else _without_comment(line)
        if shown or comments:
            print("\t" * level + shown if shown else "")
        inner = nested_type(line, name.split("/")[0])
        if inner is not None:
            show(inner, comments=nested_comments, nested_comments=nested_comments, level=level + 1)


def main(arguments: list[str]) -> int | str | None:
    """Run `ros2 interface`."""
    verbs = VerbParser("interface", "Show information about ROS interfaces")
    parser = verbs.add("show", "Output the interface definition")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--all-comments", action="store_true", help="Show all comments, nested ones too")
    group.add_argument("--no-comments", action="store_true", help="Show no comments or whitespace")
    parser.add_argument("type", help="Show an interface definition (e.g. 'std_msgs/msg/String')")
    options = verbs.parse(arguments)
    if isinstance(options, int):
        return options
    show(options.type, comments=not options.no_comments, nested_comments=options.all_comments)
    return None
