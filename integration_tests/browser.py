"""A browser for tests of pages: Chromium without a window, and what it says of a page that it shows."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.webelement import WebElement

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver",)

DESK = (1280, 900)
TABLET = (768, 1024)
PHONE = (360, 740)
SMALL_TABLET = (600, 960)
PAPER = (718, 1040)
"""A4 without margins, in CSS pixels."""


@dataclass(frozen=True)
class Browser:
    """A browser with one page; sizes are in CSS pixels."""

    driver: webdriver.Chrome

    def show(
        self,
        page: Path,
        *,
        size: tuple[int, int] = DESK,
        media: str = "screen",
        dark: bool = False,
        script: bool = True,
    ) -> None:
        """Load a page from its file, in a medium, colour scheme and size, with or without running its script."""
        width, height = size
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=size == PHONE
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.command("Emulation.setScriptExecutionDisabled", value=not script)
        self.complaints()
        self.requests()
        self.driver.get(page.as_uri())

    def command(self, name: str, **parameters: object) -> Mapping[str, Any]:
        """A command of the DevTools protocol."""
        answer: Mapping[str, Any] = self.driver.execute_cdp_cmd(name, parameters)
        return answer

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, left: float, top: float, width: float, height: float) -> bytes:
        """A part of the page as it looks, as PNG; from the top left corner of the page, not of the window."""
        clip = {"x": left, "y": top, "width": width, "height": height, "scale": 1}
        taken = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(taken["data"])

    def lightness(self, left: float, top: float, width: float, height: float) -> float:
        """Mean lightness of a part of the page, from 0 (black) to 255."""
        picture = base64.b64encode(self.picture(left, top, width, height)).decode()
        mean: float = self.ask(
            f"""(async () => {{
              const image = new Image();
              image.src = "data:image/png;base64,{picture}";
              await image.decode();
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = [image.width, image.height];
              const context = canvas.getContext("2d");
              context.drawImage(image, 0, 0);
              const parts = context.getImageData(0, 0, image.width, image.height).data;
              return parts.reduce((sum, part, index) => sum + (index % 4 === 3 ? 0 : part), 0) / parts.length * 4 / 3;
            }})()"""
        )
        return mean

    def find(self, selector: str) -> WebElement:
        """The first element of a CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The text of the first element of a CSS selector."""
        content: str = self.ask(f"document.querySelector({json.dumps(selector)}).textContent")
        return content

    def complaints(self) -> list[str]:
        """What the console says, warnings included, since the last call."""
        return [entry["message"] for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """Every address that was asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.execute(Command.GET_LOG, {"type": kind})["value"]
        return entries


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a browser; without one the test fails in CI and is skipped elsewhere."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = next(filter(None, map(shutil.which, DRIVERS)), None)
    if program is None or driver is None:
        reason = f"there is no {' or '.join(BROWSERS if program is None else DRIVERS)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # root cannot have one
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        # The driver is on this machine: no proxy reaches it.
        patch.setenv("no_proxy", "localhost,127.0.0.1")
        patch.setenv("NO_PROXY", "localhost,127.0.0.1")
        started = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
        try:
            yield Browser(started)
        finally:
            started.quit()
