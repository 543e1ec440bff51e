"""A second, naive KMS: plain lists, ifs and loops. It imports nothing at all, so it can be wrong alone.

It takes AWS's parameters and answers in AWS's shape, but only with the facts that it knows; None says that a member
must not be there, a tuple that order does not matter. What KMS makes up (ids, ciphertexts, signatures) is a ``Made``:
whoever compares tells it the name that the other KMS gave it. Time is a whole number of seconds.

Rules as AWS's developer guide states them: "Key states of KMS keys", "Rotate AWS KMS keys", "Deleting keys",
"Multi-Region keys", "Importing key material", "Grants", "Custom key stores".
"""

MINUTE, DAY = 60, 24 * 60 * 60
SYMMETRIC, HMAC, ECC = "SYMMETRIC_DEFAULT", "HMAC_256", "ECC_NIST_P256"
USAGES = {SYMMETRIC: "ENCRYPT_DECRYPT", HMAC: "GENERATE_VERIFY_MAC", ECC: "SIGN_VERIFY"}
MAY_GRANT = {
    SYMMETRIC: ["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey"],
    HMAC: ["GenerateMac", "VerifyMac"],
    ECC: ["Sign", "Verify", "GetPublicKey"],
}
ACROSS_ACCOUNTS = [
    "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "Sign", "Verify", "GenerateMac",
    "VerifyMac", "GetPublicKey", "DescribeKey", "GetKeyRotationStatus", "CreateGrant", "ListGrants", "RevokeGrant",
]  # fmt: skip

# Which states refuse which operations, by the letters that stand for the states. D is for waiting to be deleted, or for
# the replicas to be.
DISABLED, DOOMED, IMPORT, UNAVAILABLE, CREATING, UPDATING = "dDIUCG"
LETTERS = {
    "Enabled": "", "Disabled": DISABLED, "PendingDeletion": DOOMED, "PendingReplicaDeletion": DOOMED,
    "PendingImport": IMPORT, "Unavailable": UNAVAILABLE, "Creating": CREATING, "Updating": UPDATING,
}  # fmt: skip
REFUSES = {
    "use": "dDIUC", "edit": "D", "switch": "DICG", "schedule": "DG", "rotation": "dDIUC", "grant": "dDIC",
    "public": "DC", "parameters": "DUCG", "import": "DUC", "delete material": "CG", "replicate": "dDICG",
    "status": "IU", "rotations": "U",
}  # fmt: skip


class Refused(Exception):
    """What AWS answers instead: the name of its error."""


class Made:
    """Something made up by KMS, with what is known of it. Its name is whatever the other KMS calls it."""

    def __init__(self, **known):
        self.name = None
        self.__dict__.update(known)


class Key:
    def __init__(self, account, region, key_id, spec, origin, now):
        self.account, self.region, self.id, self.spec, self.origin = account, region, key_id, spec, origin
        self.created = now
        self.state = "Enabled"
        self.returns_to = None  # after Creating, Updating, Unavailable
        self.ready = None  # when Creating or Updating ends
        self.deletion = self.window = None
        self.materials = []  # oldest first: dicts with id, since, how, secret, expires
        self.pending = []  # imported, waits for a rotation
        self.period = self.next_rotation = None
        self.primary = None  # Region of the multi-Region primary
        self.description, self.tags, self.shared_with = "", {}, []
        self.grants = []
        self.store = None
        self.used = None  # (when, operation)

    @property
    def arn(self):
        return f"arn:aws:kms:{self.region}:{self.account}:key/{self.id.name}"

    @property
    def complete(self):
        return bool(self.materials) and all(one["secret"] is not None for one in self.materials)

    @property
    def is_replica(self):
        return self.primary is not None and self.primary != self.region


class NaiveKms:
    def __init__(self):
        self.now = 0
        self.keys = []
        self.aliases = []  # dicts: account, region, name, key, made, changed
        self.made = []  # blobs, signatures, tokens: everything that can be handed in again
        self.macs = {}
        self.imported_ids = {}
        self.wrapped = {}  # what the owner of key material has wrapped
        self.store = None  # one CloudHSM key store, and its cluster
        self.cluster_runs = True

    def call(self, caller, region, operation, **params):
        """Return (error, answer): one of them is None."""
        self.caller, self.region = caller, region
        self.account = caller.split(":")[4]
        try:
            return None, getattr(self, operation)(**params) or {}
        except Refused as refusal:
            return refusal.args[0], None

    # ---- finding, permission, state

    def find(self, text, aliases=True):
        account, region, name = self.account, self.region, text
        if text.startswith("arn:"):
            _, _, _, region, account, name = text.split(":")
            name = name.removeprefix("key/")
        if region != self.region:
            raise Refused("NotFoundException")
        if name.startswith("alias/"):
            if not aliases:
                raise Refused("InvalidArnException")
            found = [one["key"] for one in self.aliases if self.where(one) == (account, region) and one["name"] == name]
        else:
            found = [key for key in self.keys if (key.account, key.region, key.id.name) == (account, region, name)]
        if found:
            return found[0]
        raise Refused("NotFoundException" if account == self.account else "AccessDeniedException")

    def where(self, alias):
        return alias["account"], alias["region"]

    def family(self, key):
        """A key and its related multi-Region keys."""
        return [one for one in self.keys if one.account == key.account and one.id is key.id]

    def thing(self, name, kind):
        return next((one for one in self.made if one.kind == kind and one.name == name), None)

    def is_admin(self):
        return self.caller.endswith("/Admin")

    def allow(self, action, key=None, tokens=(), context=None):
        if key is None:
            if not self.is_admin():
                raise Refused("AccessDeniedException")
            return
        if key.account != self.account and action not in ACROSS_ACCOUNTS:
            raise Refused("AccessDeniedException")
        if self.is_admin() and self.account in [key.account, *key.shared_with]:
            return
        if not any(self.permits(grant, action, tokens, context or {}) for grant in key.grants):
            raise Refused("AccessDeniedException")

    def permits(self, grant, action, tokens, context):
        if grant["grantee"] != self.caller or action not in grant["operations"]:
            return False
        if grant["from"] > self.now and not any(token.name in tokens for token in grant["tokens"]):
            return False
        if action in ("DescribeKey", "CreateGrant") or grant["subset"] is None:
            return True
        return all(context.get(name) == value for name, value in grant["subset"].items())

    def check(self, key, row):
        letter = LETTERS[key.state]
        if letter and letter in REFUSES[row]:
            if letter == DISABLED:
                raise Refused("DisabledException")
            if (row in ("rotation", "status", "rotations") and letter == UNAVAILABLE) or (
                row == "status" and letter == IMPORT
            ):
                raise Refused("UnsupportedOperationException")
            raise Refused("KMSInvalidStateException")

    def check_tokens(self, tokens):
        known = [token.name for key in self.keys for grant in key.grants for token in grant["tokens"]]
        if not all(token in known for token in tokens):
            raise Refused("InvalidGrantTokenException")

    def of_usage(self, key, usage):
        if USAGES[key.spec] != usage:
            raise Refused("InvalidKeyUsageException")

    # ---- keys

    def create_key(
        self, KeySpec=SYMMETRIC, KeyUsage="", Origin="AWS_KMS", MultiRegion=False, CustomKeyStoreId=None, Description=""
    ):
        self.allow("CreateKey")
        if CustomKeyStoreId is not None:
            self.find_store(CustomKeyStoreId)
            if self.store["state"] != "CONNECTED":
                raise Refused("CustomKeyStoreInvalidStateException")
            if not self.cluster_runs:
                raise Refused("CloudHsmClusterInvalidConfigurationException")
        key = Key(self.account, self.region, Made(), KeySpec, Origin, self.now)
        key.description = Description
        key.store = CustomKeyStoreId
        key.primary = self.region if MultiRegion else None
        if Origin == "EXTERNAL":
            key.state = "PendingImport"
        else:
            key.materials.append(self.new_material("FIRST"))
        self.keys.append(key)
        return {"KeyMetadata": {"KeyId": key.id, **self.metadata(key)}}

    def new_material(self, how):
        return {"id": Made(), "since": self.now, "how": how, "secret": Made(), "expires": None}

    def describe_key(self, KeyId, GrantTokens=()):
        key = self.find(KeyId)
        self.allow("DescribeKey", key, GrantTokens)
        return {"KeyMetadata": {"KeyId": key.id.name, **self.metadata(key)}}

    def metadata(self, key):
        answer = {
            "KeyState": key.state, "Enabled": key.state == "Enabled", "CreationDate": key.created, "Origin": key.origin,
            "KeySpec": key.spec, "KeyUsage": USAGES[key.spec], "MultiRegion": key.primary is not None,
            "Description": key.description, "DeletionDate": None, "PendingDeletionWindowInDays": None,
            "CurrentKeyMaterialId": None, "ExpirationModel": None, "ValidTo": None, "CustomKeyStoreId": key.store,
        }  # fmt: skip
        if key.spec == SYMMETRIC and key.store is None and key.materials and key.state != "Creating":
            answer["CurrentKeyMaterialId"] = key.materials[-1]["id"]
        if key.state == "PendingDeletion":
            answer["DeletionDate"] = key.deletion
        if key.state == "PendingReplicaDeletion":
            answer["PendingDeletionWindowInDays"] = key.window
        if key.origin == "EXTERNAL" and key.complete:
            answer |= self.expiration([one["expires"] for one in key.materials])
        if key.primary is not None:
            family = self.family(key)
            answer["MultiRegionConfiguration"] = {
                "MultiRegionKeyType": "REPLICA" if key.is_replica else "PRIMARY",
                "PrimaryKey": {"Region": key.primary},
                "ReplicaKeys": tuple({"Region": one.region} for one in family if one.is_replica),
            }
        return answer

    def expiration(self, dates):
        dates = [date for date in dates if date is not None]
        if dates:
            return {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": min(dates)}
        return {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ValidTo": None}

    def list_keys(self, Limit):
        self.allow("ListKeys")
        own = [key for key in self.keys if (key.account, key.region) == (self.account, self.region)]
        return {"Keys": tuple({"KeyId": key.id.name, "KeyArn": key.arn} for key in own)}

    def enable_key(self, KeyId):
        key = self.switch(KeyId, "EnableKey", "Enabled")
        if key.next_rotation is not None and key.next_rotation <= self.now and not key.is_replica:
            self.rotate_by_itself(key)  # it came due meanwhile

    def disable_key(self, KeyId):
        self.switch(KeyId, "DisableKey", "Disabled")

    def switch(self, key_id, action, state):
        key = self.find(key_id, aliases=False)
        self.allow(action, key)
        self.check(key, "switch")
        if key.state == "Unavailable":
            key.returns_to = state
        else:
            key.state = state
        return key

    def update_key_description(self, KeyId, Description):
        self.edited("UpdateKeyDescription", KeyId).description = Description

    def tag_resource(self, KeyId, Tags):
        self.edited("TagResource", KeyId).tags.update({tag["TagKey"]: tag["TagValue"] for tag in Tags})

    def untag_resource(self, KeyId, TagKeys):
        key = self.edited("UntagResource", KeyId)
        for name in TagKeys:
            key.tags.pop(name, None)

    def edited(self, action, key_id):
        key = self.find(key_id, aliases=False)
        self.allow(action, key)
        self.check(key, "edit")
        return key

    def list_resource_tags(self, KeyId):
        key = self.find(KeyId, aliases=False)
        self.allow("ListResourceTags", key)
        return {"Tags": tuple({"TagKey": name, "TagValue": value} for name, value in key.tags.items())}

    def put_key_policy(self, KeyId, Policy):
        key = self.find(KeyId, aliases=False)
        self.allow("PutKeyPolicy", key)
        key.shared_with = [account for account in ("111122223333", "444455556666") if account in Policy]

    def get_key_last_usage(self, KeyId):
        key = self.find(KeyId, aliases=False)
        self.allow("GetKeyLastUsage", key)
        usage = {"Operation": None, "Timestamp": None}
        if key.used:
            usage = {"Operation": key.used[1], "Timestamp": key.used[0]}
        return {"KeyLastUsage": usage, "KeyCreationDate": key.created, "TrackingStartDate": key.created}

    # ---- deletion

    def schedule_key_deletion(self, KeyId, PendingWindowInDays):
        key = self.find(KeyId, aliases=False)
        self.allow("ScheduleKeyDeletion", key)
        self.check(key, "schedule")
        if not 7 <= PendingWindowInDays <= 30:
            raise Refused("ValidationException")
        key.window = PendingWindowInDays
        if key.primary == key.region and len(self.family(key)) > 1:
            key.state = "PendingReplicaDeletion"
            return {"KeyState": key.state, "DeletionDate": None}
        self.start_waiting(key)
        return {"KeyState": key.state, "DeletionDate": key.deletion}

    def start_waiting(self, key):
        key.state, key.deletion = "PendingDeletion", self.now + key.window * DAY

    def cancel_key_deletion(self, KeyId):
        key = self.find(KeyId, aliases=False)
        self.allow("CancelKeyDeletion", key)
        if not key.state.endswith("Deletion"):
            raise Refused("KMSInvalidStateException")
        key.state = "PendingImport" if key.origin == "EXTERNAL" and not key.complete else "Disabled"
        key.deletion = key.window = None
        self.follow_store(key)

    def delete(self, key):
        self.keys.remove(key)
        self.aliases = [alias for alias in self.aliases if alias["key"] is not key]
        rest = self.family(key)
        if len(rest) == 1 and rest[0].state == "PendingReplicaDeletion":
            self.start_waiting(rest[0])

    # ---- aliases

    def create_alias(self, AliasName, TargetKeyId):
        key = self.find(TargetKeyId)
        self.allow("CreateAlias")
        self.allow("CreateAlias", key)
        self.check(key, "edit")
        if self.alias(AliasName):
            raise Refused("AlreadyExistsException")
        alias = {"account": self.account, "region": self.region, "name": AliasName, "key": key}
        self.aliases.append({**alias, "made": self.now, "changed": self.now})

    def update_alias(self, AliasName, TargetKeyId):
        key = self.find(TargetKeyId)
        self.allow("UpdateAlias")
        alias = self.alias(AliasName)
        if alias is None:
            raise Refused("NotFoundException")
        self.allow("UpdateAlias", alias["key"])
        self.allow("UpdateAlias", key)
        self.check(key, "edit")
        if alias["key"].spec != key.spec:
            raise Refused("ValidationException")
        alias["key"], alias["changed"] = key, self.now

    def delete_alias(self, AliasName):
        alias = self.alias(AliasName)
        if alias is None:
            raise Refused("NotFoundException")
        self.allow("DeleteAlias")
        self.allow("DeleteAlias", alias["key"])
        self.aliases.remove(alias)

    def alias(self, name):
        own = [one for one in self.aliases if self.where(one) == (self.account, self.region) and one["name"] == name]
        return own[0] if own else None

    def list_aliases(self, Limit):
        self.allow("ListAliases")
        own = [one for one in self.aliases if self.where(one) == (self.account, self.region)]
        return {
            "Aliases": tuple(
                {
                    "AliasName": one["name"], "TargetKeyId": one["key"].id.name,
                    "CreationDate": one["made"], "LastUpdatedDate": one["changed"],
                }
                for one in own
            )
        }  # fmt: skip

    # ---- cryptography

    def ready(self, action, key, usage, tokens, context=None, dry=False):
        """Everything between finding a key and using it."""
        self.check_tokens(tokens)
        self.allow(action, key, tokens, context)
        self.check(key, "use")
        self.of_usage(key, usage)
        if dry:
            raise Refused("DryRunOperationException")

    def reach(self, key):
        if key.store is not None and not self.cluster_runs:
            raise Refused("KMSInvalidStateException")

    def encrypt(self, KeyId, Plaintext, EncryptionContext=None, GrantTokens=(), DryRun=False):
        key = self.find(KeyId)
        self.ready("Encrypt", key, "ENCRYPT_DECRYPT", GrantTokens, EncryptionContext, DryRun)
        self.reach(key)
        key.used = (self.now, "Encrypt")
        return {"KeyId": key.arn, "CiphertextBlob": self.blob(key, Plaintext, EncryptionContext)}

    def generate_data_key(self, KeyId, NumberOfBytes, EncryptionContext=None, GrantTokens=()):
        key = self.find(KeyId)
        self.ready("GenerateDataKey", key, "ENCRYPT_DECRYPT", GrantTokens, EncryptionContext)
        self.reach(key)
        key.used = (self.now, "GenerateDataKey")
        secret = Made()
        blob = self.blob(key, secret, EncryptionContext)
        return {"KeyId": key.arn, "Plaintext": secret, "CiphertextBlob": blob, "KeyMaterialId": blob.material}

    def blob(self, key, plaintext, context):
        used = key.materials[-1]["id"]
        blob = Made(kind="blob", key=key.id, account=key.account, material=used, text=plaintext, context=context or {})
        self.made.append(blob)
        return blob

    def opener(self, blob, named):
        if named is not None:
            return self.find(named)
        found = [key for key in self.keys if (key.account, key.region, key.id) == (blob.account, self.region, blob.key)]
        if not found:
            raise Refused("AccessDeniedException")
        return found[0]

    def open(self, key, blob, context):
        used = [one for one in key.materials if one["id"] is blob.material]
        if used:
            self.reach(key)
        if not used or blob.context != (context or {}):
            raise Refused("InvalidCiphertextException")
        return used[0]

    def decrypt(self, CiphertextBlob, KeyId=None, EncryptionContext=None, GrantTokens=(), DryRun=False):
        blob = self.thing(CiphertextBlob, "blob")
        key = self.opener(blob, KeyId)
        self.check_tokens(GrantTokens)
        self.allow("Decrypt", key, GrantTokens, EncryptionContext)
        self.check(key, "use")
        self.same_key(key, blob)
        if DryRun:
            raise Refused("DryRunOperationException")
        used = self.open(key, blob, EncryptionContext)
        key.used = (self.now, "Decrypt")
        return {"KeyId": key.arn, "Plaintext": blob.text, "KeyMaterialId": used["id"]}

    def same_key(self, key, blob):
        if key.id is not blob.key or key.account != blob.account:
            raise Refused("IncorrectKeyException")

    def re_encrypt(
        self, CiphertextBlob, DestinationKeyId, SourceKeyId=None, SourceEncryptionContext=None,
        DestinationEncryptionContext=None,
    ):  # fmt: skip
        blob = self.thing(CiphertextBlob, "blob")
        source = self.opener(blob, SourceKeyId)
        destination = self.find(DestinationKeyId)
        self.allow("ReEncryptFrom", source, (), SourceEncryptionContext)
        self.allow("ReEncryptTo", destination, (), DestinationEncryptionContext)
        self.check(source, "use")
        self.check(destination, "use")
        self.same_key(source, blob)
        self.of_usage(destination, "ENCRYPT_DECRYPT")
        used = self.open(source, blob, SourceEncryptionContext)
        self.reach(destination)
        source.used = destination.used = (self.now, "ReEncrypt")
        new = self.blob(destination, blob.text, DestinationEncryptionContext)
        return {
            "CiphertextBlob": new, "SourceKeyId": source.arn, "KeyId": destination.arn,
            "SourceKeyMaterialId": used["id"], "DestinationKeyMaterialId": new.material,
        }  # fmt: skip

    def sign(self, KeyId, Message, SigningAlgorithm, GrantTokens=()):
        key = self.find(KeyId)
        self.ready("Sign", key, "SIGN_VERIFY", GrantTokens)
        key.used = (self.now, "Sign")
        signature = Made(kind="signature", secret=key.materials[-1]["secret"], message=Message)
        self.made.append(signature)
        return {"Signature": signature, "KeyId": key.arn}

    def verify(self, KeyId, Message, Signature, SigningAlgorithm):
        key = self.find(KeyId)
        self.ready("Verify", key, "SIGN_VERIFY", ())
        signature = self.thing(Signature, "signature")
        if (signature.secret, signature.message) != (key.materials[-1]["secret"], Message):
            raise Refused("KMSInvalidSignatureException")
        key.used = (self.now, "Verify")
        return {"SignatureValid": True}

    def get_public_key(self, KeyId):
        key = self.find(KeyId)
        self.allow("GetPublicKey", key)
        if key.spec != ECC:
            raise Refused("UnsupportedOperationException")
        self.check(key, "public")
        return {"PublicKey": self.mac(key, None)}

    def generate_mac(self, KeyId, Message, MacAlgorithm, GrantTokens=()):
        key = self.find(KeyId)
        self.ready("GenerateMac", key, "GENERATE_VERIFY_MAC", GrantTokens)
        key.used = (self.now, "GenerateMac")
        return {"Mac": self.mac(key, Message)}

    def verify_mac(self, KeyId, Message, MacAlgorithm, Mac):
        key = self.find(KeyId)
        self.ready("VerifyMac", key, "GENERATE_VERIFY_MAC", ())
        if self.mac(key, Message).name != Mac:
            raise Refused("KMSInvalidMacException")
        key.used = (self.now, "VerifyMac")
        return {"MacValid": True}

    def mac(self, key, message):
        """What a key always makes of the same message."""
        return self.macs.setdefault((key.materials[-1]["secret"], message), Made())

    # ---- rotation

    def can_rotate_by_itself(self, key):
        """The kind of key comes first, then its state, then its being a replica, since only replicas are Creating."""
        if key.spec != SYMMETRIC or key.origin != "AWS_KMS":
            raise Refused("UnsupportedOperationException")
        self.check(key, "rotation")
        if key.is_replica:
            raise Refused("UnsupportedOperationException")

    def enable_key_rotation(self, KeyId, RotationPeriodInDays):
        key = self.find(KeyId, aliases=False)
        self.allow("EnableKeyRotation", key)
        self.can_rotate_by_itself(key)
        if key.period != RotationPeriodInDays:  # the same period again changes nothing
            self.set_rotation(key, RotationPeriodInDays)

    def disable_key_rotation(self, KeyId):
        key = self.find(KeyId, aliases=False)
        self.allow("DisableKeyRotation", key)
        self.can_rotate_by_itself(key)
        self.set_rotation(key, None)

    def set_rotation(self, key, period):
        for one in self.family(key):
            one.period = period
            one.next_rotation = None if period is None else self.now + period * DAY

    def get_key_rotation_status(self, KeyId):
        key = self.find(KeyId, aliases=False)
        self.allow("GetKeyRotationStatus", key)
        if key.store is not None:
            raise Refused("UnsupportedOperationException")
        self.check(key, "status")
        if key.period is None or key.state.endswith("Deletion"):
            return {"KeyRotationEnabled": False, "RotationPeriodInDays": None, "NextRotationDate": None}
        return {
            "KeyRotationEnabled": True,
            "RotationPeriodInDays": key.period,
            "NextRotationDate": key.next_rotation,
        }

    def list_key_rotations(self, KeyId, IncludeKeyMaterial="ROTATIONS_ONLY", Limit=1000):
        key = self.find(KeyId, aliases=False)
        self.allow("ListKeyRotations", key)
        if key.store is not None or (IncludeKeyMaterial == "ALL_KEY_MATERIAL" and key.spec != SYMMETRIC):
            raise Refused("UnsupportedOperationException")
        self.check(key, "rotations")
        if IncludeKeyMaterial == "ROTATIONS_ONLY":
            return {"Rotations": [self.rotation(key, one) for one in key.materials if one["how"] != "FIRST"]}
        waits = "PENDING_ROTATION" if self.may_rotate_in(key) else "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
        states = ["NON_CURRENT"] * (len(key.materials) - 1) + ["CURRENT"] * bool(key.materials)
        rows = [
            {**self.rotation(key, one), "KeyMaterialState": state}
            for one, state in zip(key.materials, states, strict=True)
        ]
        rows += [
            {**self.rotation(key, one), "RotationDate": None, "RotationType": None, "KeyMaterialState": waits}
            for one in key.pending
        ]
        return {"Rotations": rows}

    def rotation(self, key, one):
        first = one["how"] == "FIRST"
        row = {"RotationDate": None if first else one["since"], "RotationType": None if first else one["how"]}
        row |= {"KeyMaterialId": one["id"], "ImportState": None, "ValidTo": None, "ExpirationModel": None}
        if key.origin == "EXTERNAL":
            row["ImportState"] = "PENDING_IMPORT" if one["secret"] is None else "IMPORTED"
            if one["secret"] is not None:
                row |= self.expiration([one["expires"]])
        return row

    def may_rotate_in(self, key):
        return all(one.pending and one.pending[0]["secret"] is not None for one in self.family(key))

    def rotate_key_on_demand(self, KeyId):
        key = self.find(KeyId, aliases=False)
        self.allow("RotateKeyOnDemand", key)
        self.check(key, "rotation")
        if key.spec != SYMMETRIC or key.store is not None or key.is_replica:
            raise Refused("UnsupportedOperationException")
        if key.origin == "EXTERNAL" and not self.may_rotate_in(key):
            raise Refused("KMSInvalidStateException")
        if key.next_rotation is not None and key.next_rotation - self.now <= 20 * MINUTE:
            raise Refused("ConflictException")
        if len([one for one in key.materials if one["how"] == "ON_DEMAND"]) >= 25:
            raise Refused("LimitExceededException")
        self.rotate(key, "ON_DEMAND")

    def rotate(self, key, how):
        new = self.new_material(how)
        for one in self.family(key):
            if key.origin == "EXTERNAL":
                one.materials.append({**one.pending[0], "since": self.now, "how": how})
                one.pending = []
            else:
                one.materials.append(dict(new))

    def rotate_by_itself(self, key):
        self.rotate(key, "AUTOMATIC")
        self.set_rotation(key, key.period)

    # ---- imported material

    def takes_imports(self, action, key_id):
        key = self.find(key_id, aliases=False)
        self.allow(action, key)
        if key.origin != "EXTERNAL":
            raise Refused("UnsupportedOperationException")
        return key

    def get_parameters_for_import(self, KeyId, WrappingAlgorithm, WrappingKeySpec):
        key = self.takes_imports("GetParametersForImport", KeyId)
        self.check(key, "parameters")
        token = Made(kind="import token", arn=key.arn, ends=self.now + DAY)
        self.made.append(token)
        return {"ImportToken": token, "ParametersValidTo": token.ends}

    def import_key_material(
        self,
        KeyId,
        ImportToken,
        EncryptedKeyMaterial,
        ExpirationModel,
        ValidTo=None,
        ImportType=None,
        KeyMaterialId=None,
    ):
        key = self.takes_imports("ImportKeyMaterial", KeyId)
        self.check(key, "import")
        if key.spec != SYMMETRIC and (ImportType or KeyMaterialId):
            raise Refused("UnsupportedOperationException")
        if ImportType == "NEW_KEY_MATERIAL" and KeyMaterialId:
            raise Refused("ValidationException")
        if (ExpirationModel == "KEY_MATERIAL_EXPIRES") != (ValidTo is not None):
            raise Refused("ValidationException")
        if ValidTo is not None and not self.now < ValidTo <= self.now + 365 * DAY:
            raise Refused("ValidationException")
        token = self.thing(ImportToken, "import token")
        if token.arn != key.arn:
            raise Refused("InvalidImportTokenException")
        if token.ends <= self.now:
            raise Refused("ExpiredImportTokenException")
        secret = self.wrapped[EncryptedKeyMaterial]
        which = self.imported_ids.setdefault((key.id, secret), Made())
        known = [one for one in key.materials + key.pending if one["id"] is which]
        if not key.materials:
            if ImportType == "EXISTING_KEY_MATERIAL":
                raise Refused("IncorrectKeyMaterialException")
            key.materials = [
                {"id": which, "since": self.now, "how": "FIRST", "secret": secret, "expires": ValidTo},
            ]
        elif ImportType == "NEW_KEY_MATERIAL":
            self.import_new(key, which, secret, ValidTo, known)
        elif not known or KeyMaterialId not in (None, which.name):
            raise Refused("IncorrectKeyMaterialException")
        else:
            known[0]["secret"], known[0]["expires"] = secret, ValidTo
        if key.complete:
            if key.state == "PendingImport":
                key.state = "Enabled"
            elif key.state == "Updating" and key.returns_to == "PendingImport":
                key.returns_to = "Enabled"
        return {"KeyMaterialId": which} if key.spec == SYMMETRIC else {"KeyMaterialId": None}

    def import_new(self, key, which, secret, expires, known):
        if key.is_replica:
            raise Refused("UnsupportedOperationException")
        if known:
            raise Refused("IncorrectKeyMaterialException")
        if key.pending:
            raise Refused("KMSInvalidStateException")
        new = {"id": which, "since": self.now, "how": "ON_DEMAND", "secret": None, "expires": None}
        for one in self.family(key):
            one.pending = [dict(new)]
        key.pending[0] |= {"secret": secret, "expires": expires}

    def delete_imported_key_material(self, KeyId, KeyMaterialId=None):
        key = self.takes_imports("DeleteImportedKeyMaterial", KeyId)
        self.check(key, "delete material")
        found = [one for one in key.materials + key.pending if one["id"].name == KeyMaterialId]
        if KeyMaterialId is not None and not found:
            raise Refused("NotFoundException")
        if KeyMaterialId is None:
            if not key.materials:
                return
            found = key.materials[-1:]
        self.lose(key, found[0])

    def lose(self, key, one):
        if one in key.pending and not key.is_replica:
            for related in self.family(key):
                related.pending = []  # nobody waits for it any more
            return
        one["secret"] = one["expires"] = None
        if one in key.materials and key.state in ("Enabled", "Disabled", "Updating"):
            key.state = "PendingImport"

    # ---- multi-Region keys

    def replicate_key(self, KeyId, ReplicaRegion, Description=""):
        key = self.find(KeyId, aliases=False)
        self.allow("ReplicateKey", key)
        self.check(key, "replicate")
        if key.primary != key.region:
            raise Refused("UnsupportedOperationException")
        if any(one.region == ReplicaRegion for one in self.family(key)):
            raise Refused("AlreadyExistsException")
        replica = Key(key.account, ReplicaRegion, key.id, key.spec, key.origin, self.now)
        replica.primary, replica.description = key.region, Description
        replica.period, replica.next_rotation = key.period, key.next_rotation
        replica.state, replica.returns_to, replica.ready = "Creating", "Enabled", self.now + 10
        replica.materials, replica.pending = [dict(one) for one in key.materials], [dict(one) for one in key.pending]
        if key.origin == "EXTERNAL":
            replica.returns_to = "PendingImport"
            for one in replica.materials + replica.pending:
                one["secret"] = one["expires"] = None
        self.keys.append(replica)
        return {"ReplicaKeyMetadata": {"KeyId": key.id.name, **self.metadata(replica)}}

    def update_primary_region(self, KeyId, PrimaryRegion):
        key = self.find(KeyId, aliases=False)
        self.allow("UpdatePrimaryRegion", key)
        self.check(key, "grant")  # the same states
        if key.primary != key.region:
            raise Refused("UnsupportedOperationException")
        heirs = [one for one in self.family(key) if one.region == PrimaryRegion and one is not key]
        if not heirs:
            raise Refused("NotFoundException")
        self.check(heirs[0], "grant")
        for one in self.family(key):
            one.primary = PrimaryRegion
        for one in (key, heirs[0]):
            if one.state != "Updating":
                one.returns_to, one.state = one.state, "Updating"
            one.ready = self.now + 10

    # ---- grants

    def create_grant(
        self, KeyId, GranteePrincipal, Operations, RetiringPrincipal=None, Name=None, Constraints=None, GrantTokens=()
    ):
        key = self.find(KeyId, aliases=False)
        self.check_tokens(GrantTokens)
        self.allow("CreateGrant", key, GrantTokens)
        self.check(key, "grant")
        if not all(one in [*MAY_GRANT[key.spec], "DescribeKey", "RetireGrant"] for one in Operations):
            raise Refused("ValidationException")
        if Constraints and key.spec != SYMMETRIC:
            raise Refused("ValidationException")
        subset = Constraints["EncryptionContextSubset"] if Constraints else None
        same = {"name": Name, "grantee": GranteePrincipal, "retiring": RetiringPrincipal}
        same |= {"operations": list(Operations), "subset": subset}
        for grant in key.grants:
            if Name is not None and grant["ends"] is None and same.items() <= grant.items():
                break
        else:
            grant = {**same, "id": Made(), "tokens": [], "made": self.now, "from": self.now + 5 * MINUTE, "ends": None}
            grant["account"] = self.account
            key.grants.append(grant)
        token = Made()
        grant["tokens"].append(token)
        return {"GrantId": grant["id"], "GrantToken": token}

    def list_grants(self, KeyId, Limit):
        key = self.find(KeyId, aliases=False)
        self.allow("ListGrants", key)
        living = [grant for grant in key.grants if grant["ends"] is None]
        return {"Grants": tuple(self.shown(grant) for grant in living)}

    def shown(self, grant):
        constraints = None if grant["subset"] is None else {"EncryptionContextSubset": grant["subset"]}
        return {
            "GrantId": grant["id"], "GranteePrincipal": grant["grantee"], "RetiringPrincipal": grant["retiring"],
            "Operations": grant["operations"], "Name": grant["name"], "CreationDate": grant["made"],
            "IssuingAccount": f"arn:aws:iam::{grant['account']}:root", "Constraints": constraints,
        }  # fmt: skip

    def list_retirable_grants(self, RetiringPrincipal, Limit):
        if not self.is_admin() or RetiringPrincipal.split(":")[4] != self.account:
            raise Refused("AccessDeniedException")
        grants = [grant for key in self.keys if key.region == self.region for grant in key.grants]
        return {
            "Grants": tuple(
                self.shown(one) for one in grants if one["ends"] is None and one["retiring"] == RetiringPrincipal
            )
        }

    def revoke_grant(self, KeyId, GrantId):
        key = self.find(KeyId, aliases=False)
        self.allow("RevokeGrant", key)
        self.living(key, GrantId)["ends"] = self.now + 5 * MINUTE

    def retire_grant(self, KeyId=None, GrantId=None, GrantToken=None):
        if GrantToken is None:
            key = self.find(KeyId, aliases=False)
            grant = self.living(key, GrantId)
        else:
            pairs = [(key, one) for key in self.keys if key.region == self.region for one in key.grants]
            pairs = [
                (key, one)
                for key, one in pairs
                if one["ends"] is None and GrantToken in [token.name for token in one["tokens"]]
            ]
            if not pairs:
                raise Refused("InvalidGrantTokenException")
            key, grant = pairs[0]
        allowed = self.caller == grant["retiring"] or (
            self.caller == grant["grantee"] and "RetireGrant" in grant["operations"]
        )
        if not allowed and not (self.is_admin() and self.account in (key.account, grant["account"])):
            raise Refused("AccessDeniedException")
        grant["ends"] = self.now + 5 * MINUTE

    def living(self, key, grant_id):
        for grant in key.grants:
            if grant["id"].name == grant_id and grant["ends"] is None:
                return grant
        raise Refused("NotFoundException")

    # ---- one custom key store

    def create_custom_key_store(self, **_):
        self.store = {"id": Made(), "state": "DISCONNECTED", "due": None, "region": self.region}
        return {"CustomKeyStoreId": self.store["id"]}

    def find_store(self, store_id):
        if self.store is None or self.store["id"].name != store_id or self.store["region"] != self.region:
            raise Refused("CustomKeyStoreNotFoundException")

    def connect_custom_key_store(self, CustomKeyStoreId):
        self.find_store(CustomKeyStoreId)
        if self.store["state"] in ("DISCONNECTING", "FAILED"):
            raise Refused("CustomKeyStoreInvalidStateException")
        if self.store["state"] == "DISCONNECTED":
            if not self.cluster_runs:
                raise Refused("CloudHsmClusterNotActiveException")
            self.store |= {"state": "CONNECTING", "due": self.now + 20 * MINUTE}

    def disconnect_custom_key_store(self, CustomKeyStoreId):
        self.find_store(CustomKeyStoreId)
        if self.store["state"] in ("DISCONNECTING", "DISCONNECTED"):
            raise Refused("CustomKeyStoreInvalidStateException")
        self.store |= {"state": "DISCONNECTING", "due": self.now + MINUTE}
        for key in self.keys:
            self.follow_store(key)

    def delete_custom_key_store(self, CustomKeyStoreId):
        self.find_store(CustomKeyStoreId)
        if any(key.store == CustomKeyStoreId for key in self.keys):
            raise Refused("CustomKeyStoreHasCMKsException")
        if self.store["state"] != "DISCONNECTED":
            raise Refused("CustomKeyStoreInvalidStateException")
        self.store = None

    def describe_custom_key_stores(self, CustomKeyStoreId):
        self.find_store(CustomKeyStoreId)
        return {"CustomKeyStores": [{"ConnectionState": self.store["state"]}]}

    def follow_store(self, key):
        if key.store is None:
            return
        connected = self.store["state"] == "CONNECTED"
        if not connected and key.state in ("Enabled", "Disabled"):
            key.returns_to, key.state = key.state, "Unavailable"
        elif connected and key.state == "Unavailable":
            key.state = key.returns_to

    # ---- time

    def dates(self):
        """When something may happen by itself."""
        dates = [self.store["due"]] if self.store else []
        for key in self.keys:
            dates += [key.ready, key.deletion, key.next_rotation]
            dates += [one["expires"] for one in key.materials + key.pending]
            dates += [grant["ends"] for grant in key.grants]
        return sorted({date for date in dates if date is not None and date > self.now})

    def travel(self, seconds):
        """Go from one date to the next."""
        until = self.now + seconds
        while self.dates() and self.dates()[0] <= until:
            self.now = self.dates()[0]
            for key in list(self.keys):
                self.happen(key)
            if self.store and self.store["due"] == self.now:
                self.store_arrives()
        self.now = until

    def happen(self, key):
        if key.ready == self.now and key.state in ("Creating", "Updating"):
            key.state = key.returns_to
        key.grants = [grant for grant in key.grants if grant["ends"] is None or grant["ends"] > self.now]
        for one in key.materials + key.pending:
            if one["expires"] == self.now:
                self.lose(key, one)
        usable = key.state == "Enabled" or (key.state == "Updating" and key.returns_to == "Enabled")
        if key.next_rotation == self.now and usable and not key.is_replica:
            self.rotate_by_itself(key)
        if key.state == "PendingDeletion" and key.deletion == self.now:
            self.delete(key)

    def store_arrives(self):
        if self.store["state"] == "CONNECTING":
            self.store["state"] = "CONNECTED" if self.cluster_runs else "FAILED"
        elif self.store["state"] == "DISCONNECTING":
            self.store["state"] = "DISCONNECTED"
        self.store["due"] = None
        for key in self.keys:
            self.follow_store(key)
