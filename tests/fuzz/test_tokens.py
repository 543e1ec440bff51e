"""Changed grant tokens and pagination markers: a token is nobody's, a marker leads to a part of its own listing."""

from kms_lab import KMSError
from kms_lab.lab import ADMIN
from tests.fuzz.mutations import spoiled_text
from tests.fuzz.oracle import Oracle, cases
from tests.fuzz.worlds import READER
from tests.service.conftest import new_grant, new_key


class TestGrantTokens:
    def test_only_the_token_itself_helps(self, lab, count):
        """While a grant is new, its grantee can decrypt with its very token and with no other text."""
        lab.iam.create_role("Reader", policies=[])
        kms = lab.client()
        key, other = new_key(kms), new_key(kms)
        blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
        tokens = [new_grant(kms, one, READER, RetiringPrincipal=READER)["GrantToken"] for one in (key, other)]
        oracle = Oracle(lab)
        for number, chance in cases("grant tokens", count(400, 50_000)):
            given = [
                spoiled_text(chance.choice(tokens), chance, tokens) if chance.random() < 0.9 else chance.choice(tokens)
                for _ in range(chance.choice((1, 1, 2)))
            ]
            if chance.random() < 0.2:
                answer = oracle.send("RetireGrant", {"GrantToken": given[0]}, READER, note=number)
                assert isinstance(answer, KMSError) == (given[0] not in tokens), given
            else:
                answer = oracle.send("Decrypt", {"CiphertextBlob": blob, "GrantTokens": given}, READER, note=number)
                if not isinstance(answer, KMSError):
                    assert (tokens[0] in given, answer["Plaintext"]) == (True, b"p"), given
        assert oracle.outcomes["done"] > 0
        assert oracle.outcomes["InvalidGrantTokenException"] > 0


class TestMarkers:
    def test_a_marker_leads_into_its_listing(self, lab, count):
        """A changed marker, or another listing's, is refused or leads to neighbours in its own, at any Limit."""
        kms = lab.client()
        key, *_ = [new_key(kms) for _ in range(5)]
        for number in range(5):
            kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=key)
            kms.tag_resource(KeyId=key, Tags=[{"TagKey": f"{number}", "TagValue": ""}])
            new_grant(kms, key, RetiringPrincipal=ADMIN)
        listings = {
            "ListKeys": ({}, "Keys"),
            "ListAliases": ({}, "Aliases"),
            "ListResourceTags": ({"KeyId": key}, "Tags"),
            "ListGrants": ({"KeyId": key}, "Grants"),
            "ListRetirableGrants": ({"RetiringPrincipal": ADMIN}, "Grants"),
            "ListKeyRotations": ({"KeyId": key}, "Rotations"),
            "ListKeyPolicies": ({"KeyId": key}, "PolicyNames"),
            "DescribeCustomKeyStores": ({}, "CustomKeyStores"),
        }
        oracle = Oracle(lab)
        whole = {name: oracle.send(name, params)[member] for name, (params, member) in listings.items()}
        first = {name: oracle.send(name, {**params, "Limit": 2}) for name, (params, _) in listings.items()}
        markers = [page["NextMarker"] for page in first.values() if page["Truncated"]]
        assert len(markers) == 5
        for number, chance in cases("markers", count(400, 50_000)):
            name = chance.choice(list(listings))
            params, member = listings[name]
            own = first[name].get("NextMarker", markers[0])
            marker = spoiled_text(own, chance, markers) if chance.random() < 0.8 else chance.choice((own, *markers))
            params = {**params, "Marker": marker, "Limit": chance.choice((1, 2, 2, 3, 50, 51, 1000, 1001, 0, 2**64))}
            answer = oracle.send(name, params, note=number)
            if not isinstance(answer, KMSError):
                assert marker == own or marker not in markers, params
                page, everything = answer[member], whole[name]
                start = everything.index(page[0]) if page else len(everything)
                assert page == everything[start : start + params["Limit"]], params
        assert oracle.outcomes["done"] > 0
        assert oracle.outcomes["InvalidMarkerException"] > 0
