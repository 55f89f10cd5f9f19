"""ROS domains of the tests: two processes that run side by side hear nothing of each other."""

import os

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from ros_domain import DOMAINS, PER_PROCESS, living_nodes, own_domain


def test_domains_of_one_process_differ_and_fit_dds(monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    own = [own_domain(number) for number in range(PER_PROCESS)]
    assert len(set(own)) == PER_PROCESS and set(own) <= set(DOMAINS) and max(DOMAINS) <= 232
    assert all(not 32768 <= 7400 + 250 * domain <= 60999 - 250 for domain in DOMAINS)


def test_no_worker_shares_a_domain_with_another(monkeypatch):
    taken = set()
    for worker in range(16):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", f"gw{worker}")
        taken |= {own_domain(number) for number in range(PER_PROCESS)}
    assert len(taken) == 16 * PER_PROCESS


def test_every_test_runs_in_a_domain_of_its_process():
    assert int(os.environ["ROS_DOMAIN_ID"]) in DOMAINS


@pytest.mark.parametrize("number", [-1, PER_PROCESS])
def test_a_number_too_many_is_refused(number):
    with pytest.raises(ValueError, match="expected 0 to 4"):
        own_domain(number)


def test_a_node_lives_until_it_is_destroyed_whatever_becomes_of_its_context():
    context = Context()
    rclpy.init(context=context, domain_id=own_domain())
    node = Node("lingering", context=context)
    assert living_nodes() == ["lingering"]
    rclpy.shutdown(context=context)
    assert living_nodes() == ["lingering"]
    node.destroy_node()
    assert living_nodes() == []
