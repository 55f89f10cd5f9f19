"""Who can reach the robot over DDS: this machine alone, unless the network is opened on purpose.

`VITAL_NETWORK` says it, `network:=` of the launch files mirrors it, and every node applies it before its participant
is made. Each value names a Fast DDS profile in `fastdds/`:

- `loopback` (default): shared memory and UDP on 127.0.0.1; no socket is bound to an address that others reach.
- `loopback_udp`: the same without shared memory, for processes that do not share /dev/shm. Chosen by itself where
  /dev/shm is small, or another user's nodes in this domain use it: nobody can write to the files of others.
- `open`: every interface. DDS asks nobody who they are: whoever reaches this machine can stop and command the arm.

`python -m vital_ros.process.network` prints the settings for a shell.
"""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path

from vital_core.errors import ErrorCode, VitalError
from vital_ros.process.shared_memory import SHARED_MEMORY

NETWORK = "VITAL_NETWORK"
PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"
RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
PEERS = "ROS_STATIC_PEERS"
DOMAIN = "ROS_DOMAIN_ID"
MIDDLEWARE = "RMW_IMPLEMENTATION"
# Fast DDS also reads DEFAULT_FASTRTPS_PROFILES.xml of the working directory, which could open what is closed.
SKIP_LOCAL_PROFILE = "SKIP_DEFAULT_XML_FILE"
PROFILES = Path(__file__).parent / "fastdds"
# Room for the segments of a whole stack, which are allocated at once. Docker's default is 64 MB.
LEAST_SHARED_MEMORY_BYTES = 512 * 2**20
# The numbers of UDP and shared memory ports (RTPS specification 2.2, 9.6.1.1).
FIRST_PORT, PORTS_OF_A_DOMAIN = 7400, 250


class Network(StrEnum):
    """Values of `VITAL_NETWORK`."""

    LOOPBACK = "loopback"
    LOOPBACK_UDP = "loopback_udp"
    OPEN = "open"


@dataclass(frozen=True)
class NetworkSettings:
    """What to set in the environment, and a line for the operator (empty when there is nothing to say)."""

    network: Network
    variables: Mapping[str, str]
    notice: str = ""

    @property
    def closed(self) -> bool:
        """Whether the profile in use is one of ours that binds nothing but the loopback."""
        return self.network is not Network.OPEN and PROFILE in self.variables


def chosen_network(environment: Mapping[str, str]) -> Network:
    """What `VITAL_NETWORK` says. Raises VitalError(BAD_PARAMETER) for a value that is none."""
    name = environment.get(NETWORK) or Network.LOOPBACK
    try:
        return Network(name)
    except ValueError:
        names = ", ".join(Network)
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{NETWORK}={name} is unknown, expected one of: {names}") from None


def network_settings(environment: Mapping[str, str]) -> NetworkSettings:
    """The settings for what ``environment`` asks for. Raises VitalError(BAD_PARAMETER) where it cannot be had."""
    network = chosen_network(environment)
    middleware = environment.get(MIDDLEWARE) or "rmw_fastrtps_cpp"
    if not middleware.startswith("rmw_fastrtps"):
        settings = _of_another_middleware(network, middleware)
    elif own := _users_own_profile(environment):
        settings = _of_users_own_profile(environment, network, own)
    elif network is Network.OPEN:
        settings = _opened(environment)
    else:
        settings = _closed(environment, network)
    known = all(environment.get(name) == value for name, value in settings.variables.items())
    return NetworkSettings(settings.network, settings.variables, "" if known else settings.notice)


def apply_network_settings(environment: MutableMapping[str, str] = os.environ) -> NetworkSettings:
    """Set what `network_settings` says; to be called before `rclpy.init`."""
    settings = network_settings(environment)
    environment.update(settings.variables)
    return settings


def _of_another_middleware(network: Network, middleware: str) -> NetworkSettings:
    if network is not Network.OPEN:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"{MIDDLEWARE}={middleware} is not known to stay on this machine, only rmw_fastrtps_cpp is: unset it, "
            f"or set {NETWORK}=open and close the network by other means",
        )
    return NetworkSettings(network, {NETWORK: network}, f"network open: {middleware} decides who reaches the robot")


def _users_own_profile(environment: Mapping[str, str]) -> Path | None:
    """The user's own profile. Raises VitalError(BAD_PARAMETER) when it cannot be read: Fast DDS would go on open."""
    if not environment.get(PROFILE):
        return None
    path = Path(environment[PROFILE])
    try:
        content = path.read_bytes()
    except OSError as error:
        raise VitalError(
            ErrorCode.BAD_PARAMETER, f"{PROFILE}={path} cannot be read ({error.strerror}): correct it, or unset it"
        ) from error
    # The same file stands in the source and the install folder.
    ours = any(content == profile.read_bytes() for profile in PROFILES.glob("*.xml"))
    return None if ours else path


def _of_users_own_profile(environment: Mapping[str, str], network: Network, path: Path) -> NetworkSettings:
    variables = {NETWORK: str(network), RANGE: environment.get(RANGE) or "LOCALHOST"}
    return NetworkSettings(network, variables, f"network: your own profile {path} decides who reaches the robot")


def _opened(environment: Mapping[str, str]) -> NetworkSettings:
    variables = {
        NETWORK: str(Network.OPEN),
        PROFILE: str(_profile(Network.OPEN)),
        SKIP_LOCAL_PROFILE: "1",
        # What finds others by multicast, and ROS_STATIC_PEERS as well.
        RANGE: "OFF" if environment.get(RANGE) == "OFF" else "SUBNET",
    }
    return NetworkSettings(
        Network.OPEN, variables, "network open: whoever reaches this machine can stop and command the robot"
    )


def _closed(environment: Mapping[str, str], network: Network) -> NetworkSettings:
    why = _why_not_shared_memory(environment.get(DOMAIN, "")) if network is Network.LOOPBACK else ""
    discovery = environment.get(RANGE, "")
    variables = {
        NETWORK: str(network),
        PROFILE: str(_profile(Network.LOOPBACK_UDP if why else network)),
        SKIP_LOCAL_PROFILE: "1",
        # With LOCALHOST rmw_fastrtps adds transports of its own, which bind every address.
        RANGE: "OFF" if discovery == "OFF" else "SYSTEM_DEFAULT",
    }
    words = [f"network: UDP instead of shared memory, {why}"] if why else []
    if discovery == "SUBNET" or environment.get(PEERS):
        words.append(f"network: {RANGE} and {PEERS} count only with network:=open ({NETWORK}=open)")
    return NetworkSettings(network, variables, "; ".join(words))


def _profile(network: Network) -> Path:
    path = PROFILES / f"{network}.xml"
    try:
        path.read_bytes()
    except OSError as error:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"{path} cannot be read ({error.strerror}), the network would be open: build again",
        ) from error
    return path


def _why_not_shared_memory(domain: str) -> str:
    """Why shared memory would lose messages here; empty when it would not."""
    try:
        room = os.statvfs(SHARED_MEMORY)
    except FileNotFoundError:
        return f"there is no {SHARED_MEMORY}"
    free_bytes = room.f_bavail * room.f_frsize
    if free_bytes < LEAST_SHARED_MEMORY_BYTES:
        return f"{SHARED_MEMORY} has {free_bytes >> 20} MB free, fewer than {LEAST_SHARED_MEMORY_BYTES >> 20}"
    first = FIRST_PORT + PORTS_OF_A_DOMAIN * int(domain if domain.isdecimal() else 0)
    ports = (SHARED_MEMORY / f"fastrtps_port{port}" for port in range(first, first + PORTS_OF_A_DOMAIN))
    others = [port for port in ports if _owner(port) not in (None, os.getuid())]
    return f"{others[0]} is of another user, in the same domain" if others else ""


def _owner(path: Path) -> int | None:
    """User id; None for what is not there."""
    try:
        return path.stat().st_uid
    except FileNotFoundError:
        return None


def outside_sockets() -> list[str]:
    """Address:port of this process's UDP sockets that are not bound to the loopback."""
    own = set(_own_sockets())
    found = []
    for table in ("udp", "udp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            if fields[9] in own and not _is_loopback(address):
                found.append(f"{address}:{int(port, 16)}")
    return found


def refuse_outside_sockets(settings: NetworkSettings) -> None:
    """Raises VitalError(NETWORK_OPEN) when the network should be closed and a socket says that it is not."""
    found = outside_sockets() if settings.closed else []
    if found:
        raise VitalError(
            ErrorCode.NETWORK_OPEN,
            f"UDP sockets are bound to {', '.join(found)}, expected 127.0.0.1 alone: look for DDS settings beside "
            f"{settings.variables[PROFILE]}, or open the network on purpose with {NETWORK}=open",
        )


def _own_sockets() -> Iterator[str]:
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def _is_loopback(address: str) -> bool:
    """Of an address in the kernel's hexadecimal, a 32-bit word at a time in the machine's order."""
    words = [int.from_bytes(bytes.fromhex(address[at : at + 8]), sys.byteorder) for at in range(0, len(address), 8)]
    if len(words) == 1:
        return IPv4Address(words[0]).is_loopback
    return words == [0, 0, 0, 1]


def main() -> None:
    """Print the settings as lines of `export`, for `eval`; the notice goes to the error output."""
    try:
        settings = network_settings(os.environ)
    except VitalError as error:
        sys.exit(str(error))
    for name, value in settings.variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    if settings.notice:
        sys.stderr.write(f"{settings.notice}\n")


if __name__ == "__main__":
    main()
