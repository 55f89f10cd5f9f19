"""`vital_data play`: a recorded episode back onto its topics, with its own timing.

It speaks for sensors, and a command gate would believe old joint states: where somebody else publishes on one of the
topics, nothing is played, and playing ends when somebody begins to.
"""

import argparse
import time
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Any

import rclpy
from mcap.records import Message
from rich.console import Console
from rich.progress import Progress

from vital_core.errors import ErrorCode, VitalError
from vital_data.files.mcap_file import OpenRecording, open_recording
from vital_data.files.session import Session
from vital_ros.process.network import apply_network_settings
from vital_ros.qos import LAST_TEN

# Played only when asked for: these would move an arm, or speak for the gate.
ACTING = ("/vital/command", "/vital/gate_state")
# A listener is found within this; after the first one there is a moment for the others.
DISCOVERY_S, SETTLE_S = 5.0, 1.0
COMPANY_EVERY = 50


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Declare the command's options."""
    parser = commands.add_parser("play", help="publish a recorded episode on its topics")
    parser.add_argument("session", type=Path)
    parser.add_argument("--episode", type=int, default=0)
    parser.add_argument("--rate", type=float, default=1.0, help="speed; 2 is twice as fast")
    parser.add_argument("--acting", action="store_true", help="commands and gate states too; never with an arm")
    parser.set_defaults(run=run)


def _message_class(name: str) -> type:
    """The class of package/msg/Type."""
    package, _, kind = name.split("/")
    try:
        return getattr(import_module(f"{package}.msg"), kind)
    except (ImportError, AttributeError) as error:
        raise VitalError(ErrorCode.BAD_RECORDING, f"{name} is not installed here, it cannot be played") from error


def run(options: argparse.Namespace, console: Console) -> int:
    """Play to the end; Ctrl-C stops it."""
    if not options.rate > 0.0:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"--rate is {options.rate}, expected more than 0")
    entry = Session.open(options.session).entry(options.episode)
    if notice := apply_network_settings().notice:
        console.print(notice)
    rclpy.init()
    node = rclpy.create_node("vital_data_play")
    try:
        with open_recording(entry.path) as recording:
            _play(node, recording, options, console)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _wait_for_listener(publishers: Collection[Any]) -> bool:
    """Wait for somebody who listens; False when there is nobody."""
    deadline_s = time.monotonic() + DISCOVERY_S
    while not any(publisher.get_subscription_count() for publisher in publishers):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    time.sleep(SETTLE_S)
    return True


def _refuse_company(node: Any, topics: Collection[str]) -> None:
    if taken := [topic for topic in topics if node.count_publishers(topic) > 1]:
        raise VitalError(
            ErrorCode.BUSY,
            f"somebody else publishes on {', '.join(taken)}: end that first, or play with another ROS_DOMAIN_ID",
        )


def _play(node: Any, recording: OpenRecording, options: argparse.Namespace, console: Console) -> None:
    summary = recording.summary()
    assert summary.statistics is not None
    publishers = {}
    for channel in summary.channels.values():
        if options.acting or channel.topic not in ACTING:
            kind = _message_class(summary.schemas[channel.schema_id].name)
            # Serves whoever listens, reliably or not, to what is new or to the last word as well.
            publishers[channel.topic] = node.create_publisher(kind, channel.topic, LAST_TEN)
    if not _wait_for_listener(publishers.values()):
        console.print("nobody listens yet", style="yellow")
    first_ns, start_s = summary.statistics.message_start_time, time.monotonic()
    with Progress(console=console) as progress:
        bar = progress.add_task("playing", total=summary.statistics.message_count)
        messages = (record for record in recording.records() if isinstance(record, Message))
        for number, message in enumerate(messages):
            channel = summary.channels[message.channel_id]
            if number % COMPANY_EVERY == 0:
                _refuse_company(node, publishers)
            due_s = start_s + (message.log_time - first_ns) * 1e-9 / options.rate
            time.sleep(max(0.0, due_s - time.monotonic()))
            if channel.topic in publishers:
                publishers[channel.topic].publish(message.data)
            progress.advance(bar)
