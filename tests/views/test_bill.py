"""The bill: AWS's own examples to the cent, the rules one by one, and the sum of its parts."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_lab import KMSError, Lab
from kms_lab.views.bill import bill, estimate, price_of, request_class, tally
from tests.service.conftest import import_request
from tests.service.homes import Home

ACCOUNT = "111122223333"
OTHER = "444455556666"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}


def new_key(kms, **params):
    return kms.create_key(**params)["KeyMetadata"]["KeyId"]


def usd(bill, word):
    """Sum the lines whose description begins so."""
    return sum((item.amount_usd for item in bill.items if item.what.startswith(word)), Decimal(0))


class TestExamples:
    @pytest.mark.parametrize(
        ("keys", "requests", "keys_usd", "requests_usd"),
        [
            pytest.param(1, {"standard": 2_010_000}, "1.00", "5.97", id="aws: S3 objects"),
            pytest.param(1, {"standard": 15_000}, "1.00", "0.00", id="aws: 15,000 requests"),
            pytest.param(1, {"standard": 100_000}, "1.00", "0.24", id="aws: 100,000 requests"),
            pytest.param(1, {}, "1.00", "0.00", id="aws: the key of a CloudHSM key store, without CloudHSM's hours"),
            pytest.param(3, {}, "3.00", "0.00", id="derived: a multi-Region primary and two replicas"),
            pytest.param(0, {"standard": 1_000_000}, "0.00", "2.94", id="derived: an AWS managed key"),
            pytest.param(1, {"rsa2048": 100_000}, "1.00", "0.30", id="derived: RSA 2048"),
            pytest.param(1, {"asymmetric": 100_000}, "1.00", "1.50", id="derived: elliptic curve"),
            pytest.param(1, {"data-key-pair-rsa": 10_000}, "1.00", "12.00", id="derived: RSA data key pairs"),
            pytest.param(1, {"data-key-pair-ecc": 10_000}, "1.00", "0.10", id="derived: elliptic curve data key pairs"),
            pytest.param(0, {"standard": 100_000_000}, "0.00", "299.94", id="derived: without S3 Bucket Keys"),
            pytest.param(0, {"standard": 1_000_000}, "0.00", "2.94", id="derived: with S3 Bucket Keys"),
        ],
    )
    def test_a_month(self, keys, requests, keys_usd, requests_usd):
        """
        A month of these keys and requests costs what AWS's examples and its prices say.
        """
        answer = estimate(keys, requests)

        assert usd(answer, "Customer").quantize(Decimal("0.01")) == Decimal(keys_usd)
        assert usd(answer, "Requests").quantize(Decimal("0.01")) == Decimal(requests_usd)
        assert answer.total == Decimal(keys_usd) + Decimal(requests_usd)

    @pytest.mark.parametrize(("rotations", "dollars"), [(0, 1), (1, 2), (2, 3), (3, 3), (10, 3)])
    def test_rotations_cost_at_most_two_dollars_more(self, rotations, dollars):
        """
        A key costs $1 a month, $2 after its first rotation, $3 after the second, and no more ever after (derived).
        """
        assert estimate(1, rotations=rotations).total == dollars

    def test_100_000_requests_in_a_world(self):
        """
        A key and 100,000 requests in one month cost $1.24, counted from the log of a world.
        """
        lab = Lab(start=datetime(2026, 4, 1, tzinfo=UTC))
        kms = lab.client()
        key = lab.key(new_key(kms)).arn
        who, at_us = f"arn:aws:iam::{ACCOUNT}:user/Admin", lab.world.clock.now_us
        for _ in range(100_000 - 1):
            lab.world.log.append(at_us, "Encrypt", "us-east-1", who, key)
        lab.clock.travel(to=datetime(2026, 5, 1, tzinfo=UTC))

        answer = lab.bill()

        assert usd(answer, "Requests") == Decimal("0.24")
        assert answer.total == Decimal("1.24")


class TestKeyMonths:
    def test_ten_of_thirty_days(self):
        """
        A key that exists for 240 of a month's 720 hours costs a third of a dollar.
        """
        lab = Lab(start=datetime(2026, 4, 21, tzinfo=UTC))
        new_key(lab.client())
        lab.clock.travel(days=10)

        (item,) = (item for item in lab.bill().items if item.key)

        assert round(item.quantity, 4) == Decimal("0.3333")
        assert item.note == "240 of 720 hours"
        assert lab.bill().total == Decimal("0.33")

    def test_pending_deletion_is_free(self, lab):
        """
        A key scheduled for deletion in the middle of a month costs half of it, and nothing from then on.
        """
        kms = lab.client()
        key = new_key(kms)
        lab.clock.travel(days=15)
        kms.schedule_key_deletion(KeyId=key)
        lab.clock.travel(days=15)
        assert lab.bill().months() == {"2026-04": Decimal("0.50")}

        lab.clock.travel(days=300)

        assert lab.bill().total == Decimal("0.50")

    def test_cancelled_deletion_is_charged_as_if_never_scheduled(self, lab):
        """
        When a deletion is called off, the days that it was pending are charged after all.
        """
        kms = lab.client()
        key = new_key(kms)
        kms.schedule_key_deletion(KeyId=key)
        lab.clock.travel(days=20)
        assert lab.bill().total == 0

        kms.cancel_key_deletion(KeyId=key)
        lab.clock.travel(days=10)

        assert lab.bill().total == 1

    def test_a_second_schedule_counts(self, lab):
        """
        Scheduled, called off and scheduled again, a key costs nothing from the second schedule on.
        """
        kms = lab.client()
        key = new_key(kms)
        kms.schedule_key_deletion(KeyId=key)
        lab.clock.travel(days=5)
        kms.cancel_key_deletion(KeyId=key)
        lab.clock.travel(days=10)
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        lab.clock.travel(days=40)

        assert lab.bill().total == Decimal("0.50")

    def test_a_refused_schedule_changes_nothing(self, lab, refused):
        """
        A deletion that AWS refuses to schedule saves nothing.
        """
        kms = lab.client()
        refused(kms.schedule_key_deletion, KeyId=new_key(kms), PendingWindowInDays=3)
        lab.clock.travel(days=30)

        assert lab.bill().total == 1

    def test_a_disabled_key_costs_like_any_other(self, lab):
        """
        Disabling a key saves nothing.
        """
        kms = lab.client()
        kms.disable_key(KeyId=new_key(kms))
        lab.clock.travel(days=30)

        assert lab.bill().total == 1

    def test_an_aws_managed_key_costs_nothing_to_keep(self, lab):
        """
        Keys that AWS manages have no monthly fee; requests on them are counted all the same.
        """
        kms = lab.client()
        key = new_key(kms)
        lab.key(key).manager = "AWS"  # as a service that AWS runs would have made it
        kms.encrypt(KeyId=key, Plaintext=b"x")
        lab.clock.travel(days=30)

        answer = lab.bill()

        assert answer.total == 0
        assert sum(item.quantity for item in answer.items) == 2

    @pytest.mark.parametrize(
        "params",
        [
            {"Origin": "EXTERNAL"},
            {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            {"KeySpec": "RSA_4096", "KeyUsage": "SIGN_VERIFY"},
            {"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"},
            {"MultiRegion": True},
        ],
        ids=lambda params: " ".join(map(str, params.values())),
    )
    def test_a_key_of_any_kind_costs_a_dollar(self, lab, params):
        """
        Imported, HMAC, asymmetric and multi-Region keys cost what every key costs.
        """
        new_key(lab.client(), **params)
        lab.clock.travel(days=30)

        assert lab.bill().total == 1

    @pytest.mark.parametrize("kind", ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
    def test_a_key_in_a_custom_key_store_costs_a_dollar(self, lab, kind):
        """
        A key in a custom key store costs $1 a month, connected or not; the key store costs nothing at KMS.
        """
        home = Home(lab, kind)
        home.disconnect()
        lab.clock.travel(to=datetime(2026, 6, 1, tzinfo=UTC))

        assert lab.bill().months()["2026-05"] == 1

    def test_each_replica_is_a_key(self, lab):
        """
        A primary and two replicas cost three dollars a month, each in its Region and from its own creation on.
        """
        kms = lab.client()
        key = new_key(kms, MultiRegion=True)
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        lab.clock.travel(days=15)
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-central-1")
        lab.clock.travel(days=15)

        items = [item for item in lab.bill().items if item.key]

        assert {item.region: item.quantity for item in items} == {
            "us-east-1": 1,
            "eu-west-1": 1,
            "eu-central-1": Decimal("0.5"),
        }
        assert lab.bill().total == Decimal("2.50")

    def test_a_replica_made_again_is_another_key(self, lab):
        """
        A replica that was deleted and made again is charged for both of its lives, and not for the time between.
        """
        kms = lab.client()
        key = new_key(kms, MultiRegion=True)
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        lab.clock.travel(days=5)
        lab.client(region="eu-west-1").schedule_key_deletion(KeyId=key, PendingWindowInDays=10)
        lab.clock.travel(days=10)
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        lab.clock.travel(days=15)

        items = [item for item in lab.bill().items if item.region == "eu-west-1" and item.key]

        assert [item.note for item in items] == ["120 of 720 hours", "360 of 720 hours"]

    def test_a_primary_that_waits_for_its_replica_is_free(self, lab):
        """
        A primary is charged until it is scheduled for deletion, even if its waiting period has yet to begin.
        """
        kms = lab.client()
        key = new_key(kms, MultiRegion=True)
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        kms.schedule_key_deletion(KeyId=key)
        lab.clock.travel(days=30)

        assert lab.key(key).state == "PendingReplicaDeletion"
        assert {item.region for item in lab.bill().items if item.key} == {"eu-west-1"}

    def test_a_begun_hour_counts_whole(self, lab):
        """
        Ten minutes of an hour are charged as one hour.
        """
        lab.clock.travel(minutes=50)
        new_key(lab.client())
        lab.clock.travel(minutes=5)

        (item,) = (item for item in lab.bill().items if item.key)

        assert item.note == "1 of 720 hours"


class TestRotation:
    def test_every_90_days_for_ten_years(self):
        """
        A key rotated every 90 days costs $1, then $2, then $3 a month for ever, to the exact hour of its rotations.
        """
        start = datetime(2026, 1, 1, 9, tzinfo=UTC)
        lab = Lab(start=start)
        kms = lab.client()
        key = new_key(kms)
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        lab.clock.travel(to=datetime(2036, 1, 1, tzinfo=UTC))

        months = lab.bill().months()

        assert len(lab.key(key).materials) == 41
        assert (months["2026-02"], months["2026-05"], months["2026-08"], months["2035-12"]) == (1, 2, 3, 3)
        first, second = (start + timedelta(days=days) for days in (90, 180))
        assert (first.month, second.month) == (4, 6)
        for when, before in ((first, 1), (second, 2)):
            after = next_month(when) - when
            whole = next_month(when) - when.replace(day=1, hour=0)
            wanted = before + Decimal(after // timedelta(hours=1)) / (whole // timedelta(hours=1))
            assert months[f"{when:%Y-%m}"] == round_to_cents(wanted)
        assert sum(months.values()) == lab.bill().total

    def test_on_demand_rotations_count_alike(self, lab):
        """
        Rotations on demand add the same dollar, twice at most.
        """
        kms = lab.client()
        key = new_key(kms)
        for _ in range(3):
            kms.rotate_key_on_demand(KeyId=key)
        lab.clock.travel(days=30)

        assert lab.bill().total == 3

    def test_rotating_imported_material_counts_alike(self, lab):
        """
        A rotation to imported material adds the same dollar as one to material of KMS; importing adds nothing.
        """
        kms = lab.client()
        key = new_key(kms, Origin="EXTERNAL")
        kms.import_key_material(**import_request(kms, key, b"1" * 32))
        kms.import_key_material(**import_request(kms, key, b"2" * 32, ImportType="NEW_KEY_MATERIAL"))
        kms.rotate_key_on_demand(KeyId=key)
        lab.clock.travel(days=30)

        assert lab.bill().total == 2

    def test_related_keys_pay_for_a_rotation_once(self, lab):
        """
        The rotations of related keys cost once, in the Region that was the primary's, and no more than two ever.
        """
        kms = lab.client()
        key = new_key(kms, MultiRegion=True)
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        lab.clock.travel(seconds=10)
        kms.rotate_key_on_demand(KeyId=key)
        kms.update_primary_region(KeyId=key, PrimaryRegion="eu-west-1")
        lab.clock.travel(seconds=10)
        for _ in range(2):
            lab.client(region="eu-west-1").rotate_key_on_demand(KeyId=key)
        lab.clock.travel(to=datetime(2026, 6, 1, tzinfo=UTC))

        rotations = [item for item in lab.bill().items if item.what.startswith("First") and item.month == "2026-05"]

        assert {(item.region, item.note) for item in rotations} == {
            ("us-east-1", "rotation 1, 744 of 744 hours"),
            ("eu-west-1", "rotation 2, 744 of 744 hours"),
        }
        assert lab.bill().months()["2026-05"] == 4

    def test_a_rotation_is_no_request(self, lab):
        """
        What KMS does by itself, rotating and deleting, is not counted as a request.
        """
        kms = lab.client()
        key = new_key(kms)
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        lab.clock.travel(days=100)
        kms.schedule_key_deletion(KeyId=key)
        lab.clock.travel(days=40)

        assert len(lab.world.log) == 5
        assert sum(item.quantity for item in lab.bill().items if item.unit == "request") == 3


class TestRequests:
    def test_class_goes_by_the_key(self, lab, refused):
        """
        The spec of the key decides the class of a cryptographic request; managing it is a standard one.
        """
        kms = lab.client()
        key = new_key(kms)
        rsa2 = new_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        rsa4 = new_key(kms, KeySpec="RSA_4096", KeyUsage="ENCRYPT_DECRYPT")
        kms.encrypt(KeyId=key, Plaintext=b"x")
        kms.encrypt(KeyId=rsa2, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1")
        refused(kms.encrypt, KeyId=rsa4, Plaintext=b"x")  # the wrong algorithm: faster than a key of 4096 bits
        for one in (key, rsa2, rsa4):
            kms.describe_key(KeyId=one)

        counts = {item.what: item.quantity for item in lab.bill().items if item.unit == "request"}

        assert counts == {
            "Requests: symmetric, HMAC and management": 3 + 1 + 3,
            "Requests: RSA 2048 keys": 1,
            "Requests: other asymmetric keys": 1,
        }

    @pytest.mark.parametrize(
        ("operation", "spec", "group"),
        [
            ("GenerateDataKeyPair", "RSA_2048", "data-key-pair-rsa"),
            ("GenerateDataKeyPairWithoutPlaintext", "RSA_4096", "data-key-pair-rsa"),
            ("GenerateDataKeyPair", "ECC_NIST_P384", "data-key-pair-ecc"),
            ("GenerateDataKeyPairWithoutPlaintext", "ECC_NIST_EDWARDS25519", "data-key-pair-ecc"),
            ("Sign", "RSA_2048", "rsa2048"),
            ("Verify", "RSA_3072", "asymmetric"),
            ("GetPublicKey", "ECC_SECG_P256K1", "asymmetric"),
            ("DeriveSharedSecret", "ECC_NIST_P256", "asymmetric"),
            ("Sign", "ML_DSA_65", "asymmetric"),
            ("Encapsulate", "ML_KEM_768", "asymmetric"),
            ("GenerateMac", "HMAC_512", "standard"),
            ("CreateGrant", "RSA_2048", "standard"),
            ("ImportKeyMaterial", "ECC_NIST_P256", "standard"),
            ("ReplicateKey", "SYMMETRIC_DEFAULT", "standard"),
            ("ConnectCustomKeyStore", None, "standard"),
        ],
    )
    def test_the_class_of_a_request(self, operation, spec, group):
        """
        Pairs go by their own spec, cryptography and GetPublicKey by the key's, and everything else is standard.
        """
        assert request_class(operation, spec) == group

    def test_data_key_pairs_go_by_the_pairs_spec(self, lab):
        """
        A data key pair is charged by the spec that was asked for, whatever the key, and outside the free tier.
        """
        kms = lab.client()
        key = new_key(kms)
        kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
        kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="RSA_2048")

        lines = {item.what: (item.quantity, item.price_usd) for item in lab.bill().items if item.unit == "request"}

        assert lines["Requests: elliptic curve data key pairs"] == (1, Decimal("0.00001"))
        assert lines["Requests: RSA data key pairs"] == (1, Decimal("0.0012"))

    def test_requests_of_a_service_for_somebody(self, lab):
        """
        What a service asks of an AWS managed key on somebody's behalf is on that account's bill; the key is free.
        """
        s3 = lab.client(via="s3")
        for _ in range(3):
            s3.generate_data_key(KeyId="alias/aws/s3", KeySpec="AES_256")
        lab.clock.travel(days=400)

        assert lab.bill().total == 0
        assert [item.quantity for item in lab.bill().items] == [3]

    def test_refused_requests_are_on_the_bill(self, lab, refused):
        """
        A refused request is a request.
        """
        refused(lab.client().describe_key, KeyId="alias/nowhere")

        assert sum(item.quantity for item in lab.bill().items) == 1

    def test_the_free_tier_is_one_for_all_regions(self):
        """
        Two Regions share the 20,000 free requests of a month, and the next month has its own.
        """
        lab = Lab(start=datetime(2026, 4, 1, tzinfo=UTC))
        who = f"arn:aws:iam::{ACCOUNT}:user/Admin"
        for month in (4, 5):
            for region in ("eu-west-1", "us-east-1"):
                for _ in range(15_000):
                    lab.world.log.append(lab.world.clock.now_us, "ListKeys", region, who)
            lab.clock.travel(to=datetime(2026, month + 1, 1, tzinfo=UTC))

        answer = lab.bill()

        assert answer.months() == {"2026-04": Decimal("0.03"), "2026-05": Decimal("0.03")}
        april = {(item.region, item.note): item.quantity for item in answer.items if item.month == "2026-04"}
        assert april == {
            ("eu-west-1", "free tier"): 15_000,
            ("us-east-1", "free tier"): 5_000,
            ("us-east-1", "beyond the free tier"): 10_000,
        }

    def test_the_caller_pays_across_accounts(self, lab, share):
        """
        A request on another account's key is on the caller's bill, and the key on its owner's.
        """
        kms = lab.client()
        key = new_key(kms)
        share(kms, key)
        guest = lab.client(lab.iam.create_role("Guest", [EVERYTHING], account=OTHER))
        for _ in range(5):
            guest.encrypt(KeyId=lab.key(key).arn, Plaintext=b"x")
        lab.clock.travel(days=30)

        ours, theirs = lab.bill(), lab.bill(OTHER)

        assert (ours.total, theirs.total) == (1, 0)
        assert [item.quantity for item in theirs.items] == [5]
        assert sum(item.quantity for item in ours.items if item.unit == "request") == 3

    def test_until_an_earlier_moment(self, lab):
        """
        A bill until a moment is what the bill would have been at that moment.
        """
        kms = lab.client()
        key = new_key(kms)
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        lab.clock.travel(days=100)
        then, moment = lab.bill(), lab.clock.now
        lab.clock.travel(hours=1)
        kms.schedule_key_deletion(KeyId=key)
        new_key(kms)

        assert bill(lab.world, ACCOUNT, until=moment) == then

    def test_a_moment_without_a_zone(self, lab):
        """
        A moment that does not say which zone it means is not guessed at.
        """
        with pytest.raises(ValueError, match="time zone"):
            bill(lab.world, ACCOUNT, until=datetime(2026, 5, 1))


class TestVectors:
    @given(
        rows=st.lists(st.tuples(st.integers(0, 119), st.integers(0, 7)), max_size=50),
        repeat=st.sampled_from([1, 3_000]),
    )
    def test_tally_counts_as_counting_does(self, rows, repeat):
        """
        Counting in chunks gives what counting one by one gives.
        """
        rows = rows * repeat
        months, classes = (np.array([row[i] for row in rows], np.uint8) for i in (0, 1))

        counts = tally([months, classes], [120, 8])

        assert counts.shape == (120, 8)
        assert {(m, c): counts[m, c] for m, c in zip(*map(list, counts.nonzero()))} == Counter(rows)

    def test_numbers_beyond_a_short_integer(self):
        """
        Columns of many values are counted right too.
        """
        keys, classes = np.array([999, 999, 0], np.uint16), np.array([7, 7, 1], np.uint8)

        counts = tally([keys, classes], [1_000, 8])

        assert (counts[999, 7], counts[0, 1], counts.sum()) == (2, 1, 3)

    def test_price_of_counts_is_exact(self):
        """
        Ten million requests are priced exactly.
        """
        counts = np.array([[9_999_999, 1], [0, 0]])

        assert price_of(counts, [Decimal("0.000003"), Decimal("0.0012")]) == Decimal("30.001197")


class TestShown:
    @pytest.fixture
    def answer(self, lab):
        kms = lab.client()
        new_key(kms)
        lab.clock.travel(days=65)
        return lab.bill()

    def test_html_is_an_accessible_table(self, answer):
        """
        A notebook shows one table with a caption, headings of columns and rows, units and a total.
        """
        html = answer._repr_html_()

        assert "<caption" in html
        assert html.count('scope="col"') == 7
        assert '<th scope="row"' in html.partition("<tbody>")[2]
        assert "key-month" in html
        assert f"{answer.total:,.2f}" in html.partition("<tfoot>")[2]

    def test_text_says_the_same(self, answer):
        """
        A terminal shows the same lines and the same total.
        """
        text = str(answer)

        assert "USD" in text
        assert text.splitlines()[-1].split()[-1] == f"{answer.total:,.2f}"
        assert text.count("Customer managed key") == 1
        assert "2026-04 to 2026-06" in text

    def test_many_keys_are_shown_together(self, lab):
        """
        A bill of many keys stays short, and still adds up.
        """
        kms = lab.client()
        for _ in range(70):
            new_key(kms)
        lab.clock.travel(days=30)

        answer = lab.bill()

        assert len(answer.rows()) == 2
        assert "70 keys in us-east-1" in str(answer)
        assert answer.total == 70

    def test_frame_has_every_item(self, answer):
        """
        The frame has a row for each item, and its amounts add up to the months.
        """
        frame = answer.frame()

        assert len(frame) == len(answer.items)
        assert sum(frame["amount_usd"]) == sum(item.amount_usd for item in answer.items)


# ------------------------------------------------------------------------------ an independent second bill


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("travel"), st.integers(1, 2_000)),
        st.tuples(st.just("create"), st.sampled_from(["SYMMETRIC_DEFAULT", "RSA_2048", "RSA_3072", "multi-Region"])),
        st.tuples(
            st.sampled_from(["encrypt", "describe", "rotate", "schedule", "cancel", "enable", "guest", "replicate"]),
            st.integers(0, 3),
        ),
    ),
    max_size=20,
)


@settings(max_examples=40)
@given(steps=_STEPS)
def test_equals_a_naive_fold_over_the_trail(steps):
    """
    The bill is the sum of its parts: an hour-by-hour fold over CloudTrail's records gives the same, to the cent.
    """
    lab = Lab(seed=3, start=datetime(2026, 1, 30, 7, 20, tzinfo=UTC))
    kms = lab.client()
    guest = lab.client(lab.iam.create_role("Guest", [EVERYTHING], account=OTHER))
    keys = []
    for verb, value in steps:
        if verb == "travel":
            lab.clock.travel(hours=value)
        elif verb == "create":
            kind = (
                {"MultiRegion": True} if value == "multi-Region" else {"KeySpec": value, "KeyUsage": "ENCRYPT_DECRYPT"}
            )
            keys.append(kms.create_key(**kind)["KeyMetadata"]["Arn"])
        elif keys:
            key = keys[value % len(keys)]
            try:
                _do(verb, kms, guest, key)
            except KMSError:
                continue

    answers = {account: lab.bill(account) for account in (ACCOUNT, OTHER)}

    for account, answer in answers.items():
        assert answer.months() == naive_bill(lab.events(), account, lab.clock.now)
    requests = sum(item.quantity for one in answers.values() for item in one.items if item.unit == "request")
    assert requests == sum(lab.trail()["principal"].notna())


def _do(verb, kms, guest, key):
    match verb:
        case "encrypt":
            kms.encrypt(KeyId=key, Plaintext=b"x")
        case "describe":
            kms.describe_key(KeyId=key)
        case "rotate":
            kms.rotate_key_on_demand(KeyId=key)
        case "schedule":
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        case "cancel":
            kms.cancel_key_deletion(KeyId=key)
        case "enable":
            kms.enable_key(KeyId=key)
        case "replicate":
            kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        case "guest":
            guest.encrypt(KeyId=key, Plaintext=b"x")


def naive_bill(records, account, now):
    """Price an account's CloudTrail records one by one, and its keys hour by hour. Shares no code with the bill."""
    hour = timedelta(hours=1)
    specs, born, ended, rotations, requests = {}, {}, {}, {}, {}
    for record in records:
        name, at = record["eventName"], datetime.fromisoformat(record["eventTime"])
        key = record["resources"][0]["ARN"] if record["resources"] else None
        mine = record["recipientAccountId"] == account
        if name == "CreateKey" and "errorCode" not in record:
            specs[key] = record["responseElements"]["keyMetadata"]["keySpec"]
            if mine:
                born[key] = at
        if "errorCode" not in record and mine and key in born:
            if name == "ScheduleKeyDeletion":
                ended[key] = at
            if name == "CancelKeyDeletion":
                ended.pop(key)
            if name == "RotateKey":
                rotations.setdefault(key, []).append(at)
        who = record["userIdentity"]
        if mine and "type" in who and who["accountId"] == account:  # AWS itself has no type
            spec = specs.get(key, "SYMMETRIC_DEFAULT") if name in ("Encrypt", "Decrypt") else "SYMMETRIC_DEFAULT"
            month = requests.setdefault(f"{at:%Y-%m}", {})
            month[spec] = month.get(spec, 0) + 1

    dollars = {}
    for month, by_spec in requests.items():
        standard = max(by_spec.get("SYMMETRIC_DEFAULT", 0) - 20_000, 0) + by_spec.get("RSA_2048", 0)
        price = Decimal("0.03") * standard + Decimal("0.15") * by_spec.get("RSA_3072", 0)
        dollars[month] = dollars.get(month, Decimal(0)) + price / 10_000
    for key, since in born.items():
        paid = [since, *rotations.get(key, [])[:2]]
        clock = since.replace(minute=0, second=0, microsecond=0)
        while clock < ended.get(key, now):
            hours = (next_month(clock) - clock.replace(day=1, hour=0)) // hour
            running = sum(one < clock + hour for one in paid)
            month = f"{clock:%Y-%m}"
            dollars[month] = dollars.get(month, Decimal(0)) + Decimal(running) / hours
            clock += hour
    return {month: round_to_cents(amount) for month, amount in sorted(dollars.items())}


def next_month(moment):
    """The first moment of the month after."""
    return (moment.replace(day=1, hour=0, minute=0) + timedelta(days=32)).replace(day=1)


def round_to_cents(amount):
    """Half a cent upwards; a sum of many hours is first freed of its last digits' noise."""
    return amount.quantize(Decimal("1E-9")).quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_estimates_are_plain(lab):
    """
    An estimate says that it is one, and lists what it counted.
    """
    answer = estimate(2, {"standard": 30_000}, rotations=1)

    assert "estimate" in answer.caption
    assert json.loads(answer.frame()["amount_usd"].astype(float).to_json()) == {"0": 2, "1": 2, "2": 0, "3": 0.03}
