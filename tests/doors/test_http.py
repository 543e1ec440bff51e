"""The loopback endpoint: any SDK may use it, nobody else can, and nothing that arrives there stops it."""

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from click.testing import CliRunner

from kms_lab.cli import main
from kms_lab.core.errors import LabError
from kms_lab.doors import http as door
from kms_lab.doors import state, wire
from kms_lab.lab import ADMIN, Lab

DEEP = bool(os.environ.get("KMS_LAB_DEEP"))
APP = "arn:aws:iam::111122223333:role/App"


@pytest.fixture
def lab():
    return Lab(seed=7)


@pytest.fixture
def url(lab):
    with lab.serve() as url:
        yield url


def client(url, key, service="kms", region="us-east-1", **options):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        aws_session_token=key.token or None,
        config=Config(retries={"total_max_attempts": 1}, **options),
    )


def request(
    url,
    key,
    target="TrentService.ListKeys",
    body=b"{}",
    *,
    service="kms",
    region="us-east-1",
    path="/",
    host=None,
    extra=(),
):
    """A request as bytes, signed by botocore."""
    place = f"http://{host or url.removeprefix('http://')}{path}"
    one = AWSRequest("POST", place, {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}, body)
    SigV4Auth(Credentials(key.id, key.secret, key.token or None), service, region).add_auth(one)
    headers = {"Host": place.split("/")[2], **dict(one.headers.items()), "Content-Length": str(len(body))}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), *extra]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def port_of(url):
    return int(url.rpartition(":")[2])


def exchange(url, data, half_close=True):
    """Send bytes over a connection of their own, and return everything that comes back."""
    with socket.create_connection(("127.0.0.1", port_of(url)), timeout=20) as connection:
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:  # the endpoint has refused already, and does not listen to the rest
            pass
        found = b""
        while piece := connection.recv(65_536):
            found += piece
        return found


def answer(data):
    """Take an answer apart: status, headers, body."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert len(body) == int(headers["content-length"])
    return int(first.split()[1]), headers, body


def operations(lab):
    return [lab.world.log.entry(index).operation for index in range(len(lab.world.log))]


def serves(lab, url):
    """Does the endpoint answer somebody who does everything right?"""
    return answer(exchange(url, request(url, lab.credentials(ADMIN))))[0] == 200


class TestSdk:
    def test_boto3_works_on_it(self, lab, url):
        """boto3 with endpoint_url makes a key, encrypts and decrypts."""
        kms = client(url, lab.credentials(ADMIN))
        key = kms.create_key(Description="orders")["KeyMetadata"]["KeyId"]

        blob = kms.encrypt(KeyId=key, Plaintext=b"hello", EncryptionContext={"tenant": "a"})["CiphertextBlob"]

        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"tenant": "a"})["Plaintext"] == b"hello"
        assert lab.key(key).description == "orders"

    def test_the_signature_says_who_and_where(self, lab, url):
        """Principal and Region are those of the signature: the log has them, and policies and keys go by them."""
        lab.iam.create_role("App")
        key = lab.client(region="eu-west-1").create_key()["KeyMetadata"]["Arn"]

        with pytest.raises(ClientError, match="assumed-role/App/lab is not authorized"):
            client(url, lab.credentials(APP), region="eu-west-1").describe_key(KeyId=key)

        entry = lab.world.log.entry(-1)
        assert (entry.principal, entry.region) == ("arn:aws:sts::111122223333:assumed-role/App/lab", "eu-west-1")
        assert client(url, lab.credentials(ADMIN), region="eu-west-1").list_keys()["Keys"][0]["KeyArn"] == key
        assert client(url, lab.credentials(ADMIN), region="eu-west-2").list_keys()["Keys"] == []

    def test_errors_are_aws_classes(self, lab, url):
        """An error arrives as the class of client.exceptions, AWS's message and its log entry's request id."""
        kms = client(url, lab.credentials(ADMIN))

        with pytest.raises(kms.exceptions.NotFoundException) as caught:
            kms.describe_key(KeyId="alias/none")

        assert "alias/none" in caught.value.response["Error"]["Message"]
        assert caught.value.response["ResponseMetadata"]["RequestId"] == lab.world.log.request_id(0)

    def test_sts_says_who_one_is(self, lab, url):
        """GetCallerIdentity answers, and the credentials of AssumeRole call KMS as the session."""
        lab.iam.create_role("App")
        sts = client(url, lab.credentials(ADMIN), "sts")

        given = sts.assume_role(RoleArn=APP, RoleSessionName="night")["Credentials"]

        session = boto3.client(
            "kms",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        with pytest.raises(ClientError, match="assumed-role/App/night"):
            session.list_keys()
        assert sts.get_caller_identity()["Arn"] == ADMIN

    def test_a_listing_goes_page_by_page(self, lab, url):
        """boto3's paginator walks over every page."""
        kms = client(url, lab.credentials(ADMIN))
        made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)}

        pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))

        assert [len(page["Keys"]) for page in pages] == [2, 2, 1]
        assert {key["KeyId"] for page in pages for key in page["Keys"]} == made

    def test_the_lab_hears_of_it(self, lab, url):
        """The lab's last verdict is that of the call which came in."""
        client(url, lab.credentials(ADMIN)).list_keys()

        assert lab.last_verdict.allowed

    def test_a_connection_is_used_again(self, lab, url):
        """Many requests go over one connection, also after one that KMS refused."""
        good, bad = request(url, lab.credentials(ADMIN)), request(url, lab.credentials(ADMIN), "TrentService.Nonsense")

        found = exchange(url, good + bad + good)

        assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"200", b"400", b"200"]

    def test_a_client_that_waits_to_be_asked(self, lab, url):
        """A client that sends its body only when it is told to go on is told so, and then answered."""
        head, _, body = request(url, lab.credentials(ADMIN)).partition(b"\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port_of(url)), timeout=5) as connection:
            connection.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(body)

            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")

    def test_localhost_is_a_name_for_it(self, lab, url):
        """The endpoint may be called localhost."""
        found = exchange(url, request(url, lab.credentials(ADMIN), host=f"localhost:{port_of(url)}"))

        assert answer(found)[0] == 200


class TestManyClients:
    def test_every_call_is_answered_and_logged_once(self, lab, url):
        """20 clients with 50 calls each, at once: each call gets its own answer and one log entry."""
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        credentials = lab.credentials(ADMIN)

        def talk(number):
            body = json.dumps({"KeyId": key, "Plaintext": "aGk=", "EncryptionContext": {"client": str(number)}})
            data = request(url, credentials, "TrentService.Encrypt", body.encode())
            head, _, _ = data.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
            connection = http.client.HTTPConnection("127.0.0.1", port_of(url), timeout=60)
            found = []
            for _ in range(50):
                connection.request("POST", "/", body, headers)
                response = connection.getresponse()
                found.append((number, response.headers["x-amzn-RequestId"], json.load(response)["CiphertextBlob"]))
            connection.close()
            return found

        with ThreadPoolExecutor(20) as pool:
            answers = [one for found in pool.map(talk, range(20)) for one in found]

        log = lab.world.log
        logged = {log.request_id(index): log.entry(index).context["client"] for index in range(1, len(log))}
        assert len(log) == 1 + 1000
        assert {request_id: str(number) for number, request_id, _ in answers} == logged
        assert len({blob for _, _, blob in answers}) == 1000

    def test_too_many_connections_are_turned_away(self, lab, url, monkeypatch):
        """Beyond the limit a connection is answered with 503; when others end there is room again."""
        monkeypatch.setattr(door, "CONNECTIONS", 2)
        held = [socket.create_connection(("127.0.0.1", port_of(url))) for _ in range(2)]
        try:
            assert exchange(url, b"").startswith(b"HTTP/1.1 503 ")
        finally:
            for connection in held:
                connection.close()

        assert eventually(lambda: serves(lab, url))


def eventually(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except (OSError, LookupError, AssertionError):
            pass
        time.sleep(0.02)
    return condition()


class TestWhoMayCall:
    def refused(self, lab, data, url):
        status, _, body = answer(exchange(url, data))
        told = json.loads(body)
        assert len(lab.world.log) == 0
        assert serves(lab, url)
        return status, told["__type"]

    def test_unknown_credentials(self, lab, url):
        """An access key that nobody has is refused by AWS's name for it."""
        kms = client(url, lab.credentials(ADMIN), region="us-east-1")
        kms._request_signer._credentials.access_key = "AKIAIOSFODNN7EXAMPLE"

        with pytest.raises(ClientError) as caught:
            kms.list_keys()

        assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"
        assert operations(lab) == []

    @pytest.mark.parametrize(
        ("service", "code"), [("kms", "InvalidSignatureException"), ("sts", "SignatureDoesNotMatch")]
    )
    def test_a_wrong_secret(self, lab, url, service, code):
        """A signature made with another secret is refused, by KMS and by STS under the name each has for it."""
        sdk = client(url, lab.credentials(ADMIN), service)
        sdk._request_signer._credentials.secret_key = "x" * 40

        with pytest.raises(ClientError) as caught:
            sdk.list_keys() if service == "kms" else sdk.get_caller_identity()

        assert caught.value.response["Error"]["Code"] == code
        assert operations(lab) == []

    def test_a_body_that_was_changed(self, lab, url):
        """The signature covers the body."""
        data = request(url, lab.credentials(ADMIN), body=b'{"Limit": 1}').replace(b'{"Limit": 1}', b'{"Limit": 2}')

        assert self.refused(lab, data, url) == (400, "InvalidSignatureException")

    def test_no_signature(self, lab, url):
        """An unsigned request is refused."""
        data = re.sub(rb"Authorization: [^\r]*\r\n", b"", request(url, lab.credentials(ADMIN)))

        assert self.refused(lab, data, url) == (400, "MissingAuthenticationTokenException")

    def test_another_service(self, lab, url):
        """A request that is signed for another service is refused by name."""
        data = request(url, lab.credentials(ADMIN), service="s3")

        assert self.refused(lab, data, url) == (400, "UnsupportedByLab")

    def test_only_this_machine(self, url):
        """It listens on 127.0.0.1 and on no other address, not even another of the loopback network."""
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port_of(url)), timeout=2)

    @pytest.mark.parametrize(
        ("host", "status"),
        [("evil.example:{port}", 403), ("127.0.0.1", 403), ("127.0.0.1:1", 403), ("localhost.:{port}", 403), ("", 403)],
    )
    def test_another_host(self, lab, url, host, status):
        """A request for another Host is refused even if it is signed: a foreign name that points here does not help."""
        host = host.format(port=port_of(url))
        data = request(url, lab.credentials(ADMIN), host=host or None)
        data = data if host else re.sub(rb"Host: [^\r]*\r\n", b"", data)

        assert self.refused(lab, data, url) == (status, "RefusedByLab")

    @pytest.mark.parametrize(
        "line", ["Origin: http://evil.example", "Origin: null", "Origin: {url}", "Sec-Fetch-Site: same-origin"]
    )
    def test_pages_in_a_browser(self, lab, url, line):
        """What a page sends is refused even if it is signed, and no answer lets a page read it."""
        data = request(url, lab.credentials(ADMIN), extra=[line.format(url=url)])

        status, headers, _ = answer(exchange(url, data))

        assert status == 403
        assert not any(name.startswith("access-control-") for name in headers)
        assert operations(lab) == []

    def test_a_preflight(self, url):
        """A browser that asks whether a page may call gets no permission."""
        lines = f"OPTIONS / HTTP/1.1\r\nHost: {url[7:]}\r\nAccess-Control-Request-Method: POST\r\n\r\n"

        status, headers, _ = answer(exchange(url, lines.encode()))

        assert status == 405
        assert not any(name.startswith("access-control-") for name in headers)


HOST = "Host: {host}\r\n"
NOT_SERVED = {
    "PUT": ("PUT / HTTP/1.1\r\n" + HOST + "\r\n", 405),
    "HEAD": ("HEAD / HTTP/1.1\r\n" + HOST + "\r\n", 405),
    "method of one's own": ("BREW / HTTP/1.1\r\n" + HOST + "\r\n", 405),
    "GET of something else": ("GET /keys HTTP/1.1\r\n" + HOST + "\r\n", 405),
    "path": ("POST /keys HTTP/1.1\r\n" + HOST + "Content-Length: 2\r\n\r\n{}", 404),
    "whole address": ("POST http://evil.example/ HTTP/1.1\r\n" + HOST + "Content-Length: 2\r\n\r\n{}", 404),
    "no length": ("POST / HTTP/1.1\r\n" + HOST + "\r\n", 411),
    "chunks": ("POST / HTTP/1.1\r\n" + HOST + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411),
    "chunks and length": (
        "POST / HTTP/1.1\r\n" + HOST + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
        411,
    ),
    "negative length": ("POST / HTTP/1.1\r\n" + HOST + "Content-Length: -1\r\n\r\n{}", 400),
    "length in words": ("POST / HTTP/1.1\r\n" + HOST + "Content-Length: two\r\n\r\n{}", 400),
    "length in other digits": ("POST / HTTP/1.1\r\n" + HOST + "Content-Length: \u00b2\r\n\r\n{}", 400),
    "body too short": ("POST / HTTP/1.1\r\n" + HOST + "Content-Length: 5\r\n\r\n{}", 400),
    "two lengths": ("POST / HTTP/1.1\r\n" + HOST + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "two hosts": ("POST / HTTP/1.1\r\n" + HOST + HOST + "Content-Length: 2\r\n\r\n{}", 400),
    "too large": ("POST / HTTP/1.1\r\n" + HOST + f"Content-Length: {door.BODY_BYTES + 1}\r\n\r\n{{}}", 413),
    "absurdly large": ("POST / HTTP/1.1\r\n" + HOST + f"Content-Length: {'9' * 400}\r\n\r\n{{}}", 400),
    "header without colon": ("POST / HTTP/1.1\r\n" + HOST + "nonsense\r\nContent-Length: 2\r\n\r\n{}", 400),
    "many headers": ("POST / HTTP/1.1\r\n" + HOST + "X: y\r\n" * 200 + "\r\n", 431),
    "long header": ("POST / HTTP/1.1\r\n" + HOST + f"X: {'y' * 70_000}\r\n\r\n", 431),
    "long line": (f"POST /{'x' * 70_000} HTTP/1.1\r\n" + HOST + "\r\n", 414),
    "empty line": ("\r\n", 400),
    "one word": ("hello\r\n\r\n", 400),
    "old HTTP": ("POST /\r\n", 400),
    "new HTTP": ("POST / HTTP/2.0\r\n" + HOST + "\r\n", 505),
    "no HTTP": ("POST / SMTP/1.1\r\n" + HOST + "\r\n", 400),
    "TLS": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400),
}


class TestBadRequests:
    @pytest.mark.parametrize("name", NOT_SERVED)
    def test_it_is_answered(self, lab, url, name):
        """A request that is not served is answered by its status and a JSON error, logs nothing and stops nothing."""
        text, expected = NOT_SERVED[name]

        found = exchange(url, text.replace("{host}", url[7:]).encode("latin-1"))

        status, headers, body = answer(found)
        assert status == expected
        assert headers["connection"] == "close"
        assert json.loads(body)["__type"] == "RefusedByLab"
        assert len(lab.world.log) == 0
        assert serves(lab, url)

    def test_a_large_body_is_answered_while_it_is_sent(self, lab, url):
        """Who sends more than is read can send it all and gets the answer, instead of a broken connection."""
        connection = http.client.HTTPConnection("127.0.0.1", port_of(url), timeout=20)
        connection.request("POST", "/", bytes(6 * door.BODY_BYTES))

        assert connection.getresponse().status == 413
        connection.close()

    def test_the_largest_body_is_read(self, lab, url):
        """A body of the limit's size is answered by KMS."""
        data = request(url, lab.credentials(ADMIN), body=b"{}".ljust(door.BODY_BYTES))

        assert answer(exchange(url, data))[0] == 200

    @pytest.mark.parametrize(
        ("target", "body", "code"),
        [
            ("TrentService.ListKeys", b"{", "SerializationException"),
            ("TrentService.ListKeys", b"\xff", "SerializationException"),
            ("TrentService.ListKeys", b"[" * 100_000, "SerializationException"),
            ("TrentService.ListKeys", b'{"Limit": "many"}', "SerializationException"),
            ("TrentService.Nonsense", b"{}", "UnknownOperationException"),
            ("ListKeys", b"{}", "UnknownOperationException"),
            ("TrentService.DescribeKey", b"{}", "ValidationException"),
        ],
    )
    def test_what_kms_cannot_read(self, lab, url, target, body, code):
        """A signed request with a bad body or target is refused as AWS refuses it."""
        status, _, told = answer(exchange(url, request(url, lab.credentials(ADMIN), target, body)))

        assert (status, json.loads(told)["__type"]) == (400, code)

    def test_a_request_that_ends_early(self, lab, url):
        """A request that ends anywhere in the middle is answered if anybody still listens, and never carried out."""
        body = b'{"Description": "half"}'
        data = request(url, lab.credentials(ADMIN), "TrentService.CreateKey", body)

        statuses = {answer(exchange(url, data[:length]))[0] for length in range(1, len(data), 7)}

        assert statuses <= {400, 403, 411}
        assert operations(lab) == []

    def test_a_client_that_goes_away(self, lab, url, capfd):
        """A client that leaves before, while or after it sends disturbs nobody, and nothing is said about it."""
        data = request(url, lab.credentials(ADMIN))
        for length in (0, 10, len(data) - 1, len(data)):
            connection = socket.create_connection(("127.0.0.1", port_of(url)))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # close with a reset
            connection.sendall(data[:length])
            connection.close()

        assert serves(lab, url)
        assert capfd.readouterr() == ("", "")

    def test_a_slow_client(self, lab, url, monkeypatch):
        """Who sends a request drop by drop is cut off when its time is over, and others are served meanwhile."""
        monkeypatch.setattr(door, "ARRIVAL_SECONDS", 0.5)
        data = request(url, lab.credentials(ADMIN))
        with socket.create_connection(("127.0.0.1", port_of(url)), timeout=20) as connection:
            begin = time.monotonic()
            found = b""
            connection.settimeout(0.1)
            for place in range(len(data)):
                try:
                    connection.sendall(data[place : place + 1])
                    found = connection.recv(65_536)
                    break
                except TimeoutError:
                    assert place > 1 or serves(lab, url)

        assert found.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begin < 5

    def test_a_resting_connection(self, lab, url, monkeypatch):
        """A connection that rests too long is closed without a word."""
        monkeypatch.setattr(door, "REST_SECONDS", 0.2)
        begin = time.monotonic()

        assert exchange(url, b"", half_close=False) == b""
        assert time.monotonic() - begin < 4

    def test_a_fault_of_the_lab(self, lab, url, monkeypatch, capfd):
        """A fault of the lab is AWS's internal error; its report says where, and nothing of what it worked on."""

        def broken(*_):
            raise RuntimeError("the secret is hunter2")

        with monkeypatch.context() as patch:
            patch.setattr(wire, "answer", broken)
            status, _, body = answer(exchange(url, request(url, lab.credentials(ADMIN))))

        output = "".join(capfd.readouterr())
        assert (status, json.loads(body)["__type"]) == (500, "KMSInternalException")
        assert "RuntimeError" in output
        assert "hunter2" not in output + body.decode()
        assert serves(lab, url)

    def test_a_visitor(self, url):
        """Who opens the address in a browser reads what it is."""
        status, headers, body = answer(exchange(url, f"GET / HTTP/1.1\r\nHost: {url[7:]}\r\n\r\n".encode()))

        assert status == 200
        assert headers["content-type"].startswith("text/plain")
        assert b"It is not AWS" in body

    def test_whatever_arrives_is_answered(self, lab, url, capfd):
        """Requests changed at random, as a whole or in their signed body, are always answered, never by a fault."""
        credentials, chance = lab.credentials(ADMIN), random.Random(20)
        key = lab.client().create_key()["KeyMetadata"]["KeyId"]
        body = json.dumps(
            {"KeyId": key, "Plaintext": "aGk=", "EncryptionContext": {"a": "b"}, "DryRun": False}
        ).encode()
        whole = request(url, credentials, "TrentService.Encrypt", body)
        seen = Counter()

        for number in range(100_000 if DEEP else 300):
            if number % 2:
                data = mutated(whole, chance)
            else:
                data = request(url, credentials, "TrentService.Encrypt", mutated(body, chance))
            found = exchange(url, data)
            assert found or not data, data
            if found:
                status, headers, told = answer(found[: _end_of_first(found)])
                assert headers["content-type"].startswith("text/") or json.loads(told), data
                seen[status] += 1

        assert set(seen) <= {200, 400, 403, 404, 405, 408, 411, 413, 414, 431, 505}
        assert seen[200] > 0
        assert seen[400] > 0
        assert serves(lab, url)
        assert capfd.readouterr() == ("", "")


def _end_of_first(found):
    """Where the first answer ends: a changed request can be two."""
    head = found.index(b"\r\n\r\n") + 4
    return head + int(re.search(rb"Content-Length: (\d+)", found)[1])


def mutated(data, chance):
    """The bytes after one to four random changes."""
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[place : place + chance.choice((1, 1, 5, 40))]
            case 2:
                data[place:place] = chance.randbytes(chance.choice((1, 3, 30)))
            case 3:
                data[place:place] = data[place : place + chance.randrange(60)]
            case 4:
                data[place:place] = chance.choice(
                    (
                        b"\r\n",
                        b"\n",
                        b"\0",
                        b"{",
                        b"]",
                        b'"',
                        b": ",
                        b"9" * 30,
                        b"1e999",
                        b"null",
                        b"\xed\xa0\x80",
                        b"\\ud800",
                    )
                )
            case 5:
                other = chance.randrange(len(data) + 1)
                data[place:other] = b""
    return bytes(data)


class TestClock:
    def turn(self, lab, url, body=b"", **options):
        status, _, told = answer(
            exchange(url, request(url, lab.credentials(ADMIN), body=body, path=door.CLOCK, **options))
        )
        return status, json.loads(told)

    def test_it_is_turned(self, lab, url):
        """The clock route turns the lab's clock, and what is due on the way happens."""
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.enable_key_rotation(KeyId=key)
        before = lab.clock.now

        status, told = self.turn(lab, url, b'{"days": 800, "hours": 1.5}')

        assert status == 200
        assert datetime.fromisoformat(told["now"]) == lab.clock.now == before + timedelta(days=800, hours=1.5)
        assert len(lab.key(key).materials) == 3

    def test_it_tells_the_time(self, lab, url):
        """Without a journey it tells the time, and to a date it goes there."""
        assert self.turn(lab, url)[1]["now"] == "2026-01-01T09:00:00+00:00"
        assert self.turn(lab, url, b'{"to": "2027-05-01T00:00:00Z"}')[1]["now"] == "2027-05-01T00:00:00+00:00"

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"[]",
            b'{"weeks": 1}',
            b'{"days": "9"}',
            b'{"days": null}',
            b'{"days": -1}',
            b'{"days": NaN}',
            b'{"days": Infinity}',
            b'{"days": 1e300}',
            b'{"days": ' + b"9" * 4000 + b"}",
            b'{"to": 5}',
            b'{"to": "soon"}',
            b'{"to": "2027-05-01"}',
            b'{"to": "1999-05-01T00:00:00Z"}',
        ],
    )
    def test_a_journey_that_is_none(self, lab, url, body):
        """What is not a journey forward is refused in words, and the clock does not move."""
        status, told = self.turn(lab, url, body)

        assert (status, told["__type"]) == (400, "RefusedByLab")
        assert "clock was not turned" in told["message"]
        assert lab.clock.now == datetime(2026, 1, 1, 9, tzinfo=UTC)

    def test_it_takes_a_signature(self, lab, url):
        """Nobody turns the clock without credentials of the lab."""
        data = request(url, lab.credentials(ADMIN), body=b'{"days": 1}', path=door.CLOCK)

        status, _, _ = answer(exchange(url, data.replace(b'"days": 1', b'"days": 2')))

        assert status == 400
        assert lab.clock.now == datetime(2026, 1, 1, 9, tzinfo=UTC)

    def test_it_stands_still(self, lab, url):
        """In a program's lab time passes only when it is turned."""
        time.sleep(0.05)
        assert serves(lab, url)

        assert lab.clock.now == datetime(2026, 1, 1, 9, tzinfo=UTC)

    def test_it_follows(self, lab):
        """With follow the lab's time passes as ours does, on top of journeys."""
        with lab.serve(follow=True) as url:
            self.turn(lab, url, b'{"days": 1}')
            before = time.monotonic()
            first = datetime.fromisoformat(self.turn(lab, url)[1]["now"])
            time.sleep(0.3)
            second = datetime.fromisoformat(self.turn(lab, url)[1]["now"])
            elapsed = time.monotonic() - before

        assert first >= datetime(2026, 1, 2, 9, tzinfo=UTC)
        assert 0.3 <= (second - first).total_seconds() <= elapsed
        assert lab.clock.now > second


class TestEnd:
    def test_it_ends_at_once(self, lab):
        """Leaving the block closes resting connections and the port, without waiting for anybody."""
        with lab.serve() as url:
            resting = socket.create_connection(("127.0.0.1", port_of(url)), timeout=10)
            assert serves(lab, url)
            begin = time.monotonic()

        assert time.monotonic() - begin < 2
        assert resting.recv(1) == b""
        resting.close()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port_of(url)), timeout=2)

    def test_what_has_arrived_is_answered(self, lab, monkeypatch):
        """A request that is being answered when the block ends has its answer before the block is left."""
        begun, real, found = threading.Event(), door.BaseHTTPRequestHandler.end_headers, []

        def slow(handler):
            begun.set()
            time.sleep(1.5)
            real(handler)

        monkeypatch.setattr(door.BaseHTTPRequestHandler, "end_headers", slow)
        with lab.serve() as url:
            data = request(url, lab.credentials(ADMIN))
            thread = threading.Thread(target=lambda: found.append(exchange(url, data)))
            thread.start()
            begun.wait(10)
        thread.join(0.7)

        assert answer(found[0])[0] == 200

    def test_a_port_that_is_taken(self, lab, url):
        """Two endpoints do not share a port."""
        with pytest.raises(OSError), Lab().serve(port_of(url)):
            pass


class TestKeeper:
    """The file of a served lab."""

    def test_changes_are_written_seldom(self, monkeypatch):
        """A thousand changes are a few writings, and the last one is never missed."""
        monkeypatch.setattr(state, "EVERY_SECONDS", 0.1)
        changes, written = [], []
        keeper = state.Keeper(lambda: written.append(len(changes)), pytest.fail)

        begin = time.monotonic()
        for number in range(1000):
            with wire.turn:
                changes.append(number)
                keeper.changed()
            time.sleep(0.0003)
        keeper.close()

        assert written[-1] == 1000
        assert len(written) <= (time.monotonic() - begin) / 0.1 + 1

    def test_what_takes_long_is_written_less_often(self, monkeypatch):
        """A large lab spends a tenth of the time on writing, however often it changes."""
        monkeypatch.setattr(state, "EVERY_SECONDS", 0.01)
        written = []
        keeper = state.Keeper(lambda: (written.append(1), time.sleep(0.05)), pytest.fail)

        begin = time.monotonic()
        while time.monotonic() - begin < 1:
            with wire.turn:
                keeper.changed()
            time.sleep(0.005)
        keeper.close()

        assert 2 <= len(written) <= 4

    def test_without_a_change_nothing_is_written(self, monkeypatch):
        """A lab that nobody uses is not written again."""
        monkeypatch.setattr(state, "EVERY_SECONDS", 0.01)
        written = []
        keeper = state.Keeper(lambda: written.append(1), pytest.fail)
        time.sleep(0.1)
        keeper.close()

        assert written == []

    def test_a_disk_that_is_full_for_a_while(self, monkeypatch):
        """When writing fails it is said once and tried again; if the last writing fails, closing says so."""
        monkeypatch.setattr(state, "EVERY_SECONDS", 0.02)
        full, reports, written = True, [], []

        def save():
            if full:
                raise OSError("no space")
            written.append(1)

        keeper = state.Keeper(save, reports.append)
        keeper.changed()
        time.sleep(0.2)
        full = False
        assert eventually(lambda: written == [1])
        full = True
        keeper.changed()
        with pytest.raises(OSError, match="no space"):
            keeper.close()

        assert "no space" in reports[0]
        assert len(reports) <= 2

    def test_one_user_at_a_time(self, tmp_path):
        """A file that is in use cannot be taken a second time, and can be when it is free again."""
        with state.sole_user(tmp_path / "lab.json"):
            with pytest.raises(LabError, match="in use by another server"), state.sole_user(tmp_path / "lab.json"):
                pass
            with state.sole_user(tmp_path / "other.json"):
                pass
        with state.sole_user(tmp_path / "lab.json"):
            pass

    def test_the_lock_is_no_link(self, tmp_path):
        """The lock is nobody else's to read, and a link in its place is refused, and where it leads left alone."""
        with state.sole_user(tmp_path / "lab.json"):
            assert (tmp_path / ".lab.json.lock").stat().st_mode & 0o777 == 0o600
        elsewhere = tmp_path / "elsewhere"
        elsewhere.touch(mode=0o644)
        (tmp_path / ".other.json.lock").symlink_to(elsewhere)

        with pytest.raises(OSError, match="links"), state.sole_user(tmp_path / "other.json"):
            pass
        assert elsewhere.stat().st_mode & 0o777 == 0o644


@contextmanager
def command(*arguments):
    """Run ``kms-lab serve`` as a user does; yields the process and its output as far as the last example."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from kms_lab.cli import main; main()", "serve", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if "kms-lab travel" in line:
                break
        yield process, "".join(lines)
    finally:
        process.kill()
        process.communicate()


def variables(output):
    return dict(re.findall(r"(?:export |\$env:)(\w+)='([^']*)'", output.split("\n\nTo call it as")[1]))


def sdk(output):
    found = variables(output)
    return boto3.client(
        "kms",
        endpoint_url=found["AWS_ENDPOINT_URL_KMS"],
        region_name=found["AWS_REGION"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
    )


class TestCommand:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
    def test_what_was_done_is_kept(self, tmp_path, number):
        """Stopped by Ctrl-C or SIGTERM, the lab is in its file, whole; started again, it goes on where it was."""
        file = tmp_path / "lab.json"
        with command("--state", file) as (process, output):
            early = sdk(output).create_key()["KeyMetadata"]["KeyId"]
            assert eventually(lambda: Lab.load(file).key(early))
            key = sdk(output).create_key(Description="kept")["KeyMetadata"]
            process.send_signal(number)
            rest, _ = process.communicate(timeout=20)
            assert process.returncode == 0
            assert "the lab is kept in" in rest

        assert Lab.load(file).key(key["KeyId"]).description == "kept"
        assert os.name == "nt" or file.stat().st_mode & 0o777 == 0o600
        with command("--state", file) as (_, again):
            assert variables(again)["AWS_SECRET_ACCESS_KEY"] == variables(output)["AWS_SECRET_ACCESS_KEY"]
            assert sdk(again).describe_key(KeyId=key["KeyId"])["KeyMetadata"] == key

    def test_a_process_that_is_killed(self, tmp_path):
        """Killed, it loses at most what was done since the last writing: what is older than that is in the file."""
        file = tmp_path / "lab.json"
        with command("--state", file) as (process, output):
            for _ in range(2):
                key = sdk(output).create_key()["KeyMetadata"]["KeyId"]
                assert eventually(lambda key=key: Lab.load(file).key(key))
            process.kill()
            process.wait()

        assert len(Lab.load(file).client().list_keys()["Keys"]) == 2
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lab.json.lock", "lab.json"]

    def test_a_second_server(self, tmp_path):
        """A second server on the same file is refused, and the first goes on."""
        file = tmp_path / "lab.json"
        with command("--state", file) as (_, output):
            before = file.read_bytes()

            second = CliRunner().invoke(main, ["serve", "--state", str(file)])

            assert second.exit_code == 1
            assert "in use by another server" in second.output
            assert file.read_bytes() == before
            assert sdk(output).list_keys()["Keys"] == []

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b'{"format": "kms_lab world 2"}', b"\xff\xfe", b"my diary\n"], ids=repr
    )
    def test_a_file_that_is_no_lab(self, tmp_path, content):
        """A file that is not a saved lab is refused in words, and left as it is."""
        file = tmp_path / "lab.json"
        file.write_bytes(content)

        result = CliRunner().invoke(main, ["serve", "--state", str(file)])

        assert result.exit_code == 1
        assert "is not a lab that this version can read, and was left as it is" in result.output
        assert file.read_bytes() == content

    def test_a_place_that_cannot_be_written(self, tmp_path):
        """A file that cannot be made is refused before anything is served."""
        result = CliRunner().invoke(main, ["serve", "--state", str(tmp_path / "none" / "lab.json")])

        assert result.exit_code == 1
        assert "No such file" in result.output

    def test_a_port_that_is_taken(self, url):
        """A port that is taken is refused in words."""
        result = CliRunner().invoke(main, ["serve", "--port", str(port_of(url))])

        assert result.exit_code == 1
        assert str(port_of(url)) in result.output
        assert "Traceback" not in result.output

    def test_it_shows_credentials_and_no_other_secret(self, tmp_path):
        """It prints the credentials of those who were asked for, and nothing secret besides, whatever is done."""
        file = tmp_path / "lab.json"
        bob = "arn:aws:iam::444455556666:user/Bob"
        with command("--state", file, "--principal", bob, "--principal", APP) as (process, output):
            kms = sdk(output)
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            kms.generate_data_key(KeyId=key, KeySpec="AES_256")
            with pytest.raises(ClientError):
                kms.describe_key(KeyId="alias/none")
            process.terminate()
            output += process.communicate(timeout=20)[0]

        lab = Lab.load(file)
        shown = {
            value for arn in (ADMIN, bob, APP) for key in [lab.credentials(arn)] for value in (key.secret, key.token)
        }
        words = set(re.findall(r"[A-Za-z0-9+/=]{30,}", output))
        assert {word for word in shown if word} == {word for word in words if "/lab" not in word and "tmp" not in word}
        assert output.count("To call it as") == 3
        assert variables(output)["AWS_SESSION_TOKEN"] == ""  # one of the shell's own would spoil the Admin's key

    def test_a_new_principal_has_no_policies(self, tmp_path):
        """A principal that the lab did not know may do only what key policies and grants let it do."""
        with command("--principal", "arn:aws:iam::111122223333:user/Bob") as (_, output):
            kms = sdk(output.replace("To call it as", "", 1))

            with pytest.raises(ClientError, match="user/Bob is not authorized"):
                kms.list_keys()

    @pytest.mark.parametrize(
        "arn", ["Bob", "arn:aws:iam::1:user/Bob", "arn:aws:iam::111122223333:user/", "s3.amazonaws.com"]
    )
    def test_a_principal_that_is_none(self, arn):
        """What is no principal's ARN is refused in words."""
        result = CliRunner().invoke(main, ["serve", "--principal", arn])

        assert result.exit_code == 1
        assert "Traceback" not in result.output

    def test_the_clock_is_turned_from_the_shell(self, lab, url, monkeypatch):
        """kms-lab travel turns the clock of the lab that the environment names, and tells the time."""
        key = lab.credentials(ADMIN)
        for name, value in {
            "AWS_ENDPOINT_URL_KMS": url,
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_SESSION_TOKEN": "",
        }.items():
            monkeypatch.setenv(name, value)

        far = CliRunner().invoke(main, ["travel", "--days", "365"])
        back = CliRunner().invoke(main, ["travel", "--to", "2026-05-01T00:00Z"])

        assert far.output == "2027-01-01T09:00:00+00:00\n"
        assert back.exit_code == 1
        assert "only moves forward" in back.output

    @pytest.mark.parametrize("status", [200, 404])
    def test_a_clock_of_somebody_else(self, monkeypatch, status):
        """kms-lab travel says so when something else answers at the address."""

        class Page(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"<html>")

            def log_message(self, *_):
                pass

        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "x")
        with HTTPServer(("127.0.0.1", 0), Page) as server:
            threading.Thread(target=server.handle_request, daemon=True).start()
            result = CliRunner().invoke(main, ["travel", f"--endpoint=http://127.0.0.1:{server.server_port}"])

        assert result.exit_code == 1
        assert "no lab answers" in result.output

    @pytest.mark.parametrize(
        ("endpoint", "words"),
        [
            (None, "Missing option '--endpoint'"),
            ("https://kms.us-east-1.amazonaws.com", "is not the address of a lab"),
            ("http://[127.0.0.1", "is not the address of a lab"),
            ("http://127.0.0.1:1", "no lab answers"),
        ],
    )
    def test_a_clock_that_is_not_there(self, monkeypatch, endpoint, words):
        """kms-lab travel goes to a lab on this machine only, and says so when there is none."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        monkeypatch.delenv("AWS_ENDPOINT_URL_KMS", raising=False)

        result = CliRunner().invoke(main, ["travel", *([f"--endpoint={endpoint}"] if endpoint else [])])

        assert result.exit_code != 0
        assert words in result.output
