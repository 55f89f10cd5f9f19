"""What the pages tell a reader to type exists: commands, launch arguments, options of programs, topics, files.

`test_pages_run.py` runs those of the tutorials; here all of them are read, by the parsers that would read them.
"""

import argparse
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from commands import Block, blocks, simple_commands
from launch.actions import DeclareLaunchArgument

ROOT = Path(__file__).parents[3]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "pip_ros/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "results").glob("README.md")),
    *sorted((ROOT / "src").glob("*/README.md")),
]
LAUNCH = ROOT / "src" / "vital_bringup" / "launch"
LAUNCHED = {"deploy": "deploy", "record": "record", "train": "residual_training"}
# Programs that are not this project's; a new one is added here on purpose.
OTHERS = {
    *("sudo", "apt", "git", "cd", "source", "export", "python3", "pip", "ssh", "docker", "echo", "rosdep", "pytest"),
    *("vllm", "llama-server", "ollama", "colcon", "g++", "unshare", "venv=.venv"),
    *(".venv/bin/pip", ".venv/bin/pre-commit", "faketime", "mount", "openssl", "umount", "top"),
}
TEXT = "\n".join(path.read_text() for path in sorted((ROOT / "src").glob("*/README.md")))


class Parsed(Exception):
    """The program's own parser took everything."""


def launch_arguments(file: str) -> set[str]:
    spec = importlib.util.spec_from_file_location(f"pages_{file}", LAUNCH / f"{file}.launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entities = module.generate_launch_description().entities
    return {e.name for e in entities if isinstance(e, DeclareLaunchArgument)}


ARGUMENTS = {file: launch_arguments(file) for file in LAUNCHED.values()}


def programs() -> dict[tuple[str, str], str]:
    """(package, program) -> module with its main."""
    found = {}
    for setup in (ROOT / "src").glob("*/setup.py"):
        for name, module in re.findall(r'"(\w+) = ([\w.]+):main"', setup.read_text()):
            found[setup.parent.name, name] = module
    return found


PROGRAMS = programs()


def told_wrong(words: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What is wrong with a command."""
    if words[0] == "./vital":
        yield from vital_wrong(words[1:], monkeypatch)
    elif words[0] == "ros2":
        yield from ros2_wrong(words[1:], monkeypatch)
    elif words[0] == "python" and words[1].endswith(".py"):
        yield from [] if (ROOT / words[1]).is_file() else [f"there is no {words[1]}"]
    elif words[0] == "python" and words[1] == "-m":
        yield from (
            []
            if importlib.util.find_spec(words[2].split(".")[0]) or words[2] in ("sglang.launch_server",)
            else [f"no {words[2]}"]
        )
    elif words[0].startswith("bench/"):
        yield from [] if (ROOT / words[0]).is_file() else [f"there is no {words[0]}"]
    elif words[0] not in OTHERS:
        yield f"'{words[0]}' is no program that the pages know: test_page_commands.OTHERS"
    for word in words:
        if re.match(r"(src|docs|bench|requirements|docker)/", word) and "<" not in word and "*" not in word:
            yield from [] if (ROOT / word).exists() else [f"there is no {word}"]


def vital_wrong(words: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    commands = re.findall(r"^    (\w+)(?: \|[^)]*)?\) ", (ROOT / "vital").read_text(), re.M)
    if words == ["..."]:
        return
    if words[0] not in commands:
        yield f"./vital has no '{words[0]}', only {commands}"
    elif words[0] in LAUNCHED:
        yield from launch_wrong(LAUNCHED[words[0]], words[1:])
    elif words[0] == "ros2":
        yield from ros2_wrong(words[1:], monkeypatch)
    elif words[0] == "setup":
        options = re.search(r"setup takes (.*), not", (ROOT / "vital").read_text())[1]
        yield from (f"setup takes {options}, not {w}" for w in words[1:] if w not in options)


def launch_wrong(file: str, words: list[str]) -> Iterator[str]:
    for word in words:
        name = word.split(":=")[0]
        if word not in ("--show-args", "...") and name not in ARGUMENTS[file]:
            yield f"{file}.launch.py has no argument '{name}'"


def ros2_wrong(words: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    verb, rest = words[0], words[1:]
    if verb == "launch" and rest[0] == "vital_bringup":
        yield from launch_wrong(rest[1].removesuffix(".launch.py"), rest[2:])
    elif verb == "run" and rest[0].startswith("vital_"):
        yield from run_wrong(rest[0], rest[1], rest[2:], monkeypatch)
    elif verb in ("topic", "service", "action") and (name := next((w for w in rest if w.startswith("/")), "")):
        outside = name.startswith(("/xarm/", "/diagnostics", "/tf"))
        yield from [] if outside or f"`{name}`" in TEXT else [f"no node has {name}"]
        yield from filled_wrong(rest)


def filled_wrong(words: list[str]) -> Iterator[str]:
    """Whether the fields that are given to a message are fields of its type."""
    kind = next((w for w in words if w.startswith("vital_interfaces/")), None)
    given = next((w for w in words if w.startswith("{")), None)
    if kind is None or given is None:
        return
    package, folder, name = kind.split("/")
    made = getattr(importlib.import_module(f"{package}.{folder}"), name)
    made = (
        {"srv": "Request", "action": "Goal"}.get(folder, "")
        and getattr(made, {"srv": "Request", "action": "Goal"}[folder])
    ) or made
    fields = made.get_fields_and_field_types()
    yield from (f"{kind} has no {key}" for key in yaml.safe_load(given) if key not in fields)


def run_wrong(package: str, program: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if (package, program) not in PROGRAMS:
        yield f"{package} has no program '{program}'"
        return
    if "--ros-args" in words or program.endswith("_node") or words in ([], ["..."], ["--help"]):
        return
    plain = argparse.ArgumentParser.parse_args

    def parsed(self: argparse.ArgumentParser, *args: object, **named: object) -> argparse.Namespace:
        plain(self, *args, **named)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    monkeypatch.setattr(sys, "argv", [program, *words])
    try:
        importlib.import_module(PROGRAMS[package, program]).main()
    except Parsed:
        return
    except SystemExit as error:
        yield f"{program} does not take {words}: exit code {error.code}"
    else:
        yield f"{program} parsed nothing"
    finally:
        monkeypatch.undo()


BLOCKS = [block for page in PAGES for block in blocks(page) if block.commands]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_what_a_page_says_to_type_can_be_typed(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, line in enumerate(block.commands, 1):
        line = f"{line} {block.added.get(number, '')}"
        for words in simple_commands(line):
            assert list(told_wrong(words, monkeypatch)) == [], line


def test_a_command_that_is_none_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (
        "./vital depoly",
        "./vital deploy trails:=2",
        "./vital ros2 run vital_sim evaluate --polcy x --task usb_insertion",
        "./vital ros2 run vital_sim evalute",
        "./vital ros2 topic echo /vital/gate_sate",
        'ros2 service call /vital/stop vital_interfaces/srv/Stop "{raeson: test}"',
        "python bench/nothing.py",
        "frobnicate",
    ):
        assert [w for words in simple_commands(line) for w in told_wrong(words, monkeypatch)], line
