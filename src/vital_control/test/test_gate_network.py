"""Who reaches the gate from another machine: nobody, unless the network was opened on purpose.

Two network namespaces, each with a /dev/shm of its own, stand for two machines on one cable.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROBE = Path(__file__).with_name("network_probe.py")
ROBOT, STRANGER = "10.77.0.1", "10.77.0.2"
CLOSED_DOMAIN, OPEN_DOMAIN = "14", "15"
# Found after some 0.2 s; an announcement that got lost is repeated every 3 s.
FINDS_WITHIN_S, LOOKS_FOR_S = 40.0, 7.0


def why_no_namespaces() -> str:
    """Why this process cannot make network namespaces; empty when it can."""
    if os.geteuid() != 0:
        return "network namespaces can be made by root alone"
    made = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
    return made.stderr.strip()


class Machine:
    """A network namespace at one end of a cable."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self.memory = Path("/dev/shm") / name
        self.memory.mkdir()
        _ip("netns", "add", name)

    def plug_in(self, device: str) -> None:
        """Take the device, and bring it and the loopback up."""
        _ip("link", "set", device, "netns", self.name)
        _ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", device)
        for link in (device, "lo"):
            _ip("-n", self.name, "link", "set", link, "up")

    def start(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen:
        """A process on this machine: only what ``environment`` names says anything about DDS."""
        of_dds = ("ROS_AUTOMATIC", "ROS_STATIC", "FASTRTPS_", "FASTDDS_", "SKIP_DEFAULT_XML", "VITAL_NETWORK")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(of_dds)}
        own_memory = ["sh", "-c", 'mount --bind "$0" /dev/shm && exec "$@"', str(self.memory), *command]
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *own_memory],
            env={**inherited, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def look(self, domain: str, seconds: float, **environment: str) -> dict:
        """What a participant on this machine sees of the gate, and whether it answers."""
        probe = self.start([sys.executable, str(PROBE), str(seconds)], {"ROS_DOMAIN_ID": domain, **environment})
        out, err = probe.communicate(timeout=seconds + 60.0)
        assert probe.returncode == 0, err
        return json.loads(out)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@pytest.fixture(scope="module")
def machines() -> Iterator[tuple[Machine, Machine]]:
    """The robot's and a stranger's."""
    if why := why_no_namespaces():
        pytest.skip(why)
    assert shutil.which("ip"), "namespaces can be made here, but `ip` is missing: apt-get install iproute2"
    tag = f"vt{os.getpid() % 100000}"
    names = [f"{tag}-robot", f"{tag}-stranger"]
    try:
        robot, stranger = Machine(names[0], ROBOT), Machine(names[1], STRANGER)
        _ip("link", "add", f"{tag}a", "type", "veth", "peer", "name", f"{tag}b")
        robot.plug_in(f"{tag}a")
        stranger.plug_in(f"{tag}b")
        yield robot, stranger
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
            shutil.rmtree(Path("/dev/shm") / name, ignore_errors=True)


@contextlib.contextmanager
def running_gate(machine: Machine, domain: str, **environment: str) -> Iterator[subprocess.Popen]:
    """The gate, seen by a participant on its own machine."""
    command = [sys.executable, "-m", "vital_control.gate_node"]
    process = machine.start(command, {"ROS_DOMAIN_ID": domain, **environment})
    try:
        if not machine.look(domain, FINDS_WITHIN_S)["answered"]:
            process.kill()
            pytest.fail(f"the gate did not come up: {process.communicate()[1]}")
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def outside_addresses(process: subprocess.Popen) -> set[str]:
    """What UDP sockets of the process's machine are bound to, beside the loopback."""
    lines = Path(f"/proc/{process.pid}/net/udp").read_text().splitlines()[1:]
    bound = {".".join(map(str, bytes.fromhex(line.split()[1].split(":")[0])[::-1])) for line in lines}
    assert bound, "no UDP socket at all: looked in the wrong place"
    return {address for address in bound if not address.startswith("127.")}


def test_nobody_outside_finds_or_calls_the_gate_unless_the_network_is_open(
    machines: tuple[Machine, Machine],
) -> None:
    robot, stranger = machines
    intruder = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "ROS_STATIC_PEERS": ROBOT}
    # A careless environment on the robot's side does not open it.
    careless = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_STATIC_PEERS": STRANGER}
    with running_gate(robot, CLOSED_DOMAIN, **careless) as gate:
        assert outside_addresses(gate) == set()
        seen = stranger.look(CLOSED_DOMAIN, LOOKS_FOR_S, **intruder)
        assert seen == {"nodes": [], "topics": [], "services": [], "answered": []}
    with running_gate(robot, OPEN_DOMAIN, VITAL_NETWORK="open") as gate:
        assert outside_addresses(gate) != set()
        seen = stranger.look(OPEN_DOMAIN, FINDS_WITHIN_S, **intruder)
        assert "/vital/gate_state" in seen["topics"]
        assert seen["services"] == seen["answered"] == ["/vital/acquire_control", "/vital/stop"]
