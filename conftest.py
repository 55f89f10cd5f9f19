"""What holds for every test: signals can be tried, however the tests were started; disks can be filled; no test process
hears another one's nodes."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from ros_domain import living_nodes, own_domain

# On a machine that does other things, too, the first example of a property may take longer than hypothesis allows.
hypothesis.settings.register_profile("vital", deadline=None)
hypothesis.settings.load_profile("vital")

# A shell without job control starts background jobs with SIGINT ignored, nohup with SIGHUP; children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

os.environ["ROS_DOMAIN_ID"] = str(own_domain())


@pytest.fixture(scope="module", autouse=True)
def no_node_is_left() -> Iterator[None]:
    """A node that a file leaves behind is heard, asked and waited for in the files after it."""
    yield
    left = living_nodes()
    assert not left, f"nodes {', '.join(left)} were left behind, expected none: destroy_node() each"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Function that mounts a file system of so many bytes and files, its folder included; skips where it may not."""
    mounted: list[Path] = []

    def mount(size_bytes: int, files: int = 1000) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        options = f"size={size_bytes},nr_inodes={files}"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)
