"""The part of the page with which a person steers, one for each page that is open, so that each is told its own."""

import contextlib
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import viser

from vital_core.clock import steady_s
from vital_monitor.drawing.ink import block
from vital_monitor.state.offers import Deed
from vital_monitor.state.seat import LONGEST_NAME, Answer, Seat

GREEN, ORANGE, BLUE, GREY = (46, 139, 87), (199, 119, 0), (47, 111, 178), (108, 117, 125)
# In this order on the page, and the colour of each button.
SHOWN = {
    Deed.START: GREEN,
    Deed.SUCCESS: GREEN,
    Deed.FAILURE: ORANGE,
    Deed.REDO: GREY,
    Deed.PAUSE: GREY,
    Deed.FINISH: GREY,
    Deed.CLEAR: ORANGE,
    Deed.BASELINE: GREY,
    Deed.RUN: BLUE,
    Deed.CANCEL: ORANGE,
}
Do = Callable[[Deed, str, str], None]


class Controls:
    """Buttons of one page. do: carries out what somebody who may steer has pressed."""

    def __init__(self, client: viser.ClientHandle, folder: viser.GuiFolderHandle, seat: Seat, do: Do) -> None:
        self._page, self._seat, self._do = client.client_id, seat, do
        self._refusal, self._refused_under = "", seat.holder
        self._buttons: dict[Deed, viser.GuiButtonHandle] = {}
        with folder:
            gui = client.gui
            self._who = gui.add_html("")
            self._name = gui.add_text("your name", "", hint=f"up to {LONGEST_NAME} characters")
            self._sit = gui.add_button("STEER FROM THIS PAGE", color=BLUE)
            self._sit.on_click(lambda _: self._on_sit())
            for deed, colour in SHOWN.items():
                if deed is Deed.RUN:
                    self._sentence = gui.add_text("sentence", "", hint="empty: the sentence of the task")
                button = gui.add_button(str(deed), color=colour, visible=False)
                button.on_click(partial(self._on_click, deed))
                self._buttons[deed] = button
        self.show(frozenset())

    def _on_sit(self) -> None:
        if self._holds:
            self._seat.leave(self._page)
            self._refusal = ""
        else:
            self._tell(self._seat.take(self._page, self._name.value, steady_s()))

    def _tell(self, answer: Answer) -> None:
        """Keep a refusal on the page for as long as the same person has the seat, or nobody."""
        self._refusal, self._refused_under = "" if answer.may else answer.text, self._seat.holder

    @property
    def _holds(self) -> bool:
        holder = self._seat.holder
        return holder is not None and holder.page == self._page

    def _on_click(self, deed: Deed, _event: Any) -> None:
        answer: Answer = self._seat.ask(self._page, steady_s())
        holder = self._seat.holder
        self._tell(answer)
        if not answer.may or holder is None:
            return
        self._do(deed, holder.name, self._sentence.value)

    def show(self, offered: frozenset[Deed]) -> None:
        """Let the page tell who steers and offer what can be done; only what has changed is sent."""
        # viser refuses to change the parts of a page that has just gone.
        with contextlib.suppress(RuntimeError):
            self._show(offered)

    def _show(self, offered: frozenset[Deed]) -> None:
        answer, holds = self._seat.ask(self._page, steady_s()), self._holds
        if self._seat.holder != self._refused_under:
            self._refusal = ""
        self._set(self._who, "content", block(escape(self._refusal or answer.text)))
        self._set(self._sit, "label", "GIVE UP STEERING" if holds else "STEER FROM THIS PAGE")
        self._set(self._sit, "color", GREY if holds else BLUE)
        self._set(self._name, "visible", not holds)
        self._set(self._sentence, "visible", holds and bool({Deed.RUN} & offered))
        for deed, button in self._buttons.items():
            self._set(button, "visible", holds and deed in offered)

    @staticmethod
    def _set(handle: object, name: str, value: object) -> None:
        if getattr(handle, name) != value:
            setattr(handle, name, value)
