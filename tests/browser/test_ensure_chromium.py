"""How a browser for the tests is found: what works wins, and nothing is skipped in silence."""

import pytest

from tests.browser import ensure_chromium


@pytest.fixture
def machine(monkeypatch):
    """A machine on which only the named browsers run; installing does nothing."""

    def set_up(*running):
        monkeypatch.setattr(ensure_chromium, "candidates", lambda: iter(("/broken/chromium", "/good/chrome")))
        monkeypatch.setattr(ensure_chromium, "runs", lambda path: path in running)
        ran = []
        monkeypatch.setattr(
            ensure_chromium.subprocess, "run", lambda command, **_: ran.append(command) or _Done()
        )  # fmt: skip
        return ran

    return set_up


class _Done:
    returncode = 0


def test_the_first_that_runs(machine):
    """
    A browser that does not start is passed over for one that does, and nothing is installed.
    """
    ran = machine("/good/chrome")

    assert ensure_chromium.find() == "/good/chrome"
    assert ran == []


def test_root_on_debian_installs_the_package_first(machine, monkeypatch):
    """
    Without a browser, root on Debian asks apt first and Playwright last.
    """
    ran = machine()
    monkeypatch.setattr(ensure_chromium, "is_root", lambda: True)
    monkeypatch.setattr(ensure_chromium.shutil, "which", lambda name: f"/usr/bin/{name}")

    assert ensure_chromium.install() is None
    assert [command[0] for command in ran[:2]] == ["apt-get", "apt-get"]
    assert "chromium" in ran[1]
    assert "playwright" in ran[-1]


def test_no_browser_stops_with_one_instruction(machine, capsys):
    """
    Where no browser can be had, the run ends with an error and says what to do.
    """
    machine()

    assert ensure_chromium.main() != 0
    assert "KMS_LAB_CHROMIUM" in capsys.readouterr().err
