"""Episodes to look at: a page of traces, a contact sheet of a session, and a film."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_core.files.video import write_video
from vital_data.files.streams import IMAGE_TOPIC, Stream
from vital_data.inspect.traces import Trace, force_proxy, speed_trace, start_ns, step_trace, tactile_trace

STRIP_FRAMES = 8
FILM_HEIGHT_PX, FILM_WIDTH_PX = 384, 960
COLOURS = {"success": "#1b7f3b", "failure": "#b3261e"}
FLAGGED = "#b26a00"


@dataclass(frozen=True)
class EpisodePlot:
    """An episode to draw: its title, outcome, faults, and its streams."""

    title: str
    streams: Mapping[str, Stream]
    outcome: str = ""
    faults: Sequence[str] = field(default_factory=tuple)
    tactile_limit_ut: float | None = None

    @property
    def colour(self) -> str:
        """Green for a success, red for a failure, amber for a fault."""
        return FLAGGED if self.faults else COLOURS.get(self.outcome, "#444444")

    @property
    def caption(self) -> str:
        """One line over the image."""
        faults = f"   faults: {', '.join(self.faults)}" if self.faults else ""
        return f"{self.title}   {self.outcome or 'no outcome'}{faults}"

    def images(self) -> NDArray[np.uint8]:
        """(T, H, W, 3); VitalError(BAD_DATASET) when there is none."""
        stream = self.streams.get(IMAGE_TOPIC)
        if stream is None or not len(stream.stamps_ns):
            raise VitalError(ErrorCode.BAD_DATASET, f"{self.title}: no image to draw, expected some on {IMAGE_TOPIC}")
        return stream.values["image"]

    def image_seconds(self) -> NDArray[np.float64]:
        """(T,) s since the first image."""
        return (self.streams[IMAGE_TOPIC].stamps_ns - start_ns(self.streams)) / 1e9


def _lines(axes: Axes, trace: Trace, label: str) -> None:
    """Up to three lines in colours of their own; more in threes, x y z of one thing in one colour."""
    colours = plt.get_cmap("tab10")
    columns = max(1, len(trace.names) // 3)
    for line, name in enumerate(trace.names):
        style = ("-", "--", ":")[line % 3] if columns > 1 else "-"
        colour = colours(line // 3 if columns > 1 else line)
        axes.plot(trace.seconds, trace.values[:, line], style, color=colour, linewidth=1.0, label=name)
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    if len(trace.names) > 1:
        axes.legend(
            loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=columns, fontsize=7, frameon=False,
            handlelength=1.4, handletextpad=0.4, columnspacing=0.8,
        )  # fmt: skip


def _force(axes: Axes, trace: Trace, limit_ut: float | None) -> None:
    """The force proxy, scaled to what there was; the gate's limit is named, and drawn where it came near."""
    _lines(axes, trace, "largest change\nof one, µT")
    axes.set_ylim(0.0, 1.2 * max(float(trace.values.max(initial=0.0)), 1.0))
    if limit_ut is not None:
        axes.axhline(limit_ut, color=COLOURS["failure"], linestyle="--", linewidth=1.0)
        axes.set_title(f"limit {limit_ut:g} µT", fontsize=8, loc="right", color=COLOURS["failure"], pad=2)


def _strip(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """(H, count * W, 3): evenly spaced images, the first and the last among them."""
    return np.concatenate(list(images[np.linspace(0, len(images) - 1, count).astype(int)]), axis=1)


def episode_figure(episode: EpisodePlot) -> Figure:
    """Wrist images, tactile traces, force proxy, commanded steps and speed over the seconds."""
    figure, axes = plt.subplots(
        6, 1, figsize=(13, 12), height_ratios=[1.7, 2, 1.1, 1.3, 1.3, 1.1], layout="constrained"
    )
    figure.suptitle(episode.caption, color=episode.colour, fontsize=13, x=0.01, ha="left")
    axes[0].imshow(_strip(episode.images(), STRIP_FRAMES), aspect="equal")
    axes[0].set_xticks([])
    axes[0].set_yticks([])
    seconds = episode.image_seconds()
    axes[0].set_title(f"{len(seconds)} images, {seconds[-1]:.1f} s", fontsize=9, loc="left")
    steps = step_trace(episode.streams)
    _lines(axes[1], tactile_trace(episode.streams), "field change, µT")
    _force(axes[2], force_proxy(episode.streams), episode.tactile_limit_ut)
    _lines(axes[3], Trace(steps.seconds, steps.values[:, :3], steps.names[:3]), "commanded\nstep, mm")
    _lines(axes[4], Trace(steps.seconds, steps.values[:, 3:], steps.names[3:]), "commanded\nturn, °")
    _lines(axes[5], speed_trace(episode.streams), "TCP speed,\nmm/s")
    for below in axes[1:]:
        below.set_xlim(0.0, max(seconds[-1], 1e-3))
    axes[5].set_xlabel("s since the first image")
    return figure


def write_episode_figure(episode: EpisodePlot, path: Path) -> None:
    """Write the episode's page as a PNG."""
    figure = episode_figure(episode)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _rgb(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))  # type: ignore[return-value]


def _text(image: NDArray[np.uint8], text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


def sheet_row(episode: EpisodePlot, columns: int = STRIP_FRAMES) -> NDArray[np.uint8]:
    """(H + 18, columns * W, 3): a caption in the outcome's colour over evenly spaced images."""
    strip = _strip(episode.images(), columns)
    caption = np.full((18, strip.shape[1], 3), 255, np.uint8)
    # OpenCV's font has no letters beyond ASCII.
    text = f"{episode.caption}   {episode.image_seconds()[-1]:.1f} s".encode("ascii", "replace").decode()
    _text(caption, text, (4, 13), _rgb(episode.colour))
    return np.concatenate([caption, strip])


def write_contact_sheet(rows: Sequence[NDArray[np.uint8]], path: Path) -> None:
    """Write `sheet_row`s under each other as a PNG; rows of other widths are padded with white."""
    if not rows:
        raise VitalError(ErrorCode.BAD_DATASET, "no episode for a contact sheet, expected at least one")
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    encoded, data = cv2.imencode(".png", np.concatenate(padded)[:, :, ::-1])
    if not encoded:
        raise VitalError(ErrorCode.BAD_DATASET, f"contact sheet of {len(rows)} rows cannot be encoded")
    safe_file.write_bytes(path, data.tobytes())


@dataclass(frozen=True)
class _FilmTraces:
    """The traces beside the image (h, w, 3), the columns of the first and the last second, and the top row."""

    image: NDArray[np.uint8]
    left: float
    right: float
    top: int


def _film_traces(episode: EpisodePlot) -> _FilmTraces:
    width = FILM_WIDTH_PX - FILM_HEIGHT_PX
    figure, axes = plt.subplots(3, 1, figsize=(width / 100, FILM_HEIGHT_PX / 100), dpi=100, layout="constrained")
    drawn = (
        (tactile_trace(episode.streams), "µT"),
        (force_proxy(episode.streams), "largest µT"),
        (speed_trace(episode.streams), "mm/s"),
    )
    end_s = max(episode.image_seconds()[-1], 1e-3)
    for axis, (trace, label) in zip(axes, drawn, strict=True):
        axis.plot(trace.seconds, trace.values, linewidth=0.8)
        axis.set_ylabel(label, fontsize=8)
        axis.tick_params(labelsize=7)
        axis.set_xlim(0.0, end_s)
        axis.grid(alpha=0.25)
    figure.suptitle(episode.caption[:90], fontsize=9, color=episode.colour)
    figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[attr-defined]
    box = axes[0].get_window_extent()
    plt.close(figure)
    return _FilmTraces(image, box.x0, box.x1, len(image) - int(box.y1))


def film_frames(episode: EpisodePlot) -> Iterator[NDArray[np.uint8]]:
    """(384, 960, 3) images: the wrist camera, and the traces with a line that marks the moment."""
    drawn, seconds = _film_traces(episode), episode.image_seconds()
    size = (FILM_HEIGHT_PX, FILM_HEIGHT_PX)
    for image, fraction in zip(episode.images(), seconds / max(seconds[-1], 1e-3), strict=True):
        traces = drawn.image.copy()
        column = round(drawn.left + (drawn.right - drawn.left) * fraction)
        traces[drawn.top :, column : column + 2] = _rgb(COLOURS["failure"])
        large = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        yield np.concatenate([large, traces[: size[1]]], axis=1)


def write_film(episode: EpisodePlot, path: Path, rate_hz: int = 30) -> int:
    """Write the episode as an MP4 that plays anywhere; returns the number of frames."""
    return write_video(path, film_frames(episode), rate_hz, options={"crf": "20", "preset": "fast"})
