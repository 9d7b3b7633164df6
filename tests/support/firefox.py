"""A real Firefox with its own fake camera and microphone, driven over WebDriver BiDi."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

from websockets.sync.client import ClientConnection, connect

PREFERENCES: Final[dict[str, bool | int | str]] = {
    # Instead of devices there are a picture whose colour wanders, and a steady tone. Nobody asks the person.
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    # A machine without a network has only the loopback address, and mDNS names would lead nowhere there.
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    # Ask nobody but the page's own server.
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
    "toolkit.telemetry.enabled": False,
}
START_S: Final = 40.0
COMMAND_S: Final = 60.0


def firefox_path() -> str:
    """Return where Firefox is.

    Raises:
        RuntimeError: It is not installed.
    """
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        raise RuntimeError("the browser tests need Firefox: apt-get install firefox-esr")
    return path


class FirefoxError(Exception):
    """Firefox refused a command, or a script in a page threw."""


class FirefoxPage:
    """One tab, whose methods are called as those of Playwright's page. Leaving it as a context closes it."""

    def __init__(self, firefox: "Firefox", context: str) -> None:
        self._firefox = firefox
        self._context = context

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._firefox.command("browsingContext.close", context=self._context)

    def goto(self, url: str) -> None:
        """Load a page and wait until it has loaded."""
        self._firefox.command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, function: str, argument: object = None) -> Any:
        """Call a JavaScript function with one argument; return what it, or its promise, gives.

        Argument and result travel as JSON.

        Raises:
            FirefoxError: It threw.
        """
        answer = self._firefox.command(
            "script.callFunction",
            functionDeclaration=f"async json => JSON.stringify((await ({function})(JSON.parse(json))) ?? null)",
            arguments=[{"type": "string", "value": json.dumps(argument)}],
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if answer["type"] != "success":
            raise FirefoxError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def wait_for_function(self, function: str, argument: object = None, *, timeout_s: float = 30.0) -> Any:
        """Call a function until what it gives is true; return that.

        Raises:
            TimeoutError: It never was.
        """
        deadline = time.monotonic() + timeout_s
        while not (found := self.evaluate(function, argument)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not true within {timeout_s} s: {function}")
            time.sleep(0.1)
        return found

    def click(self, text: str) -> None:
        """Press the button, link or label that says `text`, once it can be seen and pressed.

        Raises:
            TimeoutError: There is none.
        """
        self.wait_for_function(
            """text => {
                const control = [...document.querySelectorAll('button, a, label')].find(
                    control => control.checkVisibility() && !control.disabled && control.textContent.trim() === text);
                control?.click();
                return control !== undefined;
            }""",
            text,
        )

    def wait_for_text(self, text: str, *, timeout_s: float = 30.0) -> None:
        """Wait until the page shows `text`.

        Raises:
            TimeoutError: It never did.
        """
        self.wait_for_function("text => document.body.innerText.includes(text)", text, timeout_s=timeout_s)

    def resize(self, width: int, height: int) -> None:
        """Give the page another size, in CSS pixels."""
        self._firefox.command(
            "browsingContext.setViewport", context=self._context, viewport={"width": width, "height": height}
        )

    def screenshot(self, path: Path) -> None:
        """Write what the page looks like as PNG."""
        answer = self._firefox.command("browsingContext.captureScreenshot", context=self._context)
        path.write_bytes(base64.b64decode(answer["data"]))


class Firefox:
    """A running Firefox, seen through WebDriver BiDi (https://w3c.github.io/webdriver-bidi/)."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.version = str(self.command("session.new", capabilities={})["capabilities"]["browserVersion"])

    def command(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command and return its result.

        Raises:
            FirefoxError: Firefox refused.
            TimeoutError: It did not answer.
        """
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        deadline = time.monotonic() + COMMAND_S
        while True:  # events, and answers that came too late for their command, are passed over
            answer = json.loads(self._socket.recv(timeout=max(deadline - time.monotonic(), 0)))
            if answer.get("id") == number:
                break
        if answer["type"] != "success":
            raise FirefoxError(f"{method}: {answer['error']}: {answer['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def new_page(self) -> FirefoxPage:
        """Open a tab."""
        return FirefoxPage(self, self.command("browsingContext.create", type="tab")["context"])


@contextmanager
def firefox(*, locale: str = "en-US", preferences: dict[str, bool | int | str] | None = None) -> Iterator[Firefox]:
    """Start Firefox with a new empty profile; stop it by its process.

    Args:
        locale: The language that it asks for.
        preferences: Beside `PREFERENCES`, or in their place.
    """
    path = firefox_path()
    wanted = PREFERENCES | {"intl.accept_languages": locale} | (preferences or {})
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        profile = Path(folder)
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
        (profile / "user.js").write_text("".join(lines))
        process = subprocess.Popen(
            [path, "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_address(profile, process), max_size=None, open_timeout=START_S) as socket:
                browser = Firefox(socket)
                yield browser
                browser.command("browser.close")
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(profile: Path, process: "subprocess.Popen[bytes]") -> str:
    """Return where Firefox listens; it says so in a file of its profile."""
    told = profile / "WebDriverBiDiServer.json"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"Firefox ended with {process.returncode}")
        try:
            server = json.loads(told.read_text())
        except (FileNotFoundError, json.JSONDecodeError):  # not yet, or half written
            time.sleep(0.05)
            continue
        return f"ws://{server['ws_host']}:{server['ws_port']}/session"
    raise RuntimeError(f"Firefox did not open its WebDriver BiDi port within {START_S:.0f} s")
