"""Chromium opens the page: both widths, both colour schemes, no error, no request, tables that sort."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from iam_loadtest.report import ReportFiles

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
Keys = pytest.importorskip("selenium.webdriver.common.keys", reason="selenium is not installed").Keys

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed: the page is not opened in a browser"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser of this module's own, closed at its end."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


def open_page(browser: webdriver.Chrome, page: Path, width: int, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_fits_and_logs_no_error(
    browser: webdriver.Chrome, finished: ReportFiles, width: int, scheme: str
) -> None:
    """Nothing sticks out of the page at either width, and the console stays empty."""
    open_page(browser, finished.html, width, scheme)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.get_log("browser") == []
    assert _luminance(browser) > 0.8 if scheme == "light" else _luminance(browser) < 0.2


def test_the_page_requests_nothing_but_itself(browser: webdriver.Chrome, finished: ReportFiles) -> None:
    """The browser's own record of requests has one entry."""
    browser.get_log("performance")
    open_page(browser, finished.html, 1280, "light")
    messages = [entry["message"] for entry in browser.get_log("performance")]
    sent = [message for message in messages if '"Network.requestWillBeSent"' in message and '"data:,"' not in message]
    assert len(sent) == 1


def test_on_a_phone_a_row_s_workload_and_topology_stay_in_sight(
    browser: webdriver.Chrome, finished: ReportFiles
) -> None:
    """Scrolled to its end, beside each other, with room left for a figure."""
    open_page(browser, finished.html, 400, "light")
    script = """const box = document.querySelector('#results').closest('.scroll');
        box.scrollLeft = 9999;
        const [first, second] = document.querySelector('#results tbody tr').cells;
        const [own, one, two] = [box, first, second].map(it => it.getBoundingClientRect());
        return [box.scrollLeft, one.left - own.left, two.left - one.right, own.right - two.right];"""
    scrolled, left, between, room = browser.execute_script(script)
    assert scrolled > 0
    assert (abs(left) < 1, abs(between) < 1, room > 150) == (True, True, True)


def test_text_in_charts_stays_readable_on_a_phone(browser: webdriver.Chrome, finished: ReportFiles) -> None:
    """At 400 pixels the smallest text of a chart is still over seven pixels high, line to line."""
    open_page(browser, finished.html, 400, "light")
    script = """return Math.min(...[...document.querySelectorAll('figure svg text')]
        .map(text => text.getBoundingClientRect().height))"""
    assert browser.execute_script(script) > 7


def test_no_text_of_a_chart_is_cut_off(browser: webdriver.Chrome, finished: ReportFiles) -> None:
    """Every text lies within its picture, give or take two pixels."""
    open_page(browser, finished.html, 1280, "light")
    script = """return [...document.querySelectorAll('figure svg text')].filter(text => {
        const own = text.getBoundingClientRect(), picture = text.closest('svg').getBoundingClientRect();
        return own.left < picture.left - 2 || own.right > picture.right + 2
            || own.top < picture.top - 2 || own.bottom > picture.bottom + 2;
    }).map(text => text.textContent)"""
    assert browser.execute_script(script) == []


def test_a_table_sorts_by_a_click_on_its_heading(browser: webdriver.Chrome, finished: ReportFiles) -> None:
    """By value, not by text: 89.6 stands before 199; once more turns the order round."""
    open_page(browser, finished.html, 1280, "light")
    heading = "document.querySelectorAll('#results th')[3]"
    values = "return [...document.querySelectorAll('#results td:nth-child(4)')].map(cell => Number(cell.dataset.sort))"
    browser.execute_script(f"{heading}.querySelector('button').click()")
    rising = browser.execute_script(values)
    assert rising == sorted(rising)
    assert browser.execute_script(f"return {heading}.getAttribute('aria-sort')") == "ascending"
    browser.execute_script(f"{heading}.querySelector('button').click()")
    assert browser.execute_script(values) == rising[::-1]


def test_a_table_sorts_by_keyboard(browser: webdriver.Chrome, finished: ReportFiles) -> None:
    """The heading takes the focus; Enter sorts, Space turns the order round, and the focus stays."""
    open_page(browser, finished.html, 1280, "light")
    heading = browser.find_elements("css selector", "#results th")[3]
    button = heading.find_element("tag name", "button")
    browser.execute_script("arguments[0].focus()", button)
    found = []
    for key in (Keys.ENTER, Keys.SPACE):
        assert browser.switch_to.active_element == button
        browser.switch_to.active_element.send_keys(key)
        found.append(heading.get_attribute("aria-sort"))
    assert found == ["ascending", "descending"]
    cells = browser.find_elements("css selector", "#results td:nth-child(4)")
    values = [float(cell.get_attribute("data-sort")) for cell in cells]
    assert values == sorted(values, reverse=True)


def _luminance(browser: webdriver.Chrome) -> float:
    colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    red, green, blue = (int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(","))
    return (red + green + blue) / 765
