"""`ros2 pkg`: prefix, list, executables."""

from __future__ import annotations

import argparse

from ros2cli_pip.main import VerbParser
from ros2cli_pip.packages import executables, package_names, package_prefix


def make_parser() -> VerbParser:
    """Return the parser of `ros2 pkg`."""
    verbs = VerbParser("pkg", "Various package related sub-commands")
    prefix = verbs.add("prefix", "Output the prefix path of a package")
    prefix.add_argument("--share", action="store_true", help="Show share directory for the package")
    prefix.add_argument("package_name", help="The package name")
    verbs.add("list", "Output a list of available packages")
    programs = verbs.add("executables", "Output a list of package specific executables")
    programs.add_argument("--full-path", action="store_true", help="Show the full path of each executable")
    programs.add_argument("package_name", nargs="?", help="The package name")
    return verbs


def prefix(options: argparse.Namespace) -> str | None:
    """Print a package's prefix or share directory."""
    path = package_prefix(options.package_name)
    if path is None:
        return "Package not found"
    print(path / "share" / options.package_name if options.share else path)
    return None


def list_executables(options: argparse.Namespace) -> str | None:
    """Print the executables of one package or of all."""
    packages = package_names() if options.package_name is None else [options.package_name]
    for package in packages:
        paths = executables(package)
        if paths is None:
            return f"Package '{package}' not found"
        for path in paths:
            print(path if options.full_path else f"{package} {path.name}")
    return None


def main(arguments: list[str]) -> int | str | None:
    """Run `ros2 pkg`."""
    options = make_parser().parse(arguments)
    if isinstance(options, int):
        return options
    if options.verb == "prefix":
        return prefix(options)
    if options.verb == "executables":
        return list_executables(options)
    print(*package_names(), sep="\n")
    return None
