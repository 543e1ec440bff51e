"""Key cards: what a card shows is what KMS answers, and reading one leaves no trace."""

import pytest

from kms_lab.lab import ADMIN, Lab
from kms_lab.teach.widgets.key_card import KeyCards, keys_of


@pytest.fixture
def lab():
    lab = Lab(seed=7)
    kms = lab.client()
    for name in ("orders", "menu"):
        key = kms.create_key(Description=f"<{name}>")["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
        lab.clock.travel(days=1)
    lab.client(region="eu-west-1").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    return lab


class TestFacts:
    def test_all_regions(self, lab):
        """Every key of the account has a card, whatever its Region."""
        assert [one.region for one in keys_of(lab)] == ["us-east-1", "us-east-1", "eu-west-1"]

    def test_as_describe_key_says(self, lab):
        """Each member on a card equals DescribeKey's, and its aliases equal those of ListAliases."""
        kms = lab.client()
        card = keys_of(lab)[0]
        told = kms.describe_key(KeyId=card.id)["KeyMetadata"]

        assert (card.arn, card.state, card.spec) == (told["Arn"], told["KeyState"], told["KeySpec"])
        assert all(str(told[name])[:10] == value[:10] for name, value in card.metadata)
        assert card.aliases == tuple(one["AliasName"] for one in kms.list_aliases(KeyId=card.id)["Aliases"])

    def test_more_than_a_page(self, lab):
        """An account with more keys and aliases than one page of a listing loses none of them."""
        kms = lab.client()
        for number in range(120):
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            kms.create_alias(AliasName=f"alias/k{number}", TargetKeyId=key)

        found = keys_of(lab)

        assert len(found) == 123
        assert sum(len(one.aliases) for one in found) == 122

    def test_no_trace(self, lab):
        """Showing, choosing and looking again leave the learner's world equal."""
        before = lab.world.to_data()
        cards = KeyCards(lab)
        cards.set(key=cards.state.keys[0].arn)
        cards.act("again")
        cards.html()

        assert lab.world.to_data() == before

    def test_no_secret(self, lab):
        """No byte of key material is in what the widget holds or shows."""
        cards = KeyCards(lab)
        secrets = [one.secret for key in lab.world.all_keys() for one in key.materials]
        shown = "".join(cards.set(key=one.arn) and cards.html() + repr(cards.state) for one in cards.state.keys)

        assert all(secret.hex() not in shown and repr(secret) not in shown for secret in secrets if secret)


class TestCard:
    def test_newest_first(self, lab):
        """The card shown at the beginning is that of the key made last."""
        assert KeyCards(lab).state.chosen.region == "eu-west-1"

    def test_arn_in_parts(self, lab):
        """The card names the Region and the account in the ARN."""
        cards = KeyCards(lab)
        html = cards.view(cards.set(key=keys_of(lab)[0].arn))

        for part in ("us-east-1", ADMIN.split(":")[4], f"key/{cards.state.chosen.id}"):
            assert f">{part}</strong>" in html

    def test_escaped(self, lab):
        """A description is text, whatever is in it."""
        cards = KeyCards(lab)
        cards.set(key=keys_of(lab)[0].arn)

        assert "<orders>" not in cards.html()
        assert "&lt;orders&gt;" in cards.html()

    def test_look_again(self, lab):
        """After a change "Look again" shows it, and the chosen key stays chosen."""
        cards = KeyCards(lab)
        key = cards.set(key=keys_of(lab)[0].arn).chosen
        lab.client().disable_key(KeyId=key.id)
        assert "Enabled" in cards.summary(cards.state)

        cards.act("again")

        assert cards.state.chosen.id == key.id
        assert "Disabled, alias/orders" in cards.summary(cards.state)

    def test_chosen_key_is_gone(self, lab):
        """If the chosen key was deleted, another card is shown."""
        cards = KeyCards(lab)
        key = cards.set(key=keys_of(lab)[0].arn).chosen
        lab.client().schedule_key_deletion(KeyId=key.id, PendingWindowInDays=7)
        lab.clock.travel(days=8)
        cards.act("again")

        assert key.id not in [one.id for one in cards.state.keys]
        assert cards.state.chosen in cards.state.keys

    def test_table_lists_all(self, lab):
        """The table twin and the text have a row for each key."""
        cards = KeyCards(lab)

        assert all(one.id in cards.text() for one in cards.state.keys)

    def test_empty_account(self):
        """An account without a key has no card, and says so."""
        with pytest.raises(ValueError, match="no key yet"):
            KeyCards(Lab(seed=1))

    def test_unknown_action(self, lab):
        """A button that there is not is refused."""
        with pytest.raises(ValueError, match="no action"):
            KeyCards(lab).act("delete")
