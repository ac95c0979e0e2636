"""JupyterLab in a browser: a notebook as people use it, and a lesson in both themes.

Leaves artifacts/jupyterlab.png, artifacts/jupyterlab-widgets.png, artifacts/lesson-light.png and
artifacts/lesson-dark.png.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator, Page

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 30  # seconds for any one step
TOKEN = "only-for-this-test"
DISPLAY_NAME = "Python (minikernel)"
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# The toolbar says idle before the connection is ready, and a cell run then is dropped.
CONNECTED = """() => {
  const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
  const kernel = context?.session?.kernel;
  return Boolean(context?.isReady && kernel?.connectionStatus === 'connected'
                 && kernel.status === 'idle');
}"""
NOTE_RESTART = """() => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  window.restarted = false;
  kernel.statusChanged.connect((_, status) => { window.restarted ||= status === 'restarting'; });
}"""

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("jupyter")]


@pytest.fixture(scope="module")
def chromium() -> str:
    for name in NAMES:
        if path := shutil.which(name):
            return path
    reason = "no Chromium is installed (on Debian: apt install chromium fonts-dejavu-core)"
    if os.environ.get("MINIKERNEL_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def server(jupyter: Path, tmp_path: Path, port_of: Callable[..., int]) -> Iterator[str]:
    """A JupyterLab of our own; its address."""
    news = jupyter / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True, exist_ok=True)
    (news / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", "--port=0"),
        *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}"),
        "--LabApp.expose_app_in_browser=True",
    ]
    environment = {
        **os.environ,
        "JUPYTERLAB_SETTINGS_DIR": str(jupyter / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(jupyter / "workspaces"),
    }
    log = jupyter / "server.txt"
    with (
        log.open("w") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env=environment) as process,
    ):
        try:
            port = port_of(process, Path(os.environ["JUPYTER_RUNTIME_DIR"]), PATIENCE)
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """It asks its kernels to end; on a second signal it does not wait for them."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*OPTIONS])
        try:
            page = browser.new_page(viewport={"width": 1200, "height": 1500})
            page.set_default_timeout(PATIENCE * 1000)
            yield page
        finally:
            browser.close()


CELLS = (
    "print('hello from', 6 * 7)\n{'a': [1, 2]}",
    "from IPython.display import HTML, display\ndisplay(HTML('<h2 id=rich>rich output</h2>'))",
    "import matplotlib.pyplot as plt\nplt.figure(figsize=(4, 2))\nplt.plot([1, 3, 2]);",
    "name = input('Your name: ')\nprint('hello', name)",
    "import time\nprint('sleeping', flush=True)\ntime.sleep(600)",
    "'name' in globals()",
)


class Notebook:
    """A notebook in the page, used as a person would."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def wait_for_kernel(self) -> None:
        self.page.wait_for_function(CONNECTED)

    def cell(self, number: int) -> Locator:
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{number}']")

    def output(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-OutputArea")

    def run(self, number: int) -> None:
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def press(self, command: str) -> None:
        self.page.locator(f".jp-NotebookPanel-toolbar [data-command='{command}']").click()


def test_a_notebook(server: str, page: Page, tmp_path: Path) -> None:
    save_notebook(tmp_path / "book.ipynb")
    try:
        page.goto(f"{server}/lab/tree/book.ipynb?reset&token={TOKEN}")
        notebook = Notebook(page)
        notebook.wait_for_kernel()
        cells_and_rich_output(notebook)
        a_question_is_answered(notebook)
        a_running_cell_is_interrupted(notebook)
        the_kernel_is_restarted(notebook)
        tab_completes(notebook)
        notebook.wait_for_kernel()
        screenshot(page, "jupyterlab.png")
    except BaseException:
        screenshot(page, "jupyterlab-failure.png")
        raise


def save_notebook(
    path: Path, sources: tuple[str, ...] = CELLS, cell_metadata: dict[str, Any] | None = None
) -> None:
    kernelspec = {"name": "minikernel", "display_name": DISPLAY_NAME, "language": "python"}
    cells: list[Any] = [
        nbformat.v4.new_code_cell(source, metadata=cell_metadata or {}) for source in sources
    ]
    book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    nbformat.write(book, path)


def screenshot(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / name)


def cells_and_rich_output(notebook: Notebook) -> None:
    for number in (0, 1, 2):
        notebook.run(number)
    notebook.output(0).get_by_text("hello from 42").wait_for()
    notebook.output(0).get_by_text("{'a': [1, 2]}").wait_for()
    notebook.output(1).locator("h2#rich").wait_for()
    picture = notebook.output(2).locator("img")
    picture.wait_for()
    assert (picture.get_attribute("src") or "").startswith("data:image/png;base64,")
    assert picture.evaluate("image => image.naturalWidth") > 100


def a_question_is_answered(notebook: Notebook) -> None:
    notebook.run(3)
    notebook.output(3).get_by_text("Your name:").wait_for()
    notebook.output(3).locator("input.jp-Stdin-input").fill("Ada")
    notebook.page.keyboard.press("Enter")
    notebook.output(3).get_by_text("hello Ada").wait_for()


def a_running_cell_is_interrupted(notebook: Notebook) -> None:
    notebook.run(4)
    notebook.output(4).get_by_text("sleeping").wait_for()
    notebook.press("notebook:interrupt-kernel")
    notebook.output(4).get_by_text("KeyboardInterrupt").first.wait_for()
    notebook.wait_for_kernel()


def the_kernel_is_restarted(notebook: Notebook) -> None:
    notebook.run(5)
    notebook.output(5).get_by_text("True").wait_for()
    notebook.page.evaluate(NOTE_RESTART)
    notebook.press("notebook:restart-kernel")
    notebook.page.get_by_role("button", name="Confirm Kernel Restart").click()
    notebook.page.wait_for_function("() => window.restarted")
    notebook.wait_for_kernel()
    notebook.run(5)
    notebook.output(5).get_by_text("False").wait_for()


def tab_completes(notebook: Notebook) -> None:
    from playwright.sync_api import TimeoutError as PlaywrightTimeout

    editor = notebook.cell(6).locator(".cm-content")
    editor.click()
    notebook.page.keyboard.type("'minikernel'.isd")
    popup = notebook.page.locator(".jp-Completer")
    for _ in range(10):  # JupyterLab shows nothing that takes longer than a second
        notebook.page.keyboard.press("Tab")
        with contextlib.suppress(PlaywrightTimeout):
            popup.get_by_text("isdecimal").wait_for(timeout=3000)
            break
    popup.get_by_text("isdigit").wait_for()


WITH_WIDGETS = (
    "import ipywidgets\nslider = ipywidgets.IntSlider(40, description='turn me')\nslider",
    """
button, out = ipywidgets.Button(description='press me'), ipywidgets.Output()
@button.on_click
def pressed(_):
    with out:
        print('pressed at', slider.value)
ipywidgets.VBox([button, out])""",
)


@pytest.mark.slow
def test_widgets_in_cells_with_2_mb_of_metadata(server: str, page: Page, tmp_path: Path) -> None:
    """JupyterLab sends a cell's metadata with its code."""
    save_notebook(tmp_path / "book.ipynb", WITH_WIDGETS, {"ballast": "x" * 2_000_000})
    page.goto(f"{server}/lab/tree/book.ipynb?reset&token={TOKEN}")
    notebook = Notebook(page)
    notebook.wait_for_kernel()
    notebook.run(0)
    handle = notebook.output(0).locator(".noUi-handle")
    handle.wait_for()
    notebook.run(1)
    button = notebook.output(1).get_by_role("button", name="press me")
    button.wait_for()
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    notebook.output(0).get_by_text("43").wait_for()
    button.click()
    notebook.output(1).get_by_text("pressed at 43").wait_for()
    screenshot(page, "jupyterlab-widgets.png")


LESSON = Path(__file__).parents[2] / "notebooks" / "02-signature.ipynb"
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
TO_THE_TOP = "() => document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)"
# How light the texts of a picture are, and the page behind it: 0 is black, 1 is white.
LIGHTNESS = """svg => {
  const light = (element, property) => {
    const [red, green, blue] = getComputedStyle(element)[property].match(/[\\d.]+/g);
    return (0.21 * red + 0.72 * green + 0.07 * blue) / 255;
  };
  const text = light(svg.querySelector('text'), 'fill');
  return [text, light(svg.closest('.jp-Notebook'), 'backgroundColor')];
}"""


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_lesson(server: str, page: Page, jupyter: Path, tmp_path: Path, theme: str) -> None:
    themes = jupyter / "settings" / "@jupyterlab" / "apputils-extension"
    (themes / "themes.jupyterlab-settings").write_text(
        json.dumps({"theme": f"JupyterLab {theme.title()}"})
    )
    shutil.copy(LESSON, tmp_path)
    page.set_viewport_size({"width": 1200, "height": 5000})  # all cells are drawn
    page.goto(f"{server}/lab/tree/{LESSON.name}?reset&token={TOKEN}")
    notebook = Notebook(page)
    notebook.wait_for_kernel()
    page.evaluate(RUN_ALL)
    page.locator(".jp-OutputArea").get_by_text("Not yet").wait_for()
    notebook.wait_for_kernel()
    picture = page.locator(".jp-OutputArea svg[role=img]").first
    picture.get_by_text("<IDS|MSG>").wait_for()
    text, behind = picture.evaluate(LIGHTNESS)
    assert abs(text - behind) > 0.6, "texts are hard to read"
    assert (behind < 0.5) == (theme == "dark")
    page.evaluate(TO_THE_TOP)
    screenshot(page, f"lesson-{theme}.png")
