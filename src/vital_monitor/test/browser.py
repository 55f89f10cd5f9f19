"""Chromium without a screen, driven by its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WIDTH_PX, HEIGHT_PX = 1600, 900
# It draws in software, or not at all.
DRAWS, BLIND = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader"), ("--disable-gpu", "--disable-3d-apis")


def program() -> str | None:
    """The browser that is installed."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One window with one page. webgl: whether the page can draw in three dimensions."""

    def __init__(self, folder: Path, *, webgl: bool = True) -> None:
        found = program()
        assert found is not None
        profile = folder / "browser"
        options = ["--headless=new", "--no-sandbox", "--remote-debugging-port=0", "--no-first-run", "--hide-scrollbars"]
        command = [found, *options, *(DRAWS if webgl else BLIND), f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._number, self.asked_for = 0, set[str]()
        port = self._port(profile / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            tab = next(tab for tab in json.load(answer) if tab["type"] == "page")
        self._socket = connect(tab["webSocketDebuggerUrl"], max_size=None)
        for domain in ("Page", "Runtime", "Network"):
            self.do(f"{domain}.enable")
        size = {"width": WIDTH_PX, "height": HEIGHT_PX, "deviceScaleFactor": 1, "mobile": False}
        self.do("Emulation.setDeviceMetricsOverride", **size)

    def _port(self, file: Path) -> int:
        deadline_s = time.monotonic() + 60.0
        while not file.exists() or not file.read_text().strip():
            assert time.monotonic() < deadline_s and self._process.poll() is None, "the browser did not start"
            time.sleep(0.1)
        return int(file.read_text().split()[0])

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command's result; what the page asks the network for meanwhile is noted."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=120.0))
            if message.get("method") == "Network.requestWillBeSent":
                self.asked_for.add(message["params"]["request"]["url"])
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]

    def open(self, url: str) -> None:
        """Go to an address."""
        self.do("Page.navigate", url=url)

    def tell(self, script: str) -> Any:
        """What a line of JavaScript gives."""
        return self.do("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    @property
    def text(self) -> str:
        """All that can be read on the page."""
        return self.tell("document.body.innerText") or ""

    def until(self, true: Callable[[], bool], timeout_s: float = 120.0) -> None:
        """Wait for something to be so."""
        deadline_s = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline_s, f"it did not come to be; the page says {self.text[-2000:]}"
            time.sleep(0.1)

    def place(self, label: str) -> tuple[float, float] | None:
        """Middle of the button with this label, px."""
        script = f"""(() => {{ const found = [...document.querySelectorAll('button')].find(
            b => b.innerText.trim() === {json.dumps(label)});
            if (!found) return null; const r = found.getBoundingClientRect();
            return [r.x + r.width / 2, r.y + r.height / 2]; }})()"""
        found = self.tell(script)
        return None if found is None else (found[0], found[1])

    def focus(self, label: str) -> None:
        """Put the cursor into the field with this label."""
        script = f"""(() => {{ const inputs = [...document.querySelectorAll('input')].filter(
            i => i.type != 'checkbox' && i.getBoundingClientRect().width > 50);
            const row = i => {{ let e = i; for (let n = 0; n < 4; n++) e = e.parentElement; return e.innerText; }};
            const found = inputs.find(i => row(i).includes({json.dumps(label)})) || inputs[0];
            found.focus(); return document.activeElement === found; }})()"""
        self.until(lambda: bool(self.tell(script)))

    def click(self, label: str) -> None:
        """Press the button with this label, as a mouse does."""
        self.until(lambda: self.place(label) is not None)
        self.click_at(*(self.place(label) or (0.0, 0.0)))

    def click_at(self, x: float, y: float) -> None:
        """Press the mouse's button somewhere."""
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, key: str, code: int, text: str = "") -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if kind == "keyDown" and text else {}
            self.do("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)

    def write(self, text: str) -> None:
        """Type where the cursor is."""
        self.do("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        """Save what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.do("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.terminate()
        self._process.wait(20.0)
