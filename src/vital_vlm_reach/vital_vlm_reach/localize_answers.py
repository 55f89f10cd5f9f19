"""The service `/vital/localize_target`: look, point, lift to a place."""

from typing import TypeAlias

from builtin_interfaces.msg import Time
from rclpy.node import Node

from vital_core.errors import VitalError
from vital_interfaces.srv import LocalizeTarget
from vital_vlm_reach.background import in_background
from vital_vlm_reach.localisation.camera_view import CameraView
from vital_vlm_reach.localisation.frames import FixedFrames
from vital_vlm_reach.localisation.localization import Located, localize
from vital_vlm_reach.pointing import PointingModel
from vital_vlm_reach.reach_journal import ReachJournal
from vital_vlm_reach.reach_messages import stamped_point_message
from vital_vlm_reach.reach_parameters import ReachParameters

Answer: TypeAlias = LocalizeTarget.Response


class LocalizeAnswers:
    """Answers requests; the camera is heard only meanwhile, pointing has a thread of its own."""

    def __init__(
        self, node: Node, given: ReachParameters, pointing: PointingModel, frames: FixedFrames, journal: ReachJournal
    ) -> None:
        self._node, self._given, self._pointing = node, given, pointing
        self._frames, self._journal = frames, journal

    async def answer(self, request: LocalizeTarget.Request, response: Answer) -> Answer:
        """Of the service."""
        try:
            located = await self._look(request.prompt)
        except VitalError as error:
            response.error_code, response.message = int(error.code), error.message
            self._journal.failed("not_localized", str(error))
            return response
        self._journal.found(located.point.point_m)
        fill_located(response, located, self._node.get_clock().now().to_msg())
        self._journal.well("localized", f"'{request.prompt}': {located.message}")
        return response

    async def _look(self, prompt: str) -> Located:
        view = CameraView(self._node, self._given.camera_timeout_s)
        try:
            await view.arrived
        finally:
            view.close()
        px, pointing, frames = self._given.depth_window_px, self._pointing, self._frames
        work = in_background(self._node, lambda: localize(prompt, view.read(), pointing, frames, window_px=px))
        return (await work.done)()


def fill_located(response: LocalizeTarget.Response, located: Located, stamp: Time) -> None:
    """Put what was found into a response."""
    response.success, response.message = True, located.message
    response.pixel_u, response.pixel_v = map(float, located.pixel_uv)
    response.confidence = float(located.confidence)
    response.point = stamped_point_message(located.point.point_m, stamp)
