"""A headless Chromium, driven over a pipe with the DevTools protocol; standard library only."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PATIENCE = 30  # seconds; on a busy machine a page takes its time

AT_3_AND_4 = """
import os, sys
ends = [int(end) for end in sys.argv[1:3]]
while min(ends) < 5:  # away from 3 and 4
    ends = [os.dup(end) for end in ends]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Puts the ends of the pipe where the browser expects them."""

KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13}
KEYS |= {"Escape": 27, "End": 35, "Home": 36, " ": 32, "Tab": 9}


class Browser:
    """One page of one browser; `complaints` collects its errors and what its policy blocked."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 800) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.downloads = folder / "downloads"
        self.downloads.mkdir()
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-ISc", AT_3_AND_4, str(to_browser), str(from_browser)),
                CHROMIUM or "",
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                f"--user-data-dir={folder / 'profile'}",
                "--remote-debugging-pipe",
                "about:blank",
            ],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._rest, self._number = b"", 0
        self._session: str | None = None
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.resize(width, height)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        os.close(self._write)
        os.close(self._read)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            block = os.read(self._read, 1 << 20)
            assert block, "the browser is gone"
            self._rest += block
        line, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(line)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(json.dumps(params["entry"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(params["args"]))
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {params['message']}")
            self._number += 1
            message = {"id": self._number, "method": "Page.handleJavaScriptDialog"}
            message |= {"params": {"accept": True}, "sessionId": self._session}
            os.write(self._write, json.dumps(message).encode() + b"\0")
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def resize(self, width: int, height: int, *, is_phone: bool = False) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if is_phone else 1,
            mobile=is_phone,
        )

    def open(self, address: str) -> None:
        self.send("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        result = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, (expression, result)
        return result["result"].get("value")

    def until(self, condition: str) -> None:
        self.wait(lambda: self.run(condition), condition)

    def wait(self, is_met: Callable[[], Any], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not is_met():
            assert time.monotonic() < end, f"never came: {what}"
            time.sleep(0.005)

    def press(self, key: str) -> None:
        code = KEYS.get(key, ord(key.upper()[0]))
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        event = {"key": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)

    def click(self, selector: str, *, at: int = 0) -> None:
        """A real click with the mouse in the middle of an element, scrolled into view."""
        box = self.run(
            f"(() => {{const e = document.querySelectorAll({json.dumps(selector)})[{at}];"
            "e.scrollIntoViewIfNeeded?.(); const b = e.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2];})()"
        )
        event = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
        self.send("Input.dispatchMouseEvent", type="mousePressed", **event)
        self.send("Input.dispatchMouseEvent", type="mouseReleased", **event)

    def slide(self, selector: str, value: float | str) -> None:
        """Set a slider or a list to a value and tell the page, as a hand would."""
        self.run(
            f"(() => {{const e = document.querySelector({json.dumps(selector)});"
            f"e.value = {json.dumps(value)}; e.dispatchEvent(new Event('input'));}})()"
        )

    def prefer(self, **features: str) -> None:
        """Media features, such as prefers_color_scheme="dark"."""
        named = [{"name": n.replace("_", "-"), "value": v} for n, v in features.items()]
        self.send("Emulation.setEmulatedMedia", features=named)

    def screenshot(self, path: Path) -> None:
        data = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))
