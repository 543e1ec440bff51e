"""The ``kms-lab`` command: open the course, serve a lab, look after progress, find out what is wrong.

``kms-lab`` alone copies the course into a folder of the learner's choice and opens JupyterLab there, on
this machine only (127.0.0.1). The copy belongs to the learner: a notebook that was edited is never
overwritten. ``kms-lab --here`` opens the notebooks of a checkout instead, without copying.

Nothing heavy is imported before it is needed, so that ``kms-lab --help`` answers at once.
"""

import hashlib
import importlib.metadata
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from kms_lab.core.errors import LabError
from kms_lab.core.names import Principal
from kms_lab.lab import ADMIN, REGION, START, Lab, write_atomically

MANIFEST = ".kms-lab.json"
DEFAULT_FOLDER = Path("kms-lab-course")
REINSTALL = "pip install --upgrade --force-reinstall kms-lab"


class Problem(click.ClickException):
    """Something is wrong with this installation or this machine: what it is, and what to try."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}\n         try: {remedy}")


# ---- the course: where it is, and a learner's copy of it


def course_folder() -> Path:
    """Where the notebooks are: inside an installed package, or beside it in a checkout.

    Raises:
        Problem: neither is there; the installation is broken.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "course", package.parent / "notebooks"):
        if any(folder.glob("*.ipynb")):
            return folder
    raise Problem("the course's notebooks are missing from this installation", REINSTALL)


def course_files(course: Path) -> list[Path]:
    """Every file of the course, relative to ``course``; nothing hidden (checkpoints, manifests)."""
    found = (path.relative_to(course) for path in course.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.parts))


@dataclass
class Copied:
    """What one update of a learner's folder did, as file names relative to it."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    #: an edited file that was kept, and where its new version now lies
    kept: list[tuple[str, str]] = field(default_factory=list)


def update_copy(course: Path, folder: Path) -> Copied:
    """Bring a learner's copy of the course up to date without touching a file that was edited.

    A file counts as edited when it differs from what was last shipped to this folder, which the
    manifest ``.kms-lab.json`` remembers as SHA-256. The new version of an edited file is placed
    beside it as ``NAME.new.ipynb``, once per version. A file that was deleted comes back.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shipped = _read_manifest(folder)
    done = Copied()
    for relative in course_files(course):
        content = (course / relative).read_bytes()
        name, new = relative.as_posix(), _sha256(content)
        target = folder / relative
        if not target.exists():
            done.added.append(name)
        elif (present := _sha256(target.read_bytes())) == new:
            shipped[name] = new
            continue
        elif present == shipped.get(name):
            done.updated.append(name)
        elif shipped.get(name) == new:
            continue  # edited, and the course has nothing newer to offer
        else:
            target = _place_beside(target, folder, shipped)
            done.kept.append((name, target.relative_to(folder).as_posix()))
            shipped[target.relative_to(folder).as_posix()] = new
        _write(target, content)
        shipped[name] = new
    record = {"version": _version(), "shipped": dict(sorted(shipped.items()))}
    _write(folder / MANIFEST, (json.dumps(record, indent=1) + "\n").encode())
    return done


def _place_beside(target: Path, folder: Path, shipped: dict[str, str]) -> Path:
    """The first of NAME.new, NAME.new-2 ... that is free, or that the learner has not edited."""
    number = 1
    while True:
        tail = ".new" if number == 1 else f".new-{number}"
        beside = target.with_name(f"{target.stem}{tail}{target.suffix}")
        name = beside.relative_to(folder).as_posix()
        if not beside.exists() or _sha256(beside.read_bytes()) == shipped.get(name):
            return beside
        number += 1


def _read_manifest(folder: Path) -> dict[str, str]:
    """What was last shipped here: file name to SHA-256. A manifest that cannot be read counts as none,
    so that every file present is treated as edited."""
    try:
        shipped = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["shipped"]
        return {str(name): str(digest) for name, digest in shipped.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(path: Path, content: bytes) -> None:
    """Write a notebook whole, readable by everybody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    path.chmod(0o644)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _version() -> str:
    return importlib.metadata.version("kms-lab")


# ---- kms-lab


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Where your own copy of the course is kept. Notebooks you edited are never overwritten.",
)
@click.option("--here", is_flag=True, help="Open the notebooks of this checkout, without copying them.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening a browser.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to serve on; by default 8888 or the next free one.")
@click.version_option(package_name="kms-lab", prog_name="kms-lab")
@click.pass_context
def main(context: click.Context, folder: Path, here: bool, no_browser: bool, port: int | None) -> None:
    """A course on AWS KMS, on a simulator: no AWS account, no cost.

    Without a command, opens the course in JupyterLab. Not affiliated with AWS.
    """
    if context.invoked_subcommand is not None:
        return
    course = course_folder()
    if here:
        if course.name != "notebooks":
            raise click.UsageError("--here works in a checkout. Without it, the course is copied to a folder of yours.")
        folder = course
    else:
        _report_copy(_copy_or_explain(course, folder), folder)
    open_lab(lab_arguments(folder.resolve(), browser=not no_browser, port=port, root=_is_root()))


def _copy_or_explain(course: Path, folder: Path) -> Copied:
    try:
        return update_copy(course, folder)
    except OSError as error:
        raise Problem(
            f"the course cannot be copied to {folder}: {error.strerror or error}",
            "a folder that you can write: kms-lab --folder ~/kms-lab-course",
        ) from error


def _report_copy(done: Copied, folder: Path) -> None:
    if done.added:
        click.echo(f"{_count(len(done.added), 'file')} copied to {folder}")
    if done.updated:
        click.echo(f"{_count(len(done.updated), 'file')} updated to those of kms-lab {_version()}")
    for name, beside in done.kept:
        click.echo(f"You edited {name}: yours is kept, and the new version is {beside}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def lab_arguments(folder: Path, *, browser: bool, port: int | None, root: bool) -> list[str]:
    """JupyterLab's command line: only on this machine, at the first notebook, asking nobody for news.

    The settings folder is ours for this server alone: a notebook that is saved and opened again shows its widgets'
    last pictures without a kernel.
    """
    first = min(folder.glob("*.ipynb")).name
    arguments = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{first}",
        f"--LabApp.app_settings_dir={Path(__file__).parent / 'jupyter'}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    ]
    if not browser:
        arguments.append("--ServerApp.open_browser=False")
    if port is not None:
        arguments += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if root:
        arguments.append("--allow-root")
    return arguments


def open_lab(arguments: list[str]) -> None:
    """Run JupyterLab in this process until it is stopped."""
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(arguments)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


# ---- kms-lab serve


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; by default a free one.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the lab in this file: read at the start if it is there, written after changes. It holds secrets.",
)
@click.option("--seed", type=int, help="Make a new lab reproducible; its dates too, with --frozen.")
@click.option(
    "--principal",
    "principals",
    multiple=True,
    metavar="ARN",
    help="Show credentials of this user or role too. A new one has no policies: key policies and grants decide.",
)
@click.option(
    "--frozen", is_flag=True, help="Let the clock stand still until it is turned; otherwise it goes as yours."
)
def serve(port: int, state: Path | None, seed: int | None, principals: tuple[str, ...], frozen: bool) -> None:
    """Serve a lab to awscli and the SDKs of any language, on this machine only.

    Prints the address, and the credentials to use. Stop it with Ctrl-C. A new lab's clock begins now, or with --seed or
    --frozen at 2026-01-01 09:00 UTC; time passes only while the lab is served.
    """
    from kms_lab.doors.credentials import environment

    start = START if frozen or seed is not None else datetime.now(UTC)
    try:
        with _told_to_stop() as stop, _kept_lab(state, lambda: Lab(seed=seed, start=start)) as (lab, changed):
            for arn in principals:
                _make_known(lab, arn)
            callers = {arn: environment(lab.credentials(arn), REGION) for arn in (ADMIN, *principals)}
            changed()
            with lab.serve(port, follow=not frozen, changed=changed) as url:
                click.echo(_how_to_use(url, callers))
                while not stop.wait(0.5):  # Windows wakes up for Ctrl-C only in between
                    pass
    except (LabError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or port}: {error.strerror or error}") from error
    click.echo("Stopped." if state is None else f"Stopped; the lab is kept in {state}")


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Yield an event that is set when this process is told to end, by Ctrl-C or otherwise."""
    stop = threading.Event()
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _kept_lab(file: Path | None, new: Callable[[], Lab]) -> Iterator[tuple[Lab, Callable[[], None]]]:
    """Yield a lab, and what to call when it has changed. With a file, the lab in it, and changes are written there.

    Raises:
        LabError: the file is no lab's, or another server uses it.
        OSError: the file cannot be read or written.
    """
    from kms_lab.doors.state import Keeper, sole_user

    if file is None:
        yield new(), lambda: None
        return
    file = file.resolve()  # what is replaced at every writing is the file itself, not a link to it
    with sole_user(file):
        lab = _load(file) if file.exists() else new()
        lab.save(file)
        keeper = Keeper(lambda: lab.save(file), lambda trouble: click.echo(trouble, err=True))
        try:
            yield lab, keeper.changed
        finally:
            keeper.close()


def _load(file: Path) -> Lab:
    try:
        return Lab.load(file)
    except OSError:
        raise
    except Exception as error:  # whatever a damaged file leads to
        raise LabError(f"{file} is not a lab that this version can read, and was left as it is") from error


def _make_known(lab: Lab, arn: str) -> None:
    """Make a user or role, without policies, where there is none of this ARN.

    Raises:
        LabError: this is not somebody who has credentials.
        ValueError: this is nobody's ARN.
    """
    who = Principal.parse(arn)
    if who.kind == "service":
        raise LabError(f"{arn} is a service of AWS; only users, roles and the root user have credentials")
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind in ("user", "role") and arn not in lab.iam.list():
        make = lab.iam.create_user if kind == "user" else lab.iam.create_role
        make(name, account=who.account)


def _how_to_use(url: str, callers: Mapping[str, Mapping[str, str]]) -> str:
    """Return what a user of the shell needs: by each caller's ARN, the variables to set."""
    form = "  $env:{}='{}'" if os.name == "nt" else "  export {}='{}'"
    lines = [f"KMS is served at {url}, on this machine only. Stop it with Ctrl-C."]
    for arn, variables in callers.items():
        endpoints = {f"AWS_ENDPOINT_URL_{service}": url for service in ("KMS", "STS")}
        lines += ["", f"To call it as {arn}:"]
        # a token of the shell's own would spoil the lab's credentials
        both = {**endpoints, "AWS_SESSION_TOKEN": "", **variables}
        lines += [form.format(name, value) for name, value in both.items()]
    lines += ["", "Then, for example:", "  aws kms create-key --description orders", "  kms-lab travel --days 366"]
    return "\n".join(lines)


# ---- kms-lab travel


@main.command()
@click.option("--days", type=float, help="How far to go.")
@click.option("--hours", type=float, help="How far to go.")
@click.option("--to", metavar="DATE", help="Where to arrive, such as 2027-01-31T09:00Z, instead of a distance.")
@click.option(
    "--endpoint", envvar="AWS_ENDPOINT_URL_KMS", required=True, help="The address that kms-lab serve printed."
)
def travel(endpoint: str, **journey: float | str | None) -> None:
    """Turn the clock of a lab that is being served, or tell its time.

    Takes address and credentials from the environment variables that kms-lab serve printed. Everything on the way
    happens at its own instant: rotations, deletions, expiries.
    """
    steps = {name: value for name, value in journey.items() if value is not None}
    click.echo(_ask_clock(endpoint, json.dumps(steps).encode()))


def _ask_clock(endpoint: str, body: bytes) -> str:
    """Send a signed request to the clock of a served lab, and return the time that it tells.

    Raises:
        click.ClickException: there are no credentials, no lab, or it refuses.
    """
    from http.client import HTTPConnection, HTTPException

    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    from kms_lab.doors.http import CLOCK

    place = _on_this_machine(endpoint)
    if place is None:
        raise click.ClickException(f"{endpoint} is not the address of a lab on this machine")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    key_id, secret, token = (os.environ.get(name) for name in names)
    if not key_id or not secret:
        raise click.ClickException("set the environment variables that kms-lab serve printed")
    request = AWSRequest("POST", f"http://{place[0]}:{place[1]}{CLOCK}", {"Content-Type": "application/json"}, body)
    SigV4Auth(Credentials(key_id, secret, token), "kms", REGION).add_auth(request)
    try:
        with closing(HTTPConnection(*place)) as connection:
            connection.request("POST", CLOCK, body, dict(request.headers.items()))
            told = dict(json.load(connection.getresponse()))
    except (OSError, HTTPException, TypeError, ValueError) as error:  # the last two: what answers is no lab
        raise click.ClickException(f"no lab answers at {endpoint}: {error}") from error
    if "now" not in told:
        raise click.ClickException(told.get("message") or told.get("Message") or f"no lab answers at {endpoint}")
    return str(told["now"])


def _on_this_machine(endpoint: str) -> tuple[str, int] | None:
    """Return host and port of a lab's address; None for an address of anything else."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        return None
    return (host, port) if host in ("127.0.0.1", "localhost") and parts.scheme == "http" else None


# ---- kms-lab progress


@main.group(invoke_without_command=True)
@click.pass_context
def progress(context: click.Context) -> None:
    """Show your progress, or move it between machines."""
    if context.invoked_subcommand is None:
        context.invoke(show)


@progress.command()
def show() -> None:
    """Say what is done, lesson by lesson."""
    from kms_lab.teach.lesson import lesson_data, lesson_numbers
    from kms_lab.teach.progress import Progress, summary_card

    kept = Progress()
    done = kept.summary()
    rows = []
    for data in map(lesson_data, lesson_numbers()):
        ids = {exercise.id for exercise in data.exercises} | {question.id for question in data.questions}
        right = done[data.number].exercises | done[data.number].questions if data.number in done else frozenset()
        rows.append((f"{data.number} {data.title}", len(ids & right), len(ids)))
    click.echo(summary_card("Your progress", rows).text())
    click.echo(f"Kept in {kept.folder}")


@progress.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export_progress(file: Path) -> None:
    """Save your progress to FILE. It holds what you did, and no answers."""
    from kms_lab.teach.progress import Progress

    try:
        written = Progress().export(file)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror or error}") from error
    click.echo(f"Your progress is saved in {written}")


@progress.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def import_progress(file: Path) -> None:
    """Add the progress saved in FILE to what is here. Doing it twice adds nothing."""
    from kms_lab.teach.progress import Progress, ProgressError

    try:
        new = Progress().import_(file)
    except ProgressError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Added: {_count(new, 'new event')}" if new else "Everything in it was here already")


# ---- kms-lab doctor


@main.command()
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for machines.")
def explain(file: TextIO, as_json: bool) -> None:
    """Answer an authorization question: who may do what with a key, and why.

    FILE holds the question as one JSON document, a scenario; "-" reads it from standard input. A lab writes one with
    lab.last_verdict.scenario().
    """
    from kms_lab.policy.scenario import ScenarioError, decide
    from kms_lab.views import explain as views

    try:
        verdict = decide(json.load(file))
    except (ValueError, RecursionError) as error:
        what = "is no scenario" if isinstance(error, ScenarioError) else "is not JSON"
        raise Problem(
            f"{file.name} {what}: {error}", "the fields that `python -m pydoc kms_lab.policy.scenario` names"
        ) from error
    encoding = sys.stdout.encoding or "utf-8"  # which may not have every character of the document, or a tick
    told = views.text(verdict).encode(encoding, "backslashreplace").decode(encoding)
    click.echo(json.dumps(verdict.to_data(), indent=2) if as_json else told)


@main.command()
def doctor() -> None:
    """Check this installation; exit with 1 when something is wrong."""
    failures = 0
    for title, check in CHECKS:
        try:
            click.echo(f"OK       {title}: {check()}")
        except Problem as problem:
            failures += 1
            click.echo(f"PROBLEM  {title}: {problem.message}")
        except Exception as error:
            failures += 1
            click.echo(f"PROBLEM  {title}: {type(error).__name__}: {error}\n         try: {REINSTALL}")
    click.echo(f"{_count(failures, 'problem')} found" if failures else "Everything works.")
    sys.exit(1 if failures else 0)


def _check_python() -> str:
    return f"{sys.version.split()[0]} at {sys.executable}"


def _check_packages() -> str:
    """Everything that pyproject.toml asks for is installed, in a version it accepts."""
    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in importlib.metadata.requires("kms-lab") or ()]
    have: list[str] = []
    for requirement in wanted:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            raise Problem(f"{requirement.name} is not installed", f"pip install '{requirement}'") from None
        if not requirement.specifier.contains(version, prereleases=True):
            raise Problem(
                f"{requirement.name} is {version}, not {requirement.specifier}",
                f"pip install '{requirement}'",
            )
        have.append(f"{requirement.name} {version}")
    return f"kms-lab {_version()} with " + ", ".join(have)


def _check_simulator() -> str:
    start = time.perf_counter()
    kms = Lab().client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"doctor")["CiphertextBlob"]
    if kms.decrypt(CiphertextBlob=blob)["Plaintext"] != b"doctor":
        raise Problem("a ciphertext did not decrypt to what was encrypted", REINSTALL)
    return f"a key encrypts and decrypts, {(time.perf_counter() - start) * 1000:.0f} ms with start-up"


def _check_course() -> str:
    folder = course_folder()
    return f"{len(course_files(folder))} files in {folder}"


def _check_widgets() -> str:
    """JupyterLab finds the browser half of ipywidgets and of anywidget."""
    from jupyter_core.paths import jupyter_path

    for name in ("@jupyter-widgets/jupyterlab-manager", "anywidget"):
        if not any((Path(place) / name / "package.json").exists() for place in jupyter_path("labextensions")):
            raise Problem(
                f"JupyterLab does not find the extension {name}; widgets would stay blank",
                "pip install --force-reinstall jupyterlab_widgets anywidget",
            )
    return "ipywidgets' and anywidget's extensions are where JupyterLab looks for them"


def _check_charts() -> str:
    import matplotlib

    cache = Path(matplotlib.get_cachedir())
    return f"matplotlib {matplotlib.__version__}, cache in {_writable(cache)}"


def _check_folders() -> str:
    from kms_lab.teach.progress import home

    progress = _writable(home())
    return f"progress is kept in {progress}; the course would be copied to {_writable(Path.cwd()) / DEFAULT_FOLDER}"


def _writable(folder: Path) -> Path:
    """Return the folder after a file could be made in it.

    Raises:
        Problem: it could not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise Problem(
            f"{folder} cannot be written: {error.strerror or error}",
            "change to a folder of yours, or its permissions",
        ) from error


def _check_loopback() -> str:
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
    except OSError as error:
        raise Problem(
            f"no port can be opened on 127.0.0.1: {error}", "allow local connections, then try again"
        ) from error
    return "127.0.0.1 can be served on"


def _check_browser() -> str:
    """Not a problem when none is found: any browser shows the course, and only the tests drive Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"):
        if path := shutil.which(name):
            return f"{path} (only the browser tests need it)"
    return "no Chromium or Chrome on PATH; the course opens in your own browser, only the browser tests need it"


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Python", _check_python),
    ("packages", _check_packages),
    ("simulator", _check_simulator),
    ("course", _check_course),
    ("widgets", _check_widgets),
    ("charts", _check_charts),
    ("folders", _check_folders),
    ("network", _check_loopback),
    ("Chromium", _check_browser),
)
