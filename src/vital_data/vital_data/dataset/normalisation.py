"""The one normaliser of a policy: fitted once on the demonstrations, kept beside them and in every checkpoint."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Sha256, Source
from vital_core.observation import ACTION_VALUES, TACTILE_VALUES

TCP = (0.0, 0.0, 0.0)
ACTION_MARGIN = 1.1
# Smallest half range of a dimension (m, rad, gripper): keeps a dimension that never moves from becoming noise.
MIN_HALF_RANGE = np.array([5e-4] * 3 + [2e-3] * 3 + [5e-2])
MIN_TACTILE_SCALE_UT = 100.0
TACTILE_SIGMAS = 3.0
# Fields beyond the demonstrations' are compressed, so that no reading carries the network far out of its range.
TACTILE_BOUND = 3.0

# m, rad, gripper units and µT of a hand's motion: what is beyond is no demonstration.
Centre = Annotated[float, Meta(ge=-100.0, le=100.0)]
HalfRange = Annotated[float, Meta(gt=0.0, le=100.0)]
ScaleUt = Annotated[float, Meta(gt=0.0, le=1e6)]

SOURCE = Source("normalisation", ErrorCode.BAD_DATASET, "delete it, it is fitted again")
FORMAT = "vital_normalisation/1"
FILE_NAME = "normalisation.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Affine map of actions to [-1, 1] per dimension, and a bounded scaling of the tactile field per axis.

    Actions are taken apart into the way of one point of the hand and the turn about it (`moved_to`). Of a hand that
    turns about its tip most of the TCP's way is lever, so that an error of one is always an error of the other there.
    """

    action_centre: NDArray[np.float64]
    """(7,) in m, rad and gripper units, at ``point_m``."""
    action_half_range: NDArray[np.float64]
    """(7,) in m, rad and gripper units, at ``point_m``."""
    tactile_scale_ut: NDArray[np.float64]
    """(15,)."""
    point_m: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    """(3,) the point in the TCP frame; the TCP itself by default."""

    def __post_init__(self) -> None:
        expected = {
            "action_centre": ACTION_VALUES,
            "action_half_range": ACTION_VALUES,
            "tactile_scale_ut": TACTILE_VALUES,
            "point_m": 3,
        }
        for name, size in expected.items():
            values = getattr(self, name)
            if values.shape != (size,) or not np.isfinite(values).all():
                raise ValueError(f"{name} must be {size} finite values, got {values.tolist()}")
        for name in ("action_half_range", "tactile_scale_ut"):
            if not (getattr(self, name) > 0.0).all():
                raise ValueError(f"{name} must be positive, got {getattr(self, name).tolist()}")

    @classmethod
    def fit(
        cls, actions: NDArray[np.floating], tactile_ut: NDArray[np.floating], point_m: tuple[float, float, float] = TCP
    ) -> "Normaliser":
        """From all demonstrated actions (N, 7) of the TCP and tactile readings (M, 15), µT.

        Actions span [-1, 1] with a margin of 10 %; the tactile scale is max(100 µT, 3 sigma) (paper, A1).
        """
        point = np.array(point_m, dtype=float)
        moved = moved_to(point, actions)
        low, high = moved.min(0), moved.max(0)
        half_range = np.maximum(ACTION_MARGIN * (high - low) / 2, MIN_HALF_RANGE)
        scale = np.maximum(MIN_TACTILE_SCALE_UT, TACTILE_SIGMAS * tactile_ut.std(0))
        return cls(((low + high) / 2).astype(float), half_range.astype(float), scale.astype(float), point)

    def normalise_actions(self, actions: NDArray[np.floating]) -> NDArray[np.float32]:
        """(..., 7) deltas of the TCP in m, rad -> (..., 7) float32."""
        return ((moved_to(self.point_m, actions) - self.action_centre) / self.action_half_range).astype(np.float32)

    def restore_actions(self, normalised: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 7) in [-1, 1] -> (..., 7) deltas of the TCP in m, rad. Inverse of `normalise_actions`."""
        answered = np.asarray(normalised, dtype=float) * self.action_half_range + self.action_centre
        return moved_to(-self.point_m, answered)

    def normalise_tactile(self, tactile_ut: NDArray[np.floating]) -> NDArray[np.float32]:
        """(..., 15) µT -> (..., 15) float32 within +-TACTILE_BOUND, nearly linear within +-1."""
        scaled = tactile_ut / self.tactile_scale_ut
        return (TACTILE_BOUND * np.tanh(scaled / TACTILE_BOUND)).astype(np.float32)

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists for JSON. Inverse of `from_dict`."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, values: Any, source: Source = SOURCE) -> "Normaliser":
        """From `to_dict`'s mapping. Raises VitalError for a wrong one."""
        return schema.checked(values, StoredNormaliser, source).restore()


def moved_to(point_m: NDArray[np.float64], actions: NDArray) -> NDArray:
    """(..., 7) deltas in m, rad, gripper -> the same with the way of a point at ``point_m`` (3,) from the one they are
    of, for small angles: t + w x p, which its opposite undoes exactly."""
    if not point_m.any():
        return actions
    way = actions[..., :3] + np.cross(actions[..., 3:6], point_m)
    return np.concatenate([way, actions[..., 3:]], axis=-1)


@dataclass(frozen=True)
class StoredNormaliser:
    """`Normaliser` as files hold it."""

    action_centre: Annotated[tuple[Centre, ...], Meta(min_length=ACTION_VALUES, max_length=ACTION_VALUES)]
    action_half_range: Annotated[tuple[HalfRange, ...], Meta(min_length=ACTION_VALUES, max_length=ACTION_VALUES)]
    tactile_scale_ut: Annotated[tuple[ScaleUt, ...], Meta(min_length=TACTILE_VALUES, max_length=TACTILE_VALUES)]
    point_m: Annotated[tuple[Centre, ...], Meta(min_length=3, max_length=3)] = TCP

    def restore(self) -> Normaliser:
        """The normaliser."""
        values = self.action_centre, self.action_half_range, self.tactile_scale_ut, self.point_m
        return Normaliser(*(np.array(v) for v in values))


@dataclass(frozen=True)
class NormalisationFile:
    """What is kept beside demonstrations. data_sha256: of those it was fitted on."""

    format: Literal["vital_normalisation/1"]
    data_sha256: Sha256
    normaliser: StoredNormaliser


def stored_normaliser(folder: Path, sha256: str, fit: Callable[[], Normaliser]) -> Normaliser:
    """The normaliser kept in ``folder`` for the data of this hash; fitted and kept when it is of other data.

    A folder that cannot be written to is no reason to refuse the data: the normaliser follows from it.
    """
    path = folder / FILE_NAME
    source = replace(SOURCE, name=str(path))
    try:
        kept = schema.from_json(safe_file.read_bytes(path, schema.JSON_BYTES), NormalisationFile, source)
        if kept.data_sha256 == sha256:
            return kept.normaliser.restore()
    except FileNotFoundError:
        pass
    except (OSError, VitalError) as error:
        log.warning("%s cannot be read (%s), it is made again", path, error)
    normaliser = fit()
    try:
        safe_file.write_json(path, {"format": FORMAT, "data_sha256": sha256, "normaliser": normaliser.to_dict()})
    except OSError as error:
        log.warning("%s cannot be written (%s), the normaliser is not kept", path, error)
    return normaliser
