"""What the node is started with."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from vital_vlm_reach.localisation.surface_depth import WINDOW_PX
from vital_vlm_reach.localisation.target_view import NO_VIEWS


@dataclass(frozen=True)
class ReachParameters:
    """ROS parameters."""

    task: Annotated[str, Meta(description="the task of goals that name none")] = "usb_insertion"
    planner: Annotated[
        Literal["embedded", "moveit"], Meta(description="what plans; moveit: the node moveit_node must run")
    ] = "embedded"
    obstacles: Annotated[
        Literal["camera", "none"], Meta(description="what is in the way: what the scene camera sees, or nothing")
    ] = "camera"
    speed_scale: Annotated[float, Meta(ge=0.05, le=1.0, description="share of the planning limits used")] = 0.25
    camera_timeout_s: Annotated[float, Meta(ge=0.1, le=15.0, description="wait for a fresh image, s")] = 10.0
    references: Annotated[
        str, Meta(description="folder of the targets' reference views; shipped: the simulated targets'; none: no yaw")
    ] = NO_VIEWS
    calibration_file: Annotated[
        str, Meta(description="says how old and how good the cameras' places are; empty: not said")
    ] = ""
    mounting_file: Annotated[
        str, Meta(description="since when the cameras hang there: an older calibration is refused; empty: not said")
    ] = ""
    depth_window_px: Annotated[int, Meta(ge=3, le=51, description="width of the depth window, px")] = WINDOW_PX
