"""attempt(): a refusal becomes a card, everything else stays what it is."""

import json
import os
import subprocess
import sys

import pytest

from kms_lab.core.errors import KMSError, LabError
from kms_lab.lab import Lab
from kms_lab.teach.attempt import WHAT_TO_TRY, attempt, refusal_card


@pytest.fixture
def lab() -> Lab:
    return Lab(seed=3)


class TestAttempt:
    def test_refusal_is_shown_and_swallowed(self, lab, capsys):
        """A refused call shows operation, code, AWS's message and what to try; the code after the block runs."""
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.disable_key(KeyId=key)

        with attempt() as tried:
            kms.encrypt(KeyId=key, Plaintext=b"x")

        shown = capsys.readouterr().out
        assert tried.refused
        assert tried.code == "DisabledException"
        assert isinstance(tried.error, KMSError)
        assert "Refused: Encrypt" in shown
        assert f"{key} is disabled." in shown
        assert "enable_key" in shown

    def test_denial_says_why(self, lab, capsys):
        """A denied call's card carries the verdict's own sentence."""
        key = lab.client().create_key()["KeyMetadata"]["KeyId"]
        app = lab.client(principal=lab.iam.create_role("App"))

        with attempt() as tried:
            app.encrypt(KeyId=key, Plaintext=b"x")

        sentence = tried.error.evidence["verdict"].sentence
        assert sentence
        assert f"Why: {sentence}" in capsys.readouterr().out

    def test_success(self, lab, capsys):
        """Without a refusal nothing is shown."""
        with attempt() as tried:
            lab.client().list_keys()

        assert (tried.refused, tried.code, tried.error) == (False, "", None)
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize("error", [NameError("kmz"), ValueError("x"), LabError("x"), KeyboardInterrupt()])
    def test_other_exceptions_pass(self, error):
        """A mistake in Python passes through."""
        with pytest.raises(type(error)), attempt():
            raise error

    @pytest.mark.parametrize(
        ("params", "said", "advice"),
        [
            ({"EncryptionContext": {"locker": 40}}, "parameter EncryptionContext.locker, value: 40", "in quotes"),
            ({"EncryptionContext": {"locker", "40"}}, "valid types: <class 'dict'>", "a colon"),
            ({"EncryptionContext": "locker=40"}, "valid types: <class 'dict'>", "in braces"),
            ({"EncryptionContext": None}, "type: <class 'NoneType'>", "Nothing is in it"),
            ({"KeyId": {"KeyId": "x"}}, "parameter KeyId", "a whole answer"),
            ({"Plaintext": 1234}, "valid types: <class 'bytes'>", "`b` before the quotes"),
            ({"Plaintext": b"x", "KeyID": "x"}, 'Unknown parameter in input: "KeyID"', "letter by letter"),
            ({"GrantTokens": "token"}, "valid types: <class 'list'>", "in brackets"),
            ({"KeyId": ""}, "Invalid length for parameter KeyId", "nothing is in it"),
        ],
    )
    def test_call_that_is_never_sent(self, lab, capsys, params, said, advice):
        """A call that boto3 would not send shows boto3's words and what to change, and leaves no trace."""
        with attempt() as tried:
            lab.client().encrypt(**{"KeyId": "alias/x", "Plaintext": b"x"} | params)

        shown = capsys.readouterr().out
        assert said in shown
        assert "never sent: nothing is logged" in shown
        assert advice in shown.partition("Try: ")[2]
        assert (tried.refused, tried.code) == (True, "ParamValidationError")
        assert len(lab.world.log) == 0

    def test_a_long_value_is_cut(self, lab, capsys):
        """A long value that is of a wrong type does not fill the screen; its type is still told."""
        with attempt():
            lab.client().decrypt(CiphertextBlob=list(range(1_000)))

        shown = capsys.readouterr().out
        assert len(shown) < 600
        assert "…, type: <class 'list'>" in shown

    def test_no_key_was_found(self, lab, capsys):
        """A denial that no policy decided does not send the learner to the last verdict."""
        kms = lab.client()
        blob = bytearray(kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], Plaintext=b"x")["CiphertextBlob"])
        blob[10] ^= 1  # another account

        with attempt() as tried:
            kms.decrypt(CiphertextBlob=blob)

        shown = capsys.readouterr().out
        assert tried.code == "AccessDeniedException"
        assert "KMS found no key whose policies it could ask." in shown
        assert "last_verdict" not in shown

    def test_missing_parameter(self, lab, capsys):
        """A call without a parameter that it needs says which; the same advice is given once."""
        with attempt():
            lab.client().encrypt()

        shown = capsys.readouterr().out
        assert 'Missing required parameter in input: "Plaintext"' in shown
        assert shown.count("Try: ") == 1

    def test_open_gap(self, lab, capsys):
        """A parameter that still is the gap of a worked example is told as such, and the notebook goes on."""
        with attempt() as tried:
            lab.client().create_alias(AliasName="alias/table", TargetKeyId=...)

        assert "This cell has a gap" in capsys.readouterr().out
        assert not tried.refused
        assert len(lab.world.log) == 0

    def test_text_is_escaped(self, lab):
        """A message that holds markup is shown, not obeyed."""
        with attempt() as tried:
            lab.client().describe_key(KeyId="alias/<script>alert(1)</script>")

        assert "<script>" not in refusal_card(tried.error).html()

    def test_advice_names_real_errors(self):
        """Every code with advice is an error that the lab can give."""
        from kms_lab.core import errors

        assert [code for code in WHAT_TO_TRY if not hasattr(errors, code)] == []

    def test_card_in_a_notebook(self, lab):
        """The refusal's data is JSON-safe HTML and text, as a notebook stores it."""
        with attempt() as tried:
            lab.client().describe_key(KeyId="alias/none")

        bundle = refusal_card(tried.error)._repr_mimebundle_()
        assert json.loads(json.dumps(bundle)).keys() == {"text/html", "text/plain"}


class TestOutsideAttempt:
    @pytest.fixture
    def run(self, tmp_path):
        """Run code as a notebook would, after a lesson was opened, and return what the learner reads."""

        def run(code):
            opened = "from kms_lab.teach import open_lesson; kms = open_lesson('00').kms"
            line = [sys.executable, "-m", "IPython", "--simple-prompt", "--colors=NoColor", "-c", f"{opened}\n{code}"]
            home = {**os.environ, "KMS_LAB_HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path)}
            done = subprocess.run(line, capture_output=True, text=True, env=home, timeout=60, check=False)
            return done.stdout + done.stderr

        return run

    def test_refusal(self, run):
        """A refusal ends the cell; the learner reads the own line, AWS's answer and what to try, and no lab code."""
        shown = run("kms.encrypt(KeyId='orders', Plaintext=b'x')\nprint('went', 'on')")

        assert "NotFoundException" in shown
        assert "kms.encrypt(KeyId='orders'" in shown
        assert "Try: " in shown
        assert "pipeline.py" not in shown
        assert "client.py" not in shown
        assert "went on" not in shown

    def test_parameter_mistake(self, run):
        """A call that boto3 would not send shows the problem, and no lab code."""
        shown = run("kms.encrypt(KeyID='alias/orders', Plaintext=b'x')")

        assert 'Unknown parameter in input: "KeyID"' in shown
        assert "client.py" not in shown

    def test_whole_answer(self, run):
        """Whoever hands in a whole answer where an id belongs is told to take a member of it."""
        shown = run("kms.encrypt(KeyId=kms.create_key()['KeyMetadata'], Plaintext=b'x')")

        assert 'Take one member: `["KeyId"]`.' in shown

    def test_python_mistake(self, run):
        """A mistake in Python is shown as Python shows it."""
        assert "NameError: name 'kmz' is not defined" in run("kmz.encrypt()")
