"""The monitor beside what it hears, once for the tests of a file."""

from collections.abc import Iterator

import pytest
from ros_domain import own_domain
from stack_for_pages import Running


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(own_domain()))
        here = Running(tmp_path_factory.mktemp("monitor"))
        try:
            yield here
        finally:
            here.close()
