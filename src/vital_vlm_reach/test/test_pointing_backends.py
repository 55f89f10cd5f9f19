"""Backends by name: refused before they start where they cannot work, started beside, their health known."""

import contextlib
import subprocess
import sys
import threading

import numpy as np
import pytest
from pointing_server import html, serving

from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.pointing import Pointing, model_folder
from vital_vlm_reach.pointing.backends import BACKENDS, PointingSettings, StartedBeside, backend, given

IMAGE = np.zeros((480, 640, 3), np.uint8)


class Model:
    """Points at the middle, or raises what it is told to."""

    def __init__(self, *raises) -> None:
        self.raises = list(raises)

    def point(self, rgb, prompt):
        if self.raises and (error := self.raises.pop(0)) is not None:
            raise error
        return Pointing((320.0, 240.0), 0.9, "found")


def fault(code):
    return VitalError(code, "told")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pointing": "server", "endpoint": "http://u:p@gpu"}, "VITAL_POINTING_KEY"),
        ({"pointing": "server", "endpoint": "gpu:8000"}, "such as"),
        ({"pointing": "server", "pointing_dialect": "latin"}, "latin"),
        ({"pointing": "transformers"}, "pointing_model"),
        ({"pointing": "transformers", "pointing_model": "Qwen/Qwen3-VL-8B-Instruct"}, "40 hexadecimal"),
        (
            {"pointing": "transformers", "pointing_model": "lab/m", "revision": "0" * 40, "pointing_device": "tpu"},
            "device",
        ),
        (
            {"pointing": "transformers", "pointing_model": "lab/m", "revision": "0" * 40, "pointing_dtype": "int1"},
            "int1",
        ),
    ],
    ids=range(7),
)
def test_settings_that_cannot_work_are_refused_before_anything_starts(settings, words, monkeypatch):
    monkeypatch.setattr(model_folder, "has_library", lambda name: True)
    with pytest.raises(VitalError, match=words) as refusal:
        backend(PointingSettings(**settings))
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


def test_what_a_backend_does_not_use_is_not_looked_at():
    assert backend(PointingSettings("embedded", endpoint="nonsense", revision="?")).name == "embedded"


def test_a_folder_that_is_not_whole_is_refused_before_the_node_is_up(tmp_path, monkeypatch):
    monkeypatch.setattr(model_folder, "has_library", lambda name: True)
    with pytest.raises(VitalError, match=r"config\.json") as refusal:
        backend(PointingSettings("transformers", str(tmp_path)))
    assert refusal.value.code is ErrorCode.BAD_CHECKPOINT


def test_only_the_chosen_backends_library_is_imported():
    code = (
        "import sys; from vital_vlm_reach.pointing.backends import PointingSettings, backend\n"
        "backend(PointingSettings('server'))\n"
        "print([n for n in ('transformers', 'torch', 'vital_vlm_reach.pointing.embedded') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "[]", ran.stderr


@pytest.mark.parametrize("name", BACKENDS)
def test_an_operator_reads_what_points(name):
    told = PointingSettings(name, "some-model", "https://gpu.lab/v1").told()
    assert {"embedded": "embedded network", "server": "https://gpu.lab/v1", "transformers": "some-model"}[name] in told


def test_a_question_waits_for_the_start_and_says_who_answered():
    started = threading.Event()

    def start():
        started.wait(5.0)
        return Model()

    pointing = StartedBeside("server", start)
    pointing.begin()
    assert pointing.health.state == "starting" and pointing.begin() is pointing.begin()
    threading.Timer(0.05, started.set).start()
    assert pointing.point(IMAGE, "the port").message == "server: found"
    assert pointing.health.state.startswith("ready") and pointing.health.well


def test_a_start_that_takes_long_is_told_and_goes_on():
    started = threading.Event()
    pointing = StartedBeside("transformers", lambda: (started.wait(5.0), Model())[1], patience_s=0.05)
    with pytest.raises(VitalError, match="ask again") as refusal:
        pointing.point(IMAGE, "the port")
    assert refusal.value.code is ErrorCode.TIMEOUT
    started.set()
    pointing.begin().join(5.0)
    assert pointing.point(IMAGE, "the port").pixel_uv == (320.0, 240.0)


@pytest.mark.parametrize(
    ("raised", "code"),
    [(fault(ErrorCode.ENDPOINT_FAULT), ErrorCode.ENDPOINT_FAULT), (RuntimeError("broke"), ErrorCode.INTERNAL)],
)
def test_a_start_that_fails_is_told_and_tried_again_with_the_next_question(raised, code):
    outcomes = [raised, None]

    def start():
        if (error := outcomes.pop(0)) is not None:
            raise error
        return Model()

    pointing = StartedBeside("server", start)
    pointing.begin().join(5.0)
    assert not pointing.health.well and pointing.health.state == "not started"
    assert pointing.point(IMAGE, "the port").pixel_uv
    assert pointing.health.well and outcomes == []
    outcomes[:] = [raised, raised]
    pointing = StartedBeside("server", start)
    with pytest.raises(VitalError) as refusal:
        pointing.point(IMAGE, "the port")
    assert refusal.value.code is code


def test_health_counts_faults_and_keeps_latencies():
    faults = (fault(ErrorCode.ENDPOINT_FAULT), fault(ErrorCode.AMBIGUOUS), None)
    pointing = given(Model(*faults))
    for expected in (False, False, True):
        with contextlib.suppress(VitalError):
            pointing.point(IMAGE, "the port")
        assert pointing.health.well is expected
    values = pointing.health.values()
    assert (values["pointing_asked"], values["pointing_faults"]) == (3, 1)
    assert 0.0 <= values["pointing_last_s"] <= values["pointing_slowest_s"] < 1.0


def test_the_server_backend_is_well_again_when_its_server_is():
    with serving() as server:
        server.models_reply, server.answers = html, ['[{"point_2d": [500, 500]}]']
        pointing = backend(PointingSettings("server", endpoint=server.endpoint, pointing_timeout_s=2.0))
        with pytest.raises(VitalError) as refusal:
            pointing.point(IMAGE, "the port")
        assert refusal.value.code is ErrorCode.ENDPOINT_FAULT and not pointing.health.well
        server.models_reply = None
        assert pointing.point(IMAGE, "the port").pixel_uv == (320.0, 240.0)
        assert pointing.health.well and pointing.health.values()["pointing"] == "server"


def test_the_embedded_network_says_that_it_is_the_embedded_one():
    pointing = backend(PointingSettings())
    assert pointing.point(IMAGE, "the port").message.startswith("embedded: ")
