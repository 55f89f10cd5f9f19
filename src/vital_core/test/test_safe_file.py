"""Files are whole or absent, whenever the writer dies; what is read is a regular file of a size that was allowed."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vital_core.files import safe_file

WRITER = """
import sys
from pathlib import Path
from vital_core.files import safe_file
path, number = Path(sys.argv[1]), 0
while True:
    number += 1
    safe_file.write_json(path, {"number": number, "filler": "x" * 200_000})
    print(number, flush=True)
"""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.binary(max_size=2000))
def test_bytes_come_back(tmp_path, data):
    path = tmp_path / "folder" / "file"
    safe_file.write_bytes(path, data)
    assert safe_file.read_bytes(path, len(data)) == data
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_one_byte_too_many_is_refused(tmp_path):
    safe_file.write_bytes(tmp_path / "file", b"abcd")
    with pytest.raises(OSError, match="more than 3 bytes") as refusal:
        safe_file.read_bytes(tmp_path / "file", 3)
    assert refusal.value.errno == errno.EFBIG


@pytest.mark.parametrize(("make", "word"), [(os.mkfifo, "a pipe"), (os.mkdir, "a folder")])
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path, make, word):
    make(tmp_path / "thing")
    with pytest.raises(OSError, match=word):
        safe_file.read_bytes(tmp_path / "thing", 10)


def test_a_device_is_refused():
    with pytest.raises(OSError, match="a device"):
        safe_file.open_regular(Path("/dev/zero"))


def test_a_file_that_is_not_there_is_not_made_up(tmp_path):
    with pytest.raises(FileNotFoundError):
        safe_file.read_bytes(tmp_path / "none", 10)


def test_a_writer_that_is_killed_leaves_a_whole_file(tmp_path):
    path = tmp_path / "state.json"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(5):
        written = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    found = json.loads(path.read_text())
    assert found["number"] >= written and len(found["filler"]) == 200_000


def test_what_another_writer_left_behind_is_no_obstacle(tmp_path):
    (tmp_path / ".state.json.1.tmp").write_text("half of i")
    safe_file.write_json(tmp_path / "state.json", {"whole": True})
    assert json.loads((tmp_path / "state.json").read_text()) == {"whole": True}


def test_a_hash_is_sha256():
    assert safe_file.sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
