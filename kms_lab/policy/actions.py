"""The permissions of AWS KMS, and which condition keys of KMS can be asked about each. Tables only.

Source: AWS's service model; AWS Service Authorization Reference, "Actions, resources, and condition keys for AWS Key
Management Service"; AWS KMS Developer Guide, "AWS KMS permissions", "AWS KMS condition keys".
"""

from functools import cache

from kms_lab.core import model

_WITHOUT_KEY_NAMES = """
    CreateKey ListKeys ListAliases ListRetirableGrants GenerateRandom CreateCustomKeyStore ConnectCustomKeyStore
    DescribeCustomKeyStores DisconnectCustomKeyStore DeleteCustomKeyStore UpdateCustomKeyStore
    """
#: What needs no key: a key policy, which hangs on one, has no say.
WITHOUT_KEY = frozenset(_WITHOUT_KEY_NAMES.split())

_SYMMETRIC = """
    Encrypt Decrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair
    GenerateDataKeyPairWithoutPlaintext ReEncryptFrom ReEncryptTo
"""
#: Permissions that use a key's material.
CRYPTOGRAPHIC = frozenset(
    f"{_SYMMETRIC} Sign Verify GenerateMac VerifyMac DeriveSharedSecret Encapsulate Decapsulate".split()
)
_CREATE_GRANT = "CreateGrant RetireGrant"
_ATTESTED = "Decrypt DeriveSharedSecret GenerateDataKey GenerateDataKeyPair GenerateRandom"

#: By KMS's own condition key in lower case: the permissions with which AWS sets it. Keys that are set with every
#: operation on a key are not listed. A name that ends in a colon stands for a family.
_SET_WITH = {
    "kms:bypasspolicylockoutsafetycheck": "CreateKey PutKeyPolicy",
    "kms:datakeypairspec": "GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext",
    "kms:encryptionalgorithm": _SYMMETRIC,
    "kms:encryptioncontext:": f"{_SYMMETRIC} {_CREATE_GRANT}",
    "kms:encryptioncontextkeys": f"{_SYMMETRIC} {_CREATE_GRANT}",
    "kms:expirationmodel": "ImportKeyMaterial",
    "kms:grantconstraintsourcearn": "CreateGrant",
    "kms:grantconstrainttype": _CREATE_GRANT,
    "kms:grantisforawsresource": "CreateGrant ListGrants RevokeGrant",
    "kms:grantoperations": "CreateGrant",
    "kms:granteeprincipal": "CreateGrant",
    "kms:granteeserviceprincipal": "CreateGrant",
    "kms:keyagreementalgorithm": "DeriveSharedSecret",
    "kms:macalgorithm": "GenerateMac VerifyMac",
    "kms:messagetype": "Sign Verify",
    "kms:policyname": "GetKeyPolicy PutKeyPolicy",
    "kms:primaryregion": "UpdatePrimaryRegion",
    "kms:recipientattestation:": _ATTESTED,
    "kms:reencryptonsamekey": "ReEncryptFrom ReEncryptTo",
    "kms:replicaregion": "ReplicateKey",
    "kms:requestalias": f"{' '.join(sorted(CRYPTOGRAPHIC))} DescribeKey GetPublicKey",
    "kms:retiringprincipal": "CreateGrant",
    "kms:retiringserviceprincipal": "CreateGrant",
    "kms:rotationperiodindays": "EnableKeyRotation",
    "kms:schedulekeydeletionpendingwindowindays": "ScheduleKeyDeletion",
    "kms:signingalgorithm": "Sign Verify",
    "kms:trailingdayswithoutkeyusage": "ScheduleKeyDeletion DisableKey",
    "kms:validto": "ImportKeyMaterial",
    "kms:wrappingalgorithm": "GetParametersForImport",
    "kms:wrappingkeyspec": "GetParametersForImport",
}
_OF_KEYS_NAMES = """
    calleraccount keyorigin keyspec keyusage multiregion multiregionkeytype resourcealiases viaservice
    customermasterkeyspec customermasterkeyusage
"""
#: KMS's condition keys that are set with operations on keys in general.
_OF_KEYS = frozenset(f"kms:{name}" for name in _OF_KEYS_NAMES.split())
_MULTIVALUED_NAMES = """
    kms:encryptioncontextkeys kms:grantoperations kms:resourcealiases aws:tagkeys aws:calledvia aws:principalorgpaths
    aws:resourceorgpaths aws:sourceorgpaths aws:principalservicenameslist
    """
#: Condition keys that hold several values.
MULTIVALUED = frozenset(_MULTIVALUED_NAMES.split())


@cache
def all_actions() -> tuple[str, ...]:
    """Return every IAM action of KMS, such as ``kms:Encrypt``; ReEncrypt is two."""
    names = [name for name in model.operation_names() if name != "ReEncrypt"] + ["ReEncryptFrom", "ReEncryptTo"]
    return tuple(f"kms:{name}" for name in sorted(names))


def set_with(condition_key: str) -> frozenset[str] | None:
    """Return the permissions, without ``kms:``, with which one of KMS's condition keys is ever set; None for any.

    Raises:
        LookupError: KMS has no such condition key.
    """
    name = condition_key.lower()
    for known, permissions in _SET_WITH.items():
        if name == known or (known.endswith(":") and name.startswith(known) and name != known):
            return frozenset(permissions.split())
    if name in _OF_KEYS:
        return None
    raise LookupError(f"KMS has no condition key {condition_key}")
