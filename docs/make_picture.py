"""Take the README's picture: the answer, the table and the main charts of a report, as a browser shows them.

``python docs/make_picture.py [RUN [PICTURE]]`` makes docs/report.png of reports/example. Needs Debian's chromium and
chromium-driver.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

DOCS = Path(__file__).parent
WIDTH = 1280
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
LEAVE_THE_MAIN_PART = """
for (const section of document.querySelectorAll("section:not(#answer):not(#results-section):not(#charts)")) {
  section.remove();
}
const results = [...document.querySelector("#results-section").children];
for (const part of results.slice(results.findIndex((one) => one.tagName === "H3"))) {
  part.remove();
}
for (const part of document.querySelectorAll("#charts figure:nth-of-type(n + 5), #charts > :not(h2, .charts), nav")) {
  part.remove();
}
"""


def main(run: Path, picture: Path) -> None:
    """Write the main part of the run's report as PNG; the page in the run stays whole."""
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        try:
            metrics = {"width": WIDTH, "height": 800, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            browser.get((run / "report.html").resolve().as_uri())
            browser.execute_script(LEAVE_THE_MAIN_PART)
            height = browser.execute_script("return document.querySelector('main').getBoundingClientRect().bottom")
            clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
            shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
            picture.write_bytes(base64.b64decode(shot["data"]))
        finally:
            browser.quit()


def named(place: int, default: Path) -> Path:
    """The path at a place of the command line, or the default."""
    return Path(sys.argv[place]) if len(sys.argv) > place else default


if __name__ == "__main__":
    main(named(1, DOCS.parent / "reports" / "example"), named(2, DOCS / "report.png"))
