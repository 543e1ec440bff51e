"""Keys in custom key stores: making them, using them, losing them, and what becomes of them without their key store."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kms_lab.service.backing import TROUBLES
from kms_lab.service.operations.stores import CONNECTING_US, DISCONNECTING_US
from tests.service.conftest import EVERYDAY, Stage, answer, code, method, new_key
from tests.service.homes import INVALID_STATE, NOWHERE, ON_THE_WAY, bring, key_state, state, wait

TABLE = json.loads((Path(__file__).parents[1] / "data" / "key_states.json").read_text())["table"]


# ------------------------------------------------------------------------------ keys


class TestCreateKey:
    def test_metadata(self, home):
        """
        A key's metadata say in which key store it lives and by what name there; no key material id is shown.
        """
        metadata = home.kms.describe_key(KeyId=home.key)["KeyMetadata"]
        where = (
            {"CloudHsmClusterId": home.behind.id}
            if home.kind == "AWS_CLOUDHSM"
            else {"XksKeyConfiguration": {"Id": "external"}}
        )

        assert metadata["Origin"] == home.kind
        assert metadata["CustomKeyStoreId"] == home.id
        assert metadata.items() >= where.items()
        assert "CurrentKeyMaterialId" not in metadata
        assert ("CloudHsmClusterId" in metadata) != ("XksKeyConfiguration" in metadata)

    def test_a_key_of_kms_has_none_of_it(self, kms, key):
        """
        Other keys have no member that tells of a key store.
        """
        metadata = kms.describe_key(KeyId=key)["KeyMetadata"]

        assert not {"CustomKeyStoreId", "CloudHsmClusterId", "XksKeyConfiguration"} & set(metadata)

    @pytest.mark.parametrize("missing", ["CustomKeyStoreId", "XksKeyId"])
    def test_members_that_go_together(self, home, missing):
        """
        Origin, CustomKeyStoreId and XksKeyId are given together or not at all.
        """
        lone = {name: value for name, value in home.own.items() if name != missing}
        xks_key_missing = home.kind == "AWS_CLOUDHSM" and missing == "XksKeyId"

        assert code(home.kms.create_key, **lone) == (None if xks_key_missing else "ValidationException")
        assert code(home.kms.create_key, CustomKeyStoreId=home.id) == "ValidationException"
        assert code(home.kms.create_key, XksKeyId="external") == "ValidationException"
        assert code(home.kms.create_key, **{**home.own, "Origin": "EXTERNAL"}) == "ValidationException"

    def test_xks_key_in_cloudhsm(self, hsm):
        """
        XksKeyId is for external key stores only.
        """
        assert code(hsm.kms.create_key, **hsm.own, XksKeyId="external") == "ValidationException"

    @pytest.mark.parametrize(
        "kind",
        [
            {"MultiRegion": True},
            {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
            {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
        ],
    )
    def test_other_kinds_of_key(self, home, kind):
        """
        Custom key stores contain symmetric encryption keys of a single Region only.
        """
        home.behind.create_key("second") if home.kind == "EXTERNAL_KEY_STORE" else None
        own = home.own | ({"XksKeyId": "second"} if home.kind == "EXTERNAL_KEY_STORE" else {})

        assert code(home.kms.create_key, **own, **kind) == "UnsupportedOperationException"

    def test_origin_of_the_other_type(self, lab, home):
        """
        The origin has to be the key store's type.
        """
        other = {"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "x"}
        other = other if home.kind == "AWS_CLOUDHSM" else {"Origin": "AWS_CLOUDHSM"}

        assert code(home.kms.create_key, **other, CustomKeyStoreId=home.id) == "UnsupportedOperationException"

    @pytest.mark.parametrize("now", ["DISCONNECTED", "CONNECTING", "FAILED", "DISCONNECTING"])
    def test_unconnected(self, home, now):
        """
        Keys are made in connected key stores only.
        """
        bring(home, now)

        assert code(home.kms.create_key, **home.own) == INVALID_STATE

    def test_no_key_store(self, home):
        """
        A key store that is not there is not found.
        """
        assert (
            code(home.kms.create_key, **{**home.own, "CustomKeyStoreId": NOWHERE}) == "CustomKeyStoreNotFoundException"
        )

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda cluster: cluster.stop(),
            lambda cluster: cluster.delete(),
            lambda cluster: cluster.remove_hsm(),
            lambda cluster: (cluster.remove_hsm(), cluster.add_hsm(cluster.zones[0])),
        ],
        ids=["stopped", "deleted", "one HSM", "one Zone"],
    )
    def test_unfit_cluster(self, hsm, spoil):
        """
        A key is made in a cluster only while that has active HSMs in two Zones.
        """
        spoil(hsm.behind)
        before = hsm.kms.list_keys()["Keys"]

        assert answer(hsm.kms.create_key, **hsm.own) == (
            "CloudHsmClusterInvalidConfigurationException",
            "CloudHSM cluster must contain active HSMs in at least two Availability Zones",
        )
        assert hsm.kms.list_keys()["Keys"] == before

    @pytest.mark.parametrize("trouble", [name for name in TROUBLES if name not in (*ON_THE_WAY, "wrong credential")])
    def test_troubled_proxy(self, xks, trouble):
        """
        What is wrong with the proxy, CreateKey calls an invalid state of the key store, in the proxy's own sentence.
        """
        xks.behind.create_key("second")
        xks.behind.trouble(trouble)

        found = answer(xks.kms.create_key, **{**xks.own, "XksKeyId": "second"})

        assert found == (INVALID_STATE, TROUBLES[trouble].text)

    @pytest.mark.parametrize(
        ("made", "expected", "text"),
        [
            (
                {"spec": "AES_128"},
                "XksKeyInvalidConfigurationException",
                "The key spec of the external key must be AES_256. The key spec of specified external key is AES_128.",
            ),
            (
                {"usage": ["ENCRYPT"]},
                "XksKeyInvalidConfigurationException",
                "The key usage of the external key must include ENCRYPT and DECRYPT. "
                "The key use of specified external key is ENCRYPT.",
            ),
            (
                "disabled",
                "XksKeyInvalidConfigurationException",
                "The status of the external key must be ENABLED. The status of specified external key is DISABLED.",
            ),
            (
                None,
                "XksKeyNotFoundException",
                "The external key store proxy rejected the request because it could not find the external key.",
            ),
        ],
    )
    def test_unfit_external_keys(self, xks, made, expected, text):
        """
        The external key has to be there: an enabled AES_256 key that encrypts and decrypts.
        """
        if made is not None:
            xks.behind.create_key("second", **(made if isinstance(made, dict) else {}))
        if made == "disabled":
            xks.behind.disable_key("second")

        assert answer(xks.kms.create_key, **{**xks.own, "XksKeyId": "second"}) == (expected, text)

    def test_external_key_in_use(self, lab, xks):
        """
        An external key backs one KMS key of a key store; it is free again once that key is deleted.
        """
        assert code(xks.kms.create_key, **xks.own) == "XksKeyAlreadyInUseException"

        xks.kms.schedule_key_deletion(KeyId=xks.key, PendingWindowInDays=7)
        assert code(xks.kms.create_key, **xks.own) == "XksKeyAlreadyInUseException"
        lab.clock.travel(days=7)
        assert code(xks.kms.create_key, **xks.own) is None


class TestUse:
    def test_round_trip(self, home):
        """
        A key in a key store encrypts, decrypts, makes data keys and re-encrypts like any other.
        """
        kms, plain = home.kms, new_key(home.kms)
        blob = kms.encrypt(KeyId=home.key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
        data_key = kms.generate_data_key(KeyId=home.key, KeySpec="AES_256")
        moved = kms.re_encrypt(CiphertextBlob=data_key["CiphertextBlob"], DestinationKeyId=plain)["CiphertextBlob"]
        back = kms.re_encrypt(CiphertextBlob=moved, DestinationKeyId=home.key)["CiphertextBlob"]

        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"x"
        assert kms.decrypt(CiphertextBlob=back)["Plaintext"] == data_key["Plaintext"]

    def test_a_refusal_takes_no_randomness(self, lab, home):
        """
        A call that the cluster or proxy cannot answer leaves only its entry in the log: what comes next is the same.
        """
        home.switch_off()
        before = {**lab.world.to_data(), "log": None}

        assert code(home.kms.create_key, **home.own) is not None
        assert code(home.kms.generate_data_key, KeyId=home.key, KeySpec="AES_256") == "KMSInvalidStateException"

        assert {**lab.world.to_data(), "log": None} == before

    @pytest.mark.parametrize("operation", ["Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"])
    @pytest.mark.parametrize("side", ["source", "destination", "only"])
    def test_switched_off(self, lab, home, operation, side):
        """
        While the cluster or proxy does not answer, cryptography fails with KMSInvalidStateException, though the key is
        Enabled and its key store CONNECTED; afterwards it works again.
        """
        kms = home.kms
        blob = kms.encrypt(KeyId=home.key, Plaintext=b"x")["CiphertextBlob"]
        plain = new_key(kms)
        other = kms.encrypt(KeyId=plain, Plaintext=b"x")["CiphertextBlob"]
        call, params = {
            "source": (kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": plain}),
            "destination": (kms.re_encrypt, {"CiphertextBlob": other, "DestinationKeyId": home.key}),
            "only": (
                method(kms, operation),
                {
                    "Decrypt": {"CiphertextBlob": blob},
                    "Encrypt": {"KeyId": home.key, "Plaintext": b"x"},
                }.get(operation, {"KeyId": home.key, "NumberOfBytes": 32}),
            ),
        }[side]

        home.switch_off()

        text = (
            "KMS cannot communicate with your CloudHSM cluster"
            if home.kind == "AWS_CLOUDHSM"
            else TROUBLES["offline"].text
        )
        assert answer(call, **params) == ("KMSInvalidStateException", text)
        assert key_state(lab, home.key) == "Enabled"
        assert state(lab, home.id) == ("CONNECTED", None)
        home.switch_on()
        assert code(call, **params) is None

    @pytest.mark.parametrize("trouble", [name for name in TROUBLES if name not in (*ON_THE_WAY, "wrong credential")])
    def test_troubled_proxy(self, xks, trouble):
        """
        Whatever is wrong with a proxy, cryptography answers KMSInvalidStateException, in the proxy's own sentence.
        """
        xks.behind.trouble(trouble)

        found = answer(xks.kms.encrypt, KeyId=xks.key, Plaintext=b"x")

        assert found == ("KMSInvalidStateException", TROUBLES[trouble].text)

    def test_cluster_without_hsm(self, hsm):
        """
        A cluster without HSM, and one that was deleted, answer nothing.
        """
        for _ in range(2):
            hsm.behind.remove_hsm()
        assert code(hsm.kms.encrypt, KeyId=hsm.key, Plaintext=b"x") == "KMSInvalidStateException"

        hsm.behind.add_hsm()
        assert code(hsm.kms.encrypt, KeyId=hsm.key, Plaintext=b"x") is None
        hsm.behind.delete()
        assert code(hsm.kms.encrypt, KeyId=hsm.key, Plaintext=b"x") == "KMSInvalidStateException"

    def test_external_key_disabled(self, xks):
        """
        Disabling the external key stops cryptography from outside AWS; enabling it brings everything back.
        """
        blob = xks.kms.encrypt(KeyId=xks.key, Plaintext=b"x")["CiphertextBlob"]
        xks.behind.disable_key("external")
        assert answer(xks.kms.decrypt, CiphertextBlob=blob) == (
            "KMSInvalidStateException",
            "The external key store proxy rejected the request because the external key is not enabled in the external "
            "key manager.",
        )

        xks.behind.enable_key("external")
        assert xks.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"

    def test_shredding(self, home):
        """
        Once the backing key is deleted nobody opens its ciphertexts again, not even with a new key of the same name.
        """
        kms = home.kms
        blob = kms.encrypt(KeyId=home.key, Plaintext=b"x")["CiphertextBlob"]
        (name,) = home.behind.keys

        home.behind.delete_key(name)

        assert code(kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
        assert code(kms.encrypt, KeyId=home.key, Plaintext=b"x") == "KMSInvalidStateException"
        assert key_state(home.lab, home.key) == "Enabled"
        if home.kind == "EXTERNAL_KEY_STORE":
            home.behind.create_key(name)
            assert code(kms.encrypt, KeyId=home.key, Plaintext=b"x") is None
            assert code(kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"

    def test_the_next_key_on_the_external_key(self, lab, xks):
        """
        Once a key is deleted, a new one on the same external key does not open its ciphertext, and its half is gone.
        """
        blob = xks.kms.encrypt(KeyId=xks.key, Plaintext=b"x")["CiphertextBlob"]
        xks.kms.schedule_key_deletion(KeyId=xks.key, PendingWindowInDays=7)
        lab.clock.travel(days=7)
        second = new_key(xks.kms, **xks.own)

        assert code(xks.kms.decrypt, CiphertextBlob=blob) == "AccessDeniedException"
        assert code(xks.kms.decrypt, CiphertextBlob=blob, KeyId=second) == "IncorrectKeyException"
        assert not any(one.secret for one in lab.world.gone[xks.key].materials)

    def test_the_external_key_does_not_open_alone(self, lab, xks):
        """
        KMS's own half of the key is needed as well: with other bytes in its place the ciphertext stays shut.
        """
        blob = xks.kms.encrypt(KeyId=xks.key, Plaintext=b"x")["CiphertextBlob"]
        record = lab.key(xks.key)

        record.materials[0] = replace(record.materials[0], secret=bytes(32))

        assert code(xks.kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"

    def test_wrong_context(self, home):
        """
        A wrong encryption context under an external key is KMSInvalidStateException, in AWS's sentence; else the usual.
        """
        blob = home.kms.encrypt(KeyId=home.key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]

        assert answer(home.kms.decrypt, CiphertextBlob=blob) == (
            ("InvalidCiphertextException", "")
            if home.kind == "AWS_CLOUDHSM"
            else (
                "KMSInvalidStateException",
                "The external key store proxy rejected the request because the specified ciphertext or additional "
                "authenticated data is corrupted, missing, or otherwise invalid.",
            )
        )

    def test_what_is_no_ciphertext(self, xks):
        """
        Bytes that are no ciphertext of KMS never come to the proxy.
        """
        found = code(xks.kms.decrypt, CiphertextBlob=b"nothing", KeyId=xks.key)

        assert found == "InvalidCiphertextException"

    def test_cloudhsm_bytes_are_in_the_cluster_only(self, lab, hsm):
        """
        KMS itself keeps no secret of a key in a CloudHSM key store.
        """
        record = lab.key(hsm.key)

        assert [one.secret for one in record.materials] == [b""]
        assert hsm.behind.keys == [record.id]


class TestDeletedKeys:
    @pytest.mark.parametrize("reachable", [True, False])
    def test_material_in_the_cluster(self, lab, hsm, reachable):
        """
        A deleted key's material leaves the cluster too, if KMS can reach that; otherwise it stays, orphaned.
        """
        hsm.kms.schedule_key_deletion(KeyId=hsm.key, PendingWindowInDays=7)
        if not reachable:
            hsm.disconnect()
        lab.clock.travel(days=7)

        assert len(hsm.behind.keys) == (0 if reachable else 1)

    def test_external_key_stays(self, lab, xks):
        """
        KMS deletes nothing in an external key manager.
        """
        xks.kms.schedule_key_deletion(KeyId=xks.key, PendingWindowInDays=7)
        lab.clock.travel(days=7)

        assert xks.behind.keys == {"external": "ENABLED"}


# ------------------------------------------------------------------------------ Unavailable


class TestUnavailable:
    def test_follows_the_connection(self, lab, home):
        """
        Keys are Unavailable from the call to disconnect until the key store is connected again, failures between.
        """
        kms = home.kms
        seen = [key_state(lab, home.key)]
        kms.disconnect_custom_key_store(CustomKeyStoreId=home.id)
        seen.append(key_state(lab, home.key))
        wait(lab, DISCONNECTING_US)
        kms.connect_custom_key_store(CustomKeyStoreId=home.id)
        seen.append(key_state(lab, home.key))
        home.switch_off()
        wait(lab, CONNECTING_US[home.kind])
        seen.append(key_state(lab, home.key))
        home.switch_on()
        home.disconnect()
        home.connect()
        seen.append(key_state(lab, home.key))

        assert seen == ["Enabled", "Unavailable", "Unavailable", "Unavailable", "Enabled"]

    def test_other_keys_do_not_mind(self, lab, home, key):
        """
        Keys outside the key store stay as they are.
        """
        home.disconnect()

        assert key_state(lab, key) == "Enabled"

    @pytest.mark.parametrize(("before", "call", "after"), [
        ("Enabled", "", "Enabled"),
        ("Disabled", "", "Disabled"),
        ("Enabled", "disable_key", "Disabled"),
        ("Disabled", "enable_key", "Enabled"),
    ])  # fmt: skip
    def test_comes_back(self, lab, home, before, call, after):
        """
        A key comes back as it was; what EnableKey and DisableKey did meanwhile shows only then: note 12.
        """
        if before == "Disabled":
            home.kms.disable_key(KeyId=home.key)
        home.disconnect()
        if call:
            getattr(home.kms, call)(KeyId=home.key)
        assert key_state(lab, home.key) == "Unavailable"

        home.connect()

        assert key_state(lab, home.key) == after

    def test_pending_deletion_stays(self, lab, home):
        """
        A key pending deletion stays so while its key store is disconnected: note 13. Called off, it is Unavailable, and
        Disabled once the key store is connected.
        """
        home.kms.schedule_key_deletion(KeyId=home.key, PendingWindowInDays=7)
        home.disconnect()
        assert key_state(lab, home.key) == "PendingDeletion"

        home.kms.cancel_key_deletion(KeyId=home.key)
        assert key_state(lab, home.key) == "Unavailable"
        home.connect()
        assert key_state(lab, home.key) == "Disabled"

    def test_scheduled_while_unavailable(self, lab, home):
        """
        A key whose deletion is scheduled while it is Unavailable does not come back with the connection.
        """
        home.disconnect()
        home.kms.schedule_key_deletion(KeyId=home.key, PendingWindowInDays=7)
        home.connect()
        assert key_state(lab, home.key) == "PendingDeletion"

        home.kms.cancel_key_deletion(KeyId=home.key)
        assert key_state(lab, home.key) == "Disabled"


#: what a key in a custom key store gets where AWS's table leaves it to the kind of key
NOTES = {
    "1": "DisabledException", "3": "KMSInvalidStateException", "4": "KMSInvalidStateException",
    "7": "UnsupportedOperationException", "8": "KMSInvalidStateException", "9": "UnsupportedOperationException",
    "11": "KMSInvalidStateException",
}  # fmt: skip
STATES = ("Enabled", "Disabled", "PendingDeletion", "Unavailable")
CELLS = [
    (name, now, row[now])
    for name, row in TABLE.items()
    for now in STATES
    if row["Unavailable"] != "na"  # "na" marks the operations that keys in custom key stores are no kind for
]


#: requests that need no RSA key: a key in a custom key store is refused before they are looked at
IMPORTS = {
    "GetParametersForImport": {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
    "ImportKeyMaterial": {"ImportToken": b"token", "EncryptedKeyMaterial": b"material"},
}


def expected_codes(name: str, cell: str) -> set[str | None]:
    """What AWS's table lets a key in a custom key store answer; two, where it names two notes."""
    if name.startswith("GenerateDataKeyPair"):
        # the table lets it through in some states; the model's text refuses keys in custom key stores
        return {NOTES["7"]} if cell in ("ok", "7") else {NOTES["7"], NOTES[cell[-1]]}
    if cell in ("ok", "ok,12"):
        return {None}
    if cell == "2|3":
        return {NOTES["3"]}  # recordings settle which of the two
    if cell == "?10":
        return {NOTES["3"]}
    if cell == "4,13":
        return {NOTES["4"]}
    return {NOTES[one] for one in cell.removeprefix("?").split("|")}


@pytest.mark.parametrize(("name", "now", "cell"), CELLS)
def test_key_state_table(lab, home, name, now, cell):
    """
    Each operation answers a key in a custom key store, in each of its states, as AWS's key-state table says.
    """
    kms = home.kms
    other = new_key(kms)
    kms.create_alias(AliasName="alias/key", TargetKeyId=home.key)
    kms.create_alias(AliasName="alias/other", TargetKeyId=other)
    kms.tag_resource(KeyId=home.key, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    stage = Stage(lab, kms, home.key, other, kms.encrypt(KeyId=home.key, Plaintext=b"x")["CiphertextBlob"])
    params = IMPORTS.get(name) or EVERYDAY[name](stage)
    if name in IMPORTS or "KeyId" in params:
        params = {**params, "KeyId": home.key}
    if now == "Disabled":
        kms.disable_key(KeyId=home.key)
    elif now == "PendingDeletion":
        kms.schedule_key_deletion(KeyId=home.key)
    elif now == "Unavailable":
        home.disconnect()
    assert key_state(lab, home.key) == now

    assert code(method(kms, name), **params) in expected_codes(name, cell)


def test_what_an_unavailable_key_says(home):
    """
    A key that is Unavailable says so, by its ARN.
    """
    home.disconnect()

    found = answer(home.kms.encrypt, KeyId=home.key, Plaintext=b"x")

    assert found == ("KMSInvalidStateException", f"{home.key} is unavailable.")


# ------------------------------------------------------------------------------ random bytes


class TestGenerateRandom:
    def test_from_a_cluster(self, hsm):
        """
        A connected CloudHSM key store gives as many random bytes as are asked for.
        """
        first, second = (
            hsm.kms.generate_random(NumberOfBytes=24, CustomKeyStoreId=hsm.id)["Plaintext"] for _ in range(2)
        )

        assert len(first) == len(second) == 24
        assert first != second

    def test_from_an_external_key_store(self, xks):
        """
        An external key store gives no random bytes.
        """
        found = code(xks.kms.generate_random, NumberOfBytes=8, CustomKeyStoreId=xks.id)

        assert found == "UnsupportedOperationException"

    def test_not_there(self, hsm):
        """
        A key store that is not there, not connected or does not answer gives none either, each with its own error.
        """
        call = hsm.kms.generate_random
        assert code(call, NumberOfBytes=8, CustomKeyStoreId=NOWHERE) == "CustomKeyStoreNotFoundException"
        hsm.behind.stop()
        assert code(call, NumberOfBytes=8, CustomKeyStoreId=hsm.id) == "DependencyTimeoutException"
        hsm.disconnect()
        assert code(call, NumberOfBytes=8, CustomKeyStoreId=hsm.id) == INVALID_STATE
