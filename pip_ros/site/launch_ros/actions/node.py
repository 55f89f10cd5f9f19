"""Node: a process with a ROS node's name, namespace, parameters and remappings on its command line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import launch.logging
import yaml
from launch.actions import ExecuteProcess
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from launch_ros._names import check_node_name, join_namespaces
from launch_ros._parameter_typing import evaluate_dict
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue, write_temporary_file
from launch_ros.parameters_type import SomeParameters
from launch_ros.remap_rule_type import SomeRemapRules
from launch_ros.substitutions import ExecutableInPackage

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext
    from launch.launch_description_entity import LaunchDescriptionEntity


class Node(ExecuteProcess):
    """Starts a node's executable.

    Its command is: executable, `arguments`, --ros-args `ros_arguments`, --ros-args, name and namespace,
    SetParameter's parameters, one --params-file per entry of `parameters`, SetRemap's and own remappings.
    """

    UNSPECIFIED_NODE_NAME = "<node_name_unspecified>"
    UNSPECIFIED_NODE_NAMESPACE = "<node_namespace_unspecified>"

    def __init__(
        self,
        *,
        executable: SomeSubstitutionsType,
        package: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        namespace: SomeSubstitutionsType | None = None,
        exec_name: SomeSubstitutionsType | None = None,
        parameters: SomeParameters | None = None,
        remappings: SomeRemapRules | None = None,
        ros_arguments: Iterable[SomeSubstitutionsType] | None = None,
        arguments: Iterable[SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        program = executable if package is None else ExecutableInPackage(executable=executable, package=package)
        cmd: list[SomeSubstitutionsType] = [program, *(arguments or [])]
        if ros_arguments is not None:
            cmd += ["--ros-args", *ros_arguments]
        super().__init__(cmd=cmd, name=exec_name, **kwargs)
        self.node_package = package
        self.node_executable = executable
        self._name = None if name is None else normalize_to_list_of_substitutions(name)
        self._namespace = None if namespace is None else normalize_to_list_of_substitutions(namespace)
        self._parameters = _normalize_parameters(parameters)
        self._remappings = [
            (normalize_to_list_of_substitutions(src), normalize_to_list_of_substitutions(dst))
            for src, dst in (remappings or [])
        ]
        self.expanded_node_namespace = self.UNSPECIFIED_NODE_NAMESPACE
        self.expanded_remapping_rules: list[tuple[str, str]] = []
        self._final_node_name: str | None = None

    @property
    def node_name(self) -> str:
        """The node's full name, with placeholders for what is not given.

        Raises:
            RuntimeError: before execution.
        """
        if self._final_node_name is None:
            raise RuntimeError("cannot access 'node_name' before executing action")
        return self._final_node_name

    def is_node_name_fully_specified(self) -> bool:
        """Return whether both name and namespace are given."""
        placeholders = (self.UNSPECIFIED_NODE_NAME, self.UNSPECIFIED_NODE_NAMESPACE)
        return all(placeholder not in self.node_name for placeholder in placeholders)

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Complete the command and start it."""
        ros_arguments = ["--ros-args", *self._name_arguments(context)]
        ros_arguments += self._parameter_arguments(context)
        ros_arguments += self._remapping_arguments(context)
        if self._details is None:
            self.process_description.cmd += [normalize_to_list_of_substitutions(part) for part in ros_arguments]
        return super().execute(context)

    def _name_arguments(self, context: LaunchContext) -> list[str]:
        arguments = []
        name = self.UNSPECIFIED_NODE_NAME
        if self._name is not None:
            name = perform_substitutions(context, self._name)
            check_node_name(name)
            arguments += ["-r", f"__node:={name}"]
        own = "" if self._namespace is None else perform_substitutions(context, self._namespace)
        namespace = join_namespaces(context.launch_configurations.get("ros_namespace"), own)
        if self._namespace is not None and not namespace:
            namespace = "/"
        if namespace:
            self.expanded_node_namespace = namespace
            arguments += ["-r", f"__ns:={namespace}"]
        base = self.expanded_node_namespace.rstrip("/")
        self._final_node_name = f"{base}/{name}"
        return arguments

    def _parameter_arguments(self, context: LaunchContext) -> list[str]:
        arguments = []
        for name, value in context.launch_configurations.get("global_params", []):
            arguments += ["-p", f"{name}:={value}"]
        for entry in self._parameters:
            path = self._parameter_file(context, entry)
            if path.is_file():
                arguments += ["--params-file", str(path)]
            else:
                launch.logging.get_logger("launch_ros.actions.node").warning(
                    f"Parameter file path is not a file: {path}"
                )
        return arguments

    def _parameter_file(self, context: LaunchContext, entry: Mapping[Any, Any] | ParameterFile) -> Path:
        if isinstance(entry, ParameterFile):
            return entry.evaluate(context)
        node = self.node_name if self.is_node_name_fully_specified() else "/**"
        content = {node: {"ros__parameters": evaluate_dict(context, entry)}}
        return write_temporary_file(yaml.dump(content, default_flow_style=False))

    def _remapping_arguments(self, context: LaunchContext) -> list[str]:
        rules = list(context.launch_configurations.get("ros_remaps", []))
        rules += [
            (perform_substitutions(context, src), perform_substitutions(context, dst)) for src, dst in self._remappings
        ]
        self.expanded_remapping_rules = rules
        return [part for src, dst in rules for part in ("-r", f"{src}:={dst}")]


def _normalize_parameters(parameters: SomeParameters | None) -> list[Mapping[Any, Any] | ParameterFile]:
    """Return the entries as dictionaries and parameter files.

    Raises:
        TypeError: when `parameters` is not a list, or an entry is neither a dictionary nor a path.
    """
    if parameters is None:
        return []
    if isinstance(parameters, str | Mapping) or not isinstance(parameters, Iterable):
        raise TypeError(f"Expected 'parameters' to be a list of dictionaries and paths, got {type(parameters)}")
    entries: list[Mapping[Any, Any] | ParameterFile] = []
    for entry in parameters:
        if isinstance(entry, Mapping | ParameterFile):
            entries.append(entry)
        elif isinstance(entry, str | os.PathLike | Substitution | list | tuple):
            entries.append(ParameterFile(entry))  # type: ignore[arg-type]
        elif isinstance(entry, ParameterValue):
            raise TypeError("Expected a dictionary or a path in 'parameters', got a ParameterValue: name it in a dict")
        else:
            raise TypeError(f"Expected a dictionary or a path in 'parameters', got {type(entry)}")
    return entries
