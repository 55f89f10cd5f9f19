"""Who may start a stack, or a gate, in a ROS domain."""

import os
import signal
import subprocess
import sys

import pytest

from vital_core.errors import VitalError
from vital_ros.process.domain_lock import DomainLock, Sole, own_domain

# Not a domain that ROS has: no launch is in the way.
DOMAIN = 100_000 + os.getpid()
HOLDER = """
import sys, time
from vital_ros.process.domain_lock import DomainLock
lock = DomainLock(int(sys.argv[1]), "record.launch.py")
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder():
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(DOMAIN)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_one_is_refused_by_the_name_of_the_first(holder):
    with pytest.raises(VitalError) as refusal:
        DomainLock(DOMAIN, "deploy.launch.py")
    said = str(refusal.value)
    assert said.startswith(
        f"[BUSY 53] the arm of ROS domain {DOMAIN} is taken by record.launch.py, pid {holder.pid}, since "
    )
    assert said.endswith("end it, or use another ROS_DOMAIN_ID")


def test_another_domain_is_free(holder):
    DomainLock(DOMAIN + 1, "deploy.launch.py").release()


def test_a_stack_leaves_room_for_its_gate(holder):
    DomainLock(DOMAIN, "/command_gate", Sole.GATE).release()


def test_what_its_holder_starts_does_not_hold_it():
    lock = DomainLock(DOMAIN, "deploy.launch.py")
    child = subprocess.Popen(["sleep", "600"], close_fds=False)
    lock.release()
    try:
        DomainLock(DOMAIN, "record.launch.py").release()
    finally:
        child.kill()
        child.wait()


def test_a_holder_that_was_killed_holds_nothing(holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    DomainLock(DOMAIN, "deploy.launch.py").release()


def test_a_domain_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "kitchen")
    with pytest.raises(VitalError, match=r"BAD_PARAMETER.*'kitchen'"):
        own_domain()
