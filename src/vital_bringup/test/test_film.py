"""The run's film: it begins with a picture, says what happens, and is whole whatever ends its process."""

import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import rclpy
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.node import Node
from ros_domain import own_domain
from sensor_msgs.msg import Image as RosImage
from std_msgs.msg import Header
from waiting import wait_until

from vital_bringup.film.frame import BAND_PX, HEIGHT_PX, PHASES, SCENE_PX, SIZE_PX, Shown, frame_of
from vital_bringup.film.run_video_node import SCENES, RunVideo
from vital_bringup.film.video_file import VideoFile
from vital_ros.image_message import to_message

WRITER = """
import sys
from pathlib import Path
import numpy as np
from vital_bringup.film.video_file import VideoFile
file = VideoFile(Path(sys.argv[1]), (320, 240), 10)
for number in range(45):
    file.append(np.full((240, 320, 3), 5 * number, np.uint8))
print("written", flush=True)
sys.stdin.read()
"""


def images() -> dict:
    rng = np.random.default_rng(0)
    return {
        "scene": rng.integers(0, 255, (480, 640, 3), dtype=np.uint8),
        "wrist": rng.integers(0, 255, (128, 128, 3), dtype=np.uint8),
    }


def brightness(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [float(frame.to_ndarray(format="gray").mean()) for frame in file.decode(video=0)]


def test_every_image_is_in_the_file_in_its_order(tmp_path: Path):
    file = VideoFile(tmp_path / "run.mp4", (320, 240), 10)
    for number in range(25):
        file.append(np.full((240, 320, 3), 10 * number, np.uint8))
    file.close()
    shown = brightness(tmp_path / "run.mp4")
    assert len(shown) == 25 and (np.diff(shown) > 5.0).all()
    with av.open(str(tmp_path / "run.mp4")) as read:
        assert read.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert float(read.streams.video[0].average_rate) == pytest.approx(10.0, rel=0.05)


def test_a_film_whose_process_is_killed_can_be_watched_up_to_its_last_second(tmp_path: Path):
    path = tmp_path / "run.mp4"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None and writer.stdout.readline() == "written\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    shown = brightness(path)
    assert 35 <= len(shown) <= 45 and (np.diff(shown) > 2.0).all()


def test_nothing_is_filmed_before_both_cameras_show_something():
    shown = Shown()
    assert not shown.complete
    shown.scene = images()["scene"]
    assert not shown.complete
    shown.wrist = images()["wrist"]
    assert shown.complete


@pytest.mark.parametrize("view", SCENES)
def test_the_view_that_is_asked_for_is_filmed(tmp_path: Path, view: str):
    words = ["--ros-args", "-p", f"directory:={tmp_path / 'video'}", "-p", f"view:={view}"]
    rclpy.init(args=words, domain_id=own_domain())
    node, cameras = RunVideo(), Node("cameras")
    try:
        seen = images()
        others = [cameras.create_publisher(RosImage, topic, 1) for name, topic in SCENES.items() if name != view]
        scene = cameras.create_publisher(RosImage, SCENES[view], 1)
        wrist = cameras.create_publisher(RosImage, "/wrist_camera/image_raw", 1)
        wait_until(lambda: [node._find_scene_camera(), scene.get_subscription_count()][1], "the film's subscription")

        def complete() -> bool:
            wrist.publish(to_message(seen["wrist"], "rgb8", Header()))
            scene.publish(to_message(seen["scene"], "rgb8", Header()))
            rclpy.spin_once(node, timeout_sec=0.05)
            return node.shown.complete

        wait_until(complete, "both images")
        np.testing.assert_array_equal(node.shown.scene, seen["scene"])
        assert all(other.get_subscription_count() == 0 for other in others)
    finally:
        node.on_exit()
        node.destroy_node()
        cameras.destroy_node()
        rclpy.shutdown()


def test_the_cameras_stand_side_by_side_and_the_band_below():
    seen = images()
    image = frame_of(Shown(**seen), 0.0)
    assert image.shape == (SIZE_PX[1], SIZE_PX[0], 3) and image.dtype == np.uint8
    assert SIZE_PX[0] % 2 == 0 and SIZE_PX[1] % 2 == 0, "h264 takes even sizes only"
    np.testing.assert_array_equal(image[:HEIGHT_PX, :SCENE_PX], seen["scene"])
    assert image[:HEIGHT_PX, SCENE_PX:].std() > 20.0


def band(**told) -> np.ndarray:
    return frame_of(Shown(**told), 100.0)[-BAND_PX:].astype(int)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"sentence": "insert the USB stick into the USB port"}),
        ({"phase": "reach"}, {"phase": "policy"}),
        ({"phase": "policy"}, {"phase": "policy", "success": False, "outcome": "FORCE_LIMIT after 3.1 s"}),
        ({"phase": "done", "success": True, "outcome": "x"}, {"phase": "done", "success": False, "outcome": "x"}),
        ({}, {"arm": "policy: moving"}),
        ({}, {"tactile_limit_ut": 900.0}),
        ({}, {"touch": [(99.0, 10.0), (99.5, 300.0)]}),
    ],
)
def test_what_happens_is_seen_in_the_band(before, after):
    assert np.abs(band(**before) - band(**after)).max() > 60


def test_touch_older_than_ten_seconds_is_off_the_strip():
    old = band(touch=[(80.0, 500.0), (85.0, 20.0), (99.9, 20.0)], tactile_limit_ut=900.0)
    new = band(touch=[(99.8, 20.0), (99.9, 20.0)], tactile_limit_ut=900.0)
    assert np.abs(old[40:, SCENE_PX:] - new[40:, SCENE_PX:]).sum() < 60 * 255


@given(st.text(max_size=400), st.sampled_from([*PHASES, "", "peeling"]), st.booleans(), st.floats(0.0, 1e9))
@settings(max_examples=25, deadline=None)
def test_no_text_and_no_number_breaks_a_frame_or_leaves_its_place(text, phase, success, limit_ut):
    told = band(sentence=text, phase=phase, success=success, outcome=text, tactile_limit_ut=limit_ut)
    assert told.shape == (BAND_PX, SIZE_PX[0], 3)
    assert (told[:, SCENE_PX - 15 : SCENE_PX - 2] == told[0, 0]).all(), "words end before the touch begins"
