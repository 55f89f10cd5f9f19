"""Small networks are slower on several threads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from ros_domain import own_domain
from slide import still

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Exported graphs of the tests' checkpoints leave the user's own alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def checkpoint_path(tmp_path: Path) -> Path:
    """A small untrained checkpoint for usb_insertion."""
    still(tmp_path)
    return tmp_path / "usb_insertion.safetensors"


@pytest.fixture
def own_ros_domain(monkeypatch):
    """A ROS domain that no other test process uses."""
    domain = own_domain(1)  # another one than of the nodes that are spun in this process
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return domain
