"""Tags: TagResource, UntagResource, ListResourceTags.

Source: AWS KMS Developer Guide, "Tags in AWS KMS"; texts, recordings of AWS's answers.
"""

from collections.abc import Mapping, Sequence

from kms_lab.core.errors import TagException
from kms_lab.service.operation import KEY_ONLY, Call, Response, operation
from kms_lab.service.paging import page
from kms_lab.service.states import EDIT

TAGS_PER_KEY = 50


@operation(
    permission="kms:TagResource",
    target=KEY_ONLY,
    states=EDIT,
    quota=10,
    shown=("KeyId", "Tags"),
    source="AWS KMS API Reference, TagResource",
)
def tag_resource(call: Call, *, KeyId: str, Tags: Sequence[Mapping[str, str]]) -> None:
    """Add tags to a key, or change their values."""
    call.key.tags = accept_tags(call.key.tags, Tags)


@operation(
    permission="kms:UntagResource",
    target=KEY_ONLY,
    states=EDIT,
    quota=5,
    shown=("KeyId", "TagKeys"),
    source="AWS KMS API Reference, UntagResource",
)
def untag_resource(call: Call, *, KeyId: str, TagKeys: Sequence[str]) -> None:
    """Remove tags from a key. Removing one that is not there is no error."""
    call.key.tags = {name: value for name, value in call.key.tags.items() if name not in TagKeys}


@operation(
    permission="kms:ListResourceTags",
    target=KEY_ONLY,
    quota=2000,
    shown=("KeyId", "Limit", "Marker"),
    source="AWS KMS API Reference, ListResourceTags",
)
def list_resource_tags(call: Call, *, KeyId: str, Limit: int = 50, Marker: str | None = None) -> Response:
    """List a key's tags, sorted by key."""
    tags = sorted(call.key.tags.items())
    return page(tags, "Tags", lambda tag: {"TagKey": tag[0], "TagValue": tag[1]}, Limit, Marker)


def accept_tags(present: Mapping[str, str], new: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return a key's tags after adding some.

    Raises:
        TagException: a duplicate in the request, a reserved name, or more than 50 tags on the key.
    """
    names = [tag["TagKey"] for tag in new]
    if len(set(names)) < len(names):
        raise TagException("Duplicate tag keys")
    if any(name.lower().startswith("aws:") for name in names):
        raise TagException("Tags beginning with aws: are reserved")
    tags = {**present, **{tag["TagKey"]: tag["TagValue"] for tag in new}}
    if len(tags) > TAGS_PER_KEY:
        raise TagException("Too many tags")
    return tags
