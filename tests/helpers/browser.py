"""A page in a real browser: Chromium, driven by Selenium, offline and with a profile of its own."""

from __future__ import annotations

import json
import shutil

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
LAPTOP, PHONE = (1280, 800), (390, 844)


def missing() -> str:
    """Return what stands in the way of a browser, or nothing."""
    try:
        import selenium  # noqa: F401
    except ModuleNotFoundError:
        return "no Selenium: pip install 'npslstm[browser]'"
    if find_browser() is None:
        return f"no browser: looked for {', '.join(BROWSERS)}"
    if shutil.which("chromedriver") is None:
        return "no chromedriver: Debian has it as chromium-driver"
    return ""


def find_browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Browser:
    """One window, and what it has asked of the network and complained about."""

    def __init__(self, profile) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = find_browser()
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)

    def close(self) -> None:
        self.driver.quit()

    def resize(self, size: tuple[int, int]) -> None:
        """Give the page, without any frame around it, this size."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, path, address: str = "", size: tuple[int, int] = LAPTOP) -> None:
        """Load a file anew, as a window of this size, and forget what was logged before."""
        self.resize(size)
        self.driver.get("about:blank")
        self.requests(), self.complaints()
        self.driver.get(path.as_uri() + address)

    def run(self, script: str, *arguments):
        """Return what a script returns; the page's own names are known to it."""
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str):
        return self.driver.find_element("css selector", selector)

    def keys(self, *keys: str) -> None:
        """Type at what is focused."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def hover(self, selector: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.driver, duration=20).move_to_element(self.find(selector)).perform()

    def drag(self, selector: str, *places: tuple[float, float]) -> None:
        """Press at the first place, pass the others, let go; in parts of the element's size."""
        from selenium.webdriver import ActionChains

        box = self.find(selector)
        width, height = box.size["width"], box.size["height"]
        chain = ActionChains(self.driver, duration=20)
        for n, (x, y) in enumerate(places):
            chain.move_to_element_with_offset(box, (x - 0.5) * width, (y - 0.5) * height)
            if n == 0:
                chain.click_and_hold()
        chain.release().perform()

    def choose(self, selector: str, value: str) -> None:
        from selenium.webdriver.support.ui import Select

        Select(self.find(selector)).select_by_value(value)

    def requests(self) -> list[str]:
        """Return the addresses asked for since the last call, but those of the page's own file."""
        entries = [json.loads(entry["message"]) for entry in self.driver.get_log("performance")]
        sent = [e["message"] for e in entries if e["message"]["method"] == REQUEST]
        addresses = [message["params"]["request"]["url"] for message in sent]
        return [a for a in addresses if not a.startswith(("file:", "data:", "about:"))]

    def complaints(self) -> list[str]:
        """Return what stood in the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


REQUEST = "Network.requestWillBeSent"
