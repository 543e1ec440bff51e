"""Aliases: names, targets, and what may replace what."""

import pytest

from tests.service.conftest import answer, code, new_key

HMAC = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
HMAC_512 = {"KeySpec": "HMAC_512", "KeyUsage": "GENERATE_VERIFY_MAC"}
P256 = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
AGREE = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"}
EDWARDS = {"KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY"}
RSA = {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}


def names(kms, **params):
    return [alias["AliasName"] for alias in kms.list_aliases(**params)["Aliases"]]


class TestNames:
    @pytest.mark.parametrize("name", ["alias/a", "alias/A-Z_0/9", "alias/aws", "alias/awsome", "alias/" + "x" * 250])
    def test_allowed(self, kms, key, name):
        """
        Letters, digits, slash, underscore and dash, up to 256 characters in all; and the key answers to it.
        """
        kms.create_alias(AliasName=name, TargetKeyId=key)

        assert kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == key

    @pytest.mark.parametrize(
        ("name", "error"),
        [
            ("orders", "ValidationException"),
            ("Alias/orders", "ValidationException"),
            ("alias/or ders", "ValidationException"),
            ("alias/" + "x" * 251, "ValidationException"),
            ("alias/", "InvalidAliasNameException"),
            ("alias/a:b", "ValidationException"),
            ("alias/aws/orders", "NotAuthorizedException"),
        ],
    )
    def test_refused(self, kms, key, name, error):
        """
        Other names are refused, and alias/aws/ belongs to AWS.
        """
        assert code(kms.create_alias, AliasName=name, TargetKeyId=key) == error
        assert names(kms) == []

    @pytest.mark.parametrize("operation", ["update_alias", "delete_alias"])
    def test_reserved_prefix_everywhere(self, kms, key, operation):
        """
        An alias of AWS can be neither moved nor deleted.
        """
        params = {"AliasName": "alias/aws/s3"} | ({"TargetKeyId": key} if operation == "update_alias" else {})

        assert code(getattr(kms, operation), **params) == "NotAuthorizedException"

    def test_one_name_in_two_regions(self, lab, kms, key):
        """
        An alias name is unique in its account and Region, and free in the next Region.
        """
        ireland = lab.client(region="eu-west-1")
        kms.create_alias(AliasName="alias/app", TargetKeyId=key)
        far = new_key(ireland)

        ireland.create_alias(AliasName="alias/app", TargetKeyId=far)

        assert ireland.describe_key(KeyId="alias/app")["KeyMetadata"]["Arn"] == far
        assert kms.describe_key(KeyId="alias/app")["KeyMetadata"]["Arn"] == key
        assert names(ireland) == names(kms) == ["alias/app"]

    def test_no_alias_of_a_key_elsewhere(self, lab, kms):
        """
        An alias cannot point at a key of another Region.
        """
        far = new_key(lab.client(region="eu-west-1"))

        assert answer(kms.create_alias, AliasName="alias/far", TargetKeyId=far) == (
            "NotFoundException",
            "Invalid arn eu-west-1",
        )

    def test_no_alias_of_an_alias(self, kms, key):
        """
        An alias points at a key, never at an alias, by name or by ARN.
        """
        kms.create_alias(AliasName="alias/a", TargetKeyId=key)
        arn = kms.list_aliases()["Aliases"][0]["AliasArn"]

        for target in ("alias/a", arn):
            assert code(kms.create_alias, AliasName="alias/b", TargetKeyId=target) == "ValidationException"
            assert code(kms.update_alias, AliasName="alias/a", TargetKeyId=target) == "ValidationException"


class TestUpdate:
    @pytest.mark.parametrize(
        ("old", "new", "allowed"),
        [
            ({}, {}, True),
            ({}, HMAC, False),
            ({}, RSA, False),
            (HMAC, HMAC_512, True),
            (HMAC, P256, False),
            (P256, EDWARDS, True),
            (P256, AGREE, False),
            (RSA, {}, False),
        ],
    )
    def test_same_type_and_usage(self, kms, old, new, allowed):
        """
        An alias moves only between keys of one type (symmetric, HMAC, asymmetric) and one usage.
        """
        before, after = new_key(kms, **old), new_key(kms, **new)
        kms.create_alias(AliasName="alias/app", TargetKeyId=before)

        found = code(kms.update_alias, AliasName="alias/app", TargetKeyId=after)

        assert found == (None if allowed else "ValidationException")
        assert kms.describe_key(KeyId="alias/app")["KeyMetadata"]["Arn"] == (after if allowed else before)

    def test_dates(self, lab, kms, key):
        """
        Moving an alias changes LastUpdatedDate and not CreationDate.
        """
        kms.create_alias(AliasName="alias/app", TargetKeyId=key)
        made = lab.clock.now
        lab.clock.travel(days=3)

        kms.update_alias(AliasName="alias/app", TargetKeyId=new_key(kms))

        (alias,) = kms.list_aliases()["Aliases"]
        assert (alias["CreationDate"], alias["LastUpdatedDate"]) == (made, lab.clock.now)

    def test_moving_leaves_the_old_key(self, kms, key):
        """
        An alias belongs to one key at a time: after a move it is listed for the new key only.
        """
        other = new_key(kms)
        kms.create_alias(AliasName="alias/app", TargetKeyId=key)

        kms.update_alias(AliasName="alias/app", TargetKeyId=other)

        assert names(kms, KeyId=key) == []
        assert names(kms, KeyId=other) == ["alias/app"]

    def test_full_target(self, kms, key):
        """
        A key with 50 aliases takes no 51st by UpdateAlias; repointing one of its own to itself is fine.
        """
        full = new_key(kms)
        for number in range(50):
            kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=full)
        kms.create_alias(AliasName="alias/app", TargetKeyId=key)

        assert code(kms.update_alias, AliasName="alias/app", TargetKeyId=full) == "LimitExceededException"
        assert code(kms.update_alias, AliasName="alias/7", TargetKeyId=full) is None

    def test_unknown(self, kms, key):
        """
        An alias that does not exist is neither moved nor deleted.
        """
        expected = ("NotFoundException", "Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.")

        assert answer(kms.update_alias, AliasName="alias/none", TargetKeyId=key) == expected
        assert answer(kms.delete_alias, AliasName="alias/none") == expected

    def test_decrypt_under_an_alias_that_moved(self, kms, key):
        """
        After a manual rotation old blobs open without KeyId, and are IncorrectKeyException under the moved alias.
        """
        kms.create_alias(AliasName="alias/app", TargetKeyId=key)
        blob = kms.encrypt(KeyId="alias/app", Plaintext=b"old")["CiphertextBlob"]

        kms.update_alias(AliasName="alias/app", TargetKeyId=new_key(kms))

        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"old"
        assert code(kms.decrypt, CiphertextBlob=blob, KeyId="alias/app") == "IncorrectKeyException"


def test_permissions_on_alias_and_both_keys(lab, kms, key):
    """
    UpdateAlias needs its permission on the alias, the old and the new key; CreateAlias on alias and key.
    """
    other = new_key(kms)
    kms.create_alias(AliasName="alias/app", TargetKeyId=key)
    alias = "arn:aws:kms:us-east-1:111122223333:alias/app"
    role = lab.iam.create_role("App")
    app = lab.client(principal=role)

    def grant(*resources):
        statement = {"Effect": "Allow", "Action": ["kms:UpdateAlias", "kms:DeleteAlias"], "Resource": list(resources)}
        lab.iam.put_policies(role, [{"Version": "2012-10-17", "Statement": [statement]}])

    for held, missing in (((key, other), alias), ((alias, other), key), ((alias, key), other)):
        grant(*held)
        name, text = answer(app.update_alias, AliasName="alias/app", TargetKeyId=other)
        assert name == "AccessDeniedException"
        assert f"kms:UpdateAlias on resource: {missing} " in text
    grant(alias, key, other)
    assert code(app.update_alias, AliasName="alias/app", TargetKeyId=other) is None
    grant(alias)
    assert code(app.delete_alias, AliasName="alias/app") == "AccessDeniedException"
    grant(alias, other)
    assert code(app.delete_alias, AliasName="alias/app") is None


def test_deleting_an_alias_leaves_the_key(kms, key):
    """
    Deleting an alias frees its name and does nothing to the key.
    """
    kms.create_alias(AliasName="alias/app", TargetKeyId=key)

    kms.delete_alias(AliasName="alias/app")

    assert code(kms.describe_key, KeyId="alias/app") == "NotFoundException"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert code(kms.create_alias, AliasName="alias/app", TargetKeyId=key) is None


def test_aliases_of_one_key(kms, key):
    """
    ListAliases lists all aliases of the account and Region, or those of one key; an unknown key is an error.
    """
    other = new_key(kms)
    for name, target in (("alias/a", key), ("alias/b", other), ("alias/c", key)):
        kms.create_alias(AliasName=name, TargetKeyId=target)

    assert sorted(names(kms)) == ["alias/a", "alias/b", "alias/c"]
    assert sorted(names(kms, KeyId=key)) == ["alias/a", "alias/c"]
    assert code(kms.list_aliases, KeyId="1234abcd-12ab-34cd-56ef-1234567890ab") == "NotFoundException"
    assert code(kms.list_aliases, KeyId="alias/a") == "InvalidArnException"
