"""Pages: every listing gives everything, once, however it is cut."""

import math

import botocore.session
import pytest

from kms_lab.lab import ADMIN
from tests.service.conftest import code, new_key
from tests.service.homes import new_store

MODEL = botocore.session.get_session().get_service_model("kms")
#: listing: (method, member of the answer, how many there are, default page)
LISTINGS = {
    "DescribeCustomKeyStores": ("describe_custom_key_stores", "CustomKeyStores", 7, 100),
    "ListKeys": ("list_keys", "Keys", 7, 100),
    "ListAliases": ("list_aliases", "Aliases", 7, 50),
    "ListResourceTags": ("list_resource_tags", "Tags", 7, 50),
    "ListKeyRotations": ("list_key_rotations", "Rotations", 7, 100),
    "ListGrants": ("list_grants", "Grants", 7, 50),
    "ListRetirableGrants": ("list_retirable_grants", "Grants", 7, 50),
    "ListKeyPolicies": ("list_key_policies", "PolicyNames", 1, 100),
}
each_listing = pytest.mark.parametrize(("method", "member", "count", "default"), LISTINGS.values(), ids=LISTINGS)


@pytest.fixture
def full(lab, kms):
    """A key with 7 aliases, tags, rotations and grants, among 7 keys; and 7 custom key stores."""
    keys = [new_key(kms) for _ in range(7)]
    for number in range(7):
        kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=keys[0])
        kms.tag_resource(KeyId=keys[0], Tags=[{"TagKey": str(number), "TagValue": ""}])
        kms.rotate_key_on_demand(KeyId=keys[0])
        kms.create_grant(KeyId=keys[0], GranteePrincipal=ADMIN, RetiringPrincipal=ADMIN, Operations=["Decrypt"])
        new_store(lab, str(number))
    return keys[0]


def about(method, key):
    whole = ("list_keys", "list_aliases", "describe_custom_key_stores")
    if method == "list_retirable_grants":
        return {"RetiringPrincipal": ADMIN}
    return {} if method in whole else {"KeyId": key}


def test_every_listing_is_here():
    """
    Each operation of the lab whose answer has a NextMarker is tested below.
    """
    from kms_lab.service.operation import OPERATIONS

    paged = {name for name in OPERATIONS if "NextMarker" in OPERATIONS[name].model.output_members}
    assert paged == set(LISTINGS)


@each_listing
@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_all_pages(kms, full, method, member, count, default, limit):
    """
    Pages of any size together are the whole list in its order; only the last one is not truncated.
    """
    call, params = getattr(kms, method), about(method, full)
    whole = call(**params)[member]
    pages = list(kms.get_paginator(method).paginate(**params, Limit=limit))

    assert [item for page in pages for item in page[member]] == whole
    assert len(whole) == count
    assert len(pages) == math.ceil(count / limit)
    assert [page["Truncated"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert all(len(page[member]) <= limit for page in pages)
    assert ["NextMarker" in page for page in pages] == [page["Truncated"] for page in pages]


@each_listing
@pytest.mark.parametrize("marker", ["bad", "=", "a b", "ÿ", "S2V5czrCsg==", "S2V5czotMQ==", "S2V5cw=="])
def test_bad_marker(kms, full, method, member, count, default, marker):
    """
    A marker that no listing gave out is refused: InvalidMarkerException where AWS's model has it.
    """
    name = next(name for name, row in LISTINGS.items() if row[0] == method)
    listed = {shape.name for shape in MODEL.operation_model(name).error_shapes}
    expected = "InvalidMarkerException" if "InvalidMarkerException" in listed else "ValidationException"

    assert code(getattr(kms, method), **about(method, full), Marker=marker) == expected


def test_marker_of_another_listing(kms, full):
    """
    The marker of one listing is not valid for another.
    """
    marker = kms.list_keys(Limit=1)["NextMarker"]

    assert code(kms.list_aliases, Marker=marker) == "InvalidMarkerException"
    assert code(kms.list_keys, Marker=marker) is None


def test_default_page_sizes(kms, key):
    """
    Without a limit a page has 100 keys, or 50 aliases.
    """
    for number in range(100):
        other = new_key(kms)
        kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=other)

    keys, aliases = kms.list_keys(), kms.list_aliases()

    assert (len(keys["Keys"]), keys["Truncated"]) == (100, True)
    assert (len(aliases["Aliases"]), aliases["Truncated"]) == (50, True)


def test_listings_are_of_one_region(lab, kms, key):
    """
    A listing shows the caller's account and Region only, keys in every state.
    """
    doomed = new_key(kms)
    kms.schedule_key_deletion(KeyId=doomed)

    assert [one["KeyArn"] for one in kms.list_keys()["Keys"]] == [key, doomed]
    assert lab.client(region="eu-west-1").list_keys()["Keys"] == []
    assert kms.list_keys(ResourceOwners=["SELF"])["Keys"] == kms.list_keys()["Keys"]
    assert code(kms.list_keys, ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"]) == "UnsupportedByLab"


@pytest.mark.parametrize(
    ("method", "longest"),
    [("list_aliases", 100), ("list_resource_tags", 50), ("list_grants", 100), ("list_retirable_grants", 100)],
)
def test_pages_that_are_shorter_than_the_model_says(kms, full, method, longest):
    """
    Aliases, grants and tags come in shorter pages than the model's 1,000; asking for more is refused.
    """
    call, params = getattr(kms, method), about(method, full)
    assert code(call, **params, Limit=longest) is None
    assert code(call, **params, Limit=longest + 1) == "ValidationException"
