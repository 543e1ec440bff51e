"""The lab's hands for what surrounds KMS: identities of accounts, organizations, and VPC endpoints.

Only what KMS needs of them: who there is, and which policies hang where. Anybody may do anything here; nothing is
logged or charged, since it is no call to KMS.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from kms_lab.core.errors import LabError
from kms_lab.core.keys import Identity
from kms_lab.core.names import Principal, invented_id
from kms_lab.core.organization import FULL_ACCESS, FULL_ACCESS_POLICY, ROOT_NAME, Endpoint, Node, Organization
from kms_lab.core.world import World
from kms_lab.policy.document import Kind, PolicyError, parse

ACCOUNT = "111122223333"
Document = Mapping[str, Any] | str

_EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}


class Iam:
    """The users, roles and groups of the simulated accounts. Only what KMS needs: who there is, and their policies."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        return f"<iam: {len(self._world.identities)} users and roles; list() names them>"

    def create_user(
        self, name: str, policies: Iterable[Document] = (), account: str = ACCOUNT, boundary: Document | None = None
    ) -> str:
        """Make a user and return its ARN. ``boundary`` is its permissions boundary."""
        return self._create(f"arn:aws:iam::{account}:user/{name}", policies, boundary)

    def create_role(
        self, name: str, policies: Iterable[Document] = (), account: str = ACCOUNT, boundary: Document | None = None
    ) -> str:
        """Make a role and return its ARN. ``boundary`` is its permissions boundary."""
        return self._create(f"arn:aws:iam::{account}:role/{name}", policies, boundary)

    def create_group(self, name: str, policies: Iterable[Document] = (), account: str = ACCOUNT) -> str:
        """Make a group of users and return its ARN. A group is no principal: its policies count for its members."""
        arn = f"arn:aws:iam::{account}:group/{name}"
        if arn in self._world.groups:
            raise LabError(f"{arn} exists already; lab.iam.put_policies changes what its members may do")
        self._world.groups[arn] = Identity(arn, _texts(policies))
        return arn

    def add_to_group(self, user: str, group: str) -> None:
        """Put a user into a group of the same account."""
        member = self._identity(user)
        if ":user/" not in user or group not in self._world.groups or user.split(":")[4] != group.split(":")[4]:
            raise LabError(f"{user} cannot be in {group}: a group holds users of its own account")
        if group not in member.groups:
            member.groups += (group,)

    def remove_from_group(self, user: str, group: str) -> None:
        """Take a user out of a group."""
        member = self._identity(user)
        member.groups = tuple(one for one in member.groups if one != group)

    def create_policy(self, name: str, document: Document, account: str = ACCOUNT) -> str:
        """Make a managed policy, which can be attached to several identities, and return its ARN.

        Made again under the same name, it is replaced, as a new default version is.
        """
        arn = f"arn:aws:iam::{account}:policy/{name}"
        self._world.managed_policies[arn] = text_of(document, "identity", "this managed policy")
        return arn

    def attach(self, arn: str, policy: str) -> None:
        """Attach a managed policy to a user, role or group."""
        if policy not in self._world.managed_policies:
            raise LabError(f"there is no managed policy {policy}; lab.iam.create_policy makes one")
        identity = self._identity(arn)
        if policy.split(":")[4] not in ("aws", arn.split(":")[4]):
            raise LabError(
                f"{policy} is another account's; a managed policy serves its own account, unless it is AWS's"
            )
        if policy not in identity.attached:
            identity.attached += (policy,)

    def detach(self, arn: str, policy: str) -> None:
        """Take a managed policy off a user, role or group."""
        identity = self._identity(arn)
        identity.attached = tuple(one for one in identity.attached if one != policy)

    def put_policies(self, arn: str, policies: Iterable[Document]) -> None:
        """Replace the inline identity policies of a user, role or group.

        Raises:
            LabError: nobody has this ARN, or a policy is not well formed.
        """
        self._identity(arn).policies = _texts(policies)

    def policies(self, arn: str) -> list[dict[str, Any]]:
        """Return the inline identity policies of a user, role or group, as documents."""
        return [json.loads(text) for text in self._identity(arn).policies]

    def put_boundary(self, arn: str, boundary: Document | None) -> None:
        """Set the permissions boundary of a user or role, or take it off with None."""
        self._principal(arn).boundary = _boundary(boundary)

    def tag(self, arn: str, **tags: str) -> None:
        """Set tags of a user or role, for ``aws:PrincipalTag`` conditions."""
        self._principal(arn).tags.update(tags)

    def list(self) -> list[str]:
        """Return the ARNs of all users and roles."""
        return list(self._world.identities)

    def _create(self, arn: str, policies: Iterable[Document], boundary: Document | None) -> str:
        Principal.parse(arn)
        for other in self._world.identities:
            # a name is taken under any path: IAM User Guide, "IAM identifiers"; the ARN of a session does not show it
            if arn.rpartition("/")[2] == other.rpartition("/")[2] and arn.split("/")[0] == other.split("/")[0]:
                raise LabError(f"{other} exists already; lab.iam.put_policies changes what it may do")
        self._world.identities[arn] = Identity(arn, _texts(policies), boundary=_boundary(boundary))
        return arn

    def _principal(self, arn: str) -> Identity:
        """Return a user or role: what a group does not have is set here."""
        if arn in self._world.groups:
            raise LabError(f"{arn} is a group, which has neither a permissions boundary nor tags; its members do")
        return self._identity(arn)

    def _identity(self, arn: str) -> Identity:
        found = self._world.identities.get(arn) or self._world.groups.get(arn)
        if found is None:
            raise LabError(f"nobody has the ARN {arn}; lab.iam.list() names everybody")
        return found


class Organizations:
    """The organization of the simulated accounts, and the policies attached to its root, its units and accounts.

    >>> from kms_lab import Lab
    >>> lab = Lab(seed=7)
    >>> lab.org.create(management="999999999999")
    'r-kmslab'
    >>> workloads = lab.org.create_unit("Workloads")
    >>> lab.org.place("111122223333", workloads)
    >>> lab.org.path("111122223333")
    'o-kmslab1234/r-kmslab/ou-kmslab-workloads/'
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        found = self._world.organization
        return "<org: none yet; create() makes one>" if found is None else f"<org {found.id}: {list(found.members())}>"

    def create(self, management: str = ACCOUNT) -> str:
        """Make an organization that an account manages, and return the id of its root.

        Everything is allowed at each level at first. The account that manages it is bound by no SCP and no RCP.
        """
        if self._world.organization is not None:
            raise LabError("there is an organization already; a lab has one")
        _account(management)
        root = Node("r-kmslab", ROOT_NAME, "")
        member = Node(management, management, root.id)
        self._world.organization = Organization("o-kmslab1234", management, {root.id: root, management: member})
        return root.id

    def create_unit(self, name: str, parent: str = "") -> str:
        """Make an organizational unit, under the root or another unit, and return its id."""
        found = self._organization()
        above = self._node(parent or next(iter(found.nodes)))
        unit = Node(f"ou-kmslab-{name.lower().replace(' ', '-')}", name, above.id)
        if unit.id in found.nodes:
            raise LabError(f"there is an organizational unit {name!r} already")
        found.nodes[unit.id] = unit
        return unit.id

    def place(self, account: str, unit: str = "") -> None:
        """Put an account under a unit, or under the root; policies attached to the account itself stay with it."""
        found = self._organization()
        above = self._node(unit or next(iter(found.nodes)))
        _account(account)
        if above.id.isdigit():
            raise LabError(f"an account goes under a unit or the root, and {unit!r} is an account")
        if account in found.nodes:
            found.nodes[account].parent = above.id
        else:
            found.nodes[account] = Node(account, account, above.id)

    def path(self, account: str) -> str:
        """Return AWS's path of an account's place, as ``aws:PrincipalOrgPaths`` has it."""
        return self._organization().path(account)

    def attach_scp(self, target: str, name: str, document: Document) -> None:
        """Attach a service control policy to the root, a unit or an account, by id; replaces one of the same name."""
        self._node(target).scps[name] = text_of(document, "scp", "this SCP")

    def detach_scp(self, target: str, name: str = FULL_ACCESS) -> None:
        """Take a service control policy off again; by default the one that allows everything."""
        _take(self._node(target).scps, name, target)

    def attach_rcp(self, target: str, name: str, document: Document) -> None:
        """Attach a resource control policy to the root, a unit or an account, by id; replaces one of the same name."""
        self._node(target).rcps[name] = text_of(document, "rcp", "this RCP")

    def detach_rcp(self, target: str, name: str) -> None:
        """Take a resource control policy off again. AWS's own, which allows everything, cannot be taken off."""
        _take(self._node(target).rcps, name, target)

    def scps(self, target: str) -> dict[str, Any]:
        """Return the service control policies attached to a node, by name."""
        return {name: json.loads(text) for name, text in self._node(target).scps.items()}

    def allow_everything_again(self, target: str) -> None:
        """Attach AWS's SCP that allows everything again."""
        self._node(target).scps[FULL_ACCESS] = FULL_ACCESS_POLICY

    def _organization(self) -> Organization:
        if self._world.organization is None:
            raise LabError("there is no organization yet; lab.org.create() makes one")
        return self._world.organization

    def _node(self, name: str) -> Node:
        nodes = self._organization().nodes
        if name not in nodes:
            raise LabError(f"the organization has no {name!r}; it has {', '.join(nodes)}")
        return nodes[name]


class Vpc:
    """VPC endpoints for KMS, and their policies. ``lab.client(endpoint=...)`` calls through one."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        return f"<vpc: endpoints {list(self._world.endpoints)}>"

    def create_endpoint(
        self, policy: Document | None = None, account: str = ACCOUNT, vpc: str = "vpc-0123456789abcdef0"
    ) -> str:
        """Make an interface endpoint for KMS and return its id. Without a policy it has AWS's, which allows all."""
        number = str(len(self._world.endpoints))
        endpoint_id = "vpce-" + invented_id("", f"{account} {vpc} {number}", 17).lower()
        text = text_of(policy or _EVERYTHING, "endpoint", "this endpoint policy")
        self._world.endpoints[endpoint_id] = Endpoint(endpoint_id, vpc, account, text)
        return endpoint_id

    def put_policy(self, endpoint: str, policy: Document) -> None:
        """Replace the policy of an endpoint."""
        if endpoint not in self._world.endpoints:
            raise LabError(f"there is no VPC endpoint {endpoint!r}; lab.vpc.create_endpoint() makes one")
        self._world.endpoints[endpoint].policy = text_of(policy, "endpoint", "this endpoint policy")


def text_of(document: Document, kind: Kind, what: str) -> str:
    """Return a policy as JSON text.

    Raises:
        LabError: it is no policy of that kind; ``what`` names it in the message.
    """
    if not isinstance(document, str | Mapping):
        raise LabError(f"a policy is a dict or JSON text with Version and Statement; got {document!r}")
    text = document if isinstance(document, str) else json.dumps(document)
    try:
        parse(text, kind)
    except PolicyError as error:
        raise LabError(f"{what} is not well formed: " + "; ".join(error.problems)) from error
    return text


def _account(text: str) -> None:
    if not re.fullmatch(r"[0-9]{12}", text):
        raise LabError(f"an account has twelve digits; got {text!r}")


def _texts(policies: Iterable[Document]) -> tuple[str, ...]:
    if isinstance(policies, str | Mapping):
        raise LabError("policies is a list, even if it holds only one policy: put [ ] around the document")
    return tuple(text_of(policy, "identity", "this identity policy") for policy in policies)


def _boundary(document: Document | None) -> str:
    return "" if document is None else text_of(document, "identity", "this permissions boundary")


def _take(policies: dict[str, str], name: str, target: str) -> None:
    if name not in policies:
        raise LabError(f"{target} has no policy {name!r} attached; it has {', '.join(policies) or 'none'}")
    del policies[name]
