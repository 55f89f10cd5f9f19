"""Substitutions that run or find programs."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.substitutions.values import SubstitutionFailure, describe_all
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class FindExecutable(Substitution):
    """The full path of a program on PATH."""

    def __init__(self, *, name: SomeSubstitutionsType) -> None:
        self.name = normalize_to_list_of_substitutions(name)

    def describe(self) -> str:
        """Return FindExec('name')."""
        return f"FindExec({describe_all(self.name)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            SubstitutionFailure: when the program is not on PATH.
        """
        name = perform_substitutions(context, self.name)
        path = shutil.which(name)
        if path is None:
            raise SubstitutionFailure(f"executable '{name}' not found on the PATH")
        return path


class Command(Substitution):
    """The standard output of a command, run when the substitution is performed."""

    def __init__(self, command: SomeSubstitutionsType, *, on_stderr: SomeSubstitutionsType = "fail") -> None:
        self.command = normalize_to_list_of_substitutions(command)
        self.on_stderr = normalize_to_list_of_substitutions(on_stderr)

    def describe(self) -> str:
        """Return Command(...)."""
        return f"Command({describe_all(self.command)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the output.

        Raises:
            SubstitutionFailure: when the command cannot run, fails, or writes to standard error and
                `on_stderr` is 'fail'.
        """
        text = perform_substitutions(context, self.command)
        on_stderr = perform_substitutions(context, self.on_stderr)
        if on_stderr not in ("fail", "ignore", "warn", "capture"):
            raise SubstitutionFailure(
                f"expected 'on_stderr' to be one of: 'fail', 'ignore', 'warn' or 'capture', got '{on_stderr}'"
            )
        stderr = subprocess.STDOUT if on_stderr == "capture" else subprocess.PIPE
        try:
            result = subprocess.run(shlex.split(text), stdout=subprocess.PIPE, stderr=stderr, text=True, check=False)
        except FileNotFoundError as error:
            raise SubstitutionFailure(f"file not found: {error}") from error
        if result.returncode != 0:
            raise SubstitutionFailure(
                f"executed command failed. Command: {text}\nCaptured stderr output: {result.stderr}"
            )
        self._treat_stderr(text, result.stderr, on_stderr)
        return result.stdout

    @staticmethod
    def _treat_stderr(command: str, stderr: str | None, on_stderr: str) -> None:
        if not stderr:
            return
        message = f"executed command showed stderr output. Command: {command}\nCaptured stderr output:\n{stderr}"
        if on_stderr == "fail":
            raise SubstitutionFailure(message)
        if on_stderr == "warn":
            from launch.logging import get_logger

            get_logger("launch.substitutions.Command").warning(message)
