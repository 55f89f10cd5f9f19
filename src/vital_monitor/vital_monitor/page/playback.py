"""The part of the page with which a recording is played, for all pages together."""

from html import escape
from typing import Any

import viser

from vital_monitor.drawing.ink import block
from vital_monitor.recorded.player import Player

STEP_S = 0.1


class Playback:
    """PLAY or PAUSE, and a place to go to."""

    def __init__(self, gui: viser.GuiApi, player: Player) -> None:
        self._player = player
        with gui.add_folder("Recording"):
            self._where = gui.add_html("")
            self._button = gui.add_button("PAUSE")
            longest_s = max(STEP_S, round(player.recording.duration_s, 1))
            self._place = gui.add_slider("go to, s", 0.0, longest_s, STEP_S, 0.0)
        self._button.on_click(lambda _: self._press())
        self._place.on_update(self._go)

    def _press(self) -> None:
        if self._player.playing:
            self._player.pause()
        else:
            self._player.play()

    def _go(self, event: Any) -> None:
        # Without a page it is not a person who moved it.
        if event.client is not None:
            self._player.seek(float(self._place.value))

    def show(self) -> None:
        """Where it stands; a few times a second."""
        player = self._player
        at = f"{player.position_s:.1f} of {player.recording.duration_s:.1f} s"
        content = block(escape(f"{player.recording.name}, {at}"))
        if self._where.content != content:
            self._where.content = content
        label = "PAUSE" if player.playing else "PLAY"
        if self._button.label != label:
            self._button.label = label
