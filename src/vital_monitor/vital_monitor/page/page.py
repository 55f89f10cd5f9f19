"""The page: STOP in its corner, the scene in the middle, what is seen and felt on the left, what is done on the right.

Everything that is shown is shared by all pages; only the steering is each page's own.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import viser
from numpy.typing import NDArray

from vital_core.clock import steady_s
from vital_core.task import Task
from vital_monitor.drawing import camera, svg, tables
from vital_monitor.drawing.links import Link
from vital_monitor.page.controls import Controls, Do
from vital_monitor.page.key_part import KeyPart
from vital_monitor.page.playback import Playback
from vital_monitor.page.scene import SceneView
from vital_monitor.page.server import PageServer
from vital_monitor.recorded.player import Player
from vital_monitor.state.key_hand import KeyHand
from vital_monitor.state.offers import Deed
from vital_monitor.state.picture import TOUCH_WINDOW_S, Picture
from vital_monitor.state.seat import Seat

CAMERAS_PX, GAP_PX, JPEG = 176, 6, 80
MOST_POINTS = 15_000
LEFT_PX, RIGHT_PX, STOP_PX = 460, 340, 230
NO_WRIST, NO_SCENE = np.full((128, 128, 3), 225, np.uint8), np.full((480, 640, 3), 225, np.uint8)
# Seen and hit without aiming.
LARGE_BUTTON = (
    "<div class='vital-stop'><style>div:has(> div > .vital-stop) button "
    "{height: 76px !important; font-size: 30px !important; font-weight: 700; letter-spacing: 2px}</style></div>"
)
VIEW_FROM_M, VIEW_AT_M = (1.05, -0.75, 0.62), (0.28, 0.0, 0.2)


class Page:
    """Shows a `Picture`. stop: latch the gate's stop in somebody's name; do: what somebody who steers has pressed.

    player: of the recording that is shown in place of what runs.
    """

    def __init__(
        self,
        server: PageServer,
        task: Task,
        links: list[Link],
        stop: Callable[[str], None],
        do: Do,
        player: Player | None = None,
    ) -> None:
        self._server, self._task, self._stop, self._do = server, task, stop, do
        self.seat, self.hand = Seat(), KeyHand()
        self._controls: dict[int, tuple[Controls, KeyPart]] = {}
        self._wrist: NDArray[np.uint8] | None = None
        self._scene_image: NDArray[np.uint8] | None = None
        server.gui.configure_theme(show_logo=False, show_share_button=False, dark_mode=False)
        server.initial_camera.position, server.initial_camera.look_at = VIEW_FROM_M, VIEW_AT_M
        self._scene = SceneView(server.scene, task, links)
        self._add_stop()
        self._add_senses()
        self._playback = None if player is None else Playback(server.gui, player)
        self._add_deeds()
        server.on_client_connect(self._on_page)
        server.on_client_disconnect(self._on_page_gone)

    @property
    def watched(self) -> bool:
        """Whether anybody looks."""
        return bool(self._controls)

    def _add_stop(self) -> None:
        gui = self._server.gui
        panel = gui.add_panel()
        with panel.add_tab("Stop"):
            gui.add_html(LARGE_BUTTON)
            button = gui.add_button("STOP", color="red", hint="space bar; stays until it is cleared")
        panel.float(x=12, y=-12, width=STOP_PX)

        async def pressed(event: Any) -> None:
            if event.client_id in self._server.admitted:
                self.hand.open_clutch()
                self._stop(self._name_of(event.client_id))

        button.on_click(pressed)
        gui.add_command("STOP the arm", hotkey="space").on_trigger(pressed)

    def _name_of(self, page: int) -> str:
        holder = self.seat.holder
        return holder.name if holder is not None and holder.page == page else "somebody"

    def _add_senses(self) -> None:
        gui = self._server.gui
        panel = gui.add_panel()
        with panel.add_tab("Cameras and touch"):
            with gui.add_folder("Wrist and scene camera"):
                self._cameras = gui.add_image(self._side_by_side(), format="jpeg", jpeg_quality=JPEG)
                self.wants_points = gui.add_checkbox("depth points", False)
            with gui.add_folder("Touch"):
                self._touch_line, self._pad = gui.add_html(""), gui.add_html(svg.pad(None, 0.0))
                self._field = gui.add_html("")
        panel.dock_left()
        panel.set_width(LEFT_PX)

    def _add_deeds(self) -> None:
        gui = self._server.gui
        self._gate, self._wanted = gui.add_html(""), gui.add_html("")
        self._steering = gui.add_folder("Steering", visible=self._playback is None)
        with gui.add_folder("Answers"):
            self._said = gui.add_html("")
        with gui.add_folder("Policy"):
            self._policy, self._bars = gui.add_html(""), gui.add_html("")
        self._learning = gui.add_folder("Training", visible=False)
        with self._learning:
            self._training, self._curve = gui.add_html(""), gui.add_html("")
        gui.main_panel.dock_right()
        gui.main_panel.set_width(RIGHT_PX)

    # Both run in the server's loop, so that a page that has gone is not taken for one that comes.
    async def _on_page(self, client: viser.ClientHandle) -> None:
        if client.client_id in self._server.admitted:
            controls = Controls(client, self._steering, self.seat, self.hand, self._do)
            keys = KeyPart(client, self._steering, self.hand, lambda: controls.holds, controls.press)
            self._controls[client.client_id] = controls, keys

    async def _on_page_gone(self, client: viser.ClientHandle) -> None:
        self.hand.leave(client.client_id)
        self.seat.leave(client.client_id)
        self._controls.pop(client.client_id, None)

    def show_touch(self, picture: Picture) -> None:
        """The pad; thirty times a second."""
        limit_ut = picture.gate.tactile_limit_ut if picture.gate is not None else 0.0
        self._put(self._pad, svg.pad(picture.touch, limit_ut))

    def show_motion(self, picture: Picture) -> None:
        """Arm and images; ten times a second."""
        with self._server.atomic():
            self._scene.move(picture.joints_rad)
        images = picture.images
        if images.wrist is not self._wrist or images.scene is not self._scene_image:
            self._wrist, self._scene_image = images.wrist, images.scene
            self._cameras.image = self._side_by_side(self._pointed(picture))

    def _side_by_side(self, mark: tuple[float, float] | None = None) -> NDArray[np.uint8]:
        wrist, scene = self._wrist, self._scene_image
        wrist = NO_WRIST if wrist is None else wrist
        scene = NO_SCENE if scene is None else scene
        if mark is not None:
            scene = camera.with_mark(scene, mark)
        return camera.side_by_side((wrist, scene), CAMERAS_PX, GAP_PX)

    def _pointed(self, picture: Picture) -> tuple[float, float] | None:
        lens = picture.images.lens
        if picture.target_m is None or lens is None or lens.frame_id not in picture.frames:
            return None
        return camera.pixel_of(picture.target_m, lens, picture.frames[lens.frame_id])

    def show_state(self, picture: Picture, offered: frozenset[Deed]) -> None:
        """Everything that changes slowly; a few times a second."""
        now_s, gate = steady_s(), picture.gate
        if self._playback is not None:
            self._playback.show()
        limit_ut = gate.tactile_limit_ut if gate is not None else 0.0
        self._put(self._touch_line, tables.touch_line(picture, gate))
        ages_s, rows = picture.touches.since(now_s)
        self._put(self._field, svg.field_plot(ages_s, rows, limit_ut, TOUCH_WINDOW_S))
        self._put(self._gate, tables.gate_status(picture, now_s))
        self._put(self._wanted, tables.what_is_wanted(picture, now_s))
        self._put(self._said, tables.lines_said(picture.said, now_s))
        self._put(self._policy, tables.policy_table(picture, now_s))
        self._put(self._bars, svg.action_bars(picture.tick, self._task.max_step_m, self._task.max_step_rad))
        if picture.learner is not None:
            self._learning.visible = True
        self._put(self._training, tables.training_table(picture, now_s))
        self._put(self._curve, svg.learning_curve(picture.learned))
        if gate is not None:
            self._scene.show_workspace(gate.workspace_lower_m, gate.workspace_upper_m)
        self._scene.show_target(picture.target_m)
        self._scene.show_path(picture.path_m)
        if picture.session is not None and picture.session.hands_off:
            self.hand.open_clutch()
        teleop = picture.teleop if picture.fresh("teleop", now_s) else None
        for controls, keys in list(self._controls.values()):
            controls.show(offered)
            keys.show(offered, teleop)

    def show_points(self, picture: Picture) -> None:
        """The point cloud, where it is asked for; once or twice a second."""
        points, colours = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8)
        rgb, depth_mm, lens = picture.images.scene, picture.images.depth_mm, picture.images.lens
        pose = None if lens is None else picture.frames.get(lens.frame_id)
        if (
            self.wants_points.value
            and rgb is not None
            and depth_mm is not None
            and lens is not None
            and pose is not None
        ):
            points, colours = camera.point_cloud(rgb, depth_mm, lens, pose, MOST_POINTS)
        self._scene.show_cloud(points, colours)

    @staticmethod
    def _put(handle: Any, content: str) -> None:
        if handle.content != content:
            handle.content = content

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()
