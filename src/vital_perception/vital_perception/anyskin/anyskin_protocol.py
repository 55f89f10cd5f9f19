"""AnySkin's serial protocol, from any splitting of its bytes to whole readings.

A frame is, per magnetometer, four little-endian float32 (temperature in degC, then the field x y z in µT), and
at its end CR LF: 82 bytes for five magnetometers. CR LF also occurs inside floats, and bytes get lost; so a frame
is only what ends in CR LF at the right distance *and* can have been measured.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import MAGNETOMETERS

END = b"\r\n"
VALUES_PER_MAGNETOMETER = 4
VALUES = VALUES_PER_MAGNETOMETER * MAGNETOMETERS
PAYLOAD_BYTES = 4 * VALUES
FRAME_BYTES = PAYLOAD_BYTES + len(END)


@dataclass(frozen=True)
class Plausible:
    """What a magnetometer can report (MLX90393 datasheet: -40 to 85 degC, fields of up to 50 mT; with a margin).

    A value nearer to zero than ``smallest`` and not zero is none: the chip's finest step is 0.15 µT, while the bytes
    of two neighbouring floats read as one often give something like 1e-30.
    """

    lowest_c: float = -40.0
    highest_c: float = 125.0
    largest_ut: float = 60_000.0
    smallest: float = 1e-4

    def __post_init__(self) -> None:
        if not (self.lowest_c < self.highest_c and 0.0 < self.smallest < self.largest_ut):
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"plausible readings are {self.lowest_c} to {self.highest_c} degC and {self.smallest} to "
                f"{self.largest_ut} µT, expected ranges that are not empty",
            )

    def allows(self, values: NDArray[np.float32]) -> bool:
        """Whether (5, 4) values can have been measured."""
        size = np.abs(values)
        temperature, field = values[:, 0], size[:, 1:]
        # Comparisons with NaN are False.
        return bool(
            ((temperature >= self.lowest_c) & (temperature <= self.highest_c)).all()
            and (field <= self.largest_ut).all()
            and ((size >= self.smallest) | (values == 0.0)).all()
        )


@dataclass(frozen=True)
class Frame:
    """One reading. temperature_c (5,), field_ut (5, 3); trailing_bytes came after it in the same piece of data."""

    temperature_c: NDArray[np.float32]
    field_ut: NDArray[np.float32]
    trailing_bytes: int


@dataclass
class Counters:
    """frames: delivered. implausible: in their place, but impossible. resyncs: the place was lost and found again.
    dropped: frames' worth of bytes (begun ones counted) that were thrown away, implausible frames among them."""

    frames: int = 0
    implausible: int = 0
    resyncs: int = 0
    dropped: int = 0


class FrameParser:
    """Takes the stream in pieces of any size. Keeps at most one frame's bytes between them."""

    def __init__(self, plausible: Plausible | None = None) -> None:
        self.counters = Counters()
        self._plausible = plausible or Plausible()
        self._held = bytearray()
        self._in_step = False
        self._skipped = 0

    def reset(self) -> None:
        """Forget a frame begun: what comes next is another connection. Counters stay."""
        self._held.clear()
        self._in_step, self._skipped = False, 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames completed by ``data``."""
        held = self._held
        held += data
        frames, position = [], 0
        while len(held) - position >= FRAME_BYTES:
            values = self._frame_at(position)
            if values is None:
                position = self._skip_from(position)
                continue
            self._found()
            position += FRAME_BYTES
            frames.append(Frame(values[:, 0], values[:, 1:], len(held) - position))
        del held[:position]
        return frames

    def _frame_at(self, position: int) -> NDArray[np.float32] | None:
        end = position + PAYLOAD_BYTES
        if self._held[end : end + len(END)] != END:
            return None
        values = np.frombuffer(bytes(self._held[position:end]), "<f4").reshape(MAGNETOMETERS, VALUES_PER_MAGNETOMETER)
        return values if self._plausible.allows(values) else None

    def _skip_from(self, position: int) -> int:
        """The next place where a frame is, or may yet turn out to be."""
        end = position + PAYLOAD_BYTES
        if self._in_step and self._skipped == 0 and self._held[end : end + len(END)] == END:
            self.counters.implausible += 1
        at = self._held.find(END, end + 1)
        while at >= 0 and self._frame_at(at - PAYLOAD_BYTES) is None:
            at = self._held.find(END, at + 1)
        place = at - PAYLOAD_BYTES if at >= 0 else len(self._held) - FRAME_BYTES + 1
        self._skipped += place - position
        return place

    def _found(self) -> None:
        if self._skipped:
            # Before the first frame it is only that the connection began in the middle of one.
            if self._in_step:
                self.counters.dropped += -(-self._skipped // FRAME_BYTES)
                self.counters.resyncs += self._skipped % FRAME_BYTES != 0
            self._skipped = 0
        self._in_step = True
        self.counters.frames += 1


def encode(temperature_c: NDArray[np.floating], field_ut: NDArray[np.floating]) -> bytes:
    """The frame of temperature_c (5,) and field_ut (5, 3), as the sensor sends it."""
    values = np.column_stack([temperature_c, field_ut]).astype("<f4")
    if values.shape != (MAGNETOMETERS, VALUES_PER_MAGNETOMETER):
        raise ValueError(f"expected {MAGNETOMETERS} magnetometers, got shape {values.shape}")
    return values.tobytes() + END
