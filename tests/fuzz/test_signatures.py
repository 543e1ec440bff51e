"""Changed signatures, MACs and public keys: none passes for the original."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kms_lab import KMSError
from tests.fuzz.mutations import spoiled
from tests.fuzz.oracle import Oracle, cases
from tests.service.conftest import new_key, peer_key

#: key specs, with a signing algorithm of each
SIGNERS = {
    "RSA_2048": ("RSASSA_PSS_SHA_256", "RSASSA_PKCS1_V1_5_SHA_512"),
    "ECC_NIST_P256": ("ECDSA_SHA_256",),
    "ECC_NIST_P521": ("ECDSA_SHA_512",),
    "ECC_SECG_P256K1": ("ECDSA_SHA_256",),
    "ECC_NIST_EDWARDS25519": ("ED25519_SHA_512", "ED25519_PH_SHA_512"),
    "ML_DSA_44": ("ML_DSA_SHAKE_256",),
}
CURVES = ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521")


class TestSignatures:
    def test_only_the_signature_verifies(self, lab, count):
        """Under every algorithm a changed signature or message is KMSInvalidSignatureException, or of a wrong form."""
        kms, made = lab.client(), []
        for spec, algorithms in SIGNERS.items():
            key = new_key(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
            for algorithm in algorithms:
                kind = "DIGEST" if "_PH_" in algorithm else "RAW"
                params = {"KeyId": key, "Message": b"m" * 64, "MessageType": kind, "SigningAlgorithm": algorithm}
                made.append({**params, "Signature": kms.sign(**params)["Signature"]})
        oracle, signatures = Oracle(lab), [one["Signature"] for one in made]
        for number, chance in cases("signatures", count(400, 40_000)):
            original = chance.choice(made)
            params = {**original, "Signature": spoiled(original["Signature"], chance, signatures)}
            if chance.random() < 0.3:
                params["Message"] = spoiled(params["Message"], chance)
            if chance.random() < 0.1:
                params["SigningAlgorithm"] = chance.choice([one["SigningAlgorithm"] for one in made])
            if chance.random() < 0.2:
                params["MessageType"] = chance.choice(("RAW", "DIGEST", "EXTERNAL_MU"))
            answer = oracle.send("Verify", params, note=number)
            if not isinstance(answer, KMSError):
                assert (answer["SignatureValid"], params) == (True, original)
        assert oracle.outcomes["done"] > 0
        assert oracle.outcomes["KMSInvalidSignatureException"] > oracle.outcomes["done"]


class TestMacs:
    def test_only_the_mac_verifies(self, lab, count):
        """A changed MAC or message is KMSInvalidMacException, or refused for its form."""
        kms, made = lab.client(), []
        for spec, algorithm in (("HMAC_256", "HMAC_SHA_256"), ("HMAC_512", "HMAC_SHA_512")):
            params = {
                "KeyId": new_key(kms, KeySpec=spec, KeyUsage="GENERATE_VERIFY_MAC"),
                "Message": b"m" * 40,
                "MacAlgorithm": algorithm,
            }
            made.append({**params, "Mac": kms.generate_mac(**params)["Mac"]})
        oracle = Oracle(lab)
        for number, chance in cases("macs", count(300, 20_000)):
            original = chance.choice(made)
            params = {**original, "Mac": spoiled(original["Mac"], chance, [one["Mac"] for one in made])}
            if chance.random() < 0.3:
                params["Message"] = spoiled(params["Message"], chance)
            answer = oracle.send("VerifyMac", params, note=number)
            assert isinstance(answer, KMSError) == (params != original), params
        assert oracle.outcomes["KMSInvalidMacException"] > 0


class TestPeers:
    def test_only_a_point_of_the_curve_is_a_peer(self, lab, count):
        """A changed public key is refused, or is a key too; the secret is the original's only if the point is."""
        kms = lab.client()
        keys = {curve: new_key(kms, KeySpec=curve, KeyUsage="KEY_AGREEMENT") for curve in CURVES}
        peers = {curve: peer_key(curve) for curve in CURVES}
        agreed = {
            curve: kms.derive_shared_secret(**derivation(keys[curve], peers[curve]))["SharedSecret"] for curve in CURVES
        }
        oracle = Oracle(lab)
        for number, chance in cases("peers", count(400, 40_000)):
            curve = chance.choice(CURVES)
            others = list(peers.values())
            peer = spoiled(peers[curve], chance, others) if chance.random() < 0.9 else chance.choice(others)
            answer = oracle.send("DeriveSharedSecret", derivation(keys[curve], peer), note=number)
            if not isinstance(answer, KMSError):
                assert (answer["SharedSecret"] == agreed[curve]) == (x_of(peer) == x_of(peers[curve])), peer.hex()
        assert oracle.outcomes["done"] > 0
        assert oracle.outcomes["ValidationException"] > 0


def derivation(key, peer):
    return {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}


def x_of(der):
    """Where a public key's point lies, up to its sign, which a shared secret does not depend on."""
    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.curve.name, key.public_numbers().x
