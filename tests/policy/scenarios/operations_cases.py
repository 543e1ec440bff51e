"""Operations that need several permissions: aliases, ReEncrypt, multi-Region keys, and a CreateKey that sets tags."""

from build import (
    ALIAS,
    AWAY,
    DELEGATES,
    HOME,
    KEY,
    Document,
    allow,
    allowed,
    denied,
    deny,
    grant,
    policy,
    role,
    root,
    scenario,
    user,
)

CREATE = "KMS Developer Guide, Controlling access to aliases: kms:CreateAlias"
UPDATE = "KMS Developer Guide, Controlling access to aliases: kms:UpdateAlias"
DELETE = "KMS Developer Guide, Controlling access to aliases: kms:DeleteAlias"
LIMITING = "KMS Developer Guide, Controlling access to aliases: Limiting alias permissions"
REENCRYPT = "KMS API Reference, ReEncrypt: Required permissions"
REENCRYPT_ACROSS = "KMS API Reference, ReEncrypt: Cross-account use"
REENCRYPT_SOURCE = "KMS API Reference, ReEncrypt: grants with SourceArn constraints"
CONTEXT = "KMS API Reference, ReEncrypt: DestinationEncryptionContext; GrantConstraints (unverified)"
REPLICATE = "KMS Developer Guide, Controlling access to multi-Region keys: Replicating keys"
REPLICATE_TAGS = "KMS API Reference, ReplicateKey: Required permissions"
PRIMARY_REGION = "KMS Developer Guide, Controlling access to multi-Region keys: Updating the primary Region"
CREATE_KEY = "KMS API Reference, CreateKey: Required permissions"
DEFAULT = "KMS Developer Guide, Default key policy: Allows access to the AWS account and enables IAM policies"
DENY = "IAM User Guide, Policy evaluation logic: The difference between explicit and implicit denies"

DANA = f"arn:aws:iam::{HOME}:user/dana"
ERIN = f"arn:aws:iam::{HOME}:user/erin"
OTHER_KEY = KEY[:-3] + "777"
AWAY_KEY = KEY.replace(HOME, AWAY)
IAM_FULL = policy(allow("kms:*"))
FOR_ERIN = policy(allow("kms:*", ERIN))


def check(action: str, resource: str, key_policy: Document | None, *, account: str = HOME, **more: object) -> Document:
    """One further check of the same operation."""
    return {
        "action": action,
        "resource": resource,
        "resource_account": account,
        "key_policy": key_policy,
        "context": {},
        **more,
    }


def on_alias(operation, *keys, iam=(), caller=None, alias=ALIAS):
    """An alias operation: asked of the alias first, then of each key. ``keys``: key ARN, key policy, context."""
    action = f"kms:{operation}"
    further = [check(action, arn, key_policy, context=context) for arn, key_policy, context in keys]
    return scenario(caller or user(), action, None, *iam, resource=alias, operation=operation, also=further)


def key(arn=KEY, key_policy=DELEGATES, **context):
    return arn, key_policy, {f"kms:{name}": value for name, value in context.items()}


ALIAS_ONLY = policy(allow("kms:*Alias", resource=ALIAS))
KEY_ONLY = policy(allow("kms:*Alias", resource=KEY))
BOTH = policy(allow("kms:*Alias", resource=[ALIAS, KEY]))
NAMES_DANA = policy(allow(["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias", "kms:DescribeKey"], DANA))

CREATE_ALIAS = [
    allowed(
        "createalias-iam-on-both",
        "iam-policy",
        "the identity policy allows CreateAlias on the alias and, delegated by the key policy, on the key",
        CREATE,
        on_alias("CreateAlias", key(), iam=[BOTH]),
    ),
    denied(
        "createalias-iam-on-alias-only",
        "implicit-deny",
        "the permission on the key is missing",
        CREATE,
        on_alias("CreateAlias", key(), iam=[ALIAS_ONLY]),
    ),
    denied(
        "createalias-iam-on-key-only",
        "implicit-deny",
        "the permission on the alias is missing",
        CREATE,
        on_alias("CreateAlias", key(), iam=[KEY_ONLY]),
    ),
    allowed(
        "createalias-alias-by-iam-key-by-key-policy",
        "iam-policy",
        "the alias half comes from IAM, the key half from a key policy that names the user",
        CREATE,
        on_alias("CreateAlias", key(key_policy=NAMES_DANA), iam=[ALIAS_ONLY]),
    ),
    denied(
        "createalias-key-policy-alone",
        "implicit-deny",
        "a key policy cannot give the permission on the alias",
        CREATE,
        on_alias("CreateAlias", key(key_policy=NAMES_DANA)),
    ),
    denied(
        "createalias-key-policy-does-not-delegate",
        "no-iam-delegation",
        "IAM allows both, but this key's policy does not let IAM decide",
        CREATE,
        on_alias("CreateAlias", key(key_policy=FOR_ERIN), iam=[IAM_FULL]),
    ),
    denied(
        "createalias-denied-by-key-policy",
        "explicit-deny",
        "IAM allows both, the key policy denies its half",
        DENY,
        on_alias(
            "CreateAlias",
            key(
                key_policy=policy(
                    allow("kms:*", f"arn:aws:iam::{HOME}:root"), deny("kms:*Alias", "*", Sid="NoMoreAliases")
                )
            ),
            iam=[IAM_FULL],
        ),
        layer="key-policy",
        sid="NoMoreAliases",
    ),
    denied(
        "createalias-restricted-name",
        "explicit-deny",
        "aliases that begin with Restricted are denied",
        LIMITING,
        on_alias(
            "CreateAlias",
            key(),
            iam=[
                policy(
                    allow("kms:CreateAlias"),
                    deny("kms:*Alias", resource=f"arn:aws:kms:*:{HOME}:alias/Restricted*", Sid="Restricted"),
                )
            ],
            alias=ALIAS.replace("orders", "Restricted-orders"),
        ),
        layer="identity-policy",
        sid="Restricted",
    ),
    allowed(
        "createalias-unrestricted-name",
        "iam-policy",
        "the twin: this alias does not begin with Restricted",
        LIMITING,
        on_alias(
            "CreateAlias",
            key(),
            iam=[
                policy(
                    allow("kms:CreateAlias"),
                    deny("kms:*Alias", resource=f"arn:aws:kms:*:{HOME}:alias/Restricted*", Sid="Restricted"),
                )
            ],
        ),
    ),
    allowed(
        "createalias-on-key-of-right-origin",
        "iam-policy",
        "the identity policy allows keys of origin AWS_KMS, and this is one",
        LIMITING,
        on_alias(
            "CreateAlias",
            key(KeyOrigin="AWS_KMS"),
            iam=[
                ALIAS_ONLY,
                policy(
                    allow("kms:CreateAlias", resource=KEY, Condition={"StringEquals": {"kms:KeyOrigin": "AWS_KMS"}})
                ),
            ],
        ),
    ),
    denied(
        "createalias-on-key-of-wrong-origin",
        "implicit-deny",
        "the key has imported material, and the identity policy allows keys of origin AWS_KMS",
        LIMITING,
        on_alias(
            "CreateAlias",
            key(KeyOrigin="EXTERNAL"),
            iam=[
                ALIAS_ONLY,
                policy(
                    allow("kms:CreateAlias", resource=KEY, Condition={"StringEquals": {"kms:KeyOrigin": "AWS_KMS"}})
                ),
            ],
        ),
    ),
    denied(
        "createalias-condition-on-the-alias",
        "implicit-deny",
        "condition keys of a key are not there where the resource is an alias",
        LIMITING,
        on_alias(
            "CreateAlias",
            key(KeyOrigin="AWS_KMS"),
            iam=[policy(allow("kms:CreateAlias", Condition={"StringEquals": {"kms:KeyOrigin": "AWS_KMS"}}))],
        ),
    ),
    allowed(
        "createalias-by-root-user",
        "account-root",
        "the root user has the alias without a policy and the key by the account statement",
        DEFAULT,
        on_alias("CreateAlias", key(), caller=root()),
    ),
    denied(
        "createalias-by-root-user-locked-out-of-key",
        "implicit-deny",
        "the key policy does not let the account in, so the key half fails",
        DEFAULT,
        on_alias("CreateAlias", key(key_policy=FOR_ERIN), caller=root()),
    ),
    allowed(
        "createalias-by-role",
        "iam-policy",
        "a role session with both permissions",
        CREATE,
        on_alias("CreateAlias", key(), iam=[BOTH], caller=role()),
    ),
]

DELETE_ALIAS = [
    allowed(
        "deletealias-both",
        "iam-policy",
        "permission on the alias and on its key",
        DELETE,
        on_alias("DeleteAlias", key(), iam=[BOTH]),
    ),
    denied(
        "deletealias-alias-only",
        "implicit-deny",
        "deleting an alias takes permission on the key it belongs to",
        DELETE,
        on_alias("DeleteAlias", key(), iam=[ALIAS_ONLY]),
    ),
    denied(
        "deletealias-key-only",
        "implicit-deny",
        "the permission on the alias is missing",
        DELETE,
        on_alias("DeleteAlias", key(), iam=[KEY_ONLY]),
    ),
    denied(
        "deletealias-of-another-name",
        "implicit-deny",
        "the identity policy names another alias",
        DELETE,
        on_alias("DeleteAlias", key(), iam=[BOTH], alias=ALIAS.replace("orders", "bills")),
    ),
    allowed(
        "deletealias-pattern-of-names",
        "iam-policy",
        "an alias ARN in Resource may be a pattern",
        DELETE,
        on_alias("DeleteAlias", key(), iam=[policy(allow("kms:DeleteAlias", resource=[ALIAS[:-3] + "*", KEY]))]),
    ),
]

THREE = policy(allow("kms:UpdateAlias", resource=[ALIAS, KEY, OTHER_KEY]))

UPDATE_ALIAS = [
    allowed(
        "updatealias-all-three",
        "iam-policy",
        "permission on the alias, the current key and the new key",
        UPDATE,
        on_alias("UpdateAlias", key(), key(OTHER_KEY), iam=[THREE]),
    ),
    denied(
        "updatealias-not-on-new-key",
        "implicit-deny",
        "the permission on the new key is missing",
        UPDATE,
        on_alias("UpdateAlias", key(), key(OTHER_KEY), iam=[BOTH]),
    ),
    denied(
        "updatealias-not-on-current-key",
        "implicit-deny",
        "the permission on the current key is missing",
        UPDATE,
        on_alias("UpdateAlias", key(OTHER_KEY), key(), iam=[BOTH]),
    ),
    denied(
        "updatealias-not-on-alias",
        "implicit-deny",
        "the permission on the alias is missing",
        UPDATE,
        on_alias(
            "UpdateAlias", key(), key(OTHER_KEY), iam=[policy(allow("kms:UpdateAlias", resource=[KEY, OTHER_KEY]))]
        ),
    ),
    allowed(
        "updatealias-each-key-by-its-own-policy",
        "iam-policy",
        "one key's policy names the user, the other's delegates to IAM",
        UPDATE,
        on_alias("UpdateAlias", key(key_policy=NAMES_DANA), key(OTHER_KEY), iam=[THREE]),
    ),
    denied(
        "updatealias-new-key-does-not-delegate",
        "no-iam-delegation",
        "the new key's policy is for erin only",
        UPDATE,
        on_alias("UpdateAlias", key(), key(OTHER_KEY, FOR_ERIN), iam=[THREE]),
    ),
    denied(
        "updatealias-new-key-denies",
        "explicit-deny",
        "the new key's policy denies",
        DENY,
        on_alias(
            "UpdateAlias", key(), key(OTHER_KEY, policy(deny("kms:UpdateAlias", "*", Sid="NoAlias"))), iam=[THREE]
        ),
        layer="key-policy",
        sid="NoAlias",
    ),
    allowed(
        "updatealias-target-has-the-alias-asked-for",
        "iam-policy",
        "the identity policy lets an alias go to keys that already have an alias of the project",
        UPDATE,
        on_alias(
            "UpdateAlias",
            key(ResourceAliases=["alias/orders"]),
            key(OTHER_KEY, ResourceAliases=["alias/orders-new"]),
            iam=[
                ALIAS_ONLY,
                policy(
                    allow(
                        "kms:UpdateAlias",
                        resource=f"arn:aws:kms:*:{HOME}:key/*",
                        Condition={"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/orders*"}},
                    )
                ),
            ],
        ),
    ),
    denied(
        "updatealias-target-lacks-the-alias-asked-for",
        "implicit-deny",
        "the new key has no alias of the project",
        UPDATE,
        on_alias(
            "UpdateAlias",
            key(ResourceAliases=["alias/orders"]),
            key(OTHER_KEY, ResourceAliases=["alias/bills"]),
            iam=[
                ALIAS_ONLY,
                policy(
                    allow(
                        "kms:UpdateAlias",
                        resource=f"arn:aws:kms:*:{HOME}:key/*",
                        Condition={"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/orders*"}},
                    )
                ),
            ],
        ),
    ),
]


def reencrypt(source, target, *iam, caller=None, context=None, **more):
    """ReEncryptFrom on the source key, then ReEncryptTo on the destination. Each: ARN, key policy, grants."""
    (from_arn, from_policy, from_grants), (to_arn, to_policy, to_grants) = source, target
    account = to_arn.split(":")[4]
    further = check(
        "kms:ReEncryptTo", to_arn, to_policy, account=account, context=context or {}, grants=to_grants, **more
    )
    return scenario(
        caller or user(),
        "kms:ReEncryptFrom",
        from_policy,
        *iam,
        resource=from_arn,
        resource_account=from_arn.split(":")[4],
        context=context,
        operation="ReEncrypt",
        grants=from_grants,
        also=[further],
    )


def end(arn=KEY, key_policy=DELEGATES, *grants):
    return arn, key_policy, list(grants)


USE_DANA = policy(allow("kms:ReEncrypt*", DANA))
FROM_DANA, TO_DANA = policy(allow("kms:ReEncryptFrom", DANA)), policy(allow("kms:ReEncryptTo", DANA))
BUCKET = "arn:aws:s3:::orders"
GIVES_HOME = policy(allow(["kms:Encrypt", "kms:ReEncrypt*"], HOME))


def ends_with_grants(from_source, to_source):
    return (
        end(KEY, FOR_ERIN, grant(DANA, "ReEncryptFrom", constraints={"SourceArn": from_source})),
        end(OTHER_KEY, FOR_ERIN, grant(DANA, "ReEncryptTo", key=OTHER_KEY, constraints={"SourceArn": to_source})),
    )


REENCRYPTING = [
    allowed(
        "reencrypt-both-by-key-policy",
        "key-policy",
        "the source key's policy allows ReEncryptFrom, the destination's ReEncryptTo",
        REENCRYPT,
        reencrypt(end(KEY, FROM_DANA), end(OTHER_KEY, TO_DANA)),
    ),
    denied(
        "reencrypt-permissions-swapped",
        "implicit-deny",
        "the source key's policy allows ReEncryptTo only",
        REENCRYPT,
        reencrypt(end(KEY, TO_DANA), end(OTHER_KEY, FROM_DANA)),
    ),
    denied(
        "reencrypt-from-only",
        "implicit-deny",
        "nothing allows ReEncryptTo on the destination key",
        REENCRYPT,
        reencrypt(end(KEY, USE_DANA), end(OTHER_KEY, FROM_DANA)),
    ),
    denied(
        "reencrypt-to-only",
        "implicit-deny",
        "nothing allows ReEncryptFrom on the source key",
        REENCRYPT,
        reencrypt(end(KEY, FOR_ERIN), end(OTHER_KEY, USE_DANA)),
    ),
    denied(
        "reencrypt-decrypt-and-encrypt-are-not-it",
        "implicit-deny",
        "ReEncrypt takes its own two permissions, not Decrypt and Encrypt",
        REENCRYPT,
        reencrypt(
            end(KEY, policy(allow(["kms:Decrypt", "kms:Encrypt"], DANA))),
            end(OTHER_KEY, policy(allow(["kms:Decrypt", "kms:Encrypt"], DANA))),
        ),
    ),
    allowed(
        "reencrypt-same-key",
        "key-policy",
        "under one key, with another context: both permissions on that key",
        REENCRYPT,
        reencrypt(end(KEY, USE_DANA), end(KEY, USE_DANA)),
    ),
    allowed(
        "reencrypt-both-by-iam",
        "iam-via-key-policy",
        "both keys delegate to IAM, which allows kms:ReEncrypt*",
        REENCRYPT,
        reencrypt(end(), end(OTHER_KEY), policy(allow("kms:ReEncrypt*", resource=[KEY, OTHER_KEY]))),
    ),
    denied(
        "reencrypt-iam-leaves-destination-out",
        "implicit-deny",
        "the identity policy names the source key only",
        REENCRYPT,
        reencrypt(end(), end(OTHER_KEY), policy(allow("kms:ReEncrypt*", resource=KEY))),
    ),
    denied(
        "reencrypt-destination-denies",
        "explicit-deny",
        "the destination key's policy denies ReEncryptTo",
        DENY,
        reencrypt(
            end(),
            end(OTHER_KEY, policy(allow("kms:*", HOME), deny("kms:ReEncryptTo", "*", Sid="NothingComesIn"))),
            IAM_FULL,
        ),
        layer="key-policy",
        sid="NothingComesIn",
    ),
    allowed(
        "reencrypt-same-key-condition-holds",
        "key-policy",
        "the key policy allows re-encryption under the same key only",
        "KMS Developer Guide, AWS KMS condition keys: kms:ReEncryptOnSameKey",
        reencrypt(
            *[
                end(
                    KEY,
                    policy(allow("kms:ReEncrypt*", DANA, Condition={"Bool": {"kms:ReEncryptOnSameKey": "true"}})),
                )
            ]
            * 2,
            context={"kms:ReEncryptOnSameKey": "true"},
        ),
    ),
    denied(
        "reencrypt-same-key-condition-fails",
        "implicit-deny",
        "the destination is another key",
        "KMS Developer Guide, AWS KMS condition keys: kms:ReEncryptOnSameKey",
        reencrypt(
            end(KEY, policy(allow("kms:ReEncrypt*", DANA, Condition={"Bool": {"kms:ReEncryptOnSameKey": "true"}}))),
            end(OTHER_KEY, USE_DANA),
            context={"kms:ReEncryptOnSameKey": "false"},
        ),
    ),
    allowed(
        "reencrypt-to-another-account",
        "iam-via-key-policy",
        "the destination is another account's: its key policy allows this account, and IAM names both keys",
        REENCRYPT_ACROSS,
        reencrypt(end(), end(AWAY_KEY, GIVES_HOME), policy(allow("kms:ReEncrypt*", resource=[KEY, AWAY_KEY]))),
    ),
    denied(
        "reencrypt-to-another-account-not-let-in",
        "cross-account-no-key-policy",
        "the other account's key policy does not allow this account",
        REENCRYPT_ACROSS,
        reencrypt(end(), end(AWAY_KEY, policy(allow("kms:*", AWAY))), policy(allow("kms:ReEncrypt*"))),
    ),
    denied(
        "reencrypt-to-another-account-iam-silent",
        "cross-account-no-iam-policy",
        "the identity policy names the source key only",
        REENCRYPT_ACROSS,
        reencrypt(end(), end(AWAY_KEY, GIVES_HOME), policy(allow("kms:ReEncrypt*", resource=KEY))),
    ),
    allowed(
        "reencrypt-from-another-account",
        "cross-account",
        "the source is another account's, both halves allow; the destination is this account's",
        REENCRYPT_ACROSS,
        reencrypt(end(AWAY_KEY, GIVES_HOME), end(), IAM_FULL),
    ),
    allowed(
        "reencrypt-between-two-other-accounts-keys",
        "cross-account",
        "either or both keys can be in another account than the caller",
        REENCRYPT_ACROSS,
        reencrypt(end(AWAY_KEY, GIVES_HOME), end(AWAY_KEY[:-3] + "777", GIVES_HOME), IAM_FULL),
    ),
    allowed(
        "reencrypt-by-a-grant-on-each-key",
        "grant",
        "one grant on each key",
        "KMS Developer Guide, Grants in AWS KMS: Grant operations",
        reencrypt(
            end(KEY, FOR_ERIN, grant(DANA, "ReEncryptFrom")),
            end(OTHER_KEY, FOR_ERIN, grant(DANA, "ReEncryptTo", key=OTHER_KEY)),
        ),
        layer="grant",
    ),
    denied(
        "reencrypt-by-a-grant-on-one-key",
        "implicit-deny",
        "a grant on the source key says nothing about the destination",
        "KMS Developer Guide, Grants in AWS KMS",
        reencrypt(end(KEY, FOR_ERIN, grant(DANA, "ReEncryptFrom", "ReEncryptTo")), end(OTHER_KEY, FOR_ERIN)),
    ),
    allowed(
        "reencrypt-by-grant-and-key-policy",
        "grant",
        "a grant on the source key, the key policy of the destination",
        REENCRYPT,
        reencrypt(end(KEY, FOR_ERIN, grant(DANA, "ReEncryptFrom")), end(OTHER_KEY, TO_DANA)),
    ),
    allowed(
        "reencrypt-by-grants-of-the-same-source",
        "grant",
        "both grants name the same SourceArn",
        REENCRYPT_SOURCE,
        reencrypt(*ends_with_grants(BUCKET, BUCKET), context={"aws:SourceArn": BUCKET}),
    ),
    denied(
        "reencrypt-by-grants-of-two-sources",
        "grant-constraint",
        "one request has one source, so grants of two sources cannot both hold",
        REENCRYPT_SOURCE,
        reencrypt(*ends_with_grants(BUCKET, "arn:aws:s3:::bills"), context={"aws:SourceArn": BUCKET}),
    ),
    allowed(
        "reencrypt-destination-context-meets-constraint",
        "key-policy",
        "the destination's encryption context is what the constraint of its grant is held against",
        CONTEXT,
        reencrypt(
            end(KEY, FROM_DANA),
            end(
                OTHER_KEY,
                FOR_ERIN,
                grant(DANA, "ReEncryptTo", key=OTHER_KEY, constraints={"EncryptionContextEquals": {"to": "new"}}),
            ),
            encryption_context={"to": "new"},
        ),
    ),
    denied(
        "reencrypt-destination-context-fails-constraint",
        "grant-constraint",
        "the destination's encryption context does not meet the constraint of its grant",
        CONTEXT,
        reencrypt(
            end(KEY, FROM_DANA),
            end(
                OTHER_KEY,
                FOR_ERIN,
                grant(DANA, "ReEncryptTo", key=OTHER_KEY, constraints={"EncryptionContextEquals": {"to": "new"}}),
            ),
            encryption_context={"to": "old"},
        ),
    ),
]
MRK_ID = "mrk-1234abcd12ab34cd56ef1234567890ab"
PRIMARY, REPLICA = f"arn:aws:kms:eu-west-1:{HOME}:key/{MRK_ID}", f"arn:aws:kms:us-east-1:{HOME}:key/{MRK_ID}"
REPLICATES_DANA = policy(allow("kms:ReplicateKey", DANA))
MAY_CREATE = policy(allow("kms:CreateKey"))
MAY_CREATE_TAGGED = policy(allow(["kms:CreateKey", "kms:TagResource"]))
IN_REPLICA_REGION = {"aws:RequestedRegion": "us-east-1"}


def replicate(key_policy, *iam, tags=False, caller=None):
    """ReplicateKey on the primary, CreateKey in the replica's Region, and TagResource there if there are tags."""
    further = [check("kms:CreateKey", "*", None, context=IN_REPLICA_REGION)]
    if tags:
        further.append(check("kms:TagResource", "*", None, context=IN_REPLICA_REGION))
    context = {"kms:ReplicaRegion": "us-east-1", "aws:RequestedRegion": "eu-west-1"}
    asked = {"resource": PRIMARY, "context": context, "operation": "ReplicateKey", "also": further}
    return scenario(caller or user(), "kms:ReplicateKey", key_policy, *iam, **asked)


REPLICATING = [
    allowed(
        "replicate-key-policy-and-iam",
        "key-policy",
        "ReplicateKey by the primary's key policy, CreateKey by IAM",
        REPLICATE,
        replicate(REPLICATES_DANA, MAY_CREATE),
    ),
    denied(
        "replicate-without-createkey",
        "implicit-deny",
        "the replica is a new key, and nothing allows CreateKey in its Region",
        REPLICATE,
        replicate(REPLICATES_DANA),
    ),
    denied(
        "replicate-without-replicatekey",
        "implicit-deny",
        "CreateKey is allowed; the primary's key policy does not allow ReplicateKey",
        REPLICATE,
        replicate(policy(allow("kms:*", ERIN)), MAY_CREATE),
    ),
    denied(
        "replicate-createkey-in-key-policy",
        "implicit-deny",
        "kms:CreateKey in a key policy is not effective: it is valid in IAM policies only",
        "KMS Developer Guide, Default key policy: kms:Create*",
        replicate(policy(allow(["kms:ReplicateKey", "kms:CreateKey"], DANA))),
    ),
    allowed(
        "replicate-both-by-iam",
        "iam-via-key-policy",
        "the primary's key policy delegates to IAM, which allows both",
        REPLICATE_TAGS,
        replicate(DELEGATES, IAM_FULL),
    ),
    allowed(
        "replicate-into-allowed-region",
        "key-policy",
        "kms:ReplicaRegion is one of the allowed Regions",
        REPLICATE,
        replicate(
            policy(
                allow(
                    "kms:ReplicateKey",
                    DANA,
                    Condition={"StringEquals": {"kms:ReplicaRegion": ["us-east-1", "eu-west-3"]}},
                )
            ),
            MAY_CREATE,
        ),
    ),
    denied(
        "replicate-into-another-region",
        "implicit-deny",
        "kms:ReplicaRegion is none of the allowed Regions",
        REPLICATE,
        replicate(
            policy(
                allow(
                    "kms:ReplicateKey",
                    DANA,
                    Condition={"StringEquals": {"kms:ReplicaRegion": ["eu-west-3", "ap-southeast-2"]}},
                )
            ),
            MAY_CREATE,
        ),
    ),
    denied(
        "replicate-createkey-in-primary-region-only",
        "implicit-deny",
        "CreateKey must be allowed in the replica's Region, and IAM allows it in the primary's",
        REPLICATE,
        replicate(
            REPLICATES_DANA,
            policy(allow("kms:CreateKey", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})),
        ),
    ),
    allowed(
        "replicate-createkey-in-replica-region",
        "key-policy",
        "the twin: IAM allows CreateKey in the replica's Region",
        REPLICATE,
        replicate(
            REPLICATES_DANA,
            policy(allow("kms:CreateKey", Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}})),
        ),
    ),
    denied(
        "replicate-with-tags-without-tagresource",
        "implicit-deny",
        "tags on the replica take kms:TagResource in an IAM policy",
        REPLICATE_TAGS,
        replicate(REPLICATES_DANA, MAY_CREATE, tags=True),
    ),
    allowed(
        "replicate-with-tags",
        "key-policy",
        "the third permission, kms:TagResource, is there",
        REPLICATE_TAGS,
        replicate(REPLICATES_DANA, MAY_CREATE_TAGGED, tags=True),
    ),
    denied(
        "replicate-with-tags-denied",
        "explicit-deny",
        "the identity policy denies TagResource",
        DENY,
        replicate(REPLICATES_DANA, MAY_CREATE_TAGGED, policy(deny("kms:TagResource", Sid="NoTags")), tags=True),
        layer="identity-policy",
        sid="NoTags",
    ),
    denied(
        "replicate-by-another-account",
        "not-cross-account",
        "ReplicateKey does not work across accounts",
        "KMS API Reference, ReplicateKey: Cross-account use",
        replicate(policy(allow("kms:*", AWAY)), IAM_FULL, caller=user("eve", AWAY)),
    ),
    allowed(
        "replicate-by-root-user",
        "account-root",
        "the root user has the primary by the account statement and CreateKey without a policy",
        DEFAULT,
        replicate(DELEGATES, tags=True, caller=root()),
    ),
]


def update_primary(primary_policy, replica_policy, *iam, primary_region="us-east-1"):
    """UpdatePrimaryRegion on the primary key and on the replica that is to be the primary."""
    context = {"kms:PrimaryRegion": primary_region}
    further = check("kms:UpdatePrimaryRegion", REPLICA, replica_policy, context=context)
    asked = {"resource": PRIMARY, "context": context, "operation": "UpdatePrimaryRegion", "also": [further]}
    return scenario(user(), "kms:UpdatePrimaryRegion", primary_policy, *iam, **asked)


MOVES_DANA = policy(allow("kms:UpdatePrimaryRegion", DANA))

UPDATING_PRIMARY = [
    allowed(
        "updateprimaryregion-both-key-policies",
        "key-policy",
        "both keys' policies allow it",
        PRIMARY_REGION,
        update_primary(MOVES_DANA, MOVES_DANA),
    ),
    denied(
        "updateprimaryregion-primary-only",
        "implicit-deny",
        "the replica has its own key policy, which does not allow it",
        PRIMARY_REGION,
        update_primary(MOVES_DANA, FOR_ERIN),
    ),
    denied(
        "updateprimaryregion-replica-only",
        "implicit-deny",
        "the primary's key policy does not allow it",
        PRIMARY_REGION,
        update_primary(FOR_ERIN, MOVES_DANA),
    ),
    allowed(
        "updateprimaryregion-iam-any-region",
        "iam-via-key-policy",
        "both keys delegate to IAM, whose Resource has an asterisk for the Region",
        PRIMARY_REGION,
        update_primary(
            DELEGATES,
            DELEGATES,
            policy(allow("kms:UpdatePrimaryRegion", resource=f"arn:aws:kms:*:{HOME}:key/*")),
        ),
    ),
    denied(
        "updateprimaryregion-iam-one-region",
        "implicit-deny",
        "the identity policy names the primary's Region, and the replica is in another",
        PRIMARY_REGION,
        update_primary(
            DELEGATES,
            DELEGATES,
            policy(allow("kms:UpdatePrimaryRegion", resource=f"arn:aws:kms:eu-west-1:{HOME}:key/*")),
        ),
    ),
    denied(
        "updateprimaryregion-to-another-region",
        "implicit-deny",
        "kms:PrimaryRegion is none of the Regions that may host a primary key",
        PRIMARY_REGION,
        update_primary(
            DELEGATES,
            DELEGATES,
            policy(
                allow(
                    "kms:UpdatePrimaryRegion",
                    Condition={"StringEquals": {"kms:PrimaryRegion": ["us-west-2", "sa-east-1"]}},
                )
            ),
        ),
    ),
    allowed(
        "updateprimaryregion-to-allowed-region",
        "iam-via-key-policy",
        "kms:PrimaryRegion is one of the Regions that may host a primary key",
        PRIMARY_REGION,
        update_primary(
            DELEGATES,
            DELEGATES,
            policy(
                allow(
                    "kms:UpdatePrimaryRegion",
                    Condition={"StringEquals": {"kms:PrimaryRegion": ["us-east-1", "sa-east-1"]}},
                )
            ),
        ),
    ),
]


def create_key(*iam, caller=None, **tags):
    """CreateKey, and TagResource if tags are set."""
    context = {f"aws:RequestTag/{name}": value for name, value in tags.items()} | (
        {"aws:TagKeys": list(tags)} if tags else {}
    )
    further = [check("kms:TagResource", "*", None, context=context)] if tags else []
    asked = {"resource": "*", "context": context, "operation": "CreateKey", "also": further}
    return scenario(caller or user(), "kms:CreateKey", None, *iam, **asked)


CREATING_KEYS = [
    allowed(
        "createkey-without-tags",
        "iam-policy",
        "without tags CreateKey is one permission",
        CREATE_KEY,
        create_key(MAY_CREATE),
    ),
    denied(
        "createkey-with-tags-without-tagresource",
        "implicit-deny",
        "the Tags parameter takes kms:TagResource as well",
        CREATE_KEY,
        create_key(MAY_CREATE, Project="Orders"),
    ),
    allowed(
        "createkey-with-tags",
        "iam-policy",
        "both permissions are in the identity policy",
        CREATE_KEY,
        create_key(MAY_CREATE_TAGGED, Project="Orders"),
    ),
    denied(
        "createkey-tagresource-on-existing-keys-only",
        "implicit-deny",
        "the statement for one key's ARN does not cover the key that is to be made",
        "KMS Developer Guide, Add tags while creating a KMS key",
        create_key(MAY_CREATE, policy(allow("kms:TagResource", resource=KEY)), Project="Orders"),
    ),
    denied(
        "createkey-tag-that-is-denied",
        "explicit-deny",
        "tags of another project are denied",
        "KMS Developer Guide, Controlling access to tags",
        create_key(
            MAY_CREATE_TAGGED,
            policy(
                deny(
                    "kms:TagResource",
                    Sid="OwnProject",
                    Condition={"StringNotEquals": {"aws:RequestTag/Project": "Orders"}},
                )
            ),
            Project="Bills",
        ),
        layer="identity-policy",
        sid="OwnProject",
    ),
    allowed(
        "createkey-tag-that-is-not-denied",
        "iam-policy",
        "the twin: the tag is of the caller's own project",
        "KMS Developer Guide, Controlling access to tags",
        create_key(
            MAY_CREATE_TAGGED,
            policy(
                deny(
                    "kms:TagResource",
                    Sid="OwnProject",
                    Condition={"StringNotEquals": {"aws:RequestTag/Project": "Orders"}},
                )
            ),
            Project="Orders",
        ),
    ),
    allowed(
        "createkey-with-tags-by-root-user",
        "account-root",
        "the root user needs no policy for either",
        "IAM User Guide, Policy evaluation logic: Determining whether a request is allowed or denied within an account",
        create_key(caller=root(), Project="Orders"),
    ),
]

CASES = [
    *CREATE_ALIAS,
    *DELETE_ALIAS,
    *UPDATE_ALIAS,
    *REENCRYPTING,
    *REPLICATING,
    *UPDATING_PRIMARY,
    *CREATING_KEYS,
]
