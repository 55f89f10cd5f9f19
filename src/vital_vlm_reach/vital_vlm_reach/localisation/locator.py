"""Locates a task's target for the evaluation, as the reach node does: pointing, depth, reference view; one look."""

from vital_core.arm.xarm7 import BASE_FRAME
from vital_core.pose import Pose
from vital_core.target import hand_yaw_rad
from vital_core.task import load_task
from vital_sim.gym.scene_look import SceneLook
from vital_vlm_reach.localisation.camera import Camera, View
from vital_vlm_reach.localisation.frames import FixedFrames
from vital_vlm_reach.localisation.localization import localize
from vital_vlm_reach.localisation.references import References, references_folder
from vital_vlm_reach.localisation.surface_depth import WINDOW_PX
from vital_vlm_reach.localisation.target_view import SHIPPED
from vital_vlm_reach.pointing.embedded import EmbeddedPointing

CAMERA_FRAME = "camera_color_optical_frame"


class TaskLocator:
    """See the module's docstring; the task's own sentence is what is pointed by."""

    def __init__(self, task: str) -> None:
        self._task = load_task(task)
        self._pointing = EmbeddedPointing.load()
        self._reference = References(references_folder(SHIPPED)).of(task)

    def __call__(self, look: SceneLook) -> Pose:
        """The target's frame, turned for a hand as it is now. Raises VitalError as `localize` does."""
        height, width = look.depth_mm.shape
        view = View(look.rgb, look.depth_mm, Camera(width, height, look.camera_matrix), CAMERA_FRAME)
        frames = FixedFrames()
        frames.add(BASE_FRAME, CAMERA_FRAME, look.t_base_camera)
        target = localize(
            self._task.prompt, view, self._pointing, frames, self._reference, window_px=WINDOW_PX, own_sentence=True
        ).target
        return target.frame(target.yaw_for(hand_yaw_rad(look.t_base_tcp)))
