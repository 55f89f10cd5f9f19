"""What a process is started with: command, name, directory and environment."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.substitutions import LaunchConfiguration
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

_process_numbers = itertools.count(1)

Pairs = Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None


def _normalize_pairs(pairs: Pairs) -> list[tuple[list[Substitution], list[Substitution]]] | None:
    if pairs is None:
        return None
    return [
        (normalize_to_list_of_substitutions(name), normalize_to_list_of_substitutions(value))
        for name, value in pairs.items()
    ]


class ProcessCommand:
    """The substitutions of a process, and what they came to: `final_name`, `final_cmd` and so on."""

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        prefix: SomeSubstitutionsType | None,
        name: SomeSubstitutionsType | None,
        cwd: SomeSubstitutionsType | None,
        env: Pairs,
        additional_env: Pairs,
    ) -> None:
        self.cmd = [normalize_to_list_of_substitutions(part) for part in cmd]
        self.prefix = normalize_to_list_of_substitutions(
            LaunchConfiguration("launch-prefix", default="") if prefix is None else prefix
        )
        self._prefix_filter = LaunchConfiguration("launch-prefix-filter", default="")
        self._filters_prefix = prefix is None
        self.name = None if name is None else normalize_to_list_of_substitutions(name)
        self.cwd = None if cwd is None else normalize_to_list_of_substitutions(cwd)
        self.env = _normalize_pairs(env)
        self.additional_env = _normalize_pairs(additional_env)
        self.final_name: str | None = None
        self.final_cmd: list[str] = []
        self.final_cwd: str | None = None
        self.final_env: dict[str, str] | None = None

    @property
    def has_own_environment(self) -> bool:
        """Whether anything about the environment was asked for."""
        return self.env is not None or self.additional_env is not None

    def resolve(self, context: LaunchContext) -> None:
        """Perform all substitutions and give the process its name with a number."""
        cmd = [perform_substitutions(context, part) for part in self.cmd]
        self.final_cmd = self._final_prefix(context, cmd[0]) + cmd
        # With a prefix it is the prefix that lends its name.
        name = os.path.basename(self.final_cmd[0]) if self.name is None else perform_substitutions(context, self.name)
        self.final_name = f"{name}-{next(_process_numbers)}"
        self.final_cwd = None if self.cwd is None else perform_substitutions(context, self.cwd)
        self.final_env = self._final_environment(context)

    def _final_prefix(self, context: LaunchContext, executable: str) -> list[str]:
        prefix = shlex.split(perform_substitutions(context, self.prefix))
        pattern = self._prefix_filter.perform(context)
        if self._filters_prefix and pattern and not re.match(pattern, os.path.basename(executable)):
            return []
        return prefix

    def _final_environment(self, context: LaunchContext) -> dict[str, str] | None:
        if self.env is None and self.additional_env is None:
            return dict(context.environment)
        environment = dict(context.environment) if self.env is None else {}
        for name, value in [*(self.env or []), *(self.additional_env or [])]:
            environment[perform_substitutions(context, name)] = perform_substitutions(context, value)
        return environment

    def details(self, action: Any) -> dict[str, Any]:
        """Return what process events carry, the process id not yet among it."""
        return {
            "action": action,
            "name": self.final_name,
            "cmd": self.final_cmd,
            "cwd": self.final_cwd,
            "env": self.final_env,
        }
