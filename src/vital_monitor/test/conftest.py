"""The monitor beside what it hears, once for the tests of a file."""

import os
from collections.abc import Iterator

import pytest
from stack_for_pages import Running


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
        here = Running(tmp_path_factory.mktemp("monitor"))
        try:
            yield here
        finally:
            here.close()
