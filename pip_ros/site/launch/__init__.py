"""A minimal `launch` for systems without a ROS installation: see pip_ros/README.md."""

from launch import _needs_ros

_needs_ros.install()

from launch import actions, conditions, event_handlers, events, launch_description_sources, logging, substitutions  # noqa: E402
from launch.action import Action  # noqa: E402
from launch.condition import Condition  # noqa: E402
from launch.event import Event  # noqa: E402
from launch.event_handler import EventHandler  # noqa: E402
from launch.launch_context import LaunchContext  # noqa: E402
from launch.launch_description import LaunchDescription  # noqa: E402
from launch.launch_description_entity import LaunchDescriptionEntity  # noqa: E402
from launch.launch_description_source import LaunchDescriptionSource  # noqa: E402
from launch.launch_service import LaunchService  # noqa: E402
from launch.some_actions_type import SomeActionsType  # noqa: E402
from launch.some_entities_type import SomeEntitiesType  # noqa: E402
from launch.some_substitutions_type import SomeSubstitutionsType  # noqa: E402
from launch.substitution import Substitution  # noqa: E402

__all__ = [
    "Action",
    "Condition",
    "Event",
    "EventHandler",
    "LaunchContext",
    "LaunchDescription",
    "LaunchDescriptionEntity",
    "LaunchDescriptionSource",
    "LaunchService",
    "SomeActionsType",
    "SomeEntitiesType",
    "SomeSubstitutionsType",
    "Substitution",
    "actions",
    "conditions",
    "event_handlers",
    "events",
    "launch_description_sources",
    "logging",
    "substitutions",
]

__getattr__ = _needs_ros.lazy_attribute(__name__)
