"""The service `/vital/localize_target`: look, point, lift to a place, see how it is turned."""

from dataclasses import replace
from typing import TypeAlias

from builtin_interfaces.msg import Time
from rclpy.node import Node

from vital_core.errors import VitalError
from vital_core.task import load_task
from vital_interfaces.srv import LocalizeTarget
from vital_ros.target_message import target_message
from vital_vlm_reach.background import in_background
from vital_vlm_reach.localisation.calibrated_frames import CalibratedFrames
from vital_vlm_reach.localisation.camera_view import CameraView
from vital_vlm_reach.localisation.localization import Located, localize
from vital_vlm_reach.localisation.references import References, references_folder
from vital_vlm_reach.pointing import PointingModel
from vital_vlm_reach.reach_journal import ReachJournal
from vital_vlm_reach.reach_parameters import ReachParameters

Answer: TypeAlias = LocalizeTarget.Response


class LocalizeAnswers:
    """Answers requests; the camera is heard only meanwhile, pointing has a thread of its own."""

    def __init__(
        self,
        node: Node,
        given: ReachParameters,
        pointing: PointingModel,
        frames: CalibratedFrames,
        journal: ReachJournal,
    ) -> None:
        self._node, self._given, self._pointing = node, given, pointing
        self._frames, self._journal = frames, journal
        self._references = References(references_folder(given.references))

    async def answer(self, request: LocalizeTarget.Request, response: Answer) -> Answer:
        """Of the service."""
        response.calibration_age_s = response.calibration_residual_m = float("nan")
        try:
            located = await self._look(request.prompt, request.task)
        except VitalError as error:
            response.error_code, response.message = int(error.code), error.message
            self._journal.failed("not_localized", str(error))
            return response
        self._journal.found(located.target.point_m)
        fill_located(response, located, self._node.get_clock().now().to_msg())
        response.calibration_age_s, response.calibration_residual_m = self._frames.figures()
        self._journal.well("localized", f"'{request.prompt}': {located.message}")
        return response

    async def _look(self, prompt: str, task: str) -> Located:
        view = CameraView(self._node, self._given.camera_timeout_s)
        try:
            await view.arrived
        finally:
            view.close()
        work = in_background(self._node, lambda: self._localize(prompt, task, view))
        return (await work.done)()

    def _localize(self, prompt: str, task: str, view: CameraView) -> Located:
        reference = self._references.of(task)
        px = self._given.depth_window_px
        own = bool(task) and prompt.strip() == load_task(task).prompt
        located = localize(prompt, view.read(), self._pointing, self._frames, reference, window_px=px, own_sentence=own)
        told = self._frames.told()
        return replace(located, message=f"{located.message}; {told}") if told else located


def fill_located(response: LocalizeTarget.Response, located: Located, stamp: Time) -> None:
    """Put what was found into a response."""
    response.success, response.message = True, located.message
    response.pixel_u, response.pixel_v = map(float, located.pixel_uv)
    response.confidence = float(located.confidence)
    response.target = target_message(located.target, stamp)
