"""Names of keys and principals: what is read, and what is not a name at all."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab.core.names import KeyReference, Principal, alias_arn, key_arn, parse_key_reference

ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)
REGIONS = st.sampled_from(["us-east-1", "eu-west-1", "ap-southeast-2", "us-gov-west-1"])
KEY_IDS = st.uuids().map(str) | st.uuids().map(lambda one: f"mrk-{one.hex}")
ALIASES = st.from_regex(r"alias/[a-zA-Z0-9/_-]{1,30}", fullmatch=True)
HOME = "arn:aws:iam::111122223333"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


class TestKeyReference:
    @given(KEY_IDS, ALIASES, REGIONS, ACCOUNTS)
    def test_the_four_forms(self, key_id, alias, region, account):
        """
        A key id, an alias, and the ARN of either are read back to what they were made of.
        """
        assert parse_key_reference(key_id) == KeyReference("id", key_id)
        assert parse_key_reference(alias) == KeyReference("alias", alias)
        assert parse_key_reference(key_arn(region, account, key_id)) == KeyReference("id", key_id, region, account)
        assert parse_key_reference(alias_arn(region, account, alias)) == KeyReference("alias", alias, region, account)

    @given(KEY_IDS, REGIONS, ACCOUNTS)
    def test_is_arn(self, key_id, region, account):
        """
        Only an ARN knows its Region.
        """
        assert parse_key_reference(key_arn(region, account, key_id)).is_arn
        assert not parse_key_reference(key_id).is_arn

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "key",
            uuid.UUID(int=1).hex,
            "mrk-fake",
            f"mrk-{KEY}",
            "alias/",
            "alias/a b",
            "alias/a:b",
            "alias/é",
            f" {KEY}",
            f"{KEY}\n",
            "arn:aws:kms:us-east-1:111122223333:key/alias/x",
            f"arn:aws:kms:us-east-1:111122223333:alias/{'ü'}",
            f"arn:aws:kms:us-east-1:1111:key/{KEY}",
            f"arn:aws:s3:us-east-1:111122223333:key/{KEY}",
            f"arn:aws:kms:us-east-1:111122223333:grant/{KEY}",
        ],
    )
    def test_no_name(self, text):
        """
        Anything else names no key, and is kept for the error message.
        """
        assert parse_key_reference(text) == KeyReference("invalid", text)

    @given(st.text())
    def test_any_text(self, text):
        """
        Every text is read as something, and no text raises.
        """
        assert parse_key_reference(text).kind in ("id", "alias", "invalid")


class TestPrincipal:
    @pytest.mark.parametrize(
        ("text", "arn", "kind", "identity", "name"),
        [
            (f"{HOME}:user/Dana", f"{HOME}:user/Dana", "user", f"{HOME}:user/Dana", "Dana"),
            (f"{HOME}:user/team/Bob", f"{HOME}:user/team/Bob", "user", f"{HOME}:user/team/Bob", "Bob"),
            (f"{HOME}:root", f"{HOME}:root", "root-user", f"{HOME}:root", "root"),
            (
                f"{HOME}:role/App",
                "arn:aws:sts::111122223333:assumed-role/App/lab",
                "role-session",
                f"{HOME}:role/App",
                "App",
            ),
            (
                f"{HOME}:role/service/App",
                "arn:aws:sts::111122223333:assumed-role/App/lab",
                "role-session",
                f"{HOME}:role/service/App",
                "App",
            ),
            (
                "arn:aws:sts::111122223333:assumed-role/App/i-1",
                "arn:aws:sts::111122223333:assumed-role/App/i-1",
                "role-session",
                f"{HOME}:role/App",
                "App",
            ),
            (
                "arn:aws:sts::111122223333:federated-user/guest",
                "arn:aws:sts::111122223333:federated-user/guest",
                "federated-user",
                "arn:aws:sts::111122223333:federated-user/guest",
                "guest",
            ),
        ],
    )
    def test_of_an_account(self, text, arn, kind, identity, name):
        """
        A principal's ARN says who calls, whose identity policies count, and of which account.
        """
        who = Principal.parse(text)

        assert (who.arn, who.kind, who.identity_arn, who.name) == (arn, kind, identity, name)
        assert who.account == "111122223333"

    def test_service(self):
        """
        A service has a name and no account.
        """
        who = Principal.parse("cloudtrail.amazonaws.com")

        assert (who.arn, who.kind, who.account) == ("cloudtrail.amazonaws.com", "service", "")

    def test_session_name(self):
        """
        A role's session can be named.
        """
        assert Principal.parse(f"{HOME}:role/App", session="i-1").arn.endswith(":assumed-role/App/i-1")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "Dana",
            f"{HOME}:user",
            f"{HOME}:user/",
            f"{HOME}:role",
            f"{HOME}:root/x",
            f"{HOME}:group/G",
            "arn:aws:sts::111122223333:assumed-role/App",
            "arn:aws:iam::1:user/x",
            "arn:aws:kms:us-east-1:111122223333:key/x",
            "amazonaws.com",
        ],
    )
    def test_nobody(self, text):
        """
        What names nobody is a ValueError that quotes the text.
        """
        with pytest.raises(ValueError, match="principal") as refused:
            Principal.parse(text)
        assert repr(text) in str(refused.value)
