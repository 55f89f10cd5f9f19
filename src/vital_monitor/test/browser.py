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
SIZE_PX, SMALL_PX = (1600, 900), (1000, 900)
# It draws in software, or not at all.
DRAWS, BLIND = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader"), ("--disable-gpu", "--disable-3d-apis")


def program() -> str | None:
    """The browser that is installed."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One window with one page. webgl: whether the page can draw in three dimensions.

    accepts: SHA-256 of a certificate's key, in base64, that a person has looked at and accepted. polite: draws little,
    and only when nobody else wants the processor: for a stack that keeps time beside it.
    """

    def __init__(self, folder: Path, *, webgl: bool = True, polite: bool = False, accepts: str = "") -> None:
        found = program()
        assert found is not None
        profile = folder / "browser"
        options = ["--headless=new", "--no-sandbox", "--remote-debugging-port=0", "--no-first-run", "--hide-scrollbars"]
        options += [f"--ignore-certificate-errors-spki-list={accepts}"] if accepts else []
        command = [
            *(("nice", "-n", "19") if polite else ()),
            found,
            *options,
            *(DRAWS if webgl else BLIND),
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._number, self.asked_for, self.sockets, self.complaints = 0, set[str](), set[str](), list[str]()
        port = self._port(profile / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            tab = next(tab for tab in json.load(answer) if tab["type"] == "page")
        self._socket = connect(tab["webSocketDebuggerUrl"], max_size=None)
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")
        # The page's socket is in a worker, which waits until it is listened to.
        self.do("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
        width, height = SMALL_PX if polite else SIZE_PX
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.do("Emulation.setDeviceMetricsOverride", **size)

    def _port(self, file: Path) -> int:
        deadline_s = time.monotonic() + 60.0
        while not file.exists() or not file.read_text().strip():
            assert time.monotonic() < deadline_s and self._process.poll() is None, "the browser did not start"
            time.sleep(0.1)
        return int(file.read_text().split()[0])

    def _send(self, method: str, parameters: dict[str, Any], **to: str) -> int:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters, **to}))
        return self._number

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command's result; what the page asks the network for meanwhile is noted."""
        number = self._send(method, parameters)
        while True:
            message = json.loads(self._socket.recv(timeout=120.0))
            self._note(message.get("method", ""), message.get("params", {}))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def _note(self, event: str, told: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.asked_for.add(told["request"]["url"])
        elif event == "Target.attachedToTarget":
            for method in ("Network.enable", "Runtime.enable", "Runtime.runIfWaitingForDebugger"):
                self._send(method, {}, sessionId=told["sessionId"])
        elif event == "Network.webSocketCreated":
            self.sockets.add(told["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"):
            self.complaints.append(str([part.get("value", part.get("description")) for part in told["args"]]))
        elif event == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

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

    def hold(self, key: str, seconds: float) -> None:
        """Hold a letter or digit down: it is repeated, as by a keyboard, thirty times a second."""
        code = (f"Digit{key}" if key.isdigit() else f"Key{key.upper()}", ord(key.upper()))
        names = {"key": key, "code": code[0], "windowsVirtualKeyCode": code[1]}
        end_s, repeated = time.monotonic() + seconds, False
        while time.monotonic() < end_s:
            self.do("Input.dispatchKeyEvent", type="keyDown", autoRepeat=repeated, text=key, **names)
            repeated = True
            time.sleep(1.0 / 30.0)
        self.do("Input.dispatchKeyEvent", type="keyUp", **names)

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
