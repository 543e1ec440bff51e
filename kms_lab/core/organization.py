"""An organization: accounts under organizational units under one root, and the policies attached at each level.

Plain records; what the policies mean is for ``policy`` to say.

Source: AWS Organizations User Guide, "Terminology and concepts", "Service control policies", "Resource control
policies".
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

ROOT_NAME: Final = "Root"
FULL_ACCESS: Final = "FullAWSAccess"
#: what AWS attaches to every level of an organization at first
FULL_ACCESS_POLICY: Final = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


@dataclass(slots=True)
class Node:
    """The root, an organizational unit, or an account.

    Attributes:
        id: ``r-...``, ``ou-...``, or the account's twelve digits.
        parent: id of the node above; "" for the root.
        scps, rcps: by name, the policies attached to it, as JSON text. AWS's RCP that allows everything is not listed.
    """

    id: str
    name: str
    parent: str
    scps: dict[str, str] = field(default_factory=lambda: {FULL_ACCESS: FULL_ACCESS_POLICY})
    rcps: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people call it: ``the root``, ``OU Workloads``, ``account 111122223333``."""
        if not self.parent:
            return "the root"
        return f"OU {self.name}" if self.id.startswith("ou-") else f"account {self.id}"


@dataclass(slots=True)
class Organization:
    """All accounts of one company.

    Attributes:
        id: ``o-...``.
        management: the account that manages it, which no SCP and no RCP binds.
        nodes: by id.
    """

    id: str
    management: str
    nodes: dict[str, Node]

    def lineage(self, account: str) -> tuple[Node, ...]:
        """Return the nodes from the root down to an account; none where it is no member."""
        found: list[Node] = []
        node = self.nodes.get(account)
        while node is not None:
            found.append(node)
            node = self.nodes.get(node.parent)
        return tuple(reversed(found))

    def path(self, account: str) -> str:
        """Return AWS's path of an account's place, such as ``o-a1/r-b2/ou-c3/``; "" where it is no member."""
        above = self.lineage(account)[:-1]
        return "/".join((self.id, *(node.id for node in above), "")) if above else ""

    def binding(self, account: str) -> tuple[Node, ...]:
        """Return the nodes whose policies bind an account: none for the account that manages the organization."""
        return () if account == self.management else self.lineage(account)

    def members(self) -> Iterable[str]:
        """Return the accounts."""
        return (name for name in self.nodes if name.isdigit())

    def copy(self) -> "Organization":
        nodes = {
            name: Node(node.id, node.name, node.parent, dict(node.scps), dict(node.rcps))
            for name, node in self.nodes.items()
        }
        return Organization(self.id, self.management, nodes)


@dataclass(slots=True)
class Endpoint:
    """An interface VPC endpoint for KMS.

    Attributes:
        id: ``vpce-...``.
        vpc: ``vpc-...``.
        account: whose VPC it is.
        policy: JSON text of its endpoint policy.
    """

    id: str
    vpc: str
    account: str
    policy: str

    def copy(self) -> "Endpoint":
        return copy.copy(self)
