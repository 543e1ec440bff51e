"""S3 with SSE-KMS: one data key for each object, asked for on PUT and decrypted on GET.

S3 encrypts with the data key and keeps only its encrypted copy beside the object. The encryption context is the
object's ARN, so a data key cannot be moved to another object, and CloudTrail names the object at every use.

Not here: permissions of S3 itself, and Bucket Keys.

Source: Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys (SSE-KMS)".
"""

import os
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What S3 keeps: the encrypted data key and the encrypted bytes. Neither opens without KMS."""

    encrypted_data_key: bytes
    nonce: bytes
    ciphertext: bytes


class Bucket:
    """A bucket whose default encryption is SSE-KMS.

    Args:
        name: the bucket's name.
        kms: a KMS client of whoever uses the bucket. S3 calls KMS with the permissions of that caller.
        key_id: the KMS key, by id or ARN.
    """

    def __init__(self, name: str, kms: Any, key_id: str) -> None:
        self.name = name
        self.objects: dict[str, StoredObject] = {}
        self._kms, self._key_id = kms, key_id

    def put_object(self, key: str, body: bytes) -> None:
        """Store an object: one GenerateDataKey, whatever the size. Needs ``kms:GenerateDataKey``."""
        data_key = self._kms.generate_data_key(
            KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=self._context(key)
        )
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(data_key["Plaintext"]).encrypt(nonce, body, None)
        self.objects[key] = StoredObject(data_key["CiphertextBlob"], nonce, sealed)

    def get_object(self, key: str) -> bytes:
        """Read an object: one Decrypt of its data key. Needs ``kms:Decrypt``.

        Raises:
            KeyError: no object has this name.
        """
        stored = self.objects[key]
        data_key = self._kms.decrypt(CiphertextBlob=stored.encrypted_data_key, EncryptionContext=self._context(key))
        return AESGCM(data_key["Plaintext"]).decrypt(stored.nonce, stored.ciphertext, None)

    def _context(self, key: str) -> dict[str, str]:
        return {"aws:s3:arn": f"arn:aws:s3:::{self.name}/{key}"}
