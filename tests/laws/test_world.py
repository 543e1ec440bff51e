"""The lab against a naive second KMS: whatever is done, in whatever order, by whom and where, both answer alike.

Every call is made of both with the same parameters, through the public client, and everything that the naive one knows
of the answer is compared. What KMS makes up is compared by name: where one of the two uses the same thing again, the
other must too.
"""

import ast
import contextlib
import copy
import importlib.util
import json
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kms_lab import KMSError, Lab
from tests.laws.conftest import ADMINISTRATOR, ADMINS, APP, OTHER_ACCOUNT, new_lab, wrap

NAIVE = Path(__file__).with_name("naive.py")
_spec = importlib.util.spec_from_file_location("naive_kms", NAIVE)
naive = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(naive)

HOME = "us-east-1"
REGIONS = (HOME, "us-west-2", "eu-west-1")
ACCOUNTS = tuple(ADMINS)
CONTEXTS = st.sampled_from([{}, {"a": "1"}, {"a": "1", "b": "2"}, {"a": "2"}])
#: who calls: mostly the administrator of the key's account, else the other one, or somebody whom no policy names
WHO = st.sampled_from(["owner"] * 10 + ["stranger", "app"])
#: which one, of those that fit; ``ODD`` is for one that need not fit, or is no more
PICK = st.integers(0, 15)
ODD = 15
MESSAGES = st.sampled_from([b"m", b"n"])
ALIASES = st.sampled_from(["alias/a", "alias/b"])
PLACES = st.sampled_from(REGIONS)
SECRETS = st.sampled_from([bytes([number]) * 32 for number in range(3)])
EC, MAC = {"SigningAlgorithm": "ECDSA_SHA_256"}, {"MacAlgorithm": "HMAC_SHA_256"}
#: operations that look at a key's state
DEEDS = st.sampled_from(
    [
        ("enable_key", {}),
        ("disable_key", {}),
        ("schedule_key_deletion", {"PendingWindowInDays": 7}),
        ("cancel_key_deletion", {}),
        ("enable_key_rotation", {"RotationPeriodInDays": 90}),
        ("disable_key_rotation", {}),
        ("rotate_key_on_demand", {}),
        ("get_key_rotation_status", {}),
        ("list_key_rotations", {"IncludeKeyMaterial": "ALL_KEY_MATERIAL"}),
        ("update_key_description", {"Description": "x"}),
        ("tag_resource", {"Tags": [{"TagKey": "a", "TagValue": "x"}]}),
        ("untag_resource", {"TagKeys": ["a"]}),
        ("encrypt", {"Plaintext": b"m"}),
        ("generate_data_key", {"NumberOfBytes": 16}),
        ("sign", {"Message": b"m", **EC}),
        ("generate_mac", {"Message": b"m", **MAC}),
        ("get_public_key", {}),
        ("create_grant", {"GranteePrincipal": APP, "Operations": ["DescribeKey"]}),
        ("replicate_key", {"ReplicaRegion": "eu-west-1"}),
        ("update_primary_region", {"PrimaryRegion": "us-west-2"}),
        ("get_parameters_for_import", {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}),
        ("delete_imported_key_material", {}),
    ]
)
KINDS = (
    {"KeySpec": "SYMMETRIC_DEFAULT"},
    {"KeySpec": "SYMMETRIC_DEFAULT", "Origin": "EXTERNAL"},
    {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "Origin": "EXTERNAL"},
    {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
)


def test_naive_model_stands_alone():
    """
    The naive model imports nothing at all, least of all the lab.
    """
    nodes = list(ast.walk(ast.parse(NAIVE.read_text())))

    assert not [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not any(name.startswith("kms_lab") for name in vars(naive))
    assert "naive_kms" not in sys.modules


class Worlds(RuleBasedStateMachine):
    """Two KMS, and everything that can be done to both."""

    def __init__(self):
        super().__init__()
        self.naive = naive.NaiveKms()
        self.names = {}  # what the naive KMS made, by the name that the lab gave it
        self.every = []  # ARNs of all keys that ever were
        self.marked = None
        self.take(new_lab(seed=5))
        self.start = self.lab.clock.now
        self.cluster = self.lab.hsm.create_cluster(password="kmsuser-password")
        self.store = self.do(
            ADMINISTRATOR,
            HOME,
            "create_custom_key_store",
            CustomKeyStoreName="store",
            CloudHsmClusterId=self.cluster.id,
            TrustAnchorCertificate=self.cluster.trust_anchor,
            KeyStorePassword="kmsuser-password",
        )["CustomKeyStoreId"]

    def take(self, lab):
        self.lab, self.clients = lab, {}

    # ---- asking both

    def do(self, who, region, method, **params):
        """Make a call of both, compare, and return the lab's answer; None if they refuse."""
        log, before = self.lab.world.log, len(self.lab.world.log)
        if (who, region) not in self.clients:
            self.clients[who, region] = self.lab.client(who, region)
        answer = found = None
        try:
            answer = getattr(self.clients[who, region], method)(**params)
        except KMSError as refusal:
            found = refusal.code
        plain = {name: self.seconds(value) for name, value in params.items()}
        expected, facts = self.naive.call(who, region, method, **plain)
        assert found == expected, (method, found, expected)
        entries = [log.entry(index) for index in range(before, len(log))]
        name = "".join(word.capitalize() for word in method.split("_"))
        assert (entries[0].operation, entries[0].error, entries[0].principal) == (name, found, who)
        caused = {"RotateKey", "SynchronizeMultiRegionKey", *(["CreateKey"] if name == "ReplicateKey" else [])}
        assert {entry.operation for entry in entries[1:]} <= caused
        if facts is not None:
            self.same(answer, facts, method)
        return answer

    def same(self, found, expected, where):
        """Compare an answer with what the naive KMS knows of it."""
        if isinstance(expected, naive.Made):
            if expected.name is None:
                assert found not in self.names, f"{where} is not new"
                expected.name = found
                self.names[found] = expected
            assert found == expected.name, where
        elif isinstance(expected, dict):
            for name, value in expected.items():
                self.same(found.get(name), value, f"{where}.{name}")
        elif isinstance(expected, list | tuple):
            assert len(found) == len(expected), where
            for one, other in zip(*self.in_order(found, expected), strict=True):
                self.same(one, other, where)
        else:
            assert self.seconds(found) == expected, where

    def in_order(self, found, expected):
        """Sort by the first member, where order does not matter."""
        if isinstance(expected, list) or not expected:
            return found, expected
        first = next(iter(expected[0]))
        return (
            sorted(found, key=lambda one: one[first]),
            sorted(expected, key=lambda one: getattr(one[first], "name", one[first])),
        )

    def seconds(self, value):
        if not isinstance(value, datetime):
            return value
        seconds = (value - self.start) / timedelta(seconds=1)
        assert seconds.is_integer()
        return int(seconds)

    def on(self, key, method, who="owner", member="KeyId", form="arn", **params):
        """Do something with a key, where it is. ``form`` is how its owner names it; "" for not at all."""
        _, _, _, region, account, name = key.split(":")
        owner, stranger = sorted(ADMINS.values(), key=lambda admin: account not in admin)
        if who != "owner" and form:
            form = "arn"
        text = {"arn": key, "id": name.removeprefix("key/")}.get(form, form)
        named = {member: text} if text else {}
        return self.do({"owner": owner, "stranger": stranger, "app": APP}[who], region, method, **named, **params)

    def key(self, pick, **wanted):
        """The ARN of a key that is as it is wanted, with these attributes; one is made if there is none."""
        if pick == ODD:
            return self.every[-(self.naive.now % len(self.every))]
        fit = [key for key in self.naive.keys if all(getattr(key, name) == value for name, value in wanted.items())]
        return fit[-1 - pick % len(fit)].arn if fit else self.every[-1]

    def made(self, kind, pick):
        """Something that KMS made, the latest first; None if there is nothing yet."""
        things = [one for one in self.naive.made if one.kind == kind]
        return things[-1 - pick % len(things)] if things else None

    def a_grant(self, pick):
        """The ARN of a key, and a grant on it, which may have ended."""
        pairs = [(key.arn, grant) for key in self.naive.keys for grant in key.grants]
        return pairs[-1 - pick % len(pairs)] if pairs else (None, None)

    def family(self, key):
        """Related keys, the primary first; none of a key that is no more."""
        found = [one for one in self.naive.keys if one.arn == key]
        return sorted(self.naive.family(found[0]), key=lambda one: one.is_replica) if found else []

    # ---- keys

    @initialize()
    def first_keys(self):
        """Two accounts with keys of every kind, some of them with a replica."""
        self.create(ADMINS[OTHER_ACCOUNT], HOME)
        self.create(ADMINISTRATOR, HOME)
        for kind in KINDS:
            self.create(ADMINISTRATOR, HOME, MultiRegion=True, **kind)
            if kind == KINDS[1]:
                self.import_everywhere(0, bytes(32), None, False)
            if kind != KINDS[3]:
                self.replicate(1, "owner", HOME, True)
        self.replicate(4, "owner", REGIONS[2], True)
        self.import_everywhere(0, bytes(32), None, False)

    def create(self, who, region, **params):
        answer = self.do(who, region, "create_key", **params)
        if answer is not None:
            self.every.append(answer["KeyMetadata"]["Arn"])

    @rule(who=st.sampled_from([*ADMINS.values(), APP]), place=PLACES, kind=st.sampled_from(KINDS), multi=st.booleans())
    def create_key(self, who, place, kind, multi):
        self.create(who, place, MultiRegion=multi, Description="d", **kind)

    @rule(pick=PICK, enable=st.booleans(), who=WHO)
    def switch(self, pick, enable, who):
        key = self.key(pick, state="Disabled") if enable else self.key(pick)
        self.on(key, "enable_key" if enable else "disable_key", who)

    @rule(pick=PICK, who=WHO, name=st.sampled_from("ab"), value=st.sampled_from(["x", "y", ""]))
    def edit(self, pick, who, name, value):
        key = self.key(pick)
        self.on(key, "update_key_description", who, Description=value)
        if value:
            self.on(key, "tag_resource", who, Tags=[{"TagKey": name, "TagValue": value}])
        else:
            self.on(key, "untag_resource", who, TagKeys=[name])

    @rule(pick=PICK, who=WHO, days=st.sampled_from([6, 7, 7, 7, 8, 30]))
    def schedule_deletion(self, pick, who, days):
        self.on(self.key(pick), "schedule_key_deletion", who, PendingWindowInDays=days)

    @rule(pick=PICK, days=st.sampled_from([7, 8]))
    def change_of_mind(self, pick, days):
        """Schedule a deletion, call it off, and schedule it anew; wait for the first date."""
        key = self.key(pick)
        self.on(key, "schedule_key_deletion", PendingWindowInDays=7)
        self.on(key, "cancel_key_deletion")
        self.travel(1)
        self.on(key, "schedule_key_deletion", PendingWindowInDays=days)
        self.travel(7 * naive.DAY - 1)

    @rule(pick=PICK, who=WHO, state=st.sampled_from(["PendingDeletion", "PendingReplicaDeletion"]))
    def cancel_deletion(self, pick, who, state):
        self.on(self.key(pick, state=state), "cancel_key_deletion", who)

    @rule(pick=PICK, who=WHO, shared=st.booleans(), what=st.lists(DEEDS, min_size=1, max_size=4))
    def share(self, pick, who, shared, what):
        """Let the other account's administrators in, or shut them out, and see how far they get."""
        key = self.key(pick)
        callers = [f"arn:aws:iam::{account}:root" for account in (ACCOUNTS if shared else [key.split(":")[4]])]
        statement = {"Effect": "Allow", "Principal": {"AWS": callers}, "Action": "kms:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.on(key, "put_key_policy", who, Policy=policy)
        for method, params in what:
            self.on(key, method, "stranger", **params)

    @rule(name=ALIASES, pick=PICK, who=WHO, what=st.sampled_from(["create_alias", "update_alias", "delete_alias"]))
    def alias(self, name, pick, who, what):
        key = self.key(pick)
        if what == "delete_alias":
            self.on(key, what, who, form="", AliasName=name)
        else:
            self.on(key, what, who, member="TargetKeyId", AliasName=name)

    @rule(state=st.sampled_from(list(naive.LETTERS)), pick=PICK, who=WHO, what=st.lists(DEEDS, min_size=3, max_size=8))
    def in_each_state(self, state, pick, who, what):
        """Any operations on a key in any state; where no key is in it, one is brought there."""
        if not any(key.state == state for key in self.naive.keys):
            match state:
                case "Disabled":
                    self.on(self.key(pick, state="Enabled"), "disable_key")
                case "PendingImport":
                    self.create(ADMINISTRATOR, HOME, Origin="EXTERNAL")
                case "Creating":
                    self.replicate(pick | 1, "owner", HOME, False)
                case "Updating":
                    self.update_primary(pick | 1, "owner", HOME, 0, False)
                case "Unavailable":
                    self.create_in_store()
                    self.do(ADMINISTRATOR, HOME, "disconnect_custom_key_store", CustomKeyStoreId=self.store)
                case "PendingDeletion" | "PendingReplicaDeletion":
                    self.on(self.a_primary(pick), "schedule_key_deletion", PendingWindowInDays=7)
        key = self.key(pick, state=state)
        for method, params in what:
            self.on(key, method, who, **params)

    # ---- multi-Region keys

    def a_primary(self, pick):
        primaries = [key for key in self.naive.keys if key.primary == key.region]
        return primaries[-1 - pick % len(primaries)].arn if primaries and pick != ODD else self.key(pick)

    @rule(pick=PICK, who=WHO, place=PLACES, wait=st.booleans(), regret=st.sampled_from([False, False, True]))
    def replicate(self, pick, who, place, wait, regret=False):
        """Perhaps the replica is to be deleted before it is there."""
        key = self.a_primary(pick)
        taken = [one.region for one in self.family(key)]
        free = [region for region in REGIONS if region not in taken]
        place = free[0] if free and pick % 4 else place
        answer = self.on(key, "replicate_key", who, ReplicaRegion=place, Description="replica")
        if answer is not None:
            self.every.append(answer["ReplicaKeyMetadata"]["Arn"])
            if regret:
                self.on(self.every[-1], "schedule_key_deletion", PendingWindowInDays=7)
        if wait:
            self.travel(10)

    @rule(pick=PICK, who=WHO, place=PLACES, wait=st.sampled_from([0, 9, 10]), again=st.booleans())
    def update_primary(self, pick, who, place, wait, again):
        """Once, or there and back while it is still under way."""
        families = [key.arn for key in self.naive.keys if key.primary == key.region and len(self.naive.family(key)) > 1]
        key = families[pick % len(families)] if families and pick != ODD else self.a_primary(pick)
        replicas = self.family(key)[1:]
        heir = replicas[pick % len(replicas)] if replicas and pick % 4 else None
        self.on(key, "update_primary_region", who, PrimaryRegion=heir.region if heir else place)
        if again and heir:
            self.travel(4)
            self.on(heir.arn, "update_primary_region", PrimaryRegion=key.split(":")[3])
            self.travel(6)
        self.travel(wait)

    @rule(pick=PICK, days=st.sampled_from([None, 90]), place=PLACES)
    def rotate_after_a_change(self, pick, days, place):
        """Change the primary of a family that rotates, and wait for its next rotation."""
        key = self.key(pick, spec=naive.SYMMETRIC, origin="AWS_KMS", primary=HOME)
        if days:
            self.on(key, "enable_key_rotation", RotationPeriodInDays=days)
        self.on(key, "update_primary_region", PrimaryRegion=place)
        for one in self.family(key)[:1]:
            if one.next_rotation is not None and one.next_rotation > self.naive.now:
                self.travel(one.next_rotation - self.naive.now)
            self.on(one.arn, "list_key_rotations", Limit=1000)

    @rule(pick=PICK, which=st.integers(0, 2), hours=st.integers(0, 2), stops=st.integers(0, 3))
    def doom_a_family(self, pick, which, hours, stops):
        """Schedule the deletion of a key and its relatives, one after the other, and wait for the first few."""
        family = self.family(self.a_primary(pick))
        for one in family[which:] + family[:which]:
            self.on(one.arn, "create_alias", member="TargetKeyId", AliasName="alias/a")
            self.on(one.arn, "schedule_key_deletion", PendingWindowInDays=7)
            self.travel(hours * 3600)
        for date in sorted({one.deletion for one in family if one.deletion is not None})[:stops]:
            self.travel(max(0, date - self.naive.now))

    # ---- cryptography

    @rule(
        pick=PICK,
        who=WHO,
        form=st.sampled_from(["arn"] * 6 + ["id", "alias/a", "alias/b"]),
        context=CONTEXTS,
        more=st.sampled_from([{}, {}, {}, {"DryRun": True}]),
        length=st.sampled_from([16, 32]),
    )
    def encrypt(self, pick, who, form, context, more, length):
        key = self.key(pick, spec=naive.SYMMETRIC)
        self.on(key, "encrypt", who, form=form, Plaintext=b"m" * length, EncryptionContext=context, **more)
        self.on(key, "generate_data_key", who, NumberOfBytes=length, EncryptionContext=context)
        if self.made("blob", 0):
            self.decrypt(0, pick, who, "", None, {})
            self.re_encrypt(0, (pick + 1) % ODD, who, {} if more else None, {"a": "2"}, False)

    @rule(
        which=PICK,
        pick=PICK,
        who=WHO,
        named=st.sampled_from(["", "", "right", "any"]),
        context=st.none() | CONTEXTS,
        dry=st.sampled_from([{}, {}, {}, {"DryRun": True}]),
    )
    def decrypt(self, which, pick, who, named, context, dry):
        """With the right context or another, with any key named or none, in the key's Region or a relative's."""
        blob = self.made("blob", which)
        if blob:
            key = self.key(pick) if named == "any" else self.key(pick, id=blob.key)
            context = blob.context if context is None else context
            form = "arn" if named else ""
            self.on(key, "decrypt", who, form=form, CiphertextBlob=blob.name, EncryptionContext=context, **dry)

    @rule(which=PICK, pick=PICK, who=WHO, source=st.none() | CONTEXTS, to=CONTEXTS, named=st.booleans())
    def re_encrypt(self, which, pick, who, source, to, named):
        blob = self.made("blob", which)
        if blob:
            contexts = {"SourceEncryptionContext": blob.context if source is None else source}
            contexts["DestinationEncryptionContext"] = to
            key = self.key(pick, spec=naive.SYMMETRIC)
            more = {"SourceKeyId": self.key(which)} if named and which > 9 else {}
            self.on(key, "re_encrypt", who, member="DestinationKeyId", CiphertextBlob=blob.name, **contexts, **more)

    @rule(which=PICK, pick=PICK, who=WHO, message=MESSAGES, other=MESSAGES)
    def sign_and_verify(self, which, pick, who, message, other):
        key = self.key(pick, spec=naive.ECC)
        self.on(key, "sign", who, Message=message, **EC)
        signature = self.made("signature", which)
        if signature:
            self.on(self.key(which, spec=naive.ECC), "verify", who, Message=other, Signature=signature.name, **EC)
        self.on(key, "get_public_key", who)

    @rule(which=PICK, pick=PICK, who=WHO, message=MESSAGES, other=MESSAGES)
    def mac_and_verify(self, which, pick, who, message, other):
        answer = self.on(self.key(pick, spec=naive.HMAC), "generate_mac", who, Message=message, **MAC)
        if answer is not None:
            self.on(self.key(which, spec=naive.HMAC), "verify_mac", who, Message=other, Mac=answer["Mac"], **MAC)

    # ---- rotation

    @rule(pick=PICK, who=WHO, days=st.sampled_from([90, 91, 365, None]))
    def set_rotation(self, pick, who, days):
        key = self.key(pick, spec=naive.SYMMETRIC, origin="AWS_KMS", state="Enabled")
        if days is None:
            self.on(key, "disable_key_rotation", who)
        else:
            self.on(key, "enable_key_rotation", who, RotationPeriodInDays=days)

    @rule(pick=PICK, who=WHO)
    def rotate(self, pick, who):
        key = self.key(pick, spec=naive.SYMMETRIC, store=None)
        self.on(key, "encrypt", Plaintext=b"before", EncryptionContext={"a": "1"})
        self.on(key, "rotate_key_on_demand", who)
        if self.made("blob", 0):
            self.decrypt(0, pick, "owner", "", None, {})

    def rotating(self, pick):
        """A key that rotates by itself, made to if need be; none where it will not."""
        key = self.key(pick, spec=naive.SYMMETRIC, origin="AWS_KMS", is_replica=False, state="Enabled")
        self.on(key, "enable_key_rotation", RotationPeriodInDays=90)
        return [one for one in self.naive.keys if one.arn == key and one.next_rotation is not None]

    @rule(pick=PICK, days=st.sampled_from([1, 100]))
    def sleep_through_a_rotation(self, pick, days):
        """Disabled before the key's next rotation, enabled again some days after it."""
        for key in self.rotating(pick):
            if key.next_rotation > self.naive.now:
                self.on(key.arn, "disable_key")
                self.travel(key.next_rotation - self.naive.now + days * naive.DAY)
                self.on(key.arn, "enable_key")

    @rule(pick=PICK, before=st.sampled_from([1201, 1200, 1]))
    def rotate_close_to_a_rotation(self, pick, before):
        """Less than 20 minutes before a rotation there is none on demand."""
        for key in self.rotating(pick):
            if key.next_rotation - before > self.naive.now:
                self.travel(key.next_rotation - before - self.naive.now)
                self.on(key.arn, "rotate_key_on_demand")

    # ---- imported material

    def token(self, key, who="owner"):
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        answer = self.on(key, "get_parameters_for_import", who, **wrapping)
        return None if answer is None else answer["ImportToken"]

    @rule(pick=PICK, who=WHO, left=st.sampled_from([None, 1, 0]))
    def ask_for_token(self, pick, who, left):
        """To use it later, or when so many seconds are left, with what the key has already."""
        key = self.key(pick, origin="EXTERNAL")
        token = self.token(key, who)
        if token and left is not None:
            self.travel(naive.DAY - left)
            held = [one["secret"] for record in self.family(key) for one in record.materials if one["secret"]]
            self.bring(key, token, (held or [bytes(32)])[-1], None, None, "owner")

    LASTS = (None, None, 0, 1, naive.DAY, 30 * naive.DAY, 365 * naive.DAY, 365 * naive.DAY + 1)

    @rule(
        which=PICK,
        pick=PICK,
        who=WHO,
        secret=SECRETS,
        lasts=st.sampled_from(LASTS),
        kind=st.sampled_from([None, None, "NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"]),
        left=st.sampled_from([None, 1, 0]),
    )
    def use_token(self, which, pick, who, secret, lasts, kind, left):
        """Import with a token for this key or another, in time or too late, or at its last second."""
        token = self.made("import token", which)
        if token:
            if left is not None and token.ends - left > self.naive.now:
                self.travel(token.ends - left - self.naive.now)
            key = self.key(pick, origin="EXTERNAL") if which > 9 else token.arn
            self.bring(key, token.name, secret, lasts, kind, who)

    @rule(
        pick=PICK,
        secret=SECRETS,
        lasts=st.sampled_from(LASTS),
        kind=st.sampled_from([None, "NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"]),
    )
    def import_material(self, pick, secret, lasts, kind):
        key = self.key(pick, origin="EXTERNAL")
        token = self.token(key)
        if token:
            self.bring(key, token, secret, lasts, kind, "owner")

    @rule(pick=PICK, secret=SECRETS, lasts=st.sampled_from([None, naive.DAY]), rotate=st.booleans())
    def import_everywhere(self, pick, secret, lasts, rotate):
        """Bring a family new material, as its owner would, and rotate it in."""
        family = self.family(self.key(pick, origin="EXTERNAL", spec=naive.SYMMETRIC))
        for one in family:
            token = self.token(one.arn)
            if token:
                kind = "NEW_KEY_MATERIAL" if one.materials and not one.is_replica else None
                self.bring(one.arn, token, secret, lasts, kind, "owner")
        if rotate:
            for one in family:
                self.on(one.arn, "rotate_key_on_demand")

    @rule(pick=PICK, first=st.sampled_from([None, 60, 3600]), then=st.sampled_from([None, 60, 7200]))
    def renew(self, pick, first, then):
        """Import the same bytes again, to last longer or shorter, and wait until the first would have expired."""
        for key in self.family(self.key(pick, origin="EXTERNAL"))[:1]:
            secret = key.materials[-1]["secret"] if key.materials else None
            for lasts in (first, then):
                token = self.token(key.arn)
                if token:
                    self.bring(key.arn, token, secret or bytes(32), lasts, None, "owner")
        self.travel(first or 0)

    def bring(self, key, token, secret, lasts, kind, who):
        wrapped = wrap(secret)
        self.naive.wrapped[wrapped] = secret
        more = {"ImportType": kind} if kind else {}
        more["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE" if lasts is None else "KEY_MATERIAL_EXPIRES"
        if lasts is not None:
            more["ValidTo"] = self.lab.clock.now + timedelta(seconds=lasts)
        self.on(key, "import_key_material", who, ImportToken=token, EncryptedKeyMaterial=wrapped, **more)

    @rule(pick=PICK, who=WHO, which=st.none() | st.integers(0, 3))
    def delete_material(self, pick, who, which):
        """The current material, or any by its id."""
        key = self.key(pick, origin="EXTERNAL")
        known = [one["id"].name for key in self.family(key)[:1] for one in key.materials + key.pending]
        known = [name for name in known if name]
        named = {"KeyMaterialId": known[which % len(known)]} if known and which is not None else {}
        self.on(key, "delete_imported_key_material", who, **named)

    # ---- grants

    @rule(
        pick=PICK,
        who=WHO,
        grantee=st.sampled_from([APP, APP, *ADMINS.values()]),
        wanted=st.sampled_from(["all", "all", "one", "what does not fit"]),
        retiring=st.none() | st.sampled_from([APP, *ADMINS.values()]),
        name=st.none() | st.just("name"),
        subset=st.none() | st.just({"a": "1"}),
        wait=st.sampled_from([0, 299, 300]),
    )
    def grant(self, pick, who, grantee, wanted, retiring, name, subset, wait):
        """Make a grant, and let the grantee use it at once, with its token, and some time later."""
        key = self.key(pick, state="Enabled")
        spec = self.family(key)[0].spec if self.family(key) else naive.ECC
        operations = naive.MAY_GRANT[naive.HMAC if wanted == "what does not fit" else spec]
        operations = [operations[0], "RetireGrant"] if wanted == "one" else [*operations, "DescribeKey"]
        given = {"RetiringPrincipal": retiring, "Name": name}
        given["Constraints"] = subset and spec == naive.SYMMETRIC and {"EncryptionContextSubset": subset}
        given = {member: value for member, value in given.items() if value}
        for _ in range(2 if name else 1):  # a name makes it safe to ask again
            self.on(key, "create_grant", who, GranteePrincipal=grantee, Operations=operations, **given)
        caller = {APP: "app", ADMINS[key.split(":")[4]]: "owner"}.get(grantee, "stranger")
        self.use_grant(0, 0, caller, "", {"a": "1"})
        self.use_grant(0, 0, caller, "its", {"a": "1"})
        self.travel(wait)
        self.use_grant(0, 0, caller, "", {"a": "1"})

    @rule(pick=PICK, who=WHO, how=st.sampled_from(["revoke", "retire", "token"]), wait=st.sampled_from([300, 299, 0]))
    def end_grant(self, pick, who, how, wait):
        """End a grant; it goes on for a while."""
        if self.a_grant(pick) == (None, None):
            self.grant(0, "owner", APP, "all", APP, None, None, 0)
        key, grant = self.a_grant(pick)
        if key:
            if how == "token":
                self.on(key, "retire_grant", who, form="", GrantToken=grant["tokens"][-1].name)
            else:
                self.on(key, f"{how}_grant", who, GrantId=grant["id"].name)
            self.on(key, "list_grants", Limit=100)
            self.use_grant(pick, 0, "app", "its", {})
            self.travel(wait)
            self.on(key, "describe_key", "app", GrantTokens=[grant["tokens"][0].name])
            self.on(key, "encrypt", Plaintext=b"m", GrantTokens=[grant["tokens"][0].name])

    @rule(
        pick=PICK,
        other=PICK,
        who=st.sampled_from(["app", "app", "stranger", "owner"]),
        token=st.sampled_from(["", "", "its", "another"]),
        context=CONTEXTS,
    )
    def use_grant(self, pick, other, who, token, context):
        key, grant = self.a_grant(pick)
        if not key:
            return
        tokens = [(self.a_grant(other)[1] if token == "another" else grant)["tokens"][0].name]
        more = {"GrantTokens": tokens} if token else {}
        self.on(key, "encrypt", who, Plaintext=b"granted", EncryptionContext=context, **more)
        self.on(key, "describe_key", who, **more)
        for blob in [one for one in self.naive.made if one.kind == "blob" and one.key.name in key][-1:]:
            self.on(key, "decrypt", who, CiphertextBlob=blob.name, EncryptionContext=blob.context, **more)
        self.on(key, "sign", who, Message=b"m", **EC, **more)

    # ---- the custom key store

    @rule(
        what=st.sampled_from(["connect", "disconnect", "disconnect", "delete"]),
        wait=st.sampled_from([0, 59, 60, 1199, 1200]),
    )
    def store_does(self, what, wait):
        self.do(ADMINISTRATOR, HOME, f"{what}_custom_key_store", CustomKeyStoreId=self.store)
        self.travel(wait)

    @rule()
    def create_in_store(self):
        self.do(ADMINISTRATOR, HOME, "connect_custom_key_store", CustomKeyStoreId=self.store)
        self.travel(1200)
        self.create(ADMINISTRATOR, HOME, Origin="AWS_CLOUDHSM", CustomKeyStoreId=self.store)

    @rule()
    def cluster_stops_or_starts(self):
        cluster = self.lab.hsm.cluster(self.cluster.id)
        cluster.stop() if self.naive.cluster_runs else cluster.start()
        self.naive.cluster_runs = not self.naive.cluster_runs

    # ---- time

    @rule(
        seconds=st.sampled_from([0, 1, 10, 60, 300, 1200])
        | st.sampled_from([1, 7, 90, 365]).map(lambda d: d * naive.DAY)
    )
    def travel(self, seconds):
        self.lab.clock.travel(seconds=seconds)
        self.naive.travel(seconds)
        for key in self.naive.keys:
            self.on(key.arn, "describe_key")

    @rule(which=st.integers(0, 5), off=st.sampled_from([0, 0, -1, 1]))
    def travel_to_the_brink(self, which, off):
        """To the second at which something happens by itself, or the one before or after."""
        dates = self.naive.dates()[: which + 1]
        if dates and dates[-1] + off >= self.naive.now:
            self.travel(dates[-1] + off - self.naive.now)

    # ---- saving, forking, going back

    @rule(pick=PICK, secret=SECRETS, doing=st.booleans())
    def save_and_load(self, pick, secret, doing):
        if doing:  # while some material waits for its rotation, and grants are ending
            self.import_everywhere(pick, secret, None, False)
            self.end_grant(pick, "owner", "revoke", 0)
        bills = [self.lab.bill(account).total for account in ACCOUNTS]
        with tempfile.TemporaryDirectory() as folder:
            self.lab.save(f"{folder}/lab.json")
            self.take(Lab.load(f"{folder}/lab.json"))
        assert [self.lab.bill(account).total for account in ACCOUNTS] == bills
        assert min(bills) >= 0
        self.marked = None  # a file holds no bookmarks
        self.same_in_all()

    @rule()
    def go_on_in_a_fork(self):
        left = self.lab
        self.take(left.fork())
        self.disturb(left)
        self.marked = None
        self.same_in_all()

    @rule()
    def leave_a_fork_alone(self):
        self.disturb(self.lab.fork())
        self.same_in_all()

    def disturb(self, lab):
        """Change all that can be changed in another lab, which this one must not notice."""
        for key in self.naive.keys:
            kms = lab.client(ADMINS[key.account], key.region)
            for method, params in (
                ("tag_resource", {"Tags": [{"TagKey": "z", "TagValue": "z"}]}),
                ("create_grant", {"GranteePrincipal": APP, "Operations": ["DescribeKey"]}),
                ("rotate_key_on_demand", {}),
                ("disable_key", {}),
                ("schedule_key_deletion", {}),
                ("delete_imported_key_material", {}),
            ):
                with contextlib.suppress(KMSError):
                    getattr(kms, method)(KeyId=key.arn, **params)
            for alias in kms.list_aliases()["Aliases"]:
                kms.delete_alias(AliasName=alias["AliasName"])
        with contextlib.suppress(KMSError):
            lab.client().disconnect_custom_key_store(CustomKeyStoreId=self.store)
        lab.clock.travel(days=100)

    @rule()
    def bookmark(self):
        self.lab.bookmark()
        self.marked = copy.deepcopy((self.naive, self.names))

    @precondition(lambda self: self.marked)
    @rule()
    def rewind(self):
        self.lab.rewind()
        self.naive, self.names = copy.deepcopy(self.marked)
        self.same_in_all()

    # ---- what must always be so

    @invariant()
    def same_time_and_keys(self):
        assert self.seconds(self.lab.clock.now) == self.naive.now
        states = {key.arn: key.state for key in self.lab.world.all_keys()}
        assert states == {key.arn: key.state for key in self.naive.keys}
        assert len(states) == sum(len(shelf.keys) for shelf in self.lab.world.shelves.values())

    def same_in_all(self):
        """Compare everything that can be read."""
        for account, admin in ADMINS.items():
            for region in REGIONS:
                self.do(admin, region, "list_keys", Limit=1000)
                self.do(admin, region, "list_aliases", Limit=100)
                for principal in (*ADMINS.values(), APP):
                    if principal.split(":")[4] == account:
                        self.do(admin, region, "list_retirable_grants", RetiringPrincipal=principal, Limit=100)
        self.do(ADMINISTRATOR, HOME, "describe_custom_key_stores", CustomKeyStoreId=self.store)
        for key in self.naive.keys:
            self.same_in(key.arn)
        for blob in [one for one in self.naive.made if one.kind == "blob"][-20:]:
            for key in [key for key in self.naive.keys if key.id is blob.key]:
                self.on(key.arn, "decrypt", form="", CiphertextBlob=blob.name, EncryptionContext=blob.context)

    def same_in(self, key):
        self.on(key, "describe_key")
        self.on(key, "get_key_rotation_status")
        self.on(key, "list_key_rotations", Limit=1000)
        self.on(key, "list_key_rotations", Limit=1000, IncludeKeyMaterial="ALL_KEY_MATERIAL")
        self.on(key, "list_grants", Limit=100)
        self.on(key, "list_resource_tags")
        self.on(key, "get_key_last_usage")

    @rule(pick=PICK, who=WHO)
    def look(self, pick, who):
        key = self.key(pick)
        for method, more in (
            ("get_key_rotation_status", {}),
            ("list_key_rotations", {"Limit": 1000}),
            ("list_grants", {"Limit": 100}),
            ("get_key_last_usage", {}),
        ):
            self.on(key, method, who, **more)

    @rule(region=PLACES)
    def pages(self, region):
        """A listing page by page is the listing."""
        kms = self.lab.client(region=region)
        pages = list(kms.get_paginator("list_keys").paginate(Limit=2))
        assert [one for page in pages for one in page["Keys"]] == kms.list_keys(Limit=1000)["Keys"]
        assert all(len(page["Keys"]) == 2 for page in pages[:-1])

    def teardown(self):
        self.same_in_all()
        self.lab.bill()


class TestWorlds(Worlds.TestCase):
    """
    Answers, errors, dates, states, materials and log entries agree after every step of any life.
    """

    settings = settings(
        max_examples=min(settings().max_examples, 1_000),
        stateful_step_count=100,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


@pytest.mark.parametrize("seconds", [0, 1, 20 * 60, 20 * 60 + 1])
def test_brink(seconds):
    """
    Both agree to the second about when a rotation on demand is too close to an automatic one.
    """
    both = Worlds()
    both.create(ADMINISTRATOR, HOME)
    both.set_rotation(0, "owner", 90)
    both.travel(90 * naive.DAY - seconds)
    both.rotate(0, "owner")
    both.same_in_all()


def test_replica_made_again():
    """
    A replica that is deleted and made again has its ciphertexts back, but nothing that was its own: usage, tags, alias.
    """
    both = Worlds()
    both.create(ADMINISTRATOR, HOME, MultiRegion=True)
    both.replicate(0, "owner", REGIONS[1], True)
    replica = both.every[-1]
    both.edit(0, "owner", "a", "x")
    both.on(replica, "encrypt", Plaintext=b"m")
    both.on(replica, "create_alias", member="TargetKeyId", AliasName="alias/a")
    both.on(replica, "create_grant", GranteePrincipal=APP, Operations=["Decrypt"])
    both.on(replica, "schedule_key_deletion", PendingWindowInDays=7)
    both.travel(7 * naive.DAY)
    both.same_in_all()

    both.replicate(0, "owner", REGIONS[1], True)

    both.same_in_all()
    both.decrypt(0, 0, "owner", "", None, {})
