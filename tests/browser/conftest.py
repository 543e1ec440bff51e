"""A real JupyterLab in a real Chromium, for tests that press keys.

One server and one browser serve the whole session; each notebook runs in a kernel of the interpreter that runs
the tests, from a scratch folder, so nothing in the checkout changes. The page records what a learner must
never meet: console errors, uncaught errors, and requests that would leave the machine (they are blocked).

The browser is the one named by ``KMS_LAB_CHROMIUM``, else chromium, chromium-browser or google-chrome on the
path, else playwright's own. Without a browser the tests fail: they are never skipped.
With ``KMS_LAB_PICTURES=folder`` every picture a test takes is kept there.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.browser.ensure_chromium import find

ROOT = Path(__file__).resolve().parents[2]
#: the settings that the kms-lab command starts JupyterLab with
SETTINGS = ROOT / "kms_lab" / "jupyter"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
]
#: generous: a cold JupyterLab on a busy two-core machine
SECONDS = 120
PANEL = "window.jupyterapp.shell.currentWidget"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a browser test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


# --- the server -------------------------------------------------------------------------------------------
#: the settings that the kms-lab command starts JupyterLab with


class Server:
    """JupyterLab on the loopback interface, with its own configuration, in a scratch folder."""

    def __init__(self, scratch: Path) -> None:
        self.folder = scratch / "course"
        self.folder.mkdir()
        self.log = scratch / "server.log"
        self.url = f"http://127.0.0.1:{_free_port()}"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=_environment(scratch),
                start_new_session=True,
            )
        self._wait()

    def add(self, source: Path | nbformat.NotebookNode, name: str = "") -> str:
        """Put a copy of a notebook, or a generated one, into the served folder; returns its name there."""
        name = name or (source.name if isinstance(source, Path) else "generated.ipynb")
        if isinstance(source, Path):
            shutil.copy(source, self.folder / name)
        else:
            source.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
            nbformat.write(source, self.folder / name)
        return name

    def stop(self) -> None:
        """End the server and its kernels."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _command(self) -> list[str]:
        port = self.url.rpartition(":")[2]
        return [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
            *(f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="),
            *("--ServerApp.password=", f"--ServerApp.root_dir={self.folder}"),
            *("--LabApp.expose_app_in_browser=True", "--LabApp.news_url=", f"--LabApp.app_settings_dir={SETTINGS}"),
        ]

    def _wait(self) -> None:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                direct.open(self.url + "/api/status", timeout=2).read()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError("JupyterLab did not start:\n" + self.log.read_text(errors="replace")[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(scratch: Path) -> dict[str, str]:
    """The environment of a server that reads and writes nothing of the user's, and runs this interpreter."""
    settings = {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
            "doNotDisturbMode": True,
        },
    }
    for name, content in settings.items():
        file = scratch / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(content))
    kernel = scratch / "data" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        **os.environ,
        "PYTHONPATH": path,
        "KMS_LAB_HOME": str(scratch / "progress"),
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_DATA_DIR": str(scratch / "data"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "workspaces"),
        "IPYTHONDIR": str(scratch / "ipython"),
    }


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The session's JupyterLab."""
    running = Server(tmp_path_factory.mktemp("jupyterlab"))
    yield running
    running.stop()


# --- the browser ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The session's browser."""
    executable = find()
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        except PlaywrightError as error:
            pytest.exit(
                "The browser tests need Chromium: install it (e.g. `playwright install chromium`) or name it in"
                f" KMS_LAB_CHROMIUM.\n{error}",
                returncode=1,
            )
        yield browser
        browser.close()


class Notebook:
    """One notebook, open in one page."""

    def __init__(self, browser: Browser, server: Server, name: str) -> None:
        self.server, self.name = server, name
        self.errors: list[str] = []
        self.leaving: list[str] = []
        self._context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        self._context.route(lambda url: not url.startswith((server.url, "data:", "blob:", "about:")), self._block)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.errors.append(f"uncaught: {e}"))
        self._open()

    # Running.

    def run_all(self) -> None:
        """Run every cell and wait until the page is quiet; a cell that raises fails the test."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.until(f"() => {PANEL}.context.sessionContext.session.kernel.status === 'idle'")
        failed = [
            f"cell {i}: {output['ename']}: {output['evalue']}"
            for i, cell in enumerate(self.outputs())
            for output in cell
            if output["output_type"] == "error"
        ]
        assert not failed, failed
        self.quiet()

    def run_code(self, code: str) -> None:
        """Run code in the notebook's kernel, outside every cell, and wait for the end."""
        self.page.evaluate(
            f"(code) => {PANEL}.context.sessionContext.session.kernel"
            ".requestExecute({code, stop_on_error: true}).done",
            code,
        )
        self.quiet()

    def outputs(self) -> list[list[dict[str, Any]]]:
        """What each cell has put out, as it would be saved."""
        found: list[list[dict[str, Any]]] = self.page.evaluate(
            f"() => {PANEL}.content.widgets.map(c => c.model.outputs ? c.model.outputs.toJSON() : [])"
        )
        return found

    def until(self, condition: str, seconds: float = SECONDS) -> None:
        """Wait until a JavaScript function is true."""
        self.page.wait_for_function(condition, timeout=seconds * 1000, polling=20)

    def quiet(self, milliseconds: int = 400) -> None:
        """Wait until nothing in the notebook has changed for a while."""
        self.page.evaluate(
            """(ms) => new Promise(done => {
                const panel = window.jupyterapp.shell.currentWidget.content.node;
                let timer = setTimeout(end, ms);
                const watch = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(end, ms); });
                function end() { watch.disconnect(); done(); }
                watch.observe(panel, {subtree: true, childList: true, attributes: true, characterData: true});
            })""",
            milliseconds,
        )

    # Looking and pressing.

    def output(self, cell: int) -> Locator:
        """What a cell shows under itself."""
        self.page.evaluate(f"() => {PANEL}.content.widgets.forEach((w, i) => w.node.setAttribute('data-test-cell', i))")
        return self.page.locator(f'[data-test-cell="{cell}"] .jp-Cell-outputWrapper')

    def changes(self, cell: int, act: Callable[[], object], *, within: str = ".kl-view, .kl-summary") -> str:
        """Do something, wait until the cell's picture is another one, and return its words."""
        shown = self.output(cell).locator(within)
        before = _inside(shown)
        act()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if _inside(shown) != before:
                self.quiet(150)
                return " ".join(shown.all_inner_texts())
            time.sleep(0.01)
        raise AssertionError(f"cell {cell} shows the same as before:\n{before[:500]}")

    def press(self, target: Locator, key: str, times: int = 1) -> None:
        """Focus an element and press a key, as a learner without a mouse does."""
        target.focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def painted_ms(self, cell: int, target: Locator, keys: Sequence[str]) -> list[float]:
        """Press each key once and measure, in the page, from the key to the painted picture (milliseconds)."""
        target.focus()
        view = self.output(cell).locator(".kl-view").first.element_handle()
        samples = []
        for key in keys:
            self.page.evaluate(_STOPWATCH, view)
            self.page.keyboard.press(key)
            samples.append(float(self.page.evaluate("() => window.kmsLabPainted")))
            time.sleep(0.05)
        return samples

    # Themes and sizes.

    def theme(self, dark: bool) -> None:
        """Switch JupyterLab's theme."""
        name = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        self.until(f"() => document.body.dataset.jpThemeLight === '{'false' if dark else 'true'}'")
        self.quiet()

    def width(self, pixels: int) -> None:
        """Give the page another width; below 600 the side bars are folded away, as on a phone."""
        self.page.set_viewport_size({"width": pixels, "height": 900})
        if pixels < 600:
            self.page.evaluate(
                "() => { window.jupyterapp.shell.collapseLeft(); window.jupyterapp.shell.collapseRight() }"
            )
        self.quiet()

    def too_wide(self) -> list[str]:
        """Our outputs' elements that stick out of their output area, except inside a scroll container."""
        found: list[str] = self.page.evaluate(
            """() => [...document.querySelectorAll('.jp-OutputArea-output .kms-lab')].flatMap(root => {
                const edge = root.closest('.jp-OutputArea-output').getBoundingClientRect().right + 0.5;
                return [root, ...root.querySelectorAll('*')].filter(e =>
                    e.getClientRects().length && !e.closest('.kl-hidden')
                    && !e.parentElement.closest('.kl-scroll') && e.getBoundingClientRect().right > edge
                ).map(e => e.outerHTML.slice(0, 120)) })"""
        )
        return found

    def axe(self, selector: str = ".jp-OutputArea-output .kms-lab") -> list[str]:
        """Critical and serious findings of axe-core on our outputs, each with the element it is about."""
        if not self.page.evaluate("() => !!window.axe"):
            self.page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
        found: list[str] = self.page.evaluate(
            """async (selector) => {
                const include = [...document.querySelectorAll(selector)].filter(e => e.offsetHeight);
                if (!include.length) return ['nothing to check: ' + selector];
                const result = await axe.run({include}, {resultTypes: ['violations']});
                return result.violations.filter(v => ['critical', 'serious'].includes(v.impact)).flatMap(v =>
                    v.nodes.map(n => `${v.impact} ${v.id}: ${n.html.slice(0, 200)} ${n.failureSummary}`)) }""",
            selector,
        )
        return found

    def looked_at(self, lesson: str, dark: bool, width: int, **cells: int) -> tuple[list[str], list[str]]:
        """Show the notebook in a theme and a width, keep pictures of the named cells, and put it back as it was.

        Returns:
            What axe finds, and what sticks out.
        """
        self.theme(dark)
        self.width(width)
        for name, cell in cells.items():
            self.picture(f"{lesson}-{'dark' if dark else 'light'}-{width}-{name}", cell)
        found = self.axe(), self.too_wide()
        self.theme(False)
        self.width(1280)
        return found

    def picture(self, name: str, cell: int | None = None) -> None:
        """Keep a picture of the page, or of one cell's output, if KMS_LAB_PICTURES names a folder."""
        folder = os.environ.get("KMS_LAB_PICTURES")
        if not folder:
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        file = str(Path(folder) / f"{name}.png")
        if cell is None:
            self.page.screenshot(path=file)
            return
        size = self.page.viewport_size or {"width": 1280, "height": 900}
        target = self.output(cell).first
        tall = int((target.bounding_box() or {"height": 0})["height"]) + 200
        self.page.set_viewport_size({"width": size["width"], "height": max(size["height"], tall)})
        self.quiet(200)
        target.screenshot(path=file)
        self.page.set_viewport_size(size)

    def assert_clean(self) -> None:
        """No error in the console, and nothing tried to leave the machine."""
        assert not self.errors
        assert not self.leaving

    def reopen(self) -> None:
        """Load the page again, as somebody does who comes back to the notebook."""
        self._open()
        self.quiet()

    def close(self) -> None:
        """Shut the kernel down and close the page."""
        self.page.evaluate(f"() => {PANEL}.context.sessionContext.shutdown()")
        self._context.close()

    def _open(self) -> None:
        self.page.goto(f"{self.server.url}/lab/tree/{self.name}?reset", wait_until="commit", timeout=SECONDS * 1000)
        self.until(
            f"() => {{ const p = window.jupyterapp && {PANEL}; if (!p?.context?.isReady) return false;"
            " const s = p.context.sessionContext, k = s.session && s.session.kernel;"
            " return s.isReady && k && k.status === 'idle' && p.content.widgets.length > 0 }"
        )

    def _block(self, route: Route) -> None:
        self.leaving.append(route.request.url)
        route.abort()


def _inside(locator: Locator) -> str:
    return "".join(locator.evaluate_all("nodes => nodes.map(n => n.innerHTML)"))


#: From the next key press to the first frame after the view's first change.
_STOPWATCH = """(view) => { window.kmsLabPainted = new Promise(done => {
    let start = null;
    const key = () => { start = performance.now(); };
    window.addEventListener('keydown', key, {capture: true, once: true});
    const watch = new MutationObserver(() => {
        watch.disconnect();
        requestAnimationFrame(() => { const c = new MessageChannel();
            c.port1.onmessage = () => done(performance.now() - start); c.port2.postMessage(0); });
    });
    watch.observe(view, {subtree: true, childList: true, attributes: true, characterData: true});
}) }"""


@pytest.fixture(scope="module")
def open_notebook(chromium: Browser, server: Server) -> Iterator[Callable[..., Notebook]]:
    """Open a notebook (a path, or a generated one) in a page of its own; a module's tests may share it.

    At the end of the module each page is checked once more (``assert_clean``) and closed.
    """
    opened: list[Notebook] = []

    def open_(source: Path | nbformat.NotebookNode, name: str = "") -> Notebook:
        notebook = Notebook(chromium, server, server.add(source, name))
        opened.append(notebook)
        return notebook

    yield open_
    for notebook in opened:
        notebook.close()
    for notebook in opened:
        notebook.assert_clean()


@pytest.fixture(scope="module")
def lesson(request: pytest.FixtureRequest, open_notebook: Callable[..., Notebook]) -> Notebook:
    """The module's ``NOTEBOOK``, blank, run from top to bottom."""
    notebook = open_notebook(request.module.NOTEBOOK)
    notebook.run_all()
    return notebook
