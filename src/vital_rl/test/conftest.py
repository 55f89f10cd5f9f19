"""Small networks are slower on several threads."""

import os

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def own_ros_domain(monkeypatch):
    """A ROS domain that no other test process uses."""
    domain = 150 + os.getpid() % 60
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return domain
