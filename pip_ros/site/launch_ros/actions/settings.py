"""Settings for the nodes that follow: namespace, parameters, remappings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from launch_ros._names import join_namespaces
from launch_ros._parameter_typing import evaluate_dict

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class PushRosNamespace(Action):
    """Puts the nodes that follow into a namespace: a relative one adds to the current, an absolute one replaces it."""

    def __init__(self, namespace: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.namespace = normalize_to_list_of_substitutions(namespace)

    def execute(self, context: LaunchContext) -> None:
        """Set the namespace; a scoped GroupAction restores it."""
        previous = context.launch_configurations.get("ros_namespace")
        namespace = join_namespaces(previous, perform_substitutions(context, self.namespace))
        context.launch_configurations["ros_namespace"] = namespace


PushROSNamespace = PushRosNamespace


class SetParameter(Action):
    """Gives a parameter to all nodes that follow."""

    def __init__(self, name: SomeSubstitutionsType, value: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = normalize_to_list_of_substitutions(name)
        self.value = value

    def execute(self, context: LaunchContext) -> None:
        """Add it to the list; the list itself is shared with outer scopes, as in the real one."""
        name = perform_substitutions(context, self.name)
        parameters = evaluate_dict(context, {name: self.value})
        context.launch_configurations.setdefault("global_params", []).extend(parameters.items())


class SetUseSimTime(SetParameter):
    """Gives the parameter use_sim_time to all nodes that follow."""

    def __init__(self, value: Any = True, **kwargs: Any) -> None:
        super().__init__("use_sim_time", value, **kwargs)


class SetRemap(Action):
    """Gives a remapping to all nodes that follow."""

    def __init__(self, src: SomeSubstitutionsType, dst: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.src = normalize_to_list_of_substitutions(src)
        self.dst = normalize_to_list_of_substitutions(dst)

    def execute(self, context: LaunchContext) -> None:
        """Add it to the list."""
        remapping = (perform_substitutions(context, self.src), perform_substitutions(context, self.dst))
        context.launch_configurations.setdefault("ros_remaps", []).append(remapping)
