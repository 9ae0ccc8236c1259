"""Take the README's picture: the top of a run's report, as a browser shows it.

``python docs/make_picture.py RUN`` writes docs/report.png. Needs Debian's chromium and chromium-driver.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

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


def main(run: Path, picture: Path) -> None:
    """Write the part of the report above its failures as PNG."""
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        try:
            browser.get((run / "report.html").resolve().as_uri())
            browser.set_window_size(WIDTH, 800)
            height = browser.find_element(By.ID, "failures").location["y"]
            browser.set_window_size(WIDTH, height)
            browser.execute_script("window.scrollTo(0, 0)")
            browser.save_screenshot(str(picture))
        finally:
            browser.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).with_name("report.png"))
