"""What is read by a schema: any text is the value that its type says, or one refusal with the source's code."""

import json
import math
import os
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Finite, Source
from vital_core.task import Task, load_task, parse_task

SOURCE = Source("file x", ErrorCode.BAD_PARAMETER, "restore it")


@dataclass(frozen=True)
class Inner:
    """A part."""

    gain: Finite
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    """A whole."""

    rate_hz: schema.Positive
    inner: Inner
    about: dict[str, Any] = field(default_factory=dict)


GOOD = {"rate_hz": 6.0, "inner": {"gain": 0.5, "names": ["a"]}, "about": {"free": [1, {"deep": None}]}}


def test_json_and_yaml_give_the_same_value():
    wanted = Outer(6.0, Inner(0.5, ("a",)), {"free": [1, {"deep": None}]})
    assert schema.from_json(json.dumps(GOOD), Outer, SOURCE) == wanted
    assert schema.from_yaml(yaml.safe_dump(GOOD), Outer, SOURCE) == wanted


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate_hz": "6"}, "file x: rate_hz is '6', expected `float`, got `str`: restore it"),
        ({"rate_hz": True}, "rate_hz is True, expected `float`"),
        ({"rate_hz": math.nan}, "rate_hz is nan, expected `float` > 0"),
        ({"rate_hz": math.inf}, "rate_hz is inf, expected `float` <= 1"),
        ({"inner": {"gain": 1.0, "gian": 2.0}}, "'inner.gian' is unknown"),
        ({"inner": {"names": []}}, "inner lacks gain, got ['names']"),
        ({"inner": {"gain": 1, "names": [1]}}, "inner.names[0] is 1, expected `str`"),
        ({"beyond": 1}, "'beyond' is unknown"),
    ],
)
def test_what_is_wrong_is_named_with_what_was_got_and_expected(change, said):
    with pytest.raises(VitalError) as refused:
        schema.checked({**GOOD, **change}, Outer, SOURCE)
    assert said in refused.value.message and refused.value.code is ErrorCode.BAD_PARAMETER


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000, "{a: " * 40 + "1" + "}" * 40, "a: &b [1, 2]\nc: *b", "a: 1\na: 2",
        "x: !!python/object:os.system 1", "!!int ''", "2024-13-45", "0x_",
        "? [1]\n: 2", "x: !!binary 'a'", "\x00", "a: b: c", "- " * 5000, "x" * 300_000,
        b"\xff\xfe\xff",
    ],
)  # fmt: skip
def test_yaml_that_grows_or_means_nothing_is_refused_at_once(text):
    began = time.monotonic()
    with pytest.raises(VitalError):
        schema.from_yaml(text, Outer, SOURCE)
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000, "[" * 500 + "]" * 500, '{"a":' * 30 + "1" + "}" * 30, "NaN", '{"rate_hz": 1e999}', b"\xff", "",
        "9" * 5000,
    ],
)  # fmt: skip
def test_json_that_is_deep_or_not_finite_is_refused(text):
    with pytest.raises(VitalError):
        schema.from_json(text, Outer, SOURCE)


def test_json_beyond_its_size_is_refused():
    with pytest.raises(VitalError, match="expected at most 100"):
        schema.from_json(json.dumps({"a": "x" * 200}), dict[str, str], SOURCE, most_bytes=100)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)), st.sampled_from([schema.from_json, schema.from_yaml]))
def test_any_text_is_a_value_or_a_refusal(text, read):
    try:
        assert isinstance(read(text, Outer, SOURCE), Outer)
    except VitalError as error:
        assert error.code is ErrorCode.BAD_PARAMETER


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([f.name for f in Task.__dataclass_fields__.values()]), VALUES, max_size=3))
def test_a_task_with_any_other_values_is_a_task_or_refused(change):
    values = {name: value for name, value in vars(load_task("usb_insertion")).items() if name != "name"}
    change.pop("name", None)
    try:
        task = parse_task("odd", {**values, **change})
    except VitalError as error:
        assert error.code is ErrorCode.BAD_PARAMETER
        return
    numbers = [v for v in vars(task).values() if isinstance(v, float)]
    assert all(map(math.isfinite, numbers)) and task.control_rate_hz > 0.0


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device"])
def test_only_regular_files_are_read_and_nothing_is_waited_for(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        listening = socket.socket(socket.AF_UNIX)
        listening.bind("x")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match=f"is a {kind}, expected a regular file"):
        safe_file.read_bytes(path, 10)


def test_a_file_beyond_its_size_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"12345678901")
    with pytest.raises(OSError, match="more than 10 bytes"):
        safe_file.read_bytes(tmp_path / "x", 10)
    assert safe_file.read_bytes(tmp_path / "x", 11) == b"12345678901"
