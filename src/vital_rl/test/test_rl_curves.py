"""The log of a training and the image made of it."""

import dataclasses

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_core.statistics import wilson_interval
from vital_rl.learner.curves import LEAST, WINDOW, curve_of, draw, main
from vital_rl.learner.episode_log import FILE, EpisodeLine, EpisodeLog, read_lines


def a_run(folder, outcomes):
    log = EpisodeLog(folder)
    lines = [
        EpisodeLine(i, 100 + i, "success" if ok else "jammed", bool(ok), 50, 50 * (i + 1), 800 * i, 0.2, 0.5, None, 0.1)
        for i, ok in enumerate(outcomes)
    ]
    for line in lines:
        log.add(line)
    return lines


def test_lines_come_back_as_they_were_and_the_later_one_of_an_episode_counts(tmp_path):
    lines = a_run(tmp_path, [True, False, True])
    again = dataclasses.replace(lines[1], critic_loss=0.5)
    EpisodeLog(tmp_path).add(again)
    with open(tmp_path / FILE, "a") as file:
        file.write('{"episode": 3, "se')
    assert read_lines(tmp_path) == [lines[0], again, lines[2]]
    assert list((tmp_path / "tensorboard").iterdir())
    fourth = dataclasses.replace(lines[0], episode=3)
    EpisodeLog(tmp_path).add(fourth)
    assert read_lines(tmp_path) == [lines[0], again, lines[2], fourth]


def test_what_is_no_log_is_refused_with_where(tmp_path):
    with pytest.raises(VitalError, match="give the folder of a training") as refused:
        read_lines(tmp_path / "none")
    assert refused.value.code is ErrorCode.BAD_PARAMETER
    (tmp_path / FILE).write_text('{"episode": 0}\n{"episode": 1}\n')
    with pytest.raises(VitalError, match="line 1"):
        read_lines(tmp_path)


def test_curve_counts_the_window_and_carries_its_interval(tmp_path):
    a_run(tmp_path, [False] * WINDOW + [True] * 10)
    curve = curve_of("run", tmp_path)
    assert curve.success.tolist() == [0.0] * (WINDOW - LEAST) + [n / WINDOW for n in range(11)]
    assert curve.steps[0] == 50 * LEAST and curve.steps[-1] == 50 * (WINDOW + 10)
    assert (curve.low[-1], curve.high[-1]) == pytest.approx(wilson_interval(10, WINDOW))
    assert (curve.low[0], curve.high[0]) == pytest.approx(wilson_interval(0, LEAST))


@pytest.mark.parametrize("name", ["seed 0", "over ROS, minibatches of 256", "m" * 40])
def test_names_of_whatever_length_fit_into_the_image(tmp_path, name):
    a_run(tmp_path, [True] * LEAST)
    figure = draw([curve_of(f"{name}{i}", tmp_path) for i in range(4)], "")
    figure.canvas.draw()
    legend, image = figure.legends[0].get_window_extent(), figure.bbox
    assert image.x0 <= legend.x0 and legend.x1 <= image.x1
    plt.close(figure)


def test_image_is_drawn_and_too_short_a_run_is_refused(tmp_path):
    a_run(tmp_path / "a", np.arange(120) % 3 > 0)
    main([f"seed 0={tmp_path / 'a'}", str(tmp_path / "a"), "--out", str(tmp_path / "curve.png")])
    image = cv2.imread(str(tmp_path / "curve.png"))
    assert image is not None and image.std() > 10
    a_run(tmp_path / "b", [True] * 3)
    with pytest.raises(SystemExit):
        main([str(tmp_path / "b"), "--out", str(tmp_path / "none.png")])
    assert not (tmp_path / "none.png").exists()
