"""Faults that fuzzing found, each as the rule that it broke."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kms_lab.core.errors import ParameterError
from kms_lab.core.wrapping import UnfitMaterial, accept
from tests.fuzz.oracle import state
from tests.service.conftest import EVERYDAY, code, new_stage, sender
from tests.service.homes import hsm_request

#: as early as a time can be where the clocks are ahead, and so before the year 1 in UTC
BEFORE_TIME = datetime.min.replace(tzinfo=timezone(timedelta(hours=23)))


class TestTheService:
    @pytest.mark.parametrize(
        ("operation", "params"),
        [
            ("DescribeKey", {"KeyId": ["a"]}),
            ("DescribeKey", {"KeyId": b"a"}),
            ("DescribeKey", {"KeyId": "a", "GrantTokens": 1.5}),
            ("ListKeys", {"Limit": float("nan")}),
            ("ListKeys", {"Limit": "1"}),
            ("CreateKey", {"Tags": [None]}),
            ("CreateKey", {"Tags": {"TagKey": "a", "TagValue": "b"}}),
            ("CreateKey", {"Policy": {}}),
            ("GenerateRandom", {"NumberOfBytes": 8, "Recipient": 0}),
            (
                "ImportKeyMaterial",
                {"KeyId": "a", "ImportToken": b"a", "EncryptedKeyMaterial": b"a", "ValidTo": BEFORE_TIME},
            ),
        ],
    )
    def test_a_wrong_type(self, lab, operation, params):
        """A value of a wrong type that got past the doors is SerializationException, with no entry in the log."""
        assert code(sender(lab, operation), **params) == "SerializationException"
        assert len(lab.world.log) == 0

    def test_nulls_and_unknown_members(self, lab):
        """Nulls and unknown members are as good as left out, also inside other members; a required one is missing."""
        tags = [{"TagKey": "a", "TagValue": "b", "Unknown": 1, "More": None}]
        made = sender(lab, "CreateKey")(Description=None, Unknown=[1], Tags=tags)["KeyMetadata"]

        assert made["Description"] == ""
        assert lab.key(made["Arn"]).tags == {"a": "b"}
        assert code(sender(lab, "DescribeKey"), KeyId=None) == "ValidationException"

    def test_a_refused_key_store_draws_nothing(self, lab):
        """CreateCustomKeyStore that is refused leaves a seeded lab's randomness where it was."""
        request = hsm_request(lab)
        before = state(lab.world)

        wrong = {**request, "TrustAnchorCertificate": "another"}
        assert code(sender(lab, "CreateCustomKeyStore"), **wrong) == "IncorrectTrustAnchorException"
        assert state(lab.world) == before


class TestTimes:
    def test_before_the_first(self, lab):
        """A time before the year 1 in UTC is no time to the client; the first and the last of UTC are."""
        stage = new_stage(lab)
        params = EVERYDAY["ImportKeyMaterial"](stage)

        with pytest.raises(ParameterError, match="ValidTo"):
            stage.kms.import_key_material(**{**params, "ValidTo": BEFORE_TIME})
        for moment in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), datetime.max):
            assert code(stage.kms.import_key_material, **{**params, "ValidTo": moment}) == "ValidationException"


class TestImports:
    def test_a_key_of_another_curve_and_a_wrong_length(self):
        """32 bytes as a private key of Ed448, which has 57, are no key of any spec."""
        ed448 = bytes.fromhex("302e020100300506032b657104220420") + b"k" * 32

        with pytest.raises(UnfitMaterial):
            accept("ECC_NIST_EDWARDS25519", ed448)
