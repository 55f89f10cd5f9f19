"""Episodes to look at: what is drawn has its size, is not blank, and shows what it names."""

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest
from rich.console import Console

from vital_core.errors import ErrorCode, VitalError
from vital_data import cli
from vital_data.dataset import synthetic
from vital_data.files.session import Session
from vital_data.files.streams import IMAGE_TOPIC, POSE_TOPIC, TACTILE_TOPIC, Stream
from vital_data.inspect import play_command
from vital_data.inspect.plots import (
    EpisodePlot,
    episode_figure,
    film_frames,
    sheet_row,
    write_contact_sheet,
    write_episode_figure,
)
from vital_data.inspect.traces import force_proxy, speed_trace, start_ns, tactile_trace


@pytest.fixture(scope="module")
def streams():
    return synthetic.streams(20, jitter_s=0.0)


def plot(streams, **more) -> EpisodePlot:
    return EpisodePlot("s/episode_0000", streams, **more)


def test_page_is_drawn_and_is_not_blank(streams, tmp_path):
    write_episode_figure(plot(streams, outcome="success"), tmp_path / "new" / "page.png")
    page = cv2.imread(str(tmp_path / "new" / "page.png"))
    assert page.shape == (1200, 1300, 3) and page.std() > 10


def test_page_of_images_alone_is_drawn(streams, tmp_path):
    write_episode_figure(plot({IMAGE_TOPIC: streams[IMAGE_TOPIC]}), tmp_path / "page.png")
    assert cv2.imread(str(tmp_path / "page.png")).std() > 1


def test_force_limit_is_drawn_where_there_is_one(streams):
    drawn = [episode_figure(plot(streams, tactile_limit_ut=limit)) for limit in (None, 900.0)]
    try:
        assert len(drawn[1].axes[2].lines) == len(drawn[0].axes[2].lines) + 1
        assert drawn[1].axes[2].get_title(loc="right") == "limit 900 µT"
    finally:
        for figure in drawn:
            plt.close(figure)


@pytest.mark.parametrize(
    ("outcome", "faults", "colour"),
    [("success", (), "#1b7f3b"), ("failure", (), "#b3261e"), ("success", ("dark",), "#b26a00"), ("", (), "#444444")],
)
def test_colour_tells_the_outcome(streams, outcome, faults, colour):
    assert plot(streams, outcome=outcome, faults=faults).colour == colour


def test_caption_names_episode_outcome_and_faults(streams):
    caption = plot(streams, outcome="failure", faults=("dark", "slow")).caption
    assert caption == "s/episode_0000   failure   faults: dark, slow"
    assert plot(streams).caption == "s/episode_0000   no outcome"


def test_row_of_a_sheet_holds_the_first_and_the_last_image(streams):
    row, image = sheet_row(plot(streams), columns=4), streams[IMAGE_TOPIC].values["image"]
    assert row.shape == (128 + 18, 4 * 128, 3) and row[:18].min() < 255
    np.testing.assert_array_equal(row[18:, :128], image[0])
    np.testing.assert_array_equal(row[18:, -128:], image[-1])


def test_rows_of_other_widths_are_padded_with_white(streams, tmp_path):
    rows = [sheet_row(plot(streams), columns=columns) for columns in (2, 4)]
    write_contact_sheet(rows, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * (128 + 18 + 4), 4 * 128, 3) and (sheet[18:146, 256:] == 255).all()
    with pytest.raises(VitalError, match="no episode for a contact sheet"):
        write_contact_sheet([], tmp_path / "none.png")


def test_film_marks_the_moment_further_and_further_right(streams):
    frames = list(film_frames(plot(streams)))
    assert len(frames) == 20 and {frame.shape for frame in frames} == {(384, 960, 3)}
    red = [np.flatnonzero((frame[200, 384:] == (179, 38, 30)).all(-1)) for frame in frames]
    moments = [columns.min() for columns in red]
    assert moments == sorted(moments) and moments[-1] > moments[0] + 300


def test_episode_without_an_image_is_refused(streams):
    with pytest.raises(VitalError, match="no image to draw") as refused:
        sheet_row(plot({POSE_TOPIC: streams[POSE_TOPIC]}))
    assert refused.value.code is ErrorCode.BAD_DATASET


def test_seconds_begin_at_the_first_image_or_the_earliest_message(streams):
    assert start_ns(streams) == streams[IMAGE_TOPIC].stamps_ns[0]
    rest = {topic: s for topic, s in streams.items() if topic != IMAGE_TOPIC}
    assert start_ns(rest) == min(s.stamps_ns[0] for s in rest.values())


def test_force_of_a_known_change_is_its_length(streams):
    tactile = streams[TACTILE_TOPIC]
    field = tactile.values["baseline_ut"].copy()
    field[:, 3] += (3.0, 4.0, 12.0)
    pressed = streams | {TACTILE_TOPIC: Stream(tactile.stamps_ns, {**tactile.values, "field_ut": field})}
    np.testing.assert_allclose(force_proxy(pressed).values, 13.0, rtol=1e-5)
    assert tactile_trace(pressed).names[9:12] == ("m4 x", "m4 y", "m4 z")


def test_tcp_that_stands_still_has_no_speed(streams):
    pose = streams[POSE_TOPIC]
    still = np.tile(pose.values["t_base_tcp"][:1], (len(pose), 1, 1))
    np.testing.assert_array_equal(speed_trace({POSE_TOPIC: Stream(pose.stamps_ns, {"t_base_tcp": still})}).values, 0.0)


class Publishers:
    """As a node's: how many publish on each topic."""

    def __init__(self, **counts):
        self._counts = counts

    def count_publishers(self, topic):
        return self._counts.get(topic.strip("/"), 1)


def test_company_on_any_topic_ends_the_playing_and_is_named():
    play_command._refuse_company(Publishers(), ["/a", "/b"])
    with pytest.raises(VitalError, match="somebody else publishes on /b") as refused:
        play_command._refuse_company(Publishers(b=2), ["/a", "/b"])
    assert refused.value.code is ErrorCode.BUSY


@pytest.mark.parametrize("rate", ["0", "-1", "nan"])
def test_speed_that_is_none_is_refused_before_anything_is_opened(tmp_path, rate):
    options = cli.parser().parse_args(["play", str(tmp_path), f"--rate={rate}"])
    with pytest.raises(VitalError, match="expected more than 0") as refused:
        options.run(options, Console())
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_message_type_that_is_not_installed_cannot_be_played():
    with pytest.raises(VitalError, match="not installed here"):
        play_command._message_class("nobody/msg/Knows")


def test_episode_that_is_not_there_is_named(tmp_path):
    session = Session.create_or_resume(tmp_path / "s", "usb_insertion", {})
    with pytest.raises(VitalError, match="has no episode 3"):
        session.entry(3)
