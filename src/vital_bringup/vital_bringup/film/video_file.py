"""An MP4 file that any browser plays, whole up to its last second whatever ends the process that writes it."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

# Each second stands by itself, with an index of its own, instead of one index for all at the end.
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}


class VideoFile:
    """Appends images of one even size, (H, W, 3) uint8 RGB, at ``rate_hz``."""

    def __init__(self, path: Path, size_px: tuple[int, int], rate_hz: int) -> None:
        """size_px: width and height."""
        self._file = av.open(str(path), "w", options=FRAGMENTED)
        self._stream = self._file.add_stream("h264", rate=rate_hz)
        self._stream.width, self._stream.height = size_px
        self._stream.pix_fmt = "yuv420p"
        self._stream.gop_size = rate_hz
        # A frame is in the file as soon as it is shown.
        self._stream.options = {"tune": "zerolatency", "preset": "veryfast", "crf": "23"}
        self.written = 0

    def append(self, image: NDArray[np.uint8]) -> None:
        """One image more."""
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
            self._file.mux(packet)
        self.written += 1

    def close(self) -> None:
        """Write what is still held back; afterwards nothing is taken any more."""
        for packet in self._stream.encode():
            self._file.mux(packet)
        self._file.close()
