"""Arguments of the launch files: a misspelt name is refused, what is left out has a word, what cannot be written is
told before anything moves."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from launch import LaunchContext
from ros_domain import own_domain

from vital_bringup.launching import launch_arguments
from vital_bringup.launching.launch_arguments import unknown_argument
from vital_bringup.launching.launch_parts import has_display

LAUNCH = Path(__file__).parents[1] / "launch"
NAMES = ("task", "trials", "seed", "report")
DEPLOY = "/share/vital_bringup/launch/deploy.launch.py"


def launch(tmp_path: Path, *words: str) -> tuple[int, str]:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(own_domain()), "ROS_LOG_DIR": str(tmp_path / "log")}
    command = ["ros2", "launch", *words]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def refused(tmp_path: Path, *words: str) -> str:
    code, said = launch(tmp_path, *words)
    assert code == 1 and "Traceback" not in said and "process started" not in said, said
    return said


@pytest.mark.parametrize(
    ("file", "argument", "hint"),
    [
        ("deploy.launch.py", "trails:=2", "Did you mean 'trials'?"),
        ("record.launch.py", "epsiodes:=2", "Did you mean 'episodes'?"),
        ("residual_training.launch.py", "nosuch:=1", "--show-args"),
    ],
)
def test_a_name_that_is_no_argument_is_refused_before_anything_starts(tmp_path, file, argument, hint):
    said = refused(tmp_path, "vital_bringup", file, argument)
    assert f"[BAD_PARAMETER 11] there is no argument '{argument.split(':=')[0]}'" in said and hint in said


def test_the_arguments_of_a_file_that_includes_ours_are_its_own(tmp_path):
    outer = tmp_path / "outer.launch.py"
    outer.write_text(f"""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

def generate_launch_description():
    ours = IncludeLaunchDescription(PythonLaunchDescriptionSource("{LAUNCH / "deploy.launch.py"}"))
    return LaunchDescription([DeclareLaunchArgument("lab", default_value="1"), ours])
""")
    said = refused(tmp_path, str(outer), "lab:=2", "task:=usb_insertoin")
    assert "UNKNOWN_TASK" in said and "no argument" not in said


@pytest.mark.parametrize(
    ("words", "arguments", "found"),
    [
        (["launch", "vital_bringup", "deploy.launch.py"], ["trails:=1"], "'trails'"),
        (["launch", "-n", DEPLOY], ["trials:=1", "reprot:=x"], "Did you mean 'report'?"),
        (["launch", "vital_bringup", "deploy.launch.py"], ["task:=x", "sigterm_timeout:=2"], None),
        (["launch", "somebody_else", "deploy.launch.py"], ["lab:=1"], None),
        (["launch", "/home/somebody/deploy.launch.py"], ["lab:=1"], None),
        (["pytest", "src"], ["lab:=1"], None),
    ],
)
def test_only_the_command_line_that_starts_our_file_is_looked_at(monkeypatch, words, arguments, found):
    monkeypatch.setattr(sys, "argv", ["ros2", *words, *arguments])
    told = unknown_argument(LaunchContext(argv=arguments), DEPLOY, NAMES)
    assert told is None if found is None else found in told


def test_pictures_for_people_are_filmed_where_a_simulator_makes_them(tmp_path):
    said = refused(tmp_path, "vital_bringup", "deploy.launch.py", "hardware:=mock", "record_view:=show")
    assert "use hardware:=sim" in said


def module_of(name: str):
    spec = importlib.util.spec_from_file_location("launch_file", LAUNCH / f"{name}.launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def context_of(module, **values: str) -> LaunchContext:
    context = LaunchContext()
    context.launch_configurations.update({name: default for name, default, *_ in module.ARGUMENTS})
    context.launch_configurations.update(values)
    return context


@pytest.mark.parametrize("name", ["deploy", "record", "residual_training"])
def test_every_default_can_be_typed(name):
    module = module_of(name)
    assert [argument for argument, default, *_ in module.ARGUMENTS if default == ""] == []


@pytest.mark.parametrize("word", ["none", "auto", ""])
def test_what_is_left_out_is_said_with_a_word(word):
    deploy = module_of("deploy")
    context = context_of(deploy, record=word, calibration=word, prompt=word, checkpoint_dir=word)
    assert deploy.video_folder(context) == "" and launch_arguments.given("calibration", context) == ""
    record = module_of("record")
    assert record.session_path(context_of(record, session=word)).endswith("recordings/usb_insertion")
    training = module_of("residual_training")
    assert training.folder_of(context_of(training, folder=word)).name == "usb_insertion"


@pytest.mark.parametrize(("given", "end"), [("none", ""), ("", ""), ("auto", ".json"), ("a/b.json", "a/b.json")])
def test_report_goes_where_it_is_told_or_nowhere(given, end):
    deploy = module_of("deploy")
    path = deploy.report_path(context_of(deploy, report=given))
    assert path.endswith(end) and bool(path) is bool(end)


@pytest.mark.parametrize("argument", ["report", "record"])
def test_what_cannot_be_written_is_told_before_anything_starts(tmp_path, argument):
    (tmp_path / "file").write_text("")
    said = refused(tmp_path, "vital_bringup", "deploy.launch.py", f"{argument}:={tmp_path}/file/r.json")
    assert f"[BAD_PARAMETER 11] {argument}:={tmp_path}/file/r.json cannot be written (" in said


@pytest.mark.parametrize(
    ("environment", "shown"),
    [({}, False), ({"DISPLAY": ""}, False), ({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "wayland-0"}, True)],
)
def test_the_monitor_comes_along_exactly_where_somebody_could_look(environment, shown):
    assert has_display(environment) is shown


@pytest.mark.parametrize("name", ["deploy", "record", "residual_training"])
def test_every_launch_file_takes_the_monitor(name):
    assert "monitor" in {argument for argument, *_ in module_of(name).ARGUMENTS}
