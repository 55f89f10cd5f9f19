"""The tutorials, typed by a test: every command of them in order, in an empty folder; trainings with fewer steps."""

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from commands import Block, blocks

ROOT = Path(__file__).parents[3]
TUTORIALS = ("ten_minutes", "an_hour", "a_day", "extend")
DOMAIN = {"ten_minutes": "161", "an_hour": "162", "a_day": "163", "extend": "164"}
LIMIT_S = 1200.0


def begun(line: str, folder: Path, domain: str, log: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "ROS_DOMAIN_ID": domain, "ROS_LOG_DIR": str(folder / "log")}
    with log.open("ab") as output:
        output.write(f"$ {line}\n".encode())
        output.flush()
        return subprocess.Popen(
            ["bash", "-c", line], cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def end(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C, as in its terminal."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    return process.wait(60.0)


def type_block(block: Block, folder: Path, domain: str, log: Path) -> list[subprocess.Popen[bytes]]:
    """Type its commands; returns what stays up."""
    staying = []
    for number, line in enumerate(block.commands, 1):
        added = block.added.get(number, "")
        process = begun(f"{line} {added}", folder, domain, log)
        if block.stays:
            staying.append(process)
            continue
        try:
            code = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            end(process)
            raise
        assert code == block.exit_code, f"{block.place}: '{line}' ended with {code}:\n{log.read_text()[-4000:]}"
    return staying


@pytest.mark.slow
@pytest.mark.parametrize("name", TUTORIALS)
def test_tutorial_can_be_typed_from_its_first_command_to_its_last(name: str, tmp_path: Path) -> None:
    for entry in ("vital", "src", "docs", "bench"):
        (tmp_path / entry).symlink_to(ROOT / entry)
    log, staying = tmp_path / "typed.log", []
    try:
        for block in blocks(ROOT / "docs" / f"{name}.md"):
            if block.file:
                (tmp_path / block.file).write_text(block.text)
            elif block.commands and not block.not_run:
                staying += type_block(block, tmp_path, DOMAIN[name], log)
    finally:
        codes = [end(process) for process in staying]
    assert all(code in (0, 130, -signal.SIGINT) for code in codes), log.read_text()[-4000:]


def test_only_what_is_said_is_added_to_a_command() -> None:
    """What a test adds is an argument that shortens; it changes neither program nor subject."""
    shortens = {"--iterations", "--coarse-iterations", "--batch", "--holdout", "--trials", "--episodes", "--workers"}
    shortens |= {"--steps", "--updates-per-step", "--variants", "trials", "report", "episodes"}
    for name in TUTORIALS:
        for block in blocks(ROOT / "docs" / f"{name}.md"):
            for added in block.added.values():
                words = [word.split(":=")[0] for word in shlex.split(added) if word.startswith("-") or ":=" in word]
                assert set(words) <= shortens, block.place
