"""Tags: added, changed, removed, never by halves. (AWS's texts: see test_recorded.)"""

from tests.service.conftest import code


def tags(kms, key):
    return {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=key)["Tags"]}


def pairs(**values):
    return [{"TagKey": name, "TagValue": value} for name, value in values.items()]


def test_add_change_remove(kms, key):
    """
    TagResource adds and overwrites, UntagResource removes, and a tag that is not there can be removed.
    """
    kms.tag_resource(KeyId=key, Tags=pairs(a="1", b="2"))
    kms.tag_resource(KeyId=key, Tags=pairs(b="3", c=""))
    assert tags(kms, key) == {"a": "1", "b": "3", "c": ""}

    kms.untag_resource(KeyId=key, TagKeys=["a", "none"])
    assert tags(kms, key) == {"b": "3", "c": ""}


def test_case_matters(kms, key):
    """
    Tag keys that differ by case are two tags.
    """
    kms.tag_resource(KeyId=key, Tags=pairs(team="1", Team="2"))

    assert tags(kms, key) == {"team": "1", "Team": "2"}


def test_tags_at_birth(kms):
    """
    CreateKey takes tags, 50 of them and no more.
    """
    fifty = [{"TagKey": str(number), "TagValue": "x"} for number in range(50)]

    key = kms.create_key(Tags=fifty)["KeyMetadata"]["KeyId"]

    assert len(tags(kms, key)) == 50
    assert code(kms.create_key, Tags=[*fifty, {"TagKey": "50", "TagValue": "x"}]) == "TagException"


def test_refused_tags_change_nothing(kms, key):
    """
    A request with one bad tag adds none of the others.
    """
    kms.tag_resource(KeyId=key, Tags=pairs(a="1"))

    assert (
        code(kms.tag_resource, KeyId=key, Tags=[*pairs(b="2"), {"TagKey": "aws:c", "TagValue": "3"}]) == "TagException"
    )
    assert tags(kms, key) == {"a": "1"}
