"""Changed import tokens, wrapped material and private keys: a key takes what its owner wrapped, or nothing."""

import random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from kms_lab import KMSError
from kms_lab.core import material
from kms_lab.core.names import Principal
from kms_lab.core.wrapping import material_id
from kms_lab.lab import ADMIN
from kms_lab.service.operation import OPERATIONS, Call
from kms_lab.service.pipeline import handle
from tests.fuzz.mutations import spoiled
from tests.fuzz.oracle import Oracle, cases
from tests.service.conftest import MATERIAL, import_request, new_key, wrap

ALGORITHMS = {"OAEP": "RSAES_OAEP_SHA_256", "key wrap": "RSA_AES_KEY_WRAP_SHA_256"}
#: importable private keys, with an algorithm to sign with
SIGNERS = {
    "ECC_NIST_P256": "ECDSA_SHA_256",
    "ECC_NIST_P521": "ECDSA_SHA_512",
    "ECC_NIST_EDWARDS25519": "ED25519_SHA_512",
    "RSA_2048": "RSASSA_PSS_SHA_256",
}


def used(oracle, operation, **params):
    """The answer of the world in which the last call was made."""
    return handle(Call(OPERATIONS[operation], oracle.world, Principal.parse(ADMIN), "us-east-1", params))


class TestSymmetric:
    def test_token_and_wrapping_are_taken_whole_or_not_at_all(self, lab, count):
        """With a changed token or wrapping nothing is imported but the owner's bytes under the owner's token."""
        kms = lab.client()
        key, other = new_key(kms, Origin="EXTERNAL"), new_key(kms, Origin="EXTERNAL")
        requests = [import_request(kms, one) for one in (key, key, other)]
        tokens = [one["ImportToken"] for one in requests]
        wrapped = [one["EncryptedKeyMaterial"] for one in requests]
        oracle = Oracle(lab)
        for number, chance in cases("import", count(400, 40_000)):
            params = dict(chance.choice(requests))
            member, others = chance.choice((("ImportToken", tokens), ("EncryptedKeyMaterial", wrapped)))
            params[member] = spoiled(params[member], chance, others)
            if chance.random() < 0.1:
                params["KeyId"] = chance.choice((key, other))
            answer = oracle.send("ImportKeyMaterial", params, note=number)
            if not isinstance(answer, KMSError):
                owner = tokens.index(params["ImportToken"])
                assert params["EncryptedKeyMaterial"] in wrapped, params
                assert params["KeyId"] == (key, key, other)[owner], params
                assert answer["KeyMaterialId"] == material_id(params["KeyId"].rpartition("/")[2], MATERIAL)
        assert oracle.outcomes["done"] > 0
        assert oracle.outcomes["InvalidImportTokenException"] > 0
        assert oracle.outcomes["InvalidCiphertextException"] > 0


class TestPrivateKeys:
    @pytest.mark.parametrize("spec", SIGNERS)
    def test_what_is_taken_signs(self, lab, spec, count):
        """A changed PKCS#8 key is refused as no key of the spec, or it is one: it signs, and its signature verifies."""
        kms, algorithm = lab.client(), ALGORITHMS["key wrap"]
        key = new_key(kms, Origin="EXTERNAL", KeySpec=spec, KeyUsage="SIGN_VERIFY")
        given = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
        forms = [pkcs8(spec), *other_forms(pkcs8(spec)), *map(pkcs8, SIGNERS)]
        oracle = Oracle(lab)
        for number, chance in cases(spec, count(20, 3_000) if spec == "RSA_2048" else count(60, 8_000)):
            secret = spoiled(chance.choice((forms[0], *forms)), chance, forms) or b"\0"
            params = {
                "KeyId": key,
                "ImportToken": given["ImportToken"],
                "EncryptedKeyMaterial": wrap(given["PublicKey"], algorithm, secret),
                "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
            }
            answer = oracle.send("ImportKeyMaterial", params, note=f"{number}, PKCS#8 {secret.hex()},")
            if not isinstance(answer, KMSError):
                message = {"KeyId": key, "Message": b"m", "SigningAlgorithm": SIGNERS[spec]}
                signature = used(oracle, "Sign", **message)["Signature"]
                assert used(oracle, "Verify", **message, Signature=signature)["SignatureValid"]
                assert used(oracle, "GetPublicKey", KeyId=key)["KeySpec"] == spec
        assert oracle.outcomes["IncorrectKeyMaterialException"] > 0

    def test_wrapped_keys(self, lab, count):
        """A changed wrapping, by RSA and AES together, gives the key nothing."""
        kms = lab.client()
        key = new_key(kms, Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        params = import_request(kms, key, pkcs8("ECC_NIST_P256"), ALGORITHMS["key wrap"])
        wrapped = params["EncryptedKeyMaterial"]
        oracle = Oracle(lab)
        for number, chance in cases("key wrap", count(200, 20_000)):
            changed = spoiled(wrapped, chance)
            answer = oracle.send("ImportKeyMaterial", {**params, "EncryptedKeyMaterial": changed}, note=number)
            assert isinstance(answer, KMSError) == (changed != wrapped), changed.hex()
        assert oracle.outcomes["InvalidCiphertextException"] > 0


def pkcs8(spec):
    """A private key made outside KMS."""
    if spec.startswith("RSA_"):
        return material.new_rsa(spec)
    return material.generate(spec, random.Random(spec).randbytes)


def other_forms(der):
    """The same key as OpenSSL's own forms have it, which KMS does not take."""
    key = load_der_private_key(der, password=None)
    try:
        return [key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())]
    except ValueError:  # Ed25519 has no other form
        return []
