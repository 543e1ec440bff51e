"""AWS's own command line tool works on ``kms-lab serve``, and what it signs there OpenSSL verifies without us."""

import base64
import json
import os
import re
import subprocess
import sys

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import load_der_public_key


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """What ``kms-lab serve`` tells a user of the shell to set, on a machine that has no AWS configuration."""
    home = tmp_path_factory.mktemp("home")
    process = subprocess.Popen(
        [sys.executable, "-c", "from kms_lab.cli import main; main()", "serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        output = ""
        for line in process.stdout:
            output += line
            if "kms-lab travel" in line:
                break
        given = dict(re.findall(r"(?:export |\$env:)(\w+)='([^']*)'", output))
        bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        nowhere = {name: str(home / name) for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
        yield {**bare, **nowhere, **given, "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1"}
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def aws(environment, tmp_path):
    """Run ``aws`` in a folder of its own and return what it prints, read as JSON; with ``fails`` what it complains."""

    def run(*arguments, fails=False, **variables):
        done = subprocess.run(
            [sys.executable, "-m", "awscli", *arguments, "--output", "json"],
            env={**environment, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else json.loads(done.stdout or "{}")

    return run


def openssl(folder, *arguments):
    return subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True).returncode == 0


class TestEncryption:
    def test_a_file_is_encrypted_and_decrypted(self, aws, tmp_path):
        """create-key, create-alias, encrypt from a file and decrypt from a file give the file back."""
        plain = bytes(range(256))
        (tmp_path / "plain").write_bytes(plain)
        key = aws("kms", "create-key", "--description", "orders")["KeyMetadata"]
        aws("kms", "create-alias", "--alias-name", "alias/orders", "--target-key-id", key["KeyId"])
        context = ("--encryption-context", "tenant=a,table=orders")

        sealed = aws("kms", "encrypt", "--key-id", "alias/orders", "--plaintext", "fileb://plain", *context)
        (tmp_path / "sealed").write_bytes(base64.b64decode(sealed["CiphertextBlob"]))

        opened = aws("kms", "decrypt", "--ciphertext-blob", "fileb://sealed", *context)
        assert base64.b64decode(opened["Plaintext"]) == plain
        assert opened["KeyId"] == sealed["KeyId"] == key["Arn"]
        assert "InvalidCiphertextException" in aws("kms", "decrypt", "--ciphertext-blob", "fileb://sealed", fails=True)
        assert aws("kms", "describe-key", "--key-id", "alias/orders")["KeyMetadata"]["Description"] == "orders"


class TestSignature:
    @pytest.mark.parametrize(
        ("spec", "algorithm", "options", "scheme"),
        [
            ("ECC_NIST_P256", "ECDSA_SHA_256", (), (ec.ECDSA(hashes.SHA256()),)),
            (
                "RSA_2048",
                "RSASSA_PSS_SHA_256",
                ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"),
                (padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH), hashes.SHA256()),
            ),
        ],
    )
    def test_others_verify_it(self, aws, tmp_path, spec, algorithm, options, scheme):
        """A signature made with sign verifies under get-public-key, offline, with OpenSSL and with cryptography."""
        (tmp_path / "message").write_bytes(b"pay 100 to Alice")
        (tmp_path / "forged").write_bytes(b"pay 900 to Alice")
        made = aws("kms", "create-key", "--key-spec", spec, "--key-usage", "SIGN_VERIFY")["KeyMetadata"]

        signed = aws(
            *("kms", "sign", "--key-id", made["KeyId"], "--message-type", "RAW"),
            *("--message", "fileb://message", "--signing-algorithm", algorithm),
        )
        public = base64.b64decode(aws("kms", "get-public-key", "--key-id", made["KeyId"])["PublicKey"])

        signature = base64.b64decode(signed["Signature"])
        (tmp_path / "signature").write_bytes(signature)
        (tmp_path / "public.der").write_bytes(public)
        assert openssl(tmp_path, "pkey", "-pubin", "-inform", "DER", "-in", "public.der", "-out", "public.pem")
        check = ("dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", *options)
        assert openssl(tmp_path, *check, "message")
        assert not openssl(tmp_path, *check, "forged")
        load_der_public_key(public).verify(signature, b"pay 100 to Alice", *scheme)
        with pytest.raises(InvalidSignature):
            load_der_public_key(public).verify(signature, b"pay 900 to Alice", *scheme)


class TestRotation:
    def test_keys_rotate_on_demand_and_by_the_clock(self, aws, environment, tmp_path):
        """rotate-key-on-demand and 91 days with rotation enabled are two rotations, and old ciphertext still opens."""
        key = aws("kms", "create-key")["KeyMetadata"]["KeyId"]
        (tmp_path / "plain").write_bytes(b"before")
        sealed = aws("kms", "encrypt", "--key-id", key, "--plaintext", "fileb://plain")["CiphertextBlob"]
        aws("kms", "enable-key-rotation", "--key-id", key, "--rotation-period-in-days", "90")
        aws("kms", "rotate-key-on-demand", "--key-id", key)

        travel = [sys.executable, "-c", "from kms_lab.cli import main; main()", "travel", "--days", "91"]
        subprocess.run(travel, env=environment, check=True, capture_output=True)

        rotations = aws("kms", "list-key-rotations", "--key-id", key)["Rotations"]
        assert [one["RotationType"] for one in rotations] == ["ON_DEMAND", "AUTOMATIC"]
        (tmp_path / "sealed").write_bytes(base64.b64decode(sealed))
        opened = aws("kms", "decrypt", "--ciphertext-blob", "fileb://sealed")["Plaintext"]
        assert base64.b64decode(opened) == b"before"


class TestCaller:
    def test_it_is_known(self, aws):
        """sts get-caller-identity tells whose credentials kms-lab serve printed."""
        assert aws("sts", "get-caller-identity")["Arn"] == "arn:aws:iam::111122223333:user/Admin"

    def test_somebody_else_is_refused(self, aws):
        """Credentials that are not of this lab are refused, and so is a service that it does not have."""
        stranger = aws("kms", "list-keys", fails=True, AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE")

        assert "UnrecognizedClientException" in stranger
