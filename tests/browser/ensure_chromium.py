"""Find a Chromium that runs, or install one; print its path.

The browser tests never skip: either this script names a working browser, or the run stops with one
instruction. In order: the one named by ``KMS_LAB_CHROMIUM``; Chromium or Chrome on PATH or in its
usual place; one that Playwright has installed; then, where none works, the distribution's package
(as root on Debian and its relatives), and at last Playwright's own download.

Only the path goes to standard output; what is being done goes to standard error.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
)
INSTRUCTION = """
No Chromium or Chrome was found, and none could be installed. Install one of them with your system's
package manager so that `chromium --version` works, or name one: KMS_LAB_CHROMIUM=/path/to/chrome make test
"""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def runs(path: str) -> bool:
    """Whether the browser starts: a snap stub or a missing library is as good as no browser."""
    if os.name == "nt":  # Chrome on Windows opens a window when asked for its version
        return Path(path).exists()
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def playwrights_own() -> str:
    """Where Playwright keeps, or would keep, the Chromium it installs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        return p.chromium.executable_path


def candidates() -> Iterator[str]:
    if named := os.environ.get("KMS_LAB_CHROMIUM"):
        yield named
    for name in NAMES:
        if path := shutil.which(name):
            yield path
    yield from (place for place in PLACES if Path(place).exists())
    own = playwrights_own()
    if Path(own).exists():
        yield own


def find() -> str | None:
    """The first browser that runs, or None."""
    return next((path for path in candidates() if runs(path)), None)


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def ways_to_install() -> Iterator[list[list[str]]]:
    """Each way is a list of commands."""
    if is_root() and shutil.which("apt-get"):
        yield [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]]
    deps = ["--with-deps"] if is_root() and shutil.which("apt-get") else []
    yield [[sys.executable, "-m", "playwright", "install", *deps, "chromium"]]


def install() -> str | None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for commands in ways_to_install():
        for command in commands:
            say("No browser yet. Running: " + " ".join(command))
            # Its output is progress for a person; this script's own output is only the path.
            if subprocess.run(command, stdout=sys.stderr, env=environment).returncode != 0:
                say("That did not work.")
                break
        if path := find():
            return path
    return None


def main() -> int:
    path = find() or install()
    if path is None:
        say(INSTRUCTION)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
