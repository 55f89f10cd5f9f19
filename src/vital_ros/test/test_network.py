"""The network is closed unless it is opened on purpose, whatever else the environment says."""

import os
import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_ros.process import network
from vital_ros.process.network import NETWORK, PEERS, PROFILE, RANGE, Network, network_settings

Room = namedtuple("Room", "f_bavail f_frsize")


@pytest.fixture(autouse=True)
def roomy_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shared memory folder of this test's own, with 1 GiB free."""
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(network, "SHARED_MEMORY", folder)
    monkeypatch.setattr(network.os, "statvfs", lambda _: Room(2**18, 4096))
    return folder


def profile_of(environment: dict[str, str]) -> str:
    return Path(network_settings(environment).variables[PROFILE]).name


def test_network_is_closed_by_default_and_says_nothing():
    settings = network_settings({})
    assert settings.closed and settings.notice == ""
    assert Path(settings.variables[PROFILE]).name == "loopback.xml"
    # LOCALHOST would have rmw_fastrtps add transports that bind every address.
    assert settings.variables[RANGE] == "SYSTEM_DEFAULT"


@pytest.mark.parametrize("discovery", ["LOCALHOST", "SUBNET", "SYSTEM_DEFAULT", ""])
def test_discovery_range_alone_does_not_open_the_network(discovery: str):
    settings = network_settings({RANGE: discovery})
    assert settings.closed and settings.variables[RANGE] == "SYSTEM_DEFAULT"


def test_discovery_that_is_off_stays_off():
    for name in Network:
        assert network_settings({RANGE: "OFF", NETWORK: name}).variables[RANGE] == "OFF"


def test_what_is_not_followed_is_said():
    for environment in ({RANGE: "SUBNET"}, {PEERS: "10.0.0.7"}):
        assert "VITAL_NETWORK=open" in network_settings(environment).notice


def test_open_network_is_said_in_one_line_and_once():
    opened = network_settings({NETWORK: "open"})
    assert not opened.closed and "stop and command" in opened.notice and "\n" not in opened.notice
    assert opened.variables[RANGE] == "SUBNET"
    assert network_settings(dict(opened.variables)).notice == ""


def test_opening_from_a_closed_environment_opens_and_back():
    closed = dict(network_settings({}).variables)
    opened = network_settings({**closed, NETWORK: "open"})
    assert Path(opened.variables[PROFILE]).name == "open.xml" and opened.variables[RANGE] == "SUBNET"
    assert network_settings({**opened.variables, NETWORK: "loopback"}).variables == closed


def test_users_own_profile_is_kept_and_said(tmp_path: Path):
    own = tmp_path / "own.xml"
    own.write_text("<profiles/>")
    settings = network_settings({PROFILE: str(own)})
    assert PROFILE not in settings.variables and not settings.closed
    assert str(own) in settings.notice
    assert settings.variables[RANGE] == "LOCALHOST"
    assert network_settings({PROFILE: str(own), **settings.variables}).notice == ""


def test_profile_of_another_installation_of_ours_is_not_the_users(tmp_path: Path):
    copy = tmp_path / "open.xml"
    copy.write_bytes((network.PROFILES / "open.xml").read_bytes())
    assert profile_of({PROFILE: str(copy)}) == "loopback.xml"


@pytest.mark.parametrize(
    "environment",
    [{NETWORK: "opne"}, {PROFILE: "/nowhere/own.xml"}, {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}],
)
def test_what_might_be_open_without_being_asked_for_is_refused(environment: dict[str, str]):
    with pytest.raises(VitalError) as refused:
        network_settings(environment)
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_lost_profile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(network, "PROFILES", tmp_path)
    with pytest.raises(VitalError, match="would be open"):
        network_settings({})


def test_another_middleware_may_be_used_on_an_open_network():
    settings = network_settings({"RMW_IMPLEMENTATION": "rmw_zenoh_cpp", NETWORK: "open"})
    assert not settings.closed and PROFILE not in settings.variables


def test_small_shared_memory_gives_udp(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(network.os, "statvfs", lambda _: Room(2**14, 4096))
    assert profile_of({}) == "loopback_udp.xml"
    assert "64 MB free" in network_settings({}).notice
    assert network_settings({}).closed


def test_shared_memory_of_another_user_gives_udp(roomy_memory: Path, monkeypatch: pytest.MonkeyPatch):
    (roomy_memory / "fastrtps_port7412").touch()
    assert profile_of({}) == "loopback.xml"
    monkeypatch.setattr(network.os, "getuid", lambda: 4711)
    assert profile_of({}) == "loopback_udp.xml"
    assert profile_of({"ROS_DOMAIN_ID": "1"}) == "loopback.xml"


def test_socket_on_every_address_is_refused_where_the_network_is_closed():
    closed, opened = network_settings({}), network_settings({NETWORK: "open"})
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        with socket.socket(family, socket.SOCK_DGRAM) as bound:
            try:
                bound.bind((address, 0))
            except OSError:
                continue
            assert network.outside_sockets()
            network.refuse_outside_sockets(opened)
            with pytest.raises(VitalError) as refused:
                network.refuse_outside_sockets(closed)
            assert refused.value.code is ErrorCode.NETWORK_OPEN


def test_socket_on_the_loopback_is_none_of_the_outside(monkeypatch: pytest.MonkeyPatch):
    before = network.outside_sockets()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        assert network.outside_sockets() == before


def test_shell_gets_the_settings_and_the_notice():
    command = [sys.executable, "-m", "vital_ros.process.network"]
    done = subprocess.run(command, env={**os.environ, NETWORK: "open"}, capture_output=True, text=True, check=True)
    assert f"export {NETWORK}=open" in done.stdout and "network open" in done.stderr
    refused = subprocess.run(command, env={**os.environ, NETWORK: "opne"}, capture_output=True, text=True)
    assert refused.returncode == 1 and refused.stdout == "" and "BAD_PARAMETER" in refused.stderr
