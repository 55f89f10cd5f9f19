"""Quality of service: from the command line, and to suit publishers."""

from __future__ import annotations

import argparse
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPresetProfiles, QoSProfile, ReliabilityPolicy

PROFILES = {
    "unknown": QoSPresetProfiles.UNKNOWN,
    "system_default": QoSPresetProfiles.SYSTEM_DEFAULT,
    "sensor_data": QoSPresetProfiles.SENSOR_DATA,
    "services_default": QoSPresetProfiles.SERVICES_DEFAULT,
    "parameters": QoSPresetProfiles.PARAMETERS,
    "parameter_events": QoSPresetProfiles.PARAMETER_EVENTS,
    "best_available": QoSPresetProfiles.BEST_AVAILABLE,
}
RELIABILITY = {
    "system_default": ReliabilityPolicy.SYSTEM_DEFAULT,
    "reliable": ReliabilityPolicy.RELIABLE,
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
}
DURABILITY = {
    "system_default": DurabilityPolicy.SYSTEM_DEFAULT,
    "transient_local": DurabilityPolicy.TRANSIENT_LOCAL,
    "volatile": DurabilityPolicy.VOLATILE,
}
HISTORY = {
    "system_default": HistoryPolicy.SYSTEM_DEFAULT,
    "keep_last": HistoryPolicy.KEEP_LAST,
    "keep_all": HistoryPolicy.KEEP_ALL,
}


def add_qos_options(parser: argparse.ArgumentParser) -> None:
    """Add the --qos options."""
    parser.add_argument("--qos-profile", choices=sorted(PROFILES), help="Quality of service preset profile")
    parser.add_argument("--qos-depth", type=int, metavar="N", help="Queue size setting")
    parser.add_argument("--qos-history", choices=sorted(HISTORY), help="History of samples setting")
    parser.add_argument("--qos-reliability", choices=sorted(RELIABILITY), help="Reliability setting")
    parser.add_argument("--qos-durability", choices=sorted(DURABILITY), help="Durability setting")


def _preset(options: argparse.Namespace) -> QoSProfile:
    if options.qos_profile is None:
        return QoSProfile(depth=10)
    preset = PROFILES[options.qos_profile].value
    profile = QoSProfile(depth=max(preset.depth, 1))
    for policy in ("history", "depth", "reliability", "durability"):
        setattr(profile, policy, getattr(preset, policy))
    return profile


def profile_from_options(options: argparse.Namespace, profile: QoSProfile | None = None) -> QoSProfile:
    """Return the profile with what the command line asks for."""
    profile = profile or _preset(options)
    if options.qos_depth is not None:
        profile.depth = options.qos_depth
    for name, values in (("history", HISTORY), ("reliability", RELIABILITY), ("durability", DURABILITY)):
        value = getattr(options, f"qos_{name}")
        if value is not None:
            setattr(profile, name, values[value])
    return profile


def profile_for_publishers(node: Node, topic: str, options: argparse.Namespace) -> QoSProfile:
    """Return a profile that all publishers of a topic can serve, with what the command line asks for."""
    if options.qos_profile is not None:
        return profile_from_options(options)
    offers: list[Any] = [info.qos_profile for info in node.get_publishers_info_by_topic(topic)]
    profile = QoSProfile(depth=10)
    reliable = [offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers]
    if reliable and not all(reliable):
        profile.reliability = ReliabilityPolicy.BEST_EFFORT
        if any(reliable):
            _warn("reliability", "BEST_EFFORT")
    latched = [offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers]
    if latched and all(latched):
        profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
    elif any(latched):
        _warn("durability", "VOLATILE")
    return profile_from_options(options, profile)


def _warn(policy: str, fallback: str) -> None:
    print(
        f"Some, but not all, publishers are offering the better {policy}. "
        f"Falling back to {fallback} as it will connect to all publishers"
    )
