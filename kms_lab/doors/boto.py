"""The real boto3, in process: botocore makes and signs a request, the lab answers it, and no socket is ever opened.

Two ways in. ``client`` is a boto3 client that talks to the lab and nothing else. ``diverted`` is for code that makes
its own clients: while the block lasts, every botocore client of the process talks to the lab, and who calls is read
from the signature, so that credentials which AssumeRole gave work as that session.

KMS and the little of STS in ``doors.sts`` are answered. Anything else, the metadata service of an EC2 instance too,
raises a LabError, and nothing is sent. Settings of the machine (environment variables, profiles, configured endpoints)
are not looked at.

Source: botocore's event ``before-send``, whose handler may return the response itself.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit
from weakref import WeakSet

from kms_lab.core.circumstances import DIRECT, Circumstances
from kms_lab.core.errors import LabError, RequestError
from kms_lab.core.keys import AccessKey
from kms_lab.core.names import Principal
from kms_lab.core.world import World
from kms_lab.doors import sts, wire
from kms_lab.doors.credentials import credentials_of, environment, scope_of, signed_with, verify

SERVICES = ("kms", "sts")
_NAMES = " and ".join(SERVICES)
#: what a block hides of the machine, and restores
_HIDDEN = ("AWS_", "BOTO")
_PORTS = {"http": ":80", "https": ":443"}
_patching = threading.Lock()


def client(
    world: World,
    principal: Principal,
    region: str,
    service: str = "kms",
    listener: wire.Listener | None = None,
    how: Circumstances = DIRECT,
) -> Any:
    """Return boto3's own client (botocore makes it for boto3) for KMS or STS, bound to a world.

    It tries nothing again: one call, one log entry. Who calls, and where, is known without a signature, so none is
    checked.

    Raises:
        LabError: another service.
    """
    if service not in SERVICES:
        raise LabError(f"the lab answers for {_NAMES} only, not for {service!r}")
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config

    def answer(request: Any, **_event: Any) -> Any:
        reply = _reply(world, principal, region, service, request, listener, how)
        return AWSResponse(request.url, reply.status, reply.headers, _Body(reply.body))

    with wire.turn:
        key = credentials_of(world, principal, how)
    how = signed_with(principal, how)
    session = _session(region)
    session.set_credentials(key.id, key.secret, key.token or None)
    session.register("before-send", answer)
    made = session.create_client(service, config=Config(ignore_configured_endpoint_urls=True))
    made.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")
    return made


@contextmanager
def diverted(
    world: World,
    principal: Principal,
    region: str,
    listener: wire.Listener | None = None,
    how: Circumstances = DIRECT,
) -> Iterator[AccessKey]:
    """Divert every botocore client of the process to a world, and give the principal's access key.

    A client that is made in the block without credentials is the principal's, in ``region``. One that is made with
    an access key of the lab is its owner's. One that was made before the block signs with a key that the lab does not
    know, and gets UnrecognizedClientException. After the block everything is as it was before, and a client that was
    made in it refuses to send anything.

    Clients try again in the block what they would try again on AWS (throttling, faults of the service), each time with
    an entry in the log, but nobody waits in between: the lab's clock would stand still. Named profiles do not exist in
    the block. Blocks may be nested, and may end in any order, as those of several threads do: a new client belongs to
    the block that was begun last. Requests may come from any thread, all of which are diverted. Other ways to the
    network than botocore's are not looked after.

    What ``how`` says of the way is true of every call in the block; what it says of the session goes with the
    principal's credentials.
    """
    from botocore.httpsession import URLLib3Session

    with wire.turn:
        key = credentials_of(world, principal, how)
    block = object()
    made: WeakSet[Any] = WeakSet()

    def answer(request: Any) -> Any:
        return _response(world, key, request, listener, how)

    def make_diverted(self: Any, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        self.send = answer
        made.add(self)

    with _patching:
        make = next((found.make for found in _found.values()), URLLib3Session.__init__)  # botocore's own
        variables = {**environment(key, region), **_ISOLATED}
        changes = _Process(variables, make_diverted, lambda _self, request: answer(request), None, _IMPATIENCE)
        _found[block] = _exchange(changes)
    try:
        yield key
    finally:
        with _patching:
            _put_back(block)
            for one in made:
                one.send = _over


class _Process(NamedTuple):
    """What a block changes of the process: environment variables, how botocore's HTTP sessions are made and how they
    send, boto3's default session, and the module ``time`` of botocore's retries."""

    variables: dict[str, str]
    make: Any
    send: Any
    default: Any
    time: Any


#: the open blocks, oldest first, each with what it found
_found: dict[object, _Process] = {}


def _exchange(new: _Process) -> _Process:
    """Change the process, and return what was there."""
    import boto3
    import botocore.endpoint
    from botocore.httpsession import URLLib3Session

    before = _Process(
        _replace_variables(new.variables),
        URLLib3Session.__init__,
        URLLib3Session.send,
        boto3.DEFAULT_SESSION,
        botocore.endpoint.time,
    )
    URLLib3Session.__init__, URLLib3Session.send = new.make, new.send
    boto3.DEFAULT_SESSION, botocore.endpoint.time = new.default, new.time
    return before


def _put_back(block: object) -> None:
    """Undo the changes of a block. Under those of a later block that is still open they only must not come back."""
    later = list(_found)[list(_found).index(block) + 1 :]
    found = _found.pop(block)
    if later:
        _found[later[0]] = found
    else:
        _exchange(found)


# ------------------------------------------------------------------------------ a request, taken apart


def _response(world: World, key: AccessKey, request: Any, listener: wire.Listener | None, way: Circumstances) -> Any:
    """Return botocore's ``AWSResponse`` to its ``AWSPreparedRequest``, whoever made and signed it.

    Args:
        key: known to the world, even if that was put back to a time before the key was made.

    Raises:
        LabError: the request is for a service that the lab does not have.
    """
    from botocore.awsrequest import AWSResponse

    url = urlsplit(request.url)
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    host = headers.setdefault("host", url.netloc.removesuffix(_PORTS.get(url.scheme, ":")))
    service = _service(headers, host)
    try:
        with wire.turn:
            world.access_keys.setdefault(key.id, key)
            who, region, _, session = verify(world, request.method, url.path, url.query, headers, _bytes(request.body))
            reply = _reply(world, who, region, service, request, listener, way.of_session(session))
    except RequestError as refused:
        reply = sts.refusal(refused) if service == "sts" else wire.refusal(refused)
    return AWSResponse(request.url, reply.status, reply.headers, _Body(reply.body))


def _reply(
    world: World,
    who: Principal,
    region: str,
    service: str,
    request: Any,
    listener: wire.Listener | None,
    how: Circumstances,
) -> wire.Reply:
    body = _bytes(request.body)
    if service == "sts":
        return sts.answer(world, who, region, body, how)
    return wire.answer(world, who, region, _text(request.headers.get("X-Amz-Target", "")), body, listener, how)


def _service(headers: dict[str, str], host: str) -> str:
    """Return the service that a request is for.

    Raises:
        LabError: the lab does not have it.
    """
    try:
        service = scope_of(headers.get("authorization")).service
    except RequestError:  # not signed, or not as KMS and STS want it
        service = host.partition(".")[0]
    if service not in SERVICES:
        raise LabError(f"a request to {host} was not sent: the lab answers for {_NAMES} only")
    return service


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")


class _Body(BytesIO):
    """An answer's body, as botocore reads it from urllib3."""

    def stream(self, **_options: Any) -> Iterator[bytes]:
        yield self.read()


# ------------------------------------------------------------------------------ nothing of the machine gets in

_ISOLATED = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
#: the module ``time`` for botocore's retries
_IMPATIENCE = SimpleNamespace(**{**vars(time), "sleep": lambda _seconds: None})


def _replace_variables(variables: dict[str, str]) -> dict[str, str]:
    """Put these in place of all environment variables of AWS. Return what was there."""
    before = {name: value for name, value in os.environ.items() if name.startswith(_HIDDEN)}
    for name in before:
        del os.environ[name]
    os.environ.update(variables)
    return before


def _session(region: str) -> Any:
    """Return a botocore session that reads neither files nor environment variables."""
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConstantProvider
    from botocore.session import Session

    session = Session()
    settings = session.get_component("config_store")
    for name, (_, _, default, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
        settings.set_config_provider(name, ConstantProvider(default))
    for name, value in (("config_file", os.devnull), ("credentials_file", os.devnull), ("region", region)):
        settings.set_config_provider(name, ConstantProvider(value))
    session.register_component("data_loader", _loader())
    return session


@cache
def _loader() -> Any:
    """Return a loader of botocore's own service models; it remembers what it has read."""
    from botocore.loaders import Loader

    return Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)


def _over(request: Any) -> NoReturn:
    host = urlsplit(request.url).netloc
    raise LabError(f"a request to {host} was not sent: its client was made in a block of the lab, which is over")
