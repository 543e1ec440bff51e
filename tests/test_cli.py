"""The kms-lab command: a copy that belongs to the learner, JupyterLab on this machine only, and plain words."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from kms_lab import cli
from kms_lab.cli import MANIFEST, Problem, course_files, course_folder, lab_arguments, main, update_copy
from kms_lab.teach.progress import Progress


@pytest.fixture
def course(tmp_path):
    """A small course of two notebooks and a picture."""
    folder = tmp_path / "shipped"
    (folder / "images").mkdir(parents=True)
    (folder / "00_start.ipynb").write_text("start, version 1")
    (folder / "01_key.ipynb").write_text("key, version 1")
    (folder / "images" / "key.svg").write_text("<svg/>")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "00_start-checkpoint.ipynb").write_text("old")
    return folder


@pytest.fixture
def mine(tmp_path):
    """Where the learner's copy goes; not there yet."""
    return tmp_path / "deep" / "mine"


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


class TestCopy:
    def test_a_first_copy_is_whole(self, course, mine):
        """The first copy holds every file of the course, and nothing hidden."""
        done = update_copy(course, mine)

        assert contents(mine) == {
            "00_start.ipynb": "start, version 1",
            "01_key.ipynb": "key, version 1",
            "images/key.svg": "<svg/>",
        }
        assert (len(done.added), done.updated, done.kept) == (3, [], [])

    def test_a_second_copy_changes_nothing(self, course, mine):
        """Copying again does nothing, and says nothing."""
        update_copy(course, mine)
        before = contents(mine)

        assert update_copy(course, mine) == cli.Copied()
        assert contents(mine) == before

    def test_an_untouched_notebook_is_updated(self, course, mine):
        """A notebook that was not edited becomes the new version."""
        update_copy(course, mine)
        (course / "01_key.ipynb").write_text("key, version 2")

        done = update_copy(course, mine)

        assert done.updated == ["01_key.ipynb"]
        assert contents(mine)["01_key.ipynb"] == "key, version 2"

    def test_an_edited_notebook_is_kept(self, course, mine):
        """An edited notebook stays as it is, and its new version is placed beside it, once."""
        update_copy(course, mine)
        (mine / "01_key.ipynb").write_text("my answers")
        assert update_copy(course, mine) == cli.Copied()  # nothing new is offered yet
        (course / "01_key.ipynb").write_text("key, version 2")

        done = update_copy(course, mine)

        assert done.kept == [("01_key.ipynb", "01_key.new.ipynb")]
        assert contents(mine)["01_key.ipynb"] == "my answers"
        assert contents(mine)["01_key.new.ipynb"] == "key, version 2"
        (mine / "01_key.new.ipynb").unlink()
        assert update_copy(course, mine) == cli.Copied()

    def test_an_edited_new_version_is_kept_too(self, course, mine):
        """Work done in NAME.new.ipynb is not overwritten by a third version; an untouched one is."""
        update_copy(course, mine)
        (mine / "01_key.ipynb").write_text("my answers")
        (course / "01_key.ipynb").write_text("key, version 2")
        update_copy(course, mine)
        (course / "01_key.ipynb").write_text("key, version 3")
        assert update_copy(course, mine).kept == [("01_key.ipynb", "01_key.new.ipynb")]
        (mine / "01_key.new.ipynb").write_text("more answers")
        (course / "01_key.ipynb").write_text("key, version 4")

        done = update_copy(course, mine)

        assert done.kept == [("01_key.ipynb", "01_key.new-2.ipynb")]
        assert contents(mine)["01_key.ipynb"] == "my answers"
        assert contents(mine)["01_key.new.ipynb"] == "more answers"
        assert contents(mine)["01_key.new-2.ipynb"] == "key, version 4"

    def test_a_deleted_notebook_comes_back(self, course, mine):
        """To start a notebook again, delete it."""
        update_copy(course, mine)
        (mine / "01_key.ipynb").unlink()

        assert update_copy(course, mine).added == ["01_key.ipynb"]

    @pytest.mark.parametrize("manifest", [None, "", "{", "[]", '{"shipped": 3}'])
    def test_without_a_manifest_every_file_is_the_learners(self, course, mine, manifest):
        """Where the manifest is lost or damaged, a file that differs counts as edited."""
        update_copy(course, mine)
        (mine / "01_key.ipynb").write_text("somebody's work")
        (mine / MANIFEST).unlink()
        if manifest is not None:
            (mine / MANIFEST).write_text(manifest)

        done = update_copy(course, mine)

        assert (done.added, done.updated) == ([], [])
        assert done.kept == [("01_key.ipynb", "01_key.new.ipynb")]
        assert contents(mine)["01_key.ipynb"] == "somebody's work"

    def test_files_of_the_learners_own_are_left_alone(self, course, mine):
        """A file that the course does not have is never touched."""
        mine.mkdir(parents=True)
        (mine / "notes.txt").write_text("mine")

        update_copy(course, mine)

        assert contents(mine)["notes.txt"] == "mine"

    def test_a_copy_that_fails_leaves_the_old_file(self, course, mine, monkeypatch):
        """When writing fails, the old notebook is still there, whole, with no remains beside it."""
        update_copy(course, mine)
        (course / "00_start.ipynb").write_text("start, version 2")
        before = contents(mine)

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            update_copy(course, mine)

        assert contents(mine) == before


class TestCommand:
    @pytest.fixture
    def opened(self, monkeypatch):
        """Instead of starting JupyterLab, remember how it would have been started."""
        calls = []
        monkeypatch.setattr(cli, "open_lab", calls.append)
        return calls

    def run(self, *arguments):
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    def test_it_copies_and_opens_on_this_machine_only(self, opened, course, mine, monkeypatch):
        """Without arguments the course is copied, and JupyterLab opens there at the first notebook."""
        monkeypatch.setattr(cli, "course_folder", lambda: course)

        result = self.run("--folder", str(mine), "--no-browser", "--port", "9123")

        assert result.exit_code == 0
        assert "3 files copied" in result.output
        (arguments,) = opened
        assert "--ServerApp.ip=127.0.0.1" in arguments
        assert f"--ServerApp.root_dir={mine}" in arguments
        assert "--LabApp.default_url=/lab/tree/00_start.ipynb" in arguments
        assert "--ServerApp.port=9123" in arguments
        assert "--ServerApp.open_browser=False" in arguments

    def test_it_tells_what_became_of_an_edited_notebook(self, opened, course, mine, monkeypatch):
        """After an upgrade the learner is told which notebooks were kept, and where the new ones are."""
        monkeypatch.setattr(cli, "course_folder", lambda: course)
        self.run("--folder", str(mine))
        (mine / "01_key.ipynb").write_text("my answers")
        (course / "00_start.ipynb").write_text("version 2")
        (course / "01_key.ipynb").write_text("version 2")

        output = self.run("--folder", str(mine)).output

        assert "1 file updated" in output
        assert "You edited 01_key.ipynb: yours is kept, and the new version is 01_key.new.ipynb" in output

    def test_here_opens_the_checkout(self, opened, root):
        """--here serves the checkout's own notebooks and copies nothing."""
        result = self.run("--here")

        assert result.exit_code == 0
        assert f"--ServerApp.root_dir={root / 'notebooks'}" in opened[0]

    def test_here_away_from_a_checkout(self, opened, course, monkeypatch):
        """--here without a checkout says what it is for."""
        monkeypatch.setattr(cli, "course_folder", lambda: course)

        result = self.run("--here")

        assert result.exit_code == 2
        assert "works in a checkout" in result.output
        assert opened == []

    def test_a_folder_that_cannot_be_written(self, opened, course, tmp_path, monkeypatch):
        """A folder that cannot be written is one clear sentence and a remedy, not a traceback."""
        monkeypatch.setattr(cli, "course_folder", lambda: course)
        (tmp_path / "file").write_text("in the way")

        result = self.run("--folder", str(tmp_path / "file" / "below"))

        assert result.exit_code == 1
        assert "cannot be copied" in result.output
        assert "try:" in result.output
        assert opened == []

    def test_root_needs_a_word(self, course):
        """JupyterLab refuses root unless told; a port that was asked for is not silently another one."""
        plain = lab_arguments(course, browser=True, port=None, root=False)
        rooted = lab_arguments(course, browser=True, port=8899, root=True)

        assert "--allow-root" not in plain
        assert "--allow-root" in rooted
        assert "--ServerApp.port_retries=0" in rooted
        assert not any("port" in argument or "open_browser" in argument for argument in plain)

    def test_the_course_is_found(self, root):
        """In a checkout the course is the notebooks folder, first the orientation."""
        assert course_folder() == root / "notebooks"
        assert course_files(course_folder())[0].name.startswith("00")

    def test_a_course_that_is_missing(self, tmp_path, monkeypatch):
        """An installation without notebooks says so."""
        monkeypatch.setattr(cli, "__file__", str(tmp_path / "kms_lab" / "cli.py"))

        with pytest.raises(Problem, match="missing"):
            course_folder()


class TestServer:
    def test_it_serves_the_course(self, course, mine, tmp_path):
        """The real command serves the copied course on 127.0.0.1 and asks for its token."""
        program = (
            "import sys, pathlib; from kms_lab import cli; "
            f"cli.course_folder = lambda: pathlib.Path({str(course)!r}); cli.main()"
        )
        (course / "00_start.ipynb").write_text(
            json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        )
        log = tmp_path / "log"
        environment = {
            **os.environ,
            **{f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "RUNTIME", "DATA")},
            "JUPYTER_TOKEN": "secret",
        }
        with open(log, "wb") as output:
            server = subprocess.Popen(
                [sys.executable, "-c", program, "--folder", str(mine), "--no-browser"],
                stdout=output,
                stderr=output,
                env=environment,
            )
        try:
            address = self._address(server, log)
            assert address.startswith("http://127.0.0.1:")
            assert "/lab/tree/00_start.ipynb" in address
            base = address.split("/lab")[0]
            self._wait_for(base)
            listing = json.load(self._open(f"{base}/api/contents?token=secret"))
            assert {"00_start.ipynb", "01_key.ipynb"} <= {item["name"] for item in listing["content"]}
            with pytest.raises(urllib.error.HTTPError, match="403"):
                self._open(f"{base}/api/contents")
        finally:
            server.terminate()
            server.wait(20)

    @staticmethod
    def _open(url):
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20)

    @staticmethod
    def _address(server, log):
        end = time.monotonic() + 60
        while time.monotonic() < end and server.poll() is None:
            for word in log.read_text(errors="replace").split():
                if word.startswith("http://") and "token=" in word:
                    return word
            time.sleep(0.1)
        raise AssertionError("the server did not start:\n" + log.read_text(errors="replace"))

    @staticmethod
    def _wait_for(base):
        """Wait until somebody listens: Jupyter can print its address a moment before."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with (
                contextlib.suppress(ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", urlsplit(base).port)),
            ):
                return
            time.sleep(0.1)


class TestProgress:
    @pytest.fixture(autouse=True)
    def home(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KMS_LAB_HOME", str(tmp_path / "home"))
        return tmp_path / "home"

    def run(self, *arguments):
        return CliRunner().invoke(main, ["progress", *arguments], catch_exceptions=False)

    def test_it_moves_between_machines(self, tmp_path, monkeypatch):
        """What one machine exports another one imports; doing it twice adds nothing."""
        Progress().add("exercise", "03", "q1", outcome="right")
        saved = tmp_path / "saved.json"
        assert self.run("export", str(saved)).exit_code == 0
        monkeypatch.setenv("KMS_LAB_HOME", str(tmp_path / "other"))

        first, second = self.run("import", str(saved)), self.run("import", str(saved))

        assert "Added: 1 new event" in first.output
        assert "was here already" in second.output
        assert Progress().summary()["03"].exercises == {"q1"}

    def test_it_shows_every_lesson_and_where_it_is_kept(self, home):
        """Progress is shown for each lesson, with the folder in which it is kept."""
        before = self.run().output
        Progress().add("exercise", "03", "q1", outcome="right")
        after = self.run("show").output

        assert "Envelope encryption" in before
        assert str(home) in before
        assert before != after

    def test_a_file_that_is_no_progress(self, tmp_path):
        """A file that cannot be used is refused in words, and nothing changes."""
        (tmp_path / "x.json").write_text("{}")

        result = self.run("import", str(tmp_path / "x.json"))

        assert result.exit_code == 1
        assert "not a progress file" in result.output

    def test_a_place_that_cannot_be_written(self, tmp_path):
        """An export that cannot be written is refused in words."""
        result = self.run("export", str(tmp_path / "none" / "x.json"))

        assert result.exit_code == 1
        assert "cannot be written" in result.output


class TestDoctor:
    @pytest.fixture(autouse=True)
    def home(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KMS_LAB_HOME", str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path)

    def test_a_healthy_installation(self):
        """Where everything works, each line says OK and the exit code is 0."""
        result = CliRunner().invoke(main, ["doctor"])

        assert result.exit_code == 0, result.output
        assert [line for line in result.output.splitlines() if not line.startswith("OK")] == ["Everything works."]

    def test_a_missing_package(self, monkeypatch):
        """A package that is missing or too old is named, with the command that mends it."""
        real = cli.importlib.metadata.version
        monkeypatch.setattr(
            cli.importlib.metadata, "version", lambda name: "0.1" if name == "ipywidgets" else real(name)
        )

        result = CliRunner().invoke(main, ["doctor"])

        assert result.exit_code == 1
        assert "PROBLEM  packages: ipywidgets is 0.1" in result.output
        assert "try: pip install 'ipywidgets" in result.output

    def test_widgets_that_jupyterlab_does_not_find(self, monkeypatch, tmp_path):
        """When the browser half of the widgets is missing, the doctor says that widgets stay blank."""
        monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [str(tmp_path)])

        result = CliRunner().invoke(main, ["doctor"])

        assert result.exit_code == 1
        assert "PROBLEM  widgets" in result.output
        assert "1 problem found" in result.output

    def test_a_check_that_breaks(self, monkeypatch):
        """A check that fails in a way nobody thought of is a problem too, not a traceback."""

        def broken():
            raise RuntimeError("surprise")

        monkeypatch.setattr(cli, "CHECKS", (("new", broken), ("newer", broken)))

        result = CliRunner().invoke(main, ["doctor"])

        assert result.exit_code == 1
        assert "PROBLEM  new: RuntimeError: surprise" in result.output
        assert "2 problems found" in result.output
