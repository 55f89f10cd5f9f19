"""Pointing: where in an image is the thing that a sentence names?"""

from vital_vlm_reach.pointing.interface import Pointing, PointingModel

__all__ = ["Pointing", "PointingModel"]
