"""The lab's hands for identities and organizations refuse what AWS does not have, and leave nothing half made."""

import pytest

from kms_lab import Lab, LabError
from kms_lab.core.circumstances import Circumstances
from kms_lab.lab import ADMIN

ACCOUNT, OTHER = "111122223333", "444455556666"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
DENY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "kms:*", "Resource": "*"}]}


@pytest.fixture
def lab():
    """A reproducible lab."""
    return Lab(seed=7)


def test_an_organization_is_made_whole_or_not_at_all(lab):
    """An organization whose management account is none is refused, and there is none afterwards."""
    with pytest.raises(LabError, match="twelve digits"):
        lab.org.create(management="12")

    assert lab.world.organization is None
    lab.org.create(management=OTHER)
    assert lab.org.path(OTHER) == "o-kmslab1234/r-kmslab/"


def test_a_group_has_no_boundary_and_no_tags(lab):
    """What only users and roles have is not set on a group, where it would say nothing."""
    group = lab.iam.create_group("Interns")

    with pytest.raises(LabError, match="group"):
        lab.iam.put_boundary(group, ALLOW)
    with pytest.raises(LabError, match="group"):
        lab.iam.tag(group, team="red")


def test_managed_policies_stay_in_their_account(lab):
    """A managed policy is attached to identities of its own account; AWS's own serve every account."""
    dana = lab.iam.create_user("dana", account=OTHER)

    with pytest.raises(LabError, match="account"):
        lab.iam.attach(dana, lab.iam.create_policy("Use", ALLOW))
    lab.iam.attach(dana, lab.iam.create_policy("Use", ALLOW, account="aws"))
    assert lab.world.identities[dana].attached == ("arn:aws:iam::aws:policy/Use",)


@pytest.mark.parametrize("copy", ["fork", "save"])
def test_every_layer_can_change_at_any_time(lab, copy, tmp_path):
    """A decision follows each change of a group, a managed policy, an SCP and an endpoint's policy; a copy's none."""
    lab.org.create(management=OTHER)
    lab.org.place(ACCOUNT)
    dana, group, use = lab.iam.create_user("dana"), lab.iam.create_group("Users"), lab.iam.create_policy("Use", ALLOW)
    lab.iam.attach(group, use)
    lab.iam.add_to_group(dana, group)
    endpoint = lab.vpc.create_endpoint()
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    lab.save(tmp_path / "lab.json")
    twin = lab.fork() if copy == "fork" else Lab.load(tmp_path / "lab.json")

    def may(which):
        return which.may(dana, "kms:Encrypt", key, how=Circumstances(endpoint=endpoint)).allowed

    everyone = {"Version": "2012-10-17", "Statement": [{**ALLOW["Statement"][0], "Principal": "*"}]}
    nobody = {"Version": "2012-10-17", "Statement": [{**DENY["Statement"][0], "Principal": "*"}]}
    assert may(lab)
    for change, back in (
        (lambda: lab.iam.create_policy("Use", DENY), lambda: lab.iam.create_policy("Use", ALLOW)),
        (lambda: lab.iam.put_policies(group, [DENY]), lambda: lab.iam.put_policies(group, [])),
        (lambda: lab.iam.remove_from_group(dana, group), lambda: lab.iam.add_to_group(dana, group)),
        (lambda: lab.org.attach_scp(ACCOUNT, "No", DENY), lambda: lab.org.detach_scp(ACCOUNT, "No")),
        (lambda: lab.vpc.put_policy(endpoint, nobody), lambda: lab.vpc.put_policy(endpoint, everyone)),
    ):
        change()
        assert (may(lab), may(twin)) == (False, True)
        back()
        assert may(lab)


def test_who_is_out_of_reach_of_an_organization(lab):
    """SCPs and RCPs bind member accounts; not the account that manages the organization, nor RCPs AWS managed keys."""
    no_keys = {"Version": "2012-10-17", "Statement": [{**DENY["Statement"][0], "Principal": "*"}]}
    root = lab.org.create(management=OTHER)
    lab.org.place(ACCOUNT)
    there = lab.iam.create_user("Chief", policies=[ALLOW], account=OTHER)
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    far = lab.client(principal=there).create_key()["KeyMetadata"]["Arn"]
    lab.org.attach_rcp(root, "Closed", no_keys)

    assert lab.may(ADMIN, "kms:Encrypt", key).decided_by.layer == "rcp"
    assert lab.may(there, "kms:Encrypt", far).allowed
    lab.client(via="s3").encrypt(KeyId="alias/aws/s3", Plaintext=b"x")

    lab.org.detach_rcp(root, "Closed")
    lab.org.attach_scp(root, "Closed", DENY)
    assert lab.may(ADMIN, "kms:Encrypt", key).decided_by.layer == "scp"
    assert lab.may(there, "kms:Encrypt", far).allowed
