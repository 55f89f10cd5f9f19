"""The README's pictures, made anew by one command:

    ./vital shell -c 'python docs/make/pictures.py'            all of them
    ./vital shell -c 'python docs/make/pictures.py insertion'  one: hidden, insertion, learning or monitor

`insertion` and `learning` follow from a seed and from recorded figures: the same code makes the same pictures.
`monitor` is photographed from a running deployment by Chromium.
"""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from vital_bringup.film.frame import Shown, frame_of
from vital_core.observation import Observation
from vital_core.pose import Pose
from vital_core.task import load_task
from vital_rl.learner import curves
from vital_sim.cameras.show_camera import ShowCamera
from vital_sim.evaluation.policies import DEFAULT_LOCATOR, PolicySpec, load_locator
from vital_sim.gym.scene_look import SceneLook
from vital_sim.world.tactile import largest_field_ut
from vital_vlm_reach.localisation.camera import Camera, View
from vital_vlm_reach.localisation.references import references_folder
from vital_vlm_reach.localisation.surface_plane import surface_plane
from vital_vlm_reach.localisation.target_view import SHIPPED, load_view
from vital_vlm_reach.localisation.top_view import top_view

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
RESULTS = ROOT / "docs" / "results"
TRAININGS = RESULTS / "residual"
CHECKPOINTS = ROOT / "src" / "vital_policy" / "checkpoints"
TASK, SEED = "usb_insertion", 20_004
HIDDEN_SEED = 43_004
WIDTH_PX = 800
MOST_BYTES = 2_000_000
RATE_HZ = 6
REST_FRAMES = 9
PORT = 8097


def insertion(folder: Path = PICTURES, seed: int = SEED) -> Path:
    """An animation of one trial by the shipped policy: the scene, the wrist camera, touch."""
    task = load_task(TASK)
    residual = CHECKPOINTS / f"{TASK}_residual.safetensors"
    policy = PolicySpec(CHECKPOINTS, TASK, options=(("residual", residual),)).load()
    env = gymnasium.make("vital_sim:Vital/UsbInsertion-v0")
    seen, _ = env.reset(seed=seed)
    world = env.unwrapped.world
    camera = ShowCamera(world, 640, 480, passes=4)
    camera.look((0.44, 0.0, 0.09), 0.62, 128.0, -20.0)
    shown = Shown(sentence=task.prompt, phase="policy", tactile_limit_ut=task.tactile_limit_ut, arm="policy: moving")
    memory, frames, ended = policy.begin(), [], False
    while not ended:
        shown.scene, shown.wrist = camera.render(), seen["image"]
        shown.touch.append((world.time_s, largest_field_ut(seen["tactile"])))
        frames.append(frame_of(shown, world.time_s))
        action = policy.act([Observation(seen["image"], seen["tactile"])], [memory])[0].to_array()
        seen, _, terminated, truncated, info = env.step(action.astype(np.float32))
        ended = terminated or truncated
    shown.phase, shown.success = "done", info["outcome"] == "success"
    shown.outcome = f"{info['outcome']} after {world.time_s:.1f} s"
    shown.scene, shown.wrist = camera.render(), seen["image"]
    frames += [frame_of(shown, world.time_s)] * REST_FRAMES
    return save_animation(frames, folder / "insertion.webp")


def save_animation(frames: list[np.ndarray], path: Path) -> Path:
    """As WebP, as good as fits into `MOST_BYTES`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height_px = round(WIDTH_PX * frames[0].shape[0] / frames[0].shape[1])
    images = [Image.fromarray(frame).resize((WIDTH_PX, height_px), Image.Resampling.LANCZOS) for frame in frames]
    for quality in (75, 60, 45, 30):
        coded = io.BytesIO()
        images[0].save(
            coded, "WEBP", save_all=True, append_images=images[1:], duration=1000 // RATE_HZ, loop=0, quality=quality,
            method=6,
        )  # fmt: skip
        if coded.tell() <= MOST_BYTES:
            break
    else:
        raise SystemExit(f"the animation has {coded.tell()} bytes, expected at most {MOST_BYTES}: fewer frames")
    path.write_bytes(coded.getvalue())
    return path


RUNS = {
    "learning": {
        "USB stick, seed 0": "usb_insertion_0",
        "seed 1": "usb_insertion_1",
        "seed 2": "usb_insertion_2",
        "plug, seed 0": "plug_in_socket_0",
        "USB stick, over ROS in real time": "usb_insertion_0_over_ros",
        "USB stick, RLPD": "usb_insertion_0_rlpd",
    },
    "over_ros": {
        "by script, seed 2": "usb_insertion_2",
        "over ROS, minibatches of 256": "usb_insertion_0_over_ros",
        "of 128 (shipped)": "usb_insertion_0_over_ros_128",
    },
    "tasks": {
        "USB stick, seed 2": "usb_insertion_2",
        "plug": "plug_in_socket_0",
        "block": "pick_block_0",
        "key": "key_in_lock_0",
        "card": "card_swipe_0",
    },
}


def _curves(name: str, folder: Path) -> Path:
    """Success over the steps of trainings whose episodes are kept."""
    named = [f"{label}={TRAININGS / run}" for label, run in RUNS[name].items()]
    curves.main([*named, "--out", str(folder / f"{name}.png"), "--title", "Residual learning"])
    return folder / f"{name}.png"


def learning(folder: Path = TRAININGS) -> Path:
    """USB stick and plug: seeds, over ROS, and RLPD."""
    return _curves("learning", folder)


def over_ros(folder: Path = TRAININGS) -> Path:
    """The USB stick in real time, and by script."""
    return _curves("over_ros", folder)


def tasks(folder: Path = TRAININGS) -> Path:
    """One training of each task."""
    return _curves("tasks", folder)


def hidden(folder: Path = RESULTS) -> Path:
    """A socket behind a bottle: in the scene camera's picture, from above, and the view that it is compared with."""
    looks: list[tuple[SceneLook, Pose]] = []
    locate = load_locator(DEFAULT_LOCATOR, "plug_in_socket")

    def remembered(look: SceneLook) -> Pose:
        looks.append((look, locate(look)))
        return looks[-1][1]

    env = gymnasium.make("vital_sim:Vital/PlugInSocket-v0", setting="both", locate=remembered)
    env.reset(seed=HIDDEN_SEED)
    env.close()
    look, target = looks[0]
    height, width = look.depth_mm.shape
    view = View(look.rgb, look.depth_mm, Camera(width, height, look.camera_matrix), "camera")
    plane = surface_plane(view, look.t_base_camera, target[:3, 3])
    seen, _ = top_view(view, look.t_base_camera, plane)
    figure, (scene, above, alike) = plt.subplots(1, 3, figsize=(9.0, 3.2), layout="constrained")
    u, v = view.camera.project((np.linalg.inv(look.t_base_camera) @ target[:, 3])[:3])
    scene.imshow(look.rgb)
    scene.plot(u, v, "+", color="#c2571a", markersize=18, markeredgewidth=2.5)
    scene.set(xlim=(u - 130, u + 130), ylim=(v + 130, v - 130), title="what the scene camera sees")
    above.imshow(_shaded(seen.colour, seen.hidden), origin="lower")
    above.set(title="from above; grey: hidden")
    alike.imshow(load_view(references_folder(SHIPPED) / "plug_in_socket.png").colour / 255.0, origin="lower")
    alike.set(title="the reference view")
    for axes in (scene, above, alike):
        axes.axis("off")
    path = folder / "hidden.png"
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
    return path


def _shaded(colour: np.ndarray, cells: np.ndarray | None) -> np.ndarray:
    """0 to 1, with some cells grey."""
    shown = colour / 255.0
    return shown if cells is None else np.where(cells[..., None], 0.45, shown)


def monitor(folder: Path = PICTURES) -> Path:
    """The monitor's page while the policy acts in a deployment."""
    sys.path.insert(0, str(ROOT / "src" / "vital_monitor" / "test"))
    from browser import Browser

    folder.mkdir(parents=True, exist_ok=True)
    work = folder / "work"
    deploy = ["ros2", "launch", "vital_bringup", "deploy.launch.py", "monitor:=false", "report:=none", "trials:=20"]
    page = ["ros2", "run", "vital_monitor", "monitor_node", "--ros-args", "-p", f"port:={PORT}"]
    running = [_started(command) for command in (deploy, page)]
    try:
        work.mkdir(exist_ok=True)
        browser = Browser(work)
        try:
            _wait_for_a_tick()
            browser.open(f"http://127.0.0.1:{PORT}")
            browser.until(lambda: "STOP" in browser.text)
            _wait_for_a_tick()
            time.sleep(6.0)  # the touch of the last seconds, and a scene that is drawn
            # The browser here draws without a graphics card, and says so.
            browser.tell("document.querySelectorAll('[role=alert] button').forEach(button => button.click())")
            browser.until(lambda: "MOVING" in browser.text and "running" in browser.text)
            browser.picture(folder / "monitor.png")
        finally:
            browser.close()
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGINT)
        for process in running:
            process.wait(60.0)
        shutil.rmtree(work, ignore_errors=True)
    return folder / "monitor.png"


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)


def _wait_for_a_tick(limit_s: float = 300.0) -> None:
    """Until the policy says what it did at a tick."""
    deadline_s = time.monotonic() + limit_s
    command = ["timeout", "60", "ros2", "topic", "echo", "/vital/policy_state", "--once"]
    while subprocess.run(command, capture_output=True).returncode != 0:
        if time.monotonic() > deadline_s:
            raise SystemExit("no policy acted: run `./vital deploy` and read its log")


MADE = {
    "hidden": hidden,
    "insertion": insertion,
    "learning": learning,
    "monitor": monitor,
    "over_ros": over_ros,
    "tasks": tasks,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or list(MADE):
        if name not in MADE:
            raise SystemExit(f"there is no picture '{name}', expected some of {', '.join(MADE)}")
        made = MADE[name]()
        print(f"{made.relative_to(ROOT)}: {made.stat().st_size / 1e6:.2f} MB")
