"""Images to an MP4 file and back (PyAV)."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError

MICROSECONDS_PER_S = 1_000_000


@contextmanager
def _refused(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except (FFmpegError, ValueError, OSError) as error:
        raise VitalError(ErrorCode.BAD_DATASET, f"video {path} cannot be {what} ({error})") from error


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    rate_hz: int,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: Mapping[str, str] | None = None,
) -> int:
    """Encode (H, W, 3) uint8 RGB frames, the first at time 0; returns how many. Raises VitalError(BAD_DATASET)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with _refused(path, "written"), av.open(str(path), "w", format="mp4") as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=rate_hz, options=dict(options or {})))
        stream.pix_fmt, stream.time_base = pixel_format, Fraction(1, rate_hz)
        for image in frames:
            if count == 0:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = count, Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
            count += 1
        container.mux(stream.encode(None))
    return count


def read_video(path: Path, start_s: float = 0.0, count: int | None = None) -> NDArray[np.uint8]:
    """(T, H, W, 3) uint8 RGB frames from ``start_s`` on, at most ``count``. Raises VitalError(BAD_DATASET)."""
    images: list[NDArray[np.uint8]] = []
    with _refused(path, "read"), av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        half_frame_s = 0.5 / float(stream.average_rate or 1)
        if start_s > 0.0:
            container.seek(int(start_s * MICROSECONDS_PER_S))
        for frame in container.decode(stream):
            if frame.time is not None and frame.time < start_s - half_frame_s:
                continue
            images.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            if count is not None and len(images) == count:
                break
    if not images:
        raise VitalError(ErrorCode.BAD_DATASET, f"video {path} has no frame from {start_s:.3f} s on")
    return np.stack(images)
