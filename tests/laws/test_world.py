"""The lab against a naive second KMS: whatever is done, in whatever order, by whom and where, both answer alike.

Every call is made of both with the same parameters, through the public client, and everything that the naive one knows
of the answer is compared. What KMS makes up is compared by name: where one of the two uses the same thing again, the
other must too.
"""

import ast
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
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from kms_lab import KMSError, Lab
from tests.laws.conftest import ADMINISTRATOR, ADMINS, APP, new_lab, wrap

NAIVE = Path(__file__).with_name("naive.py")
_spec = importlib.util.spec_from_file_location("naive_kms", NAIVE)
naive = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(naive)

HOME = "us-east-1"
REGIONS = (HOME, "eu-west-1", "ap-south-1")
ACCOUNTS = tuple(ADMINS)
SPECS = ("SYMMETRIC_DEFAULT", "SYMMETRIC_DEFAULT", "SYMMETRIC_DEFAULT", "HMAC_256", "ECC_NIST_P256")
CONTEXTS = st.sampled_from([{}, {"a": "1"}, {"a": "1", "b": "2"}, {"a": "2"}])
#: who calls: mostly the administrator of the key's account, else the other one, or somebody whom no policy names
WHO = st.sampled_from(["owner"] * 6 + ["stranger", "app"])
MESSAGES = st.sampled_from([b"m", b"n"])
ALIASES = st.sampled_from(["alias/a", "alias/b"])
SECRETS = st.sampled_from([bytes([number]) * 32 for number in range(3)])
SECONDS = st.sampled_from([1, 9, 10, 11, 59, 60, 299, 300, 301, 1199, 1200, 3600])
DAYS = st.sampled_from([1, 7, 29, 30, 31, 89, 90, 91, 365])


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

    keys = Bundle("keys")  # ARNs
    blobs = Bundle("blobs")
    signatures = Bundle("signatures")
    macs = Bundle("macs")
    tokens = Bundle("tokens")  # to import with: of which key
    grants = Bundle("grants")  # key, grant id, token

    def __init__(self):
        super().__init__()
        self.naive = naive.NaiveKms()
        self.names = {}  # what the naive KMS made, by the name that the lab gave it
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

    def on(self, key, method, who="owner", member="KeyId", region=None, form="arn", **params):
        """Do something with a key, where it is. ``form`` is how its owner names it."""
        _, _, _, where, account, name = key.split(":")
        owner = ADMINS[account]
        stranger = next(admin for admin in ADMINS.values() if admin != owner)
        caller = {"owner": owner, "stranger": stranger, "app": APP}[who]
        text = name.removeprefix("key/") if form == "id" and who == "owner" else form if form in "ab" else key
        if form in ("alias/a", "alias/b") and who == "owner":
            text = form
        return self.do(caller, region or where, method, **{member: text}, **params)

    def record(self, key):
        """The naive KMS's key; None if it is deleted, or unmade by a rewind."""
        return next((one for one in self.naive.keys if one.arn == key), None)

    # ---- keys

    @initialize(target=keys)
    def first_keys(self):
        plain = self.create(ADMINISTRATOR, HOME)
        family = self.create(ADMINISTRATOR, HOME, MultiRegion=True)
        self.travel(1)
        return multiple(plain, family, self.create(ADMINISTRATOR, HOME, MultiRegion=True, Origin="EXTERNAL"))

    def create(self, who, region, **params):
        answer = self.do(who, region, "create_key", **params)
        return multiple() if answer is None else answer["KeyMetadata"]["Arn"]

    @rule(
        target=keys,
        who=st.sampled_from(list(ADMINS.values()) * 3 + [APP]),
        region=st.sampled_from(REGIONS),
        spec=st.sampled_from(SPECS),
        multi=st.booleans(),
        imported=st.booleans(),
    )
    def create_key(self, who, region, spec, multi, imported):
        origin = "EXTERNAL" if imported and spec != "ECC_NIST_P256" else "AWS_KMS"
        usage = naive.USAGES[spec]
        return self.create(who, region, KeySpec=spec, KeyUsage=usage, MultiRegion=multi, Origin=origin, Description=spec)

    @rule(key=keys, method=st.sampled_from(["enable_key", "disable_key", "disable_key"]), who=WHO)
    def switch(self, key, method, who):
        self.on(key, method, who)

    @rule(key=keys, who=WHO, text=st.sampled_from("xy"))
    def describe_anew(self, key, who, text):
        self.on(key, "update_key_description", who, Description=text)

    @rule(key=keys, who=WHO, name=st.sampled_from("ab"), value=st.sampled_from("xy"))
    def tag(self, key, who, name, value):
        self.on(key, "tag_resource", who, Tags=[{"TagKey": name, "TagValue": value}])

    @rule(key=keys, who=WHO, name=st.sampled_from("ab"))
    def untag(self, key, who, name):
        self.on(key, "untag_resource", who, TagKeys=[name])

    @rule(key=keys, who=WHO, days=st.sampled_from([6, 7, 7, 8, 30]))
    def schedule_deletion(self, key, who, days):
        self.on(key, "schedule_key_deletion", who, PendingWindowInDays=days)

    @rule(key=keys, who=WHO)
    def cancel_deletion(self, key, who):
        self.on(key, "cancel_key_deletion", who)

    @rule(key=keys, who=WHO, shared=st.booleans())
    def share(self, key, who, shared):
        """Let the other account's administrators in, or shut them out."""
        accounts = ACCOUNTS if shared else [key.split(":")[4]]
        callers = [f"arn:aws:iam::{account}:root" for account in accounts]
        statement = {"Effect": "Allow", "Principal": {"AWS": callers}, "Action": "kms:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.on(key, "put_key_policy", who, Policy=policy)

    # ---- multi-Region keys

    @rule(target=keys, key=keys, who=WHO, region=st.sampled_from(REGIONS))
    def replicate(self, key, who, region):
        answer = self.on(key, "replicate_key", who, ReplicaRegion=region, Description="replica")
        return multiple() if answer is None else answer["ReplicaKeyMetadata"]["Arn"]

    @rule(target=keys, key=keys, region=st.sampled_from(REGIONS))
    def replicate_and_wait(self, key, region):
        made = self.replicate(key, "owner", region)
        self.travel(10)
        return made

    @rule(key=keys, who=WHO, region=st.sampled_from(REGIONS))
    def update_primary(self, key, who, region):
        self.on(key, "update_primary_region", who, PrimaryRegion=region)

    @rule(key=keys, days=st.sampled_from([7, 9]), which=st.integers(0, 2))
    def doom_a_family(self, key, days, which):
        """Schedule the deletion of a key and its relatives, each some time after the one before, or all but one."""
        record = self.record(key)
        family = [one.arn for one in self.naive.family(record)] if record else []
        for arn in family[which:] + family[:which]:
            self.on(arn, "schedule_key_deletion", PendingWindowInDays=days)
            self.travel(3600)

    # ---- aliases

    @rule(name=ALIASES, key=keys, who=WHO, change=st.booleans())
    def point_alias(self, name, key, who, change):
        method = "update_alias" if change else "create_alias"
        self.on(key, method, who, member="TargetKeyId", AliasName=name)

    @rule(name=ALIASES, who=st.sampled_from([*ADMINS.values(), APP]), region=st.sampled_from(REGIONS))
    def delete_alias(self, name, who, region):
        self.do(who, region, "delete_alias", AliasName=name)

    # ---- cryptography

    FORMS = st.sampled_from(["arn", "arn", "id", "alias/a", "alias/b"])

    @rule(target=blobs, key=keys, who=WHO, form=FORMS, text=MESSAGES, context=CONTEXTS, dry=st.booleans())
    def encrypt(self, key, who, form, text, context, dry):
        more = {"DryRun": True} if dry and text == b"n" else {}
        answer = self.on(key, "encrypt", who, form=form, Plaintext=text, EncryptionContext=context, **more)
        return multiple() if answer is None else answer["CiphertextBlob"]

    @rule(target=blobs, key=keys, who=WHO, context=CONTEXTS, length=st.sampled_from([16, 32]))
    def data_key(self, key, who, context, length):
        answer = self.on(key, "generate_data_key", who, NumberOfBytes=length, EncryptionContext=context)
        return multiple() if answer is None else answer["CiphertextBlob"]

    @rule(blob=blobs, who=WHO, key=keys, named=st.booleans(), other=CONTEXTS, wrong=st.integers(0, 3), dry=st.booleans())
    def decrypt(self, blob, who, key, named, other, wrong, dry):
        """With the right context or another, with any key named or none, in the key's Region or a relative's."""
        made = self.naive.thing(blob, "blob")
        if made is None:
            return  # of another time, that a rewind has undone
        relatives = [one.arn for one in self.naive.keys if one.id is made.key]
        where = key if named or not relatives else relatives[wrong % len(relatives)]
        more = {"DryRun": True} if dry and wrong == 3 else {}
        context = made.context if wrong else other
        member = "KeyId" if named or not relatives else "CiphertextBlob"
        if member == "KeyId":
            self.on(where, "decrypt", who, CiphertextBlob=blob, EncryptionContext=context, **more)
        else:
            region, account = where.split(":")[3:5]
            caller = {"owner": ADMINS[account], "app": APP}.get(who, ADMINS[ACCOUNTS[account == ACCOUNTS[0]]])
            self.do(caller, region, "decrypt", CiphertextBlob=blob, EncryptionContext=context, **more)

    @rule(target=blobs, blob=blobs, key=keys, who=WHO, source=CONTEXTS, right=st.booleans(), to=CONTEXTS)
    def re_encrypt(self, blob, key, who, source, right, to):
        made = self.naive.thing(blob, "blob")
        if made is None:
            return multiple()
        contexts = {"SourceEncryptionContext": made.context if right else source, "DestinationEncryptionContext": to}
        answer = self.on(key, "re_encrypt", who, member="DestinationKeyId", CiphertextBlob=blob, **contexts)
        return multiple() if answer is None else answer["CiphertextBlob"]

    @rule(target=signatures, key=keys, who=WHO, message=MESSAGES)
    def sign(self, key, who, message):
        answer = self.on(key, "sign", who, Message=message, SigningAlgorithm="ECDSA_SHA_256")
        return multiple() if answer is None else answer["Signature"]

    @rule(signature=signatures, key=keys, who=WHO, message=MESSAGES)
    def verify(self, signature, key, who, message):
        if self.naive.thing(signature, "signature"):
            self.on(key, "verify", who, Message=message, Signature=signature, SigningAlgorithm="ECDSA_SHA_256")

    @rule(target=macs, key=keys, who=WHO, message=MESSAGES)
    def mac(self, key, who, message):
        answer = self.on(key, "generate_mac", who, Message=message, MacAlgorithm="HMAC_SHA_256")
        return multiple() if answer is None else answer["Mac"]

    @rule(mac=macs, key=keys, who=WHO, message=MESSAGES)
    def verify_mac(self, mac, key, who, message):
        self.on(key, "verify_mac", who, Message=message, MacAlgorithm="HMAC_SHA_256", Mac=mac)

    @rule(key=keys, who=WHO)
    def public_key(self, key, who):
        self.on(key, "get_public_key", who)

    # ---- rotation

    @rule(key=keys, who=WHO, days=st.sampled_from([90, 91, 365]))
    def enable_rotation(self, key, who, days):
        self.on(key, "enable_key_rotation", who, RotationPeriodInDays=days)

    @rule(key=keys, who=WHO)
    def disable_rotation(self, key, who):
        self.on(key, "disable_key_rotation", who)

    @rule(key=keys, who=WHO)
    def rotate(self, key, who):
        self.on(key, "rotate_key_on_demand", who)

    @rule(key=keys, days=st.sampled_from([1, 100]))
    def sleep_through_a_rotation(self, key, days):
        """Disabled before the key's next rotation, enabled again some days after it."""
        record = self.record(key)
        if record and record.next_rotation is not None and record.next_rotation > self.naive.now:
            self.on(key, "disable_key")
            self.travel(record.next_rotation - self.naive.now + days * naive.DAY)
            self.on(key, "enable_key")

    # ---- imported material

    @rule(target=tokens, key=keys, who=WHO)
    def ask_for_token(self, key, who):
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        answer = self.on(key, "get_parameters_for_import", who, **wrapping)
        return multiple() if answer is None else (key, answer["ImportToken"])

    @rule(
        token=tokens,
        key=keys,
        own=st.integers(0, 4),
        who=WHO,
        secret=SECRETS,
        lasts=st.sampled_from([None, None, 0, 1, naive.DAY, 365 * naive.DAY, 365 * naive.DAY + 1]),
        kind=st.sampled_from([None, None, "NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"]),
    )
    def use_token(self, token, key, own, who, secret, lasts, kind):
        """Import with a token for this key or another, in time or too late."""
        if self.naive.thing(token[1], "import token"):
            self.bring(token[0] if own else key, token[1], secret, lasts, kind, who)

    @rule(
        key=keys,
        secret=SECRETS,
        lasts=st.sampled_from([None, None, naive.DAY, 30 * naive.DAY]),
        kind=st.sampled_from([None, "NEW_KEY_MATERIAL"]),
    )
    def import_material(self, key, secret, lasts, kind):
        token = self.ask_for_token(key, "owner")
        if isinstance(token, tuple):
            self.bring(key, token[1], secret, lasts, kind, "owner")

    @rule(key=keys, secret=SECRETS, lasts=st.sampled_from([None, naive.DAY]), rotate=st.booleans())
    def import_everywhere(self, key, secret, lasts, rotate):
        """Bring a family new material, as its owner would, and rotate it in."""
        record = self.record(key)
        if record is None or record.origin != "EXTERNAL":
            return
        kind = "NEW_KEY_MATERIAL" if record.materials else None
        for one in sorted(self.naive.family(record), key=lambda one: one.is_replica):
            self.import_material(one.arn, secret, lasts, None if one.is_replica else kind)
        if rotate:
            for one in self.naive.family(record):
                self.on(one.arn, "rotate_key_on_demand")

    def bring(self, key, token, secret, lasts, kind, who):
        wrapped = wrap(secret)
        self.naive.wrapped[wrapped] = secret
        more = {"ImportType": kind} if kind else {}
        more["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE" if lasts is None else "KEY_MATERIAL_EXPIRES"
        if lasts is not None:
            more["ValidTo"] = self.lab.clock.now + timedelta(seconds=lasts)
        self.on(key, "import_key_material", who, ImportToken=token, EncryptedKeyMaterial=wrapped, **more)

    @rule(key=keys, who=WHO, which=st.none() | st.integers(0, 3))
    def delete_material(self, key, who, which):
        """The current material, or any by its id."""
        record = self.record(key)
        known = [one["id"].name for one in record.materials + record.pending if one["id"].name] if record else []
        named = {"KeyMaterialId": known[which % len(known)]} if known and which is not None else {}
        self.on(key, "delete_imported_key_material", who, **named)

    # ---- grants

    OPERATIONS = st.sampled_from(
        [["Encrypt", "Decrypt"], ["Decrypt", "RetireGrant"], ["DescribeKey", "GenerateMac"], ["Sign", "GetPublicKey"]]
    )

    @rule(
        target=grants,
        key=keys,
        who=WHO,
        grantee=st.sampled_from([APP, APP, *ADMINS.values()]),
        operations=OPERATIONS,
        retiring=st.none() | st.sampled_from([APP, *ADMINS.values()]),
        name=st.none() | st.just("name"),
        subset=st.none() | st.just({"a": "1"}),
    )
    def grant(self, key, who, grantee, operations, retiring, name, subset):
        params = {"RetiringPrincipal": retiring, "Name": name}
        params["Constraints"] = None if subset is None else {"EncryptionContextSubset": subset}
        given = {member: value for member, value in params.items() if value is not None}
        answer = self.on(key, "create_grant", who, GranteePrincipal=grantee, Operations=operations, **given)
        return multiple() if answer is None else (key, answer["GrantId"], answer["GrantToken"])

    @rule(grant=grants, who=WHO, by_token=st.booleans(), retire=st.booleans())
    def end_grant(self, grant, who, by_token, retire):
        key, grant_id, token = grant
        if not retire:
            self.on(key, "revoke_grant", who, GrantId=grant_id)
        elif by_token:
            account = key.split(":")[4]
            caller = {"owner": ADMINS[account], "app": APP}.get(who, ADMINS[ACCOUNTS[account == ACCOUNTS[0]]])
            self.do(caller, key.split(":")[3], "retire_grant", GrantToken=token)
        else:
            self.on(key, "retire_grant", who, GrantId=grant_id)

    @rule(
        target=blobs,
        grant=grants,
        who=st.sampled_from(["app", "app", "stranger", "owner"]),
        token=st.booleans(),
        other=grants,
        context=CONTEXTS,
    )
    def use_grant(self, grant, who, token, other, context):
        tokens = {"GrantTokens": [(grant if token else other)[2]]} if token or context == {"a": "2"} else {}
        answer = self.on(grant[0], "encrypt", who, Plaintext=b"granted", EncryptionContext=context, **tokens)
        self.on(grant[0], "generate_mac", who, Message=b"m", MacAlgorithm="HMAC_SHA_256", **tokens)
        self.on(grant[0], "describe_key", who, **tokens)
        return multiple() if answer is None else answer["CiphertextBlob"]

    # ---- the custom key store

    @rule(method=st.sampled_from(["connect", "connect", "disconnect", "delete"]), region=st.sampled_from([HOME] * 3 + ["eu-west-1"]))
    def store_does(self, method, region):
        self.do(ADMINISTRATOR, region, f"{method}_custom_key_store", CustomKeyStoreId=self.store)

    @rule(target=keys)
    def create_in_store(self):
        self.do(ADMINISTRATOR, HOME, "connect_custom_key_store", CustomKeyStoreId=self.store)
        self.travel(1200)
        return self.create(ADMINISTRATOR, HOME, Origin="AWS_CLOUDHSM", CustomKeyStoreId=self.store)

    @rule()
    def cluster_stops_or_starts(self):
        cluster = self.lab.hsm.cluster(self.cluster.id)
        cluster.stop() if self.naive.cluster_runs else cluster.start()
        self.naive.cluster_runs = not self.naive.cluster_runs

    # ---- time

    @rule(seconds=SECONDS | DAYS.map(lambda days: days * naive.DAY))
    def travel(self, seconds):
        self.lab.clock.travel(seconds=seconds)
        self.naive.travel(seconds)

    @rule(which=st.integers(0, 5), off=st.sampled_from([-1, 0, 0, 1]))
    def travel_to_the_brink(self, which, off):
        """To the second at which something happens by itself, or the one before or after."""
        dates = self.naive.dates()[: which + 1]
        if dates and dates[-1] + off >= self.naive.now:
            self.travel(dates[-1] + off - self.naive.now)

    @rule(key=keys)
    def travel_to_the_twenty_minutes(self, key):
        """To the moment from which on the next rotation is too close for one on demand, and to the one after it."""
        record = self.record(key)
        if record and record.next_rotation is not None and record.next_rotation - 1201 > self.naive.now:
            self.travel(record.next_rotation - 1201 - self.naive.now)
            self.rotate(key, "owner")
            self.travel(1)
            self.rotate(key, "owner")

    # ---- saving, forking, going back

    @rule()
    def save_and_load(self):
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
        left.clock.travel(days=100)
        left.client().create_key()
        self.marked = None
        self.same_in_all()

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
        assert sorted(key.arn for key in self.lab.world.all_keys()) == sorted(key.arn for key in self.naive.keys)
        for key in self.naive.keys:
            self.on(key.arn, "describe_key")

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

    def same_in(self, key):
        self.on(key, "get_key_rotation_status")
        self.on(key, "list_key_rotations", Limit=1000)
        self.on(key, "list_key_rotations", Limit=1000, IncludeKeyMaterial="ALL_KEY_MATERIAL")
        self.on(key, "list_grants", Limit=100)
        self.on(key, "list_resource_tags")
        self.on(key, "get_key_last_usage")

    @rule(key=keys, who=WHO)
    def look(self, key, who):
        for method, more in (
            ("get_key_rotation_status", {}),
            ("list_key_rotations", {"Limit": 1000}),
            ("list_grants", {"Limit": 100}),
            ("get_key_last_usage", {}),
        ):
            self.on(key, method, who, **more)

    @rule(region=st.sampled_from(REGIONS))
    def pages(self, region):
        """A listing page by page is the listing."""
        kms = self.lab.client(region=region)
        pages = list(kms.get_paginator("list_keys").paginate(Limit=2))
        assert sum((page["Keys"] for page in pages), []) == kms.list_keys(Limit=1000)["Keys"]
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
        stateful_step_count=60,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


@pytest.mark.parametrize("seconds", [0, 1, 20 * 60, 20 * 60 + 1])
def test_brink(seconds):
    """
    Both agree to the second about when a rotation on demand is too close to an automatic one.
    """
    both = Worlds()
    key = both.create(ADMINISTRATOR, HOME)
    both.enable_rotation(key, "owner", 90)
    both.travel(90 * naive.DAY - seconds)
    both.rotate(key, "owner")
    both.same_in(key)
