"""A node whose clock can be set: libfaketime in that one process, never the machine's clock.

The node's package is laid over the real one: everything in it is a link, but the node itself is a script that
preloads libfaketime and becomes the real node. So the launch files, names and process tree are as they are without.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ament_index_python.packages import get_package_prefix

from vital_core.errors import ErrorCode, VitalError

PACKAGES = {
    "sim_node": "vital_sim",
    "gate_node": "vital_control",
    "vlm_reach_node": "vital_vlm_reach",
    "frames": "vital_control",
    "policy_node": "vital_rl",
    "task_server": "vital_bringup",
}
LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")
REREAD_S = 1  # libfaketime looks at the file this often
# libfaketime 0.9.10 takes the offset of the system's clock from sleeps until a moment of the steady clock too, which
# then are refused. Those go past it, straight to the kernel.
STEADY_SLEEP = """
#include <errno.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *rest) {
  return syscall(SYS_clock_nanosleep, clock, flags, until, rest) == 0 ? 0 : errno;
}
"""


@dataclass(frozen=True)
class NodeClock:
    """The clock of ``node``: follows the offset in ``file``; ``prefix`` is to come first in AMENT_PREFIX_PATH."""

    node: str
    file: Path
    prefix: Path

    def set(self, offset_s: int) -> None:
        """Put the clock off by ``offset_s`` against the machine's, within `REREAD_S`."""
        aside = self.file.with_suffix(".new")
        aside.write_text(f"{offset_s:+d}\n")
        aside.replace(self.file)

    def environment(self) -> dict[str, str]:
        """To start the stack with."""
        return {"AMENT_PREFIX_PATH": f"{self.prefix}:{os.environ.get('AMENT_PREFIX_PATH', '')}"}


def library() -> Path:
    """libfaketime. Raises VitalError when it is not installed."""
    for pattern in LIBRARIES:
        found = sorted(Path("/").glob(pattern.lstrip("/")))
        if found:
            return found[0]
    raise VitalError(
        ErrorCode.BAD_PARAMETER,
        f"libfaketime is not at {' or '.join(LIBRARIES)}: install it (apt-get install libfaketime), or leave "
        "clock_jump out with --kinds",
    )


def steady_sleep(folder: Path) -> Path:
    """The library that lets steady sleeps past libfaketime, built in ``folder``. Raises VitalError: no compiler."""
    built = folder / "steady_sleep.so"
    command = ["g++", "-x", "c", "-shared", "-fPIC", "-o", str(built), "-"]
    done = subprocess.run(command, input=STEADY_SLEEP, capture_output=True, text=True)
    if done.returncode != 0:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"g++ could not build {built.name}: {done.stderr.strip()[:300]}")
    return built


def node_clock(folder: Path, node: str) -> NodeClock:
    """Lay the package of ``node`` over the real one in ``folder``, with a clock that can be set."""
    package, prefix = PACKAGES[node], folder / "overlay"
    real = Path(get_package_prefix(package))
    index = prefix / "share/ament_index/resource_index/packages"
    executables = prefix / "lib" / package
    for made in (index, executables):
        made.mkdir(parents=True)
    (index / package).touch()
    (prefix / "share" / package).symlink_to(real / "share" / package)
    for path in (real / "lib" / package).iterdir():
        if path.name != node:
            (executables / path.name).symlink_to(path)
    clock = NodeClock(node, folder / "clock", prefix)
    clock.set(0)
    script = executables / node
    variables = {
        "LD_PRELOAD": f"{steady_sleep(folder)}:{library()}",
        "FAKETIME_TIMESTAMP_FILE": clock.file,
        "FAKETIME_DONT_FAKE_MONOTONIC": 1,
        "FAKETIME_CACHE_DURATION": REREAD_S,
    }
    exports = " ".join(f"{name}='{value}'" for name, value in variables.items())
    script.write_text(f"#!/bin/sh\nexport {exports}\nexec '{real / 'lib' / package / node}' \"$@\"\n")
    script.chmod(0o755)
    return clock
