"""What every call passes: parameters, permissions of one and of two accounts, grant tokens, recipients, DryRun."""

import json
from dataclasses import replace

import botocore.session
import pytest

from kms_lab.core import model
from kms_lab.service.operation import OPERATIONS
from tests.service.conftest import COMMON, EVERYDAY, answer, code, method, new_key, refusal, sender

MODEL = botocore.session.get_session().get_service_model("kms")
DRY = sorted(name for name, row in OPERATIONS.items() if "DryRun" in row.model.members)
TOKENS = sorted(name for name, row in OPERATIONS.items() if "GrantTokens" in row.model.members)
ENCLAVE = sorted(name for name, row in OPERATIONS.items() if "Recipient" in row.model.members)
OTHER = "444455556666"


def policy(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(who: str, *actions: str) -> dict:
    return {"Effect": "Allow", "Principal": {"AWS": who}, "Action": list(actions), "Resource": "*"}


ROOT = allow("arn:aws:iam::111122223333:root", "kms:*")


def identity(*actions: str, effect: str = "Allow") -> dict:
    statement = {"Effect": effect, "Action": list(actions), "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


class TestDryRun:
    @pytest.mark.parametrize("operation", DRY)
    def test_success_is_an_error(self, stage, operation):
        """
        A DryRun of a call that would succeed ends in DryRunOperationException, and changes and returns nothing.
        """
        params = EVERYDAY[operation](stage)
        before = {name: value for name, value in stage.lab.world.to_data().items() if name != "log"}

        found = code(method(stage.kms, operation), **params, DryRun=True)

        assert found == "DryRunOperationException"
        assert {name: value for name, value in stage.lab.world.to_data().items() if name != "log"} == before

    @pytest.mark.parametrize("operation", [name for name in DRY if OPERATIONS[name].states])
    def test_failure_is_the_real_error(self, stage, operation):
        """
        A DryRun of a call that would fail ends in the error of the call itself.
        """
        params = EVERYDAY[operation](stage)
        stage.kms.disable_key(KeyId=stage.key)

        assert code(method(stage.kms, operation), **params, DryRun=True) == "DisabledException"

    @pytest.mark.parametrize(
        "params",
        [
            {"Plaintext": b"s" * 191},
            {"Plaintext": b"s", "EncryptionContext": {"a": "b"}},
            {"Plaintext": b"s" * 190},
        ],
    )
    def test_sizes_of_rsa(self, kms, rsa_key, params):
        """
        A DryRun finds too long a plaintext, and a context where none is taken, as the call itself would.
        """
        params = {"KeyId": rsa_key(), "EncryptionAlgorithm": "RSAES_OAEP_SHA_256", **params}

        real = code(kms.encrypt, **params)

        assert code(kms.encrypt, **params, DryRun=True) == (real or "DryRunOperationException")

    @pytest.mark.parametrize("method", ["generate_data_key", "generate_data_key_without_plaintext"])
    @pytest.mark.parametrize("wanted", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}])
    def test_sizes_of_data_keys(self, kms, key, method, wanted):
        """
        A DryRun finds that a data key has no size, or two.
        """
        assert code(getattr(kms, method), KeyId=key, **wanted, DryRun=True) == "ValidationException"

    @pytest.mark.parametrize("operation", DRY)
    def test_false_runs(self, stage, operation):
        """
        DryRun=False is no dry run.
        """
        assert code(method(stage.kms, operation), **EVERYDAY[operation](stage), DryRun=False) is None

    @pytest.mark.parametrize("operation", DRY)
    def test_permission_is_asked_for(self, stage, operation):
        """
        A DryRun without permission is AccessDeniedException: that is what it is for.
        """
        client = stage.lab.client(principal=stage.lab.iam.create_role("Nobody"))

        found = code(method(client, operation), **EVERYDAY[operation](stage), DryRun=True)

        assert found == "AccessDeniedException"

    @pytest.mark.parametrize(("operation", "prefix"), [("Decrypt", ""), ("ReEncrypt", "Source")])
    def test_without_ciphertext(self, stage, operation, prefix):
        """
        A ciphertext left out is a ValidationException, except in a dry run that ignores the ciphertext.
        """
        call = method(stage.kms, operation)
        params = {f"{prefix}KeyId": stage.key} | ({"DestinationKeyId": stage.key} if prefix else {})

        assert code(call, **params) == "ValidationException"
        modified = {**params, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
        assert code(call, **modified) == "DryRunOperationException"
        assert code(call, **modified, CiphertextBlob=b"rubbish") == "DryRunOperationException"
        assert code(call, **{**modified, "DryRun": False}) == "ValidationException"

    @pytest.mark.parametrize(("operation", "prefix"), [("Decrypt", ""), ("ReEncrypt", "Source")])
    def test_ignoring_the_ciphertext_needs_a_key(self, stage, operation, prefix):
        """
        A dry run without ciphertext has to say which key is meant, whatever bytes come with it.
        """
        modified = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"], "CiphertextBlob": stage.blob}
        params = {"DestinationKeyId": stage.key} if prefix else {}

        assert code(method(stage.kms, operation), **params, **modified) == "ValidationException"

    @pytest.mark.parametrize("operation", ["Decrypt", "ReEncrypt"])
    def test_ignoring_the_ciphertext_still_asks_for_permission_and_state(self, stage, operation):
        """
        Authorization, key state and usage are checked as ever; only the ciphertext is not.
        """
        prefix = "Source" if operation == "ReEncrypt" else ""
        params = {f"{prefix}KeyId": stage.key} | ({"DestinationKeyId": stage.other} if prefix else {})
        modified = {**params, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
        nobody = stage.lab.client(stage.lab.iam.create_role("Nobody"))

        assert code(method(nobody, operation), **{**modified, f"{prefix}KeyId": stage.key}) == "AccessDeniedException"
        stage.kms.disable_key(KeyId=stage.key)
        assert code(method(stage.kms, operation), **modified) == "DisabledException"


class TestOptions:
    @pytest.mark.parametrize("operation", TOKENS)
    def test_grant_tokens(self, stage, operation):
        """
        A token that belongs to no grant is refused, wherever AWS's model lists an error for invalid ones.
        """
        listed = {shape.name for shape in MODEL.operation_model(operation).error_shapes}

        found = code(method(stage.kms, operation), **EVERYDAY[operation](stage), GrantTokens=["token"])

        assert found == ("InvalidGrantTokenException" if "InvalidGrantTokenException" in listed else None)

    @pytest.mark.parametrize("operation", TOKENS)
    def test_no_grant_tokens(self, stage, operation):
        """
        An empty list of grant tokens is none.
        """
        assert code(method(stage.kms, operation), **EVERYDAY[operation](stage), GrantTokens=[]) is None

    def test_a_bad_token_comes_before_a_denial(self, stage):
        """
        Who needs a token is told that it is not valid, not that access is denied.
        """
        nobody = stage.lab.client(stage.lab.iam.create_role("Nobody"))

        assert code(nobody.encrypt, KeyId=stage.key, Plaintext=b"p") == "AccessDeniedException"
        assert code(nobody.encrypt, KeyId=stage.key, Plaintext=b"p", GrantTokens=["x"]) == "InvalidGrantTokenException"

    @pytest.mark.parametrize("operation", ENCLAVE)
    def test_recipient(self, stage, operation):
        """
        The lab has no enclaves, and says so rather than answer in the clear.
        """
        recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}

        error = refusal(method(stage.kms, operation), **EVERYDAY[operation](stage), Recipient=recipient)

        assert error.code == "UnsupportedByLab"
        assert "enclave" in error.message


class TestAuthorize:
    @pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"ReEncrypt"}))
    def test_exactly_this_permission(self, stage, operation):
        """
        A role that may do nothing is refused, by the permission's name; one that may do this one thing may do it.
        """
        params = EVERYDAY[operation](stage)
        if operation == "CancelKeyDeletion":
            stage.kms.schedule_key_deletion(KeyId=stage.key)
        permission = OPERATIONS[operation].permission
        role = stage.lab.iam.create_role("App")
        call = method(stage.lab.client(principal=role), operation)

        error = refusal(call, **params)
        assert error.code == "AccessDeniedException"
        assert f"is not authorized to perform: {permission} on" in error.message
        assert error.message.endswith(f"because no identity-based policy allows the {permission} action")

        more = {
            "CreateKey": ["kms:TagResource", "kms:PutKeyPolicy", "iam:CreateServiceLinkedRole"],
            "PutKeyPolicy": ["kms:PutKeyPolicy"],
            "ReplicateKey": ["kms:CreateKey"],
        }
        stage.lab.iam.put_policies(role, [identity(permission, *more.get(operation, ()))])
        assert code(call, **params) is None

    def test_create_key_with_tags(self, lab):
        """
        CreateKey with tags asks for kms:TagResource too; AWS's refusal names no resource, since there is none yet.
        """
        role = lab.iam.create_role("App", policies=[identity("kms:CreateKey", "kms:PutKeyPolicy")])
        app = lab.client(principal=role)

        assert code(app.create_key) is None
        assert answer(app.create_key, Tags=[{"TagKey": "a", "TagValue": "b"}]) == (
            "AccessDeniedException",
            "User: arn:aws:sts::111122223333:assumed-role/App/lab is not authorized to perform: kms:TagResource "
            "because no identity-based policy allows the kms:TagResource action",
        )

    @pytest.mark.parametrize("missing", ["kms:ReEncryptFrom", "kms:ReEncryptTo"])
    def test_re_encrypt_needs_both(self, stage, missing):
        """
        ReEncrypt needs kms:ReEncryptFrom on the source and kms:ReEncryptTo on the destination.
        """
        held = {"kms:ReEncryptFrom", "kms:ReEncryptTo"} - {missing}
        role = stage.lab.iam.create_role("App", policies=[identity(*held)])
        app = stage.lab.client(principal=role)
        params = {"CiphertextBlob": stage.blob, "DestinationKeyId": stage.other}

        name, text = answer(app.re_encrypt, **params)

        assert name == "AccessDeniedException"
        assert f"perform: {missing} on resource: {stage.key if missing.endswith('From') else stage.other}" in text
        stage.lab.iam.put_policies(role, [identity("kms:ReEncrypt*")])
        assert code(app.re_encrypt, **params) is None

    def test_key_policy_without_the_account(self, lab, kms, key):
        """
        Without the account in the key policy an identity policy allows nothing, and an explicit deny names its layer.
        """
        admin = "arn:aws:iam::111122223333:user/Admin"
        role = lab.iam.create_role("App", policies=[identity("kms:*")])
        app = lab.client(principal=role)
        assert code(app.encrypt, KeyId=key, Plaintext=b"x") is None

        kms.put_key_policy(KeyId=key, Policy=policy(allow(admin, "kms:*")))
        _, text = answer(app.encrypt, KeyId=key, Plaintext=b"x")
        assert text.endswith("because no resource-based policy allows the kms:Encrypt action")

        deny = allow(role, "kms:Encrypt") | {"Effect": "Deny"}
        kms.put_key_policy(KeyId=key, Policy=policy(allow(admin, "kms:*"), ROOT, deny))
        _, text = answer(app.encrypt, KeyId=key, Plaintext=b"x")
        assert text.endswith("with an explicit deny in a resource-based policy")

        kms.put_key_policy(KeyId=key, Policy=policy(allow(admin, "kms:*"), ROOT))
        lab.iam.put_policies(role, [identity("kms:*"), identity("kms:Encrypt", effect="Deny")])
        _, text = answer(app.encrypt, KeyId=key, Plaintext=b"x")
        assert text.endswith("with an explicit deny in an identity-based policy")

    def test_parameters_come_before_permissions(self, lab, key):
        """
        Malformed parameters are refused before anybody asks who calls, and an unknown key before permissions.
        """
        app = lab.client(principal=lab.iam.create_role("App"))

        assert code(app.encrypt, KeyId=key, Plaintext=b"") == "ValidationException"
        assert code(app.encrypt, KeyId="1234abcd-12ab-34cd-56ef-1234567890ab", Plaintext=b"x") == "NotFoundException"

    def test_permission_comes_before_the_ciphertext(self, lab, kms, key):
        """
        A caller without permission never learns whether the context fits.
        """
        app = lab.client(principal=lab.iam.create_role("App"))
        blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]

        assert code(app.decrypt, CiphertextBlob=blob) == "AccessDeniedException"
        assert code(app.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"}) == "AccessDeniedException"


class TestAcrossAccounts:
    """Two accounts in one world: the key is in the first, the caller in the second."""

    NOWHERE = (
        "because the resource does not exist in this Region, no resource-based policies allow access, "
        "or a resource-based policy explicitly denies access"
    )

    @pytest.fixture
    def guest(self, lab):
        return lab.iam.create_role("Guest", account=OTHER)

    @pytest.mark.parametrize("key_half", [True, False])
    @pytest.mark.parametrize("iam_half", [True, False])
    @pytest.mark.parametrize("who", [f"arn:aws:iam::{OTHER}:root", f"arn:aws:iam::{OTHER}:role/Guest", OTHER])
    def test_both_halves(self, lab, kms, key, guest, key_half, iam_half, who):
        """
        Decrypt across accounts needs the key policy's half and the caller's own account's half.
        """
        if key_half:
            kms.put_key_policy(KeyId=key, Policy=policy(ROOT, allow(who, "kms:Decrypt")))
        if iam_half:
            lab.iam.put_policies(guest, [identity("kms:Decrypt")])
        blob = kms.encrypt(KeyId=key, Plaintext=b"shared")["CiphertextBlob"]
        client = lab.client(principal=guest)

        if key_half and iam_half:
            assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"shared"
            assert client.decrypt(CiphertextBlob=blob, KeyId=key)["Plaintext"] == b"shared"
            return
        name, text = answer(client.decrypt, CiphertextBlob=blob)
        assert name == "AccessDeniedException"
        assert text.startswith(
            f"User: arn:aws:sts::{OTHER}:assumed-role/Guest/lab is not authorized to perform: kms:Decrypt on the "
            "resource associated with this ciphertext because "
        )
        own = "no identity-based policy allows the kms:Decrypt action"
        assert text.endswith(own) == key_half
        assert text.endswith(self.NOWHERE) == (not key_half)

    def test_missing_and_forbidden_look_alike(self, lab, key, guest):
        """
        A foreign key that does not exist and one that is not shared give the same answer.
        """
        lab.iam.put_policies(guest, [identity("kms:*")])
        client = lab.client(principal=guest)
        ghost = key[:-1] + ("0" if key[-1] != "0" else "1")

        assert answer(client.describe_key, KeyId=key) == answer(client.describe_key, KeyId=ghost)
        assert answer(client.describe_key, KeyId=key) == (
            "AccessDeniedException",
            f"User: arn:aws:sts::{OTHER}:assumed-role/Guest/lab is not authorized to perform: kms:DescribeKey "
            f"on this resource {self.NOWHERE}",
        )

    @pytest.mark.parametrize(
        "operation",
        sorted(
            name
            for name, row in OPERATIONS.items()
            if "KeyId" in row.model.required and name not in ("ReEncrypt", "Decrypt")
        ),
    )
    def test_only_what_works_across_accounts(self, stage, guest, operation):
        """
        With everything allowed on both sides, exactly the operations that AWS names work across accounts.
        """
        params = EVERYDAY[operation](stage)
        stage.kms.put_key_policy(KeyId=stage.key, Policy=policy(ROOT, allow(OTHER, "kms:*")))
        stage.lab.iam.put_policies(guest, [identity("kms:*")])
        if operation == "CancelKeyDeletion":
            stage.kms.schedule_key_deletion(KeyId=stage.key)

        found = code(method(stage.lab.client(principal=guest), operation), **params)

        assert found == (None if OPERATIONS[operation].cross_account else "AccessDeniedException")

    def test_key_id_and_alias_mean_the_callers_account(self, lab, kms, key, guest):
        """
        A bare key id or alias name is looked up in the caller's own account; an alias ARN crosses over.
        """
        kms.put_key_policy(KeyId=key, Policy=policy(ROOT, allow(OTHER, "kms:*")))
        kms.create_alias(AliasName="alias/app", TargetKeyId=key)
        lab.iam.put_policies(guest, [identity("kms:*")])
        client = lab.client(principal=guest)

        assert code(client.encrypt, KeyId=key.rpartition("/")[2], Plaintext=b"x") == "NotFoundException"
        assert code(client.encrypt, KeyId="alias/app", Plaintext=b"x") == "NotFoundException"
        assert code(client.encrypt, KeyId=kms.list_aliases()["Aliases"][0]["AliasArn"], Plaintext=b"x") is None

    def test_re_encrypt_between_accounts(self, lab, kms, key, guest):
        """
        ReEncrypt's two keys can be in different accounts.
        """
        kms.put_key_policy(KeyId=key, Policy=policy(ROOT, allow(OTHER, "kms:ReEncryptFrom")))
        lab.iam.put_policies(guest, [identity("kms:*")])
        client = lab.client(principal=guest)
        home = new_key(client)
        blob = kms.encrypt(KeyId=key, Plaintext=b"moved")["CiphertextBlob"]

        moved = client.re_encrypt(CiphertextBlob=blob, DestinationKeyId=home)["CiphertextBlob"]

        assert client.decrypt(CiphertextBlob=moved)["Plaintext"] == b"moved"
        assert (
            code(client.re_encrypt, CiphertextBlob=moved, DestinationKeyId=key) == "AccessDeniedException"
        )  # no kms:ReEncryptTo on the other account's key

    def test_alias_cannot_point_abroad(self, lab, kms, key, guest):
        """
        No alias points at a key of another account, however much both allow.
        """
        kms.put_key_policy(KeyId=key, Policy=policy(ROOT, allow(OTHER, "kms:*")))
        lab.iam.put_policies(guest, [identity("kms:*")])

        found = code(lab.client(principal=guest).create_alias, AliasName="alias/far", TargetKeyId=key)

        assert found == "AccessDeniedException"


class TestServiceValidation:
    """Without an SDK in between, the service refuses what AWS's model does not allow."""

    def test_missing(self, lab):
        """
        A missing member is null at its name in lower camel case; several violations are counted.
        """
        assert answer(sender(lab, "Encrypt"), KeyId="") == (
            "ValidationException",
            "2 validation errors detected: "
            "Value null at 'plaintext' failed to satisfy constraint: Member must not be null; "
            "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
        )

    @pytest.mark.parametrize(
        ("operation", "params", "phrase"),
        [
            ("CreateAlias", {"AliasName": "alias/é", "TargetKeyId": "x"}, "pattern: ^[a-zA-Z0-9:/_-]+$"),
            (
                "CreateKey",
                {"KeySpec": "DES"},
                "'DES' at 'keySpec' failed to satisfy constraint: Member must satisfy enum",
            ),
            (
                "ListKeys",
                {"Limit": 0},
                "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater",
            ),
            ("ListKeys", {"Limit": 1001}, "less than or equal to 1000"),
            ("EnableKeyRotation", {"KeyId": "x", "RotationPeriodInDays": 89}, "greater than or equal to 90"),
            ("EnableKeyRotation", {"KeyId": "x", "RotationPeriodInDays": 2561}, "less than or equal to 2560"),
            ("UpdateKeyDescription", {"KeyId": "x", "Description": "d" * 8193}, "less than or equal to 8192"),
            ("Decrypt", {"CiphertextBlob": b"c" * 6145}, "Value at 'ciphertextBlob' failed to satisfy constraint: "),
            ("Encrypt", {"KeyId": "x", "Plaintext": b"x", "GrantTokens": ["t"] * 11}, "at 'grantTokens' failed"),
        ],
    )
    def test_constraints(self, lab, operation, params, phrase):
        """
        Each kind of constraint has AWS's wording, with the member's name and, unless secret, its value.
        """
        name, text = answer(sender(lab, operation), **params)

        assert name == "ValidationException"
        assert text.startswith("1 validation error detected: Value")
        assert phrase in text


# ------------------------------------------------------------------------------ every refusal is one that AWS lists

BLOCKED = {
    "the key is not there": {"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"},
    "no key id": {"KeyId": "nonsense"},
    "an alias": {"KeyId": "alias/key"},
    "another Region": {"KeyId": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
    "target is not there": {"TargetKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"},
    "target is an alias": {"TargetKeyId": "alias/other"},
    "alias is not there": {"AliasName": "alias/none"},
    "alias is there": {"AliasName": "alias/key"},
    "alias is reserved": {"AliasName": "alias/aws/s3"},
    "alias is empty": {"AliasName": "alias/"},
    "marker is bad": {"Marker": "bad"},
    "marker is odd": {"Marker": "S2V5czrCsg=="},
    "policy is malformed": {"Policy": "{"},
    "policy is too long": {"Policy": " " * 33_000},
    "policy has another name": {"PolicyName": "other"},
    "ciphertext is garbage": {"CiphertextBlob": b"garbage"},
    "destination is not there": {"DestinationKeyId": "alias/none"},
    "algorithm does not fit": {"EncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
    "destination algorithm does not fit": {"DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
    "window is too short": {"PendingWindowInDays": 6},
    "window is too long": {"PendingWindowInDays": 31},
    "owners abroad": {"ResourceOwners": ["OTHER_ACCOUNTS_VIA_RAM"]},
    "grant token": {"GrantTokens": ["none"]},
    "dry run": {"DryRun": True},
    "context": {"EncryptionContext": {"x": "y"}},
    "spec and size": {"KeySpec": "AES_256", "NumberOfBytes": 32},
}
CASES = [
    (operation, trouble)
    for operation in sorted(OPERATIONS)
    for trouble, params in BLOCKED.items()
    if params.keys() <= model.operation(operation).members.keys()
]


@pytest.mark.parametrize(("operation", "trouble"), CASES)
def test_refusals_are_listed(stage, operation, trouble):
    """
    Whatever is wrong with a call, the error is in AWS's list for the operation or common to all.
    """
    listed = {shape.name for shape in MODEL.operation_model(operation).error_shapes}

    found = code(method(stage.kms, operation), **{**EVERYDAY[operation](stage), **BLOCKED[trouble]})

    assert found is None or found in listed | COMMON


def test_troubles_make_trouble(stage):
    """
    Each of the troubles above is one for some operation.
    """
    found = set()
    for operation, trouble in CASES:
        fork = stage.lab.fork()
        on = replace(stage, lab=fork, kms=fork.client())
        if code(method(on.kms, operation), **{**EVERYDAY[operation](on), **BLOCKED[trouble]}):
            found.add(trouble)

    assert found == set(BLOCKED)
