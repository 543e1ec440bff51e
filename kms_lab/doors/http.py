"""The loopback endpoint: KMS over HTTP for awscli, boto3 with ``endpoint_url`` and the SDKs of other languages.

It listens on 127.0.0.1 and nowhere else. Who calls, and where, is read from the request's signature, and a request that
is not signed by somebody of the lab is refused as AWS refuses it. Pages in a browser are kept out: the Host must be
this machine's name, so that a foreign name made to point here does not help, and no request that says it comes from a
page is served.

The simulator does one thing at a time; clients may be many. Each connection has its thread, each request the world's
lock while it is answered.

A request that is not HTTP as we read it is answered with a JSON error of our own, ``RefusedByLab``, and the connection
is closed; everything past that is answered by ``wire``.

Besides KMS and STS there is one route of ours, ``POST /_lab/clock``, signed like any other: it tells the lab's time,
after turning the clock by the ``days``, ``hours``, ``minutes`` and ``seconds`` of its JSON body, or ``to`` a date.
"""

import io
import json
import os
import re
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from kms_lab.core.circumstances import DIRECT, Circumstances
from kms_lab.core.errors import KMSError, UnsupportedByLab
from kms_lab.core.world import World
from kms_lab.doors import credentials, sts, wire
from kms_lab.doors.client import Listener
from kms_lab.doors.wire import Reply

ADDRESS = "127.0.0.1"
#: the largest body read; KMS's own largest request is a small part of it
BODY_BYTES = 1024 * 1024
#: how long a connection may rest between requests, a request may take to arrive, and a client to take its answer
REST_SECONDS, ARRIVAL_SECONDS, TAKING_SECONDS = 60.0, 10.0, 10.0
#: connections at one time; more are turned away
CONNECTIONS = 256
CLOCK = "/_lab/clock"

_DRAIN_BYTES, _DRAIN_SECONDS = 8 * BODY_BYTES, 2.0
_GOODBYE_SECONDS = 5.0
_LINE_BYTES = 65_536
_REFUSED = "RefusedByLab"
_FORM = "application/x-www-form-urlencoded"
_TURNED_AWAY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_STEPS = ("days", "hours", "minutes", "seconds")

_ABOUT = """\
This is kms_lab, a simulator of AWS KMS, on this machine only. It is not AWS.

It speaks the protocol of AWS's SDKs: give one of them this address as the endpoint of KMS, and credentials that
`kms-lab serve` or lab.credentials() shows. There is nothing else to see here.
"""


class Endpoint:
    """A world behind an address of this machine, from ``start`` to ``close`` or in a ``with`` block.

    Args:
        world: what is served. While it is served, other threads may use it only with ``wire.turn`` held.
        turn: moves the world's clock by ``days=``, ``hours=``, ``minutes=``, ``seconds=`` or ``to=``, and raises
            ValueError where it cannot; ``LabClock.travel``.
        port: where to listen; 0 takes a free one.
        follow: let the world's time pass as it passes here. Otherwise its clock stands still until it is turned.
        listener: given each ``Call``.
        changed: called, with ``wire.turn`` held, after each request that may have changed the world.
        how: the way that every request comes, such as through a VPC endpoint.

    Attributes:
        url: ``http://127.0.0.1:PORT``.
        hosts: what a request's Host may be.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self,
        world: World,
        turn: Callable[..., datetime],
        port: int = 0,
        follow: bool = False,
        listener: Listener | None = None,
        changed: Callable[[], object] = lambda: None,
        how: Circumstances = DIRECT,
    ) -> None:
        self.world, self._how = world, how
        self._turn, self._follow, self._listener, self._changed = turn, follow, listener, changed
        self._seen = time.monotonic()
        self._closed = False
        self._server = _Server(self, port)
        self.port = int(self._server.server_address[1])
        self.url = f"http://{ADDRESS}:{self.port}"
        self.hosts = {f"{name}:{self.port}" for name in (ADDRESS, "localhost")}
        if self.port == 80:
            self.hosts |= {ADDRESS, "localhost"}
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="kms-lab http", daemon=True
        )

    def start(self) -> "Endpoint":
        """Begin to answer."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Answer what has arrived, and nothing more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        with wire.turn:
            if self._follow:
                self._let_time_pass()
                self._changed()
            self._closed = True

    def __enter__(self) -> "Endpoint":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def answer(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Reply:
        """Answer a request whose form is right. Never raises: a fault of the lab is AWS's ``KMSInternalException``."""
        with wire.turn:
            if self._closed:
                return _error(503, _REFUSED, "the endpoint is being closed")
            to_sts = "x-amz-target" not in headers and headers.get("content-type", "").startswith(_FORM)
            try:
                self._let_time_pass()
                principal, region, service, session = credentials.verify(self.world, method, path, query, headers, body)
                if service not in ("kms", "sts"):
                    raise UnsupportedByLab(f"The lab answers kms and sts; this request is signed for {service}.")
                self._changed()
                how = self._how.of_session(session)
                if path == CLOCK:
                    return self._clock(body)
                if service == "sts":
                    return sts.answer(self.world, principal, region, body, how)
                target = headers.get("x-amz-target", "")
                return wire.answer(self.world, principal, region, target, body, self._listener, how)
            except KMSError as error:
                return sts.refusal(error) if to_sts else wire.refusal(error)
            except Exception as fault:
                _report(fault)
                return _error(500, "KMSInternalException", "the lab failed; please report what you did")

    def _let_time_pass(self) -> None:
        now = time.monotonic()
        elapsed, self._seen = now - self._seen, now
        if self._follow:
            with suppress(ValueError):  # the last years before 9999 have been reached
                self._turn(seconds=elapsed)

    def _clock(self, body: bytes) -> Reply:
        """Tell the time, after turning the clock as the body says."""
        try:
            now = self._turn(**_journey(json.loads(body or b"{}")))
        except (ValueError, OverflowError, RecursionError) as error:
            return _error(400, _REFUSED, f"the clock was not turned: {error}")
        return _json(200, {"now": now.isoformat()})


def _journey(asked: Any) -> dict[str, Any]:
    """Return what ``turn`` takes from a JSON value.

    Raises:
        ValueError: the value is none of a journey.
    """
    if not isinstance(asked, dict) or not asked.keys() <= {*_STEPS, "to"}:
        raise ValueError(f"its body is a JSON object with {', '.join(_STEPS)}, or to")
    for name, value in asked.items():
        fits = isinstance(value, str) if name == "to" else isinstance(value, int | float)
        if not fits:
            raise ValueError(f"{name} is a {'text such as 2027-01-31T09:00:00Z' if name == 'to' else 'number'}")
    return {name: datetime.fromisoformat(value) if name == "to" else value for name, value in asked.items()}


class _Server(ThreadingHTTPServer):
    """A thread for every connection, up to a limit, and an orderly end."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = os.name != "nt"  # there it would let another program take the port over

    def __init__(self, endpoint: Endpoint, port: int) -> None:
        self.endpoint = endpoint
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self.closing = False
        super().__init__((ADDRESS, port), _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks a name server who we are
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._open_lock:
            if len(self._open) >= CONNECTIONS:
                with suppress(OSError):
                    request.send(_TURNED_AWAY)
                return False
            self._open.add(request)
            return True

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        fault = sys.exc_info()[1]
        if not isinstance(fault, OSError):  # a client that went away is no fault
            _report(fault)

    def server_close(self) -> None:
        """Let the requests under way be answered; who has sent none is seen off."""
        super().server_close()
        self.closing = True
        with self._open_lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
        end = time.monotonic() + _GOODBYE_SECONDS
        while self._open and time.monotonic() < end:
            time.sleep(0.01)


class _Patience(io.RawIOBase):
    """Reads from a connection until a moment, however little comes at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._end = 0.0

    def wait(self, seconds: float) -> None:
        """Be patient for so long from now on."""
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Refusal(Exception):
    """A request that is not served; the answer to it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.reply = _error(status, _REFUSED, message)


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, refuses what it should not serve, and writes answers."""

    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._patience = _Patience(self.connection)
        self.rfile = io.BufferedReader(self._patience)

    def handle_one_request(self) -> None:
        self.close_connection = True
        try:
            self._patience.wait(REST_SECONDS)
            if not self.rfile.peek(1) or self.server.closing:  # type: ignore[attr-defined]
                return
            self._patience.wait(ARRIVAL_SECONDS)
        except TimeoutError:
            return
        refused = True
        try:
            reply = self._reply()
            refused = False
        except _Refusal as refusal:
            reply = refusal.reply
        except TimeoutError:
            reply = _Refusal(408, f"a request must arrive within {ARRIVAL_SECONDS:g} seconds").reply
        self.close_connection |= refused or self.server.closing
        self._send(reply)
        if refused:
            self._drain()

    def _reply(self) -> Reply:
        line = self.raw_requestline = self.rfile.readline(_LINE_BYTES + 1)
        if len(line) > _LINE_BYTES:
            raise _Refusal(414, "the request line is too long")
        if not line.endswith(b"\n") or not self.parse_request():
            raise _Refusal(400, "this is not a request of HTTP")
        headers = self._headers()
        if headers.get("host", "").lower() not in self.server.endpoint.hosts:
            raise _Refusal(403, "the Host of the request is not this endpoint; use " + self.server.endpoint.url)
        if "origin" in headers or (self.command != "GET" and "sec-fetch-site" in headers):
            raise _Refusal(403, "requests of pages in a browser are not served")
        path, _, query = self.path.partition("?")
        if self.command == "GET" and path == "/":
            self.close_connection = True
            return Reply(200, {"Content-Type": "text/plain; charset=utf-8"}, _ABOUT.encode())
        if self.command != "POST":
            raise _Refusal(405, "only POST is served")
        if path not in ("/", CLOCK):
            raise _Refusal(404, f"nothing is served at this path; KMS is at /, the lab's clock at {CLOCK}")
        return self.server.endpoint.answer(self.command, path, query, headers, self._body(headers))

    def _headers(self) -> dict[str, str]:
        """Return the headers by their names in small letters."""
        if self.headers.defects or self.headers.get_payload():
            raise _Refusal(400, "a header line cannot be read")
        found: dict[str, str] = {}
        for name, value in self.headers.items():
            name = name.lower()
            if name in found and name in ("host", "content-length", "authorization", "x-amz-target", "x-amz-date"):
                raise _Refusal(400, f"the header {name} may be there once only")
            found[name] = f"{found[name]},{value}" if name in found else value
        return found

    def _body(self, headers: dict[str, str]) -> bytes:
        length = headers.get("content-length", "")
        if "transfer-encoding" in headers or not length:
            raise _Refusal(411, "send the body with its Content-Length; chunked bodies are not read")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            raise _Refusal(400, "the Content-Length is not a number")
        if int(length) > BODY_BYTES:
            raise _Refusal(413, f"the body is larger than {BODY_BYTES} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise _Refusal(400, "the body is shorter than its Content-Length")
        return body

    def _send(self, reply: Reply) -> None:
        self.connection.settimeout(TAKING_SECONDS)
        self.request_version = self.protocol_version
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()

    def _drain(self) -> None:
        """Take in what is still coming, for a while: closing at once would destroy the answer on its way."""
        self._patience.wait(_DRAIN_SECONDS)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            taken = 0
            while taken < _DRAIN_BYTES and (data := self.rfile.read1(65_536)):
                taken += len(data)

    def handle_expect_100(self) -> bool:
        """Tell a client that waits before it sends its body to go on; it is refused after that, if at all."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request that ``parse_request`` could not read."""
        raise _Refusal(int(code), message or HTTPStatus(code).phrase)

    def version_string(self) -> str:
        return "kms-lab"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the lab's own log is the record."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing here either."""


def _error(status: int, code: str, message: str) -> Reply:
    return _json(status, {"__type": code, "message": message})


def _json(status: int, content: dict[str, Any]) -> Reply:
    return Reply(status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(content).encode())


def _report(fault: BaseException | None) -> None:
    """Say where the lab failed, without what it worked on: that may be secret."""
    trace = fault.__traceback__ if fault else None
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "an unknown place"
    print(f"kms_lab: a fault of the lab: {type(fault).__name__} at {place}", file=sys.stderr)
