"""The world: its shelves, its forks, its file."""

import copy
import json

import pytest

from kms_lab.core.keys import Alias, Identity, Key, KeyMaterial
from kms_lab.core.world import Entropy, World, secret_of

HOME, REGION = "111122223333", "us-east-1"


def key_of(number: int, region: str = REGION, spec: str = "SYMMETRIC_DEFAULT", secret: bytes = b"s" * 32) -> Key:
    key_id = f"1234abcd-12ab-34cd-56ef-{number:012d}"
    arn = f"arn:aws:kms:{region}:{HOME}:key/{key_id}"
    key = Key(key_id, arn, HOME, region, spec, "ENCRYPT_DECRYPT", "AWS_KMS", 5, "{}")
    key.materials.append(KeyMaterial("0f" * 32, 5, "FIRST", secret))
    return key


@pytest.fixture
def world():
    """A small world with keys in two Regions, an alias, a user, a log entry and something due."""
    world = World(1_000, seed=3)
    for key in (key_of(1), key_of(2), key_of(3, region="eu-west-1")):
        key.tags["team"] = "blue"
        world.shelf(HOME, key.region).keys[key.id] = key
    shelf = world.shelf(HOME, REGION)
    shelf.put_alias(Alias("alias/a", "arn", key_of(1).id, 5, 5))
    world.identities["arn:aws:iam::111122223333:user/U"] = Identity(
        "arn:aws:iam::111122223333:user/U", ("{}",), {"a": "b"}
    )
    world.gone["arn:gone"] = key_of(9, secret=b"")
    world.clock.schedule(2_000, "rotate", key_of(1).arn)
    world.log.append(1_000, "ListKeys", REGION)
    return world


def test_saved_as_json(world):
    """
    A world goes through JSON text and comes back equal, entropy included.
    """
    text = json.dumps(world.to_data())
    twin = World.from_data(json.loads(text))

    assert json.dumps(twin.to_data()) == text
    assert twin.entropy.take(20) == world.entropy.take(20)


def test_order_of_places(world):
    """
    A loaded world goes on in the same order, also where somebody had only looked at a Region before.
    """
    world.shelf(HOME, "ap-south-1")
    twin = World.from_data(world.to_data())
    for one in (world, twin):
        for region in ("ca-central-1", "ap-south-1"):
            key = key_of(7, region=region)
            one.shelf(HOME, region).keys[key.id] = key

    assert [key.arn for key in twin.all_keys()] == [key.arn for key in world.all_keys()]
    assert twin.to_data() == world.to_data()


@pytest.mark.parametrize("data", [{}, [], None, {"format": "kms_lab world 0"}])
def test_not_a_world(data):
    """
    What is not a saved world of this version is refused by name.
    """
    with pytest.raises(ValueError, match="not a world"):
        World.from_data(data)


def test_fork_shares_nothing_that_changes(world):
    """
    Whatever is done to a fork, the original saves to the same data.
    """
    before = copy.deepcopy(world.to_data())
    twin = world.fork()
    assert twin.to_data() == before

    key = twin.shelf(HOME, REGION).keys[key_of(1).id]
    key.state, key.tags["new"] = "Disabled", "tag"
    key.materials.append(KeyMaterial("00" * 32, 9, "ON_DEMAND", b"t" * 32))
    twin.shelf(HOME, REGION).put_alias(Alias("alias/b", "arn", key.id, 6, 6))
    twin.shelf(HOME, REGION).aliases["alias/a"].updated_us = 99
    identity = twin.identities["arn:aws:iam::111122223333:user/U"]
    identity.tags["x"], identity.policies = "y", ()
    twin.gone["arn:more"] = key_of(8)
    twin.clock.schedule(3_000, "delete", key.arn)
    list(twin.clock.advance(9_000))
    twin.log.append(9_000, "ListKeys", REGION, context={"a": "b"}, more={"c": "d"})
    twin.entropy.take(100)
    del twin.shelf(HOME, "eu-west-1").keys[key_of(3).id]

    assert world.to_data() == before


def test_saved_data_is_a_snapshot(world):
    """
    The data of a world does not change when the world goes on.
    """
    data = world.to_data()
    before = copy.deepcopy(data)

    world.identities["arn:aws:iam::111122223333:user/U"].tags["x"] = "y"
    for key in world.all_keys():
        key.tags["x"] = "y"
        key.state = "Disabled"
        key.materials.pop()
    world.log.append(2, "ListKeys", REGION, more={"a": "b"})
    world.clock.schedule(1, "x", "y")

    assert data == before


def test_every_copy_agrees_on_an_rsa_key():
    """
    An RSA key that nobody has used is made by whoever needs it first, a fork or a saving, and is then there for all.
    """
    world = World(0, seed=1)
    for number in (1, 2):
        key = key_of(number, spec="RSA_2048", secret=b"")
        world.shelf(HOME, REGION).keys[key.id] = key
    first, second = world.all_keys()
    (twin, _) = world.fork().all_keys()

    made = secret_of(twin, twin.current)

    assert made
    assert secret_of(first, first.current) == made
    (_, loaded) = World.from_data(world.to_data()).all_keys()
    assert loaded.current.secret == secret_of(second, second.current) != b""


def test_become(world):
    """
    A world that becomes another has all of its state.
    """
    other = World(5, seed=9)
    expected = other.to_data()

    world.become(other)

    assert world.to_data() == expected


class TestShelf:
    def test_aliases_of_a_key(self, world):
        """
        A key's aliases follow putting, moving and dropping.
        """
        shelf = world.shelf(HOME, REGION)
        one, two = key_of(1).id, key_of(2).id
        shelf.put_alias(Alias("alias/b", "arn", one, 5, 5))
        assert shelf.aliases_of(one) == ("alias/a", "alias/b")

        shelf.put_alias(Alias("alias/a", "arn", two, 5, 6))
        assert (shelf.aliases_of(one), shelf.aliases_of(two)) == (("alias/b",), ("alias/a",))
        shelf.drop_alias("alias/a")
        assert shelf.aliases_of(two) == ()
        assert list(shelf.aliases) == ["alias/b"]

    def test_places_are_apart(self, world):
        """
        Each account has a shelf in each Region; all_keys goes through all of them.
        """
        assert world.shelf(HOME, REGION) is world.shelf(HOME, REGION)
        assert world.shelf("444455556666", REGION).keys == {}
        assert sorted(key.id for key in world.all_keys()) == [key_of(n).id for n in (1, 2, 3)]


def test_accounts(world):
    """
    An account is known by its people.
    """
    assert world.has_account(HOME)
    assert not world.has_account("444455556666")


class TestEntropy:
    def test_seeded(self):
        """
        The same seed gives the same bytes, another seed others; a copy goes on where the original stands.
        """
        one, same, other = Entropy(1), Entropy(1), Entropy(2)
        first = one.take(32)

        assert first == same.take(32) != other.take(32)
        twins = [one.copy(), Entropy.from_data(json.loads(json.dumps(one.to_data())))]
        assert {twin.take(9) for twin in twins} == {one.take(9)}

    def test_unseeded(self):
        """
        Without a seed the bytes are the operating system's: no two sources agree, and there is no state to save.
        """
        sources = [Entropy(None), Entropy(None), Entropy(None).copy(), Entropy.from_data(None)]

        assert len({source.take(32) for source in sources}) == len(sources)
        assert sources[0].to_data() is None
