"""`ros2 run`."""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
from pathlib import Path

from ros2cli_pip.packages import executables


def find_executable(package: str, name: str) -> Path | str:
    """Return an executable of a package, or a sentence that says why there is none."""
    candidates = executables(package)
    if candidates is None:
        return f"Package '{package}' not found"
    paths = [path for path in candidates if path.name == name]
    if not paths:
        return "No executable found"
    if len(paths) > 1:
        return "\n".join(["Multiple executables found:", *(f"- {path}" for path in paths)])
    return paths[0]


def run_process(cmd: list[str]) -> int:
    """Run a command to its end, Ctrl-C being the command's own affair, and return its return code."""
    process = subprocess.Popen(cmd)
    while True:
        try:
            returncode = process.wait()
            break
        except KeyboardInterrupt:
            continue
    if returncode < 0:
        print("[ros2run]:", signal.strsignal(-returncode))
    elif returncode > 0:
        print(f"[ros2run]: Process exited with failure {returncode}")
    return returncode


def main(arguments: list[str]) -> int | str:
    """Run `ros2 run`."""
    parser = argparse.ArgumentParser(prog="ros2 run", description="Run a package specific executable")
    parser.add_argument("--prefix", help="Prefix command, which should go before the executable.")
    parser.add_argument("package_name", help="Name of the ROS package")
    parser.add_argument("executable_name", help="Name of the executable")
    parser.add_argument("argv", nargs=argparse.REMAINDER, help="Pass arbitrary arguments to the executable")
    options = parser.parse_args(arguments)
    executable = find_executable(options.package_name, options.executable_name)
    if isinstance(executable, str):
        return executable
    prefix = shlex.split(options.prefix) if options.prefix else []
    return run_process([*prefix, str(executable), *options.argv])
