"""ROS domains of the tests: those of one test process are no other's, so that two may run side by side."""

import os

# Their ports are below and above those that Linux hands out by itself (32768 to 60999).
DOMAINS = (*range(1, 102), *range(215, 232))
PER_PROCESS = 5


def own_domain(number: int = 0) -> int:
    """A ROS domain of this test process; another ``number``, 0 to 4, is another domain."""
    if not 0 <= number < PER_PROCESS:
        raise ValueError(f"number is {number}, expected 0 to {PER_PROCESS - 1}")
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    run, place = (os.getppid(), int(worker.removeprefix("gw"))) if worker else (os.getpid(), 0)
    share = (run + place) % (len(DOMAINS) // PER_PROCESS)
    return DOMAINS[share * PER_PROCESS + number]
