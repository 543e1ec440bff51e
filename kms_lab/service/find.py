"""Keys by ARN, for what the clock fires: it knows whom it means and asks nobody's permission."""

from kms_lab.core.keys import Key
from kms_lab.core.names import parse_key_reference
from kms_lab.core.world import World


def key_by_arn(world: World, arn: str) -> Key | None:
    """Return a living key, or None."""
    name = parse_key_reference(arn)
    assert name.region is not None
    assert name.account is not None
    return world.look(name.account, name.region).keys.get(name.name)
