"""Custom key stores: what the operations on them answer, how connections go, and what the log and copies keep."""

import json

import pytest

from kms_lab import Lab, ParameterError
from kms_lab.core import model
from kms_lab.service.backing import TROUBLES
from kms_lab.service.operation import OPERATIONS
from kms_lab.service.operations.stores import CONNECTING_US, DISCONNECTING_US, STORES_PER_REGION
from tests.service.conftest import answer, code
from tests.service.homes import (
    ENDPOINT,
    INVALID_STATE,
    NOWHERE,
    ON_THE_WAY,
    OTHER_VPC,
    PASSWORD,
    PATH,
    VPC,
    Home,
    bring,
    entry,
    hsm_request,
    key_state,
    new_store,
    state,
    wait,
)

EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def update(home: Home, **changes: object) -> str | None:
    """Update a key store, and return the code of a refusal."""
    return code(home.kms.update_custom_key_store, CustomKeyStoreId=home.id, **changes)


# ------------------------------------------------------------------------------ creating


class TestCreate:
    def test_cloudhsm(self, lab, kms):
        """
        A new CloudHSM key store is disconnected, and shows its cluster and certificate but no password.
        """
        request = hsm_request(lab)
        created = kms.create_custom_key_store(**request)["CustomKeyStoreId"]

        assert entry(lab, created) == {
            "CustomKeyStoreId": created,
            "CustomKeyStoreName": "cloudhsm",
            "CustomKeyStoreType": "AWS_CLOUDHSM",
            "ConnectionState": "DISCONNECTED",
            "CreationDate": lab.clock.now,
            "CloudHsmClusterId": request["CloudHsmClusterId"],
            "TrustAnchorCertificate": request["TrustAnchorCertificate"],
        }

    def test_public_endpoint(self, lab, kms):
        """
        An external key store shows how its proxy is reached and the id of its credential, not the secret.
        """
        proxy = lab.xks.create_proxy()
        created = kms.create_custom_key_store(CustomKeyStoreName="x", **proxy.request)["CustomKeyStoreId"]

        assert entry(lab, created) == {
            "CustomKeyStoreId": created,
            "CustomKeyStoreName": "x",
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "ConnectionState": "DISCONNECTED",
            "CreationDate": lab.clock.now,
            "XksProxyConfiguration": {
                "Connectivity": "PUBLIC_ENDPOINT",
                "AccessKeyId": proxy.credential["AccessKeyId"],
                "UriEndpoint": ENDPOINT,
                "UriPath": PATH,
            },
        }

    def test_endpoint_service(self, lab, kms):
        """
        With a VPC endpoint service the entry names it and its owner, by default the caller's account.
        """
        request = lab.xks.create_proxy(vpc_service=VPC).request
        del request["XksProxyVpcEndpointServiceOwner"]
        created = kms.create_custom_key_store(CustomKeyStoreName="x", **request)["CustomKeyStoreId"]

        shown = entry(lab, created)["XksProxyConfiguration"]

        assert shown["Connectivity"] == "VPC_ENDPOINT_SERVICE"
        assert (shown["VpcEndpointServiceName"], shown["VpcEndpointServiceOwner"]) == (VPC, "111122223333")

    @pytest.mark.parametrize("missing", ["CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword"])
    def test_members_of_cloudhsm(self, lab, kms, missing):
        """
        A CloudHSM key store needs a cluster, its certificate and a password.
        """
        request = hsm_request(lab)
        del request[missing]

        assert code(kms.create_custom_key_store, **request) == "ValidationException"

    @pytest.mark.parametrize(
        "missing",
        [
            "XksProxyConnectivity",
            "XksProxyAuthenticationCredential",
            "XksProxyUriEndpoint",
            "XksProxyUriPath",
            "XksProxyVpcEndpointServiceName",
        ],
    )
    def test_members_of_an_external_key_store(self, lab, kms, missing):
        """
        An external key store needs a connectivity, a credential, an endpoint and a path; a private one its service too.
        """
        request = lab.xks.create_proxy(vpc_service=VPC).request
        del request[missing]

        assert code(kms.create_custom_key_store, CustomKeyStoreName="x", **request) == "ValidationException"

    def test_members_of_the_other_type(self, lab, kms):
        """
        Members of the other type, or of the other connectivity, are refused.
        """
        cloudhsm, public = hsm_request(lab), lab.xks.create_proxy().request
        mixed = [
            {**cloudhsm, "XksProxyUriPath": PATH},
            {**public, "CustomKeyStoreName": "x", "KeyStorePassword": PASSWORD},
            {**public, "CustomKeyStoreName": "x", "XksProxyVpcEndpointServiceName": VPC},
        ]

        assert [code(kms.create_custom_key_store, **one) for one in mixed] == ["ValidationException"] * 3

    def test_quota(self, lab, kms):
        """
        An account has ten custom key stores in a Region.
        """
        for number in range(STORES_PER_REGION):
            new_store(lab, str(number))

        assert code(kms.create_custom_key_store, **hsm_request(lab, "one more")) == "LimitExceededException"
        assert STORES_PER_REGION == 10

    def test_of_one_account_and_region(self, lab, kms):
        """
        A key store is known in its own Region only, by id and by name.
        """
        store = new_store(lab)
        elsewhere = lab.client(region="eu-west-1")

        assert code(elsewhere.describe_custom_key_stores, CustomKeyStoreId=store) == "CustomKeyStoreNotFoundException"
        assert elsewhere.describe_custom_key_stores()["CustomKeyStores"] == []


def cluster_gone(lab, request):
    lab.hsm.cluster(request["CloudHsmClusterId"]).delete()


def cluster_elsewhere(lab, request):
    cluster = lab.hsm.create_cluster(region="eu-west-1")
    request |= {"CloudHsmClusterId": cluster.id, "TrustAnchorCertificate": cluster.trust_anchor}


def cluster_of_others(lab, request):
    cluster = lab.hsm.create_cluster(account="444455556666")
    request |= {"CloudHsmClusterId": cluster.id, "TrustAnchorCertificate": cluster.trust_anchor}


def cluster_in_use(lab, request):
    lab.client().create_custom_key_store(**{**request, "CustomKeyStoreName": "first"})


def cluster_with_used_relative(lab, request):
    cluster_in_use(lab, request)
    relative = lab.hsm.create_cluster(backup_of=lab.hsm.cluster(request["CloudHsmClusterId"]))
    request["CloudHsmClusterId"] = relative.id


def cluster_stopped(lab, request):
    lab.hsm.cluster(request["CloudHsmClusterId"]).stop()


def one_zone(lab, request):
    cluster = lab.hsm.cluster(request["CloudHsmClusterId"])
    zone = cluster.remove_hsm()
    cluster.add_hsm(cluster.zones[0])
    assert len(cluster.zones) == 2
    assert zone not in cluster.zones


def another_certificate(lab, request):
    request["TrustAnchorCertificate"] = lab.hsm.create_cluster().trust_anchor


def name_in_use(lab, request):
    new_store(lab, request["CustomKeyStoreName"])


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (cluster_gone, "CloudHsmClusterNotFoundException"),
        (cluster_elsewhere, "CloudHsmClusterNotFoundException"),
        (cluster_of_others, "CloudHsmClusterNotFoundException"),
        (cluster_in_use, "CloudHsmClusterInUseException"),
        (cluster_with_used_relative, "CloudHsmClusterInUseException"),
        (cluster_stopped, "CloudHsmClusterNotActiveException"),
        (one_zone, "CloudHsmClusterInvalidConfigurationException"),
        (another_certificate, "IncorrectTrustAnchorException"),
        (name_in_use, "CustomKeyStoreNameInUseException"),
    ],
)
def test_refused_clusters(lab, kms, spoil, expected):
    """
    CreateCustomKeyStore refuses a cluster that is not the caller's own, free, running, in two Zones and certified.
    """
    request = hsm_request(lab)
    spoil(lab, request)
    before = kms.describe_custom_key_stores()["CustomKeyStores"]

    assert code(kms.create_custom_key_store, **request) == expected
    assert kms.describe_custom_key_stores()["CustomKeyStores"] == before


def test_relatives_of_another_account(lab, kms):
    """
    A cluster is in use through its relatives in the same account only.
    """
    request = hsm_request(lab)
    kms.create_custom_key_store(**request)
    lab.iam.create_user("Admin", account="444455556666", policies=[EVERYTHING])
    relative = lab.hsm.create_cluster(backup_of=lab.hsm.cluster(request["CloudHsmClusterId"]), account="444455556666")

    other = lab.client("arn:aws:iam::444455556666:user/Admin")

    assert code(other.create_custom_key_store, **request | {"CloudHsmClusterId": relative.id}) is None


def test_certificate_may_be_laid_out_otherwise(lab, kms):
    """
    The trust anchor certificate is compared without regard to line ends.
    """
    request = hsm_request(lab)
    request["TrustAnchorCertificate"] = request["TrustAnchorCertificate"].strip().replace("\n", "\r\n")

    assert code(kms.create_custom_key_store, **request) is None


# ------------------------------------------------------------------------------ proxies at creation


@pytest.mark.parametrize("trouble", [name for name in TROUBLES if name not in ON_THE_WAY])
@pytest.mark.parametrize("vpc", ["", VPC], ids=["public", "private"])
def test_troubled_proxies(lab, kms, trouble, vpc):
    """
    KMS asks a public proxy while it creates the key store, and a private one only when it connects; a trouble then is
    the listed error, or the connection error code.
    """
    proxy = lab.xks.create_proxy(vpc_service=vpc)
    request = {"CustomKeyStoreName": "x", **proxy.request}
    if trouble == "wrong credential":
        proxy.rotate_credential()
    else:
        proxy.trouble(trouble)
    row = TROUBLES[trouble]

    if not vpc:
        assert answer(kms.create_custom_key_store, **request) == (row.error.__name__, row.text)
        return
    store = kms.create_custom_key_store(**request)["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    wait(lab, CONNECTING_US["EXTERNAL_KEY_STORE"])
    assert state(lab, store) == ("FAILED", row.connection)


@pytest.mark.parametrize("trouble", ON_THE_WAY)
@pytest.mark.parametrize("when", ["before", "after"])
def test_troubled_endpoint_services(lab, kms, trouble, when):
    """
    KMS looks at the VPC endpoint service when it creates the key store, and again when it connects.
    """
    proxy = lab.xks.create_proxy(vpc_service=VPC)
    request = {"CustomKeyStoreName": "x", **proxy.request}
    row = TROUBLES[trouble]

    if when == "before":
        proxy.trouble(trouble)
        assert answer(kms.create_custom_key_store, **request) == (row.error.__name__, row.text)
        return
    store = kms.create_custom_key_store(**request)["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    proxy.trouble(trouble)
    wait(lab, CONNECTING_US["EXTERNAL_KEY_STORE"])
    assert state(lab, store) == ("FAILED", row.connection)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"XksProxyUriEndpoint": "https://nobody.example.com"}, "XksProxyUriUnreachableException"),
        ({"XksProxyUriPath": "/other/kms/xks/v1"}, "XksProxyInvalidConfigurationException"),
    ],
)
def test_wrong_address(lab, kms, changes, expected):
    """
    At an unknown endpoint KMS reaches nobody; at a known one a wrong path is a wrong configuration.
    """
    request = lab.xks.create_proxy().request | changes

    assert code(kms.create_custom_key_store, CustomKeyStoreName="x", **request) == expected


def test_a_private_proxy_has_no_public_endpoint(lab, kms):
    """
    A proxy behind a VPC endpoint service is not reached over the internet, nor a public one through a service.
    """
    private = lab.xks.create_proxy(vpc_service=VPC).request
    as_public = {**private, "XksProxyConnectivity": "PUBLIC_ENDPOINT"}
    del as_public["XksProxyVpcEndpointServiceName"], as_public["XksProxyVpcEndpointServiceOwner"]
    lab.xks.create_proxy("https://public.example.com")
    as_private = {**private, "XksProxyUriEndpoint": "https://public.example.com"}

    found = [code(kms.create_custom_key_store, CustomKeyStoreName="x", **one) for one in (as_public, as_private)]

    assert found == ["XksProxyUriUnreachableException", "XksProxyVpcEndpointServiceInvalidConfigurationException"]


@pytest.mark.parametrize(
    "changes",
    [
        {"XksProxyVpcEndpointServiceName": OTHER_VPC},
        {"XksProxyVpcEndpointServiceOwner": "444455556666"},
        {"XksProxyVpcEndpointServiceName": VPC.replace("us-east-1", "eu-west-1")},
    ],
)
def test_unknown_endpoint_service(lab, kms, changes):
    """
    A VPC endpoint service is found by its name, in the caller's Region, under its owner's account.
    """
    lab.xks.create_proxy("https://far.example.com", vpc_service=VPC.replace("us-east-1", "eu-west-1"))
    request = lab.xks.create_proxy(vpc_service=VPC).request | changes

    found = code(kms.create_custom_key_store, CustomKeyStoreName="x", **request)

    assert found == "XksProxyVpcEndpointServiceNotFoundException"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((ENDPOINT, PATH, ""), None, "XksProxyUriInUseException"),
        ((ENDPOINT, PATH, ""), (ENDPOINT, "/a" + PATH, ""), None),
        ((ENDPOINT, PATH, ""), (ENDPOINT, "/a" + PATH, VPC), "XksProxyUriEndpointInUseException"),
        ((ENDPOINT, PATH, VPC), (ENDPOINT, "/a" + PATH, ""), "XksProxyUriEndpointInUseException"),
        ((ENDPOINT, PATH, VPC), (ENDPOINT, "/a" + PATH, OTHER_VPC), "XksProxyUriEndpointInUseException"),
        ((ENDPOINT, PATH, VPC), ("https://b.example.com", PATH, VPC), "XksProxyVpcEndpointServiceInUseException"),
        ((ENDPOINT, PATH, VPC), ("https://b.example.com", PATH, OTHER_VPC), None),
    ],
)
def test_addresses_are_unique(lab, kms, first, second, expected):
    """
    Each key store has its own address; a private one also its own endpoint and endpoint service.
    """
    proxy = lab.xks.create_proxy(*first)
    kms.create_custom_key_store(CustomKeyStoreName="first", **proxy.request)
    other = proxy if second is None else lab.xks.create_proxy(*second)

    assert code(kms.create_custom_key_store, CustomKeyStoreName="second", **other.request) == expected


def test_addresses_are_unique_in_a_region_only(lab, kms):
    """
    One proxy may serve a key store in each Region.
    """
    proxy = lab.xks.create_proxy()
    kms.create_custom_key_store(CustomKeyStoreName="x", **proxy.request)

    elsewhere = lab.client(region="eu-west-1")

    assert code(elsewhere.create_custom_key_store, CustomKeyStoreName="x", **proxy.request) is None


# ------------------------------------------------------------------------------ connecting


class TestConnections:
    def test_there_and_back(self, lab, home):
        """
        Connecting takes 20 minutes for CloudHSM and 5 for a proxy, disconnecting one; till then it is under way.
        """
        home.kms.disconnect_custom_key_store(CustomKeyStoreId=home.id)
        assert state(lab, home.id) == ("DISCONNECTING", None)
        wait(lab, DISCONNECTING_US - 1)
        assert state(lab, home.id) == ("DISCONNECTING", None)
        wait(lab, 1)
        assert state(lab, home.id) == ("DISCONNECTED", None)

        home.kms.connect_custom_key_store(CustomKeyStoreId=home.id)
        wait(lab, CONNECTING_US[home.kind] - 1)
        assert state(lab, home.id) == ("CONNECTING", None)
        wait(lab, 1)
        assert state(lab, home.id) == ("CONNECTED", None)
        assert CONNECTING_US == {"AWS_CLOUDHSM": 1_200_000_000, "EXTERNAL_KEY_STORE": 300_000_000}

    @pytest.mark.parametrize(
        ("now", "connect", "disconnect", "delete", "rename"),
        [
            ("DISCONNECTED", None, INVALID_STATE, None, None),
            ("CONNECTING", None, None, INVALID_STATE, INVALID_STATE),
            ("CONNECTED", None, None, INVALID_STATE, None),
            ("FAILED", INVALID_STATE, None, INVALID_STATE, INVALID_STATE),
            ("DISCONNECTING", INVALID_STATE, INVALID_STATE, INVALID_STATE, INVALID_STATE),
        ],
    )
    @pytest.mark.parametrize("kind", ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
    def test_what_each_state_allows(self, lab, kind, now, connect, disconnect, delete, rename):
        """
        Each connection state allows what AWS's text on CustomKeyStoreInvalidStateException says, and no more.
        """
        expected = {
            "connect_custom_key_store": connect,
            "disconnect_custom_key_store": disconnect,
            "delete_custom_key_store": delete,
            "update_custom_key_store": rename,
        }
        for name, error in expected.items():
            twin = Lab(seed=1)
            home = Home(twin, kind)
            self.empty(twin, home)
            bring(home, now)
            assert state(twin, home.id)[0] == now
            more = {"NewCustomKeyStoreName": "new"} if name == "update_custom_key_store" else {}
            assert code(getattr(home.kms, name), CustomKeyStoreId=home.id, **more) == error, name

    def empty(self, lab, home):
        home.kms.schedule_key_deletion(KeyId=home.key, PendingWindowInDays=7)
        lab.clock.travel(days=7)

    def test_connecting_again(self, lab, home):
        """
        To connect what is connected, or being connected, is no error and changes nothing.
        """
        home.kms.connect_custom_key_store(CustomKeyStoreId=home.id)
        assert state(lab, home.id) == ("CONNECTED", None)

        home.disconnect()
        home.kms.connect_custom_key_store(CustomKeyStoreId=home.id)
        wait(lab, CONNECTING_US[home.kind] - 1)
        home.kms.connect_custom_key_store(CustomKeyStoreId=home.id)
        wait(lab, 1)
        assert state(lab, home.id) == ("CONNECTED", None)

    def test_a_connection_called_off(self, lab, home):
        """
        A connection that was called off does not come about later, not even when its moment finds a second attempt.
        """
        home.disconnect()
        home.kms.connect_custom_key_store(CustomKeyStoreId=home.id)
        home.disconnect()
        home.kms.connect_custom_key_store(CustomKeyStoreId=home.id)
        wait(lab, CONNECTING_US[home.kind] - DISCONNECTING_US)
        assert state(lab, home.id) == ("CONNECTING", None)

        wait(lab, DISCONNECTING_US)
        assert state(lab, home.id) == ("CONNECTED", None)

    def test_failed_must_be_disconnected_first(self, lab, xks):
        """
        After a failure the error code is shown until the key store is disconnected; then it can connect again.
        """
        bring(xks, "FAILED")
        assert state(lab, xks.id) == ("FAILED", "XKS_PROXY_NOT_REACHABLE")
        xks.behind.go_online()
        assert code(xks.kms.connect_custom_key_store, CustomKeyStoreId=xks.id) == INVALID_STATE

        xks.disconnect()
        assert state(lab, xks.id) == ("DISCONNECTED", None)
        assert lab.world.store_of(lab.key(xks.key)).error == ""
        xks.connect()
        assert state(lab, xks.id) == ("CONNECTED", None)

    def test_deleted_while_its_timer_runs(self, lab, kms):
        """
        An entry of the clock for a key store that is gone does nothing.
        """
        home = Home(lab, "AWS_CLOUDHSM")
        self.empty(lab, home)
        home.disconnect()
        kms.connect_custom_key_store(CustomKeyStoreId=home.id)
        home.disconnect()
        kms.delete_custom_key_store(CustomKeyStoreId=home.id)

        wait(lab, CONNECTING_US["AWS_CLOUDHSM"])

        assert kms.describe_custom_key_stores()["CustomKeyStores"] == []

    @pytest.mark.parametrize("operation", [name for name in OPERATIONS if name.endswith("tCustomKeyStore")])
    def test_nothing_of_the_connection_is_in_the_log(self, lab, home, operation):
        """
        Only the calls are logged, not the moments at which a connection comes about or ends.
        """
        home.disconnect()
        home.connect()

        happened = [lab.world.log.entry(index).operation for index in range(len(lab.world.log))]
        assert happened.count(operation) == (2 if operation.startswith("Connect") else 1)
        assert set(happened) <= set(OPERATIONS)


CLUSTER_FAILURES = {
    "CLUSTER_NOT_FOUND": lambda cluster: cluster.delete(),
    "NETWORK_ERRORS": lambda cluster: cluster.stop(),
    "INSUFFICIENT_CLOUDHSM_HSMS": lambda cluster: [cluster.remove_hsm() for _ in range(2)],
    "INVALID_CREDENTIALS": lambda cluster: cluster.change_password("something else"),
    "USER_NOT_FOUND": lambda cluster: cluster.change_password(""),
    "USER_LOGGED_IN": lambda cluster: cluster.log_in(),
    "SUBNET_NOT_FOUND": lambda cluster: cluster.pretend("SUBNET_NOT_FOUND"),
    "INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET": lambda cluster: cluster.pretend("INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET"),
    "INTERNAL_ERROR": lambda cluster: cluster.pretend("INTERNAL_ERROR"),
}


class TestClusterConnections:
    @pytest.mark.parametrize(("expected", "spoil"), CLUSTER_FAILURES.items(), ids=CLUSTER_FAILURES)
    def test_failures(self, lab, hsm, expected, spoil):
        """
        What is wrong with a cluster while it is being connected becomes the connection error code.
        """
        hsm.disconnect()
        hsm.kms.connect_custom_key_store(CustomKeyStoreId=hsm.id)
        spoil(hsm.behind)
        wait(lab, CONNECTING_US["AWS_CLOUDHSM"])

        assert state(lab, hsm.id) == ("FAILED", expected)
        assert key_state(lab, hsm.key) == "Unavailable"

    def test_every_code(self):
        """
        Each of AWS's connection error codes has a cause here.
        """
        played = {*CLUSTER_FAILURES, "USER_LOCKED_OUT", *(trouble.connection for trouble in TROUBLES.values())}

        assert played == set(model.enum("ConnectionErrorCodeType"))

    @pytest.mark.parametrize(
        ("spoil", "expected"),
        [
            (lambda cluster: cluster.stop(), "CloudHsmClusterNotActiveException"),
            (
                lambda cluster: [cluster.remove_hsm() for _ in range(2)],
                "CloudHsmClusterInvalidConfigurationException",
            ),
        ],
    )
    def test_fails_at_once(self, lab, hsm, spoil, expected):
        """
        ConnectCustomKeyStore says at once that a cluster is stopped or empty, and the key store stays disconnected.
        """
        hsm.disconnect()
        spoil(hsm.behind)

        assert code(hsm.kms.connect_custom_key_store, CustomKeyStoreId=hsm.id) == expected
        assert state(lab, hsm.id) == ("DISCONNECTED", None)

    def test_one_hsm_is_enough_to_connect(self, lab, hsm):
        """
        To connect, and to use keys, one HSM is enough; to make a key it takes two.
        """
        hsm.disconnect()
        hsm.behind.remove_hsm()
        hsm.connect()

        assert state(lab, hsm.id) == ("CONNECTED", None)
        assert code(hsm.kms.encrypt, KeyId=hsm.key, Plaintext=b"x") is None
        assert code(hsm.kms.create_key, **hsm.own) == "CloudHsmClusterInvalidConfigurationException"

    def test_lockout(self, lab, hsm):
        """
        After five attempts with a wrong password the account is locked, until somebody sets its password anew.
        """
        hsm.behind.change_password("my own password")
        codes = []
        for _ in range(6):
            hsm.disconnect()
            hsm.connect()
            codes.append(state(lab, hsm.id)[1])
        assert codes == ["INVALID_CREDENTIALS"] * 5 + ["USER_LOCKED_OUT"]

        hsm.disconnect()
        assert update(hsm, KeyStorePassword="my own password") is None
        hsm.connect()
        assert state(lab, hsm.id) == ("FAILED", "USER_LOCKED_OUT")
        hsm.behind.change_password("my own password")
        hsm.disconnect()
        hsm.connect()
        assert state(lab, hsm.id) == ("CONNECTED", None)

    def test_a_success_ends_the_count(self, lab, hsm):
        """
        Four wrong attempts, a right one and four wrong ones lock nobody out.
        """
        codes = []
        for password in ("wrong password",) * 4 + ("",) + ("wrong password",) * 4:
            hsm.disconnect()
            update(hsm, KeyStorePassword=password or lab.world.clusters[hsm.behind.id].password)
            hsm.connect()
            codes.append(state(lab, hsm.id)[1])

        assert codes == ["INVALID_CREDENTIALS"] * 4 + [None] + ["INVALID_CREDENTIALS"] * 4

    def test_kms_changes_the_password(self, lab, hsm):
        """
        KMS changes the password when it connects: the old one no longer works, but KMS reconnects on its own.
        """
        hsm.disconnect()
        hsm.connect()
        assert state(lab, hsm.id) == ("CONNECTED", None)

        hsm.disconnect()
        update(hsm, KeyStorePassword=PASSWORD)
        hsm.connect()
        assert state(lab, hsm.id) == ("FAILED", "INVALID_CREDENTIALS")


# ------------------------------------------------------------------------------ updating, describing, deleting


class TestUpdate:
    def test_name(self, lab, home):
        """
        The name changes while the key store is connected too; its own old name is no conflict, another's is.
        """
        new_store(lab, "taken")

        assert update(home, NewCustomKeyStoreName="new") is None
        assert entry(lab, home.id)["CustomKeyStoreName"] == "new"
        assert update(home, NewCustomKeyStoreName="new") is None
        assert update(home, NewCustomKeyStoreName="taken") == "CustomKeyStoreNameInUseException"

    @pytest.mark.parametrize(
        ("kind", "member", "connected"),
        [
            ("AWS_CLOUDHSM", "KeyStorePassword", INVALID_STATE),
            ("AWS_CLOUDHSM", "CloudHsmClusterId", INVALID_STATE),
            ("EXTERNAL_KEY_STORE", "XksProxyUriEndpoint", INVALID_STATE),
            ("EXTERNAL_KEY_STORE", "XksProxyConnectivity", INVALID_STATE),
            ("EXTERNAL_KEY_STORE", "XksProxyUriPath", None),
            ("EXTERNAL_KEY_STORE", "XksProxyAuthenticationCredential", None),
        ],
    )
    def test_what_needs_a_disconnected_key_store(self, lab, kind, member, connected):
        """
        Of a connected key store only those properties change that AWS's text names; of a disconnected one all do.
        """
        home = Home(lab, kind)
        current = {
            "KeyStorePassword": PASSWORD,
            **({"CloudHsmClusterId": home.behind.id} if kind == "AWS_CLOUDHSM" else home.behind.request),
        }

        assert update(home, **{member: current[member]}) == connected
        home.disconnect()
        assert update(home, **{member: current[member]}) is None

    def test_members_of_the_other_type(self, lab, home):
        """
        Members of the other type are refused.
        """
        home.disconnect()
        foreign = {"XksProxyUriPath": PATH} if home.kind == "AWS_CLOUDHSM" else {"KeyStorePassword": PASSWORD}

        assert update(home, **foreign) == "ValidationException"

    def test_nothing(self, lab, home):
        """
        An update of nothing changes nothing.
        """
        before = entry(lab, home.id)

        assert update(home) is None
        assert entry(lab, home.id) == before

    def test_related_cluster(self, lab, hsm):
        """
        A key store moves to a cluster made from a backup of its own, and its keys work there; others are refused.
        """
        blob = hsm.kms.encrypt(KeyId=hsm.key, Plaintext=b"x")["CiphertextBlob"]
        backup = lab.hsm.create_cluster(backup_of=hsm.behind)
        hsm.behind.delete()
        hsm.disconnect()

        assert update(hsm, CloudHsmClusterId=lab.hsm.create_cluster().id) == "CloudHsmClusterNotRelatedException"
        assert update(hsm, CloudHsmClusterId=hsm.behind.id) == "CloudHsmClusterNotFoundException"
        assert update(hsm, CloudHsmClusterId=backup.id) is None
        hsm.connect()
        assert hsm.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        assert hsm.kms.describe_key(KeyId=hsm.key)["KeyMetadata"]["CloudHsmClusterId"] == backup.id

    @pytest.mark.parametrize(
        ("spoil", "expected"),
        [
            (lambda cluster: cluster.stop(), "CloudHsmClusterNotActiveException"),
            (lambda cluster: cluster.remove_hsm(), "CloudHsmClusterInvalidConfigurationException"),
        ],
    )
    def test_unfit_cluster(self, lab, hsm, spoil, expected):
        """
        A cluster to move to must run, with HSMs in two Zones.
        """
        backup = lab.hsm.create_cluster(backup_of=hsm.behind)
        spoil(backup)
        hsm.disconnect()

        assert update(hsm, CloudHsmClusterId=backup.id) == expected

    def test_new_credential(self, lab, xks):
        """
        A proxy that rotates its credential refuses KMS until it is told; a wrong one is refused and changes nothing.
        """
        old = xks.behind.credential
        new = xks.behind.rotate_credential()
        assert update(xks, XksProxyAuthenticationCredential=old) == "XksProxyIncorrectAuthenticationCredentialException"
        assert code(xks.kms.encrypt, KeyId=xks.key, Plaintext=b"x") == "KMSInvalidStateException"

        assert update(xks, XksProxyAuthenticationCredential=new) is None
        assert code(xks.kms.encrypt, KeyId=xks.key, Plaintext=b"x") is None

    def test_credential_of_a_private_proxy(self, lab, kms):
        """
        Over a VPC endpoint service KMS can try a credential only while it is connected.
        """
        proxy = lab.xks.create_proxy(vpc_service=VPC)
        store = kms.create_custom_key_store(CustomKeyStoreName="x", **proxy.request)["CustomKeyStoreId"]
        wrong = {"CustomKeyStoreId": store, "XksProxyAuthenticationCredential": proxy.credential}
        kms.connect_custom_key_store(CustomKeyStoreId=store)
        wait(lab, CONNECTING_US["EXTERNAL_KEY_STORE"])
        proxy.rotate_credential()

        found = code(kms.update_custom_key_store, **wrong)
        assert found == "XksProxyIncorrectAuthenticationCredentialException"
        kms.disconnect_custom_key_store(CustomKeyStoreId=store)
        wait(lab, DISCONNECTING_US)
        assert code(kms.update_custom_key_store, **wrong) is None

    def test_new_address(self, lab, xks):
        """
        A proxy that moves is found again once the key store knows its new endpoint and path.
        """
        blob = xks.kms.encrypt(KeyId=xks.key, Plaintext=b"x")["CiphertextBlob"]
        xks.behind.move(path="/moved/kms/xks/v1")
        assert code(xks.kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
        assert update(xks, XksProxyUriPath="/moved/kms/xks/v1") is None
        assert xks.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"

        xks.behind.move(endpoint="https://moved.example.com")
        xks.disconnect()
        assert update(xks, XksProxyUriEndpoint="https://wrong.example.com") == "XksProxyUriUnreachableException"
        assert update(xks, XksProxyUriEndpoint="https://moved.example.com") is None
        xks.connect()
        assert xks.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"

    @pytest.mark.parametrize("trouble", [name for name in TROUBLES if name not in (*ON_THE_WAY, "wrong credential")])
    def test_troubled_proxy(self, lab, xks, trouble):
        """
        What is wrong with the proxy keeps an update from being made.
        """
        xks.behind.trouble(trouble)
        row = TROUBLES[trouble]

        found = answer(xks.kms.update_custom_key_store, CustomKeyStoreId=xks.id, XksProxyUriPath=PATH)

        assert found == (row.error.__name__, row.text)

    def test_to_another_address_in_use(self, lab, xks):
        """
        An update cannot take an address that another key store has.
        """
        other = lab.xks.create_proxy("https://other.example.com")
        private = lab.xks.create_proxy("https://private.example.com", vpc_service=VPC)
        for number, proxy in enumerate((other, private)):
            xks.kms.create_custom_key_store(CustomKeyStoreName=str(number), **proxy.request)
        xks.disconnect()
        private_way = {
            "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE",
            "XksProxyUriEndpoint": "https://third.example.com",
            "XksProxyVpcEndpointServiceName": VPC,
        }

        assert update(xks, XksProxyUriEndpoint="https://other.example.com") == "XksProxyUriInUseException"
        found = update(xks, XksProxyUriEndpoint="https://private.example.com", XksProxyUriPath="/a" + PATH)
        assert found == "XksProxyUriEndpointInUseException"
        assert update(xks, **private_way) == "XksProxyVpcEndpointServiceInUseException"

    def test_connectivity(self, lab, xks):
        """
        A key store goes over to a VPC endpoint service with a new endpoint and the service's name, and back.
        """
        private = lab.xks.create_proxy("https://private.example.com", vpc_service=VPC)
        way = {name: value for name, value in private.request.items() if name != "CustomKeyStoreType"}
        xks.disconnect()

        assert update(xks, XksProxyConnectivity="VPC_ENDPOINT_SERVICE") == "ValidationException"
        assert update(xks, XksProxyVpcEndpointServiceName=VPC) == "ValidationException"
        wrong = way | {"XksProxyVpcEndpointServiceName": OTHER_VPC}
        assert update(xks, **wrong) == "XksProxyVpcEndpointServiceNotFoundException"
        private.trouble("unfit endpoint service")
        assert update(xks, **way) == "XksProxyVpcEndpointServiceInvalidConfigurationException"
        private.go_online()
        assert update(xks, **way) is None
        shown = entry(lab, xks.id)["XksProxyConfiguration"]
        assert (shown["Connectivity"], shown["VpcEndpointServiceName"]) == ("VPC_ENDPOINT_SERVICE", VPC)

        assert update(xks, XksProxyConnectivity="PUBLIC_ENDPOINT") == "ValidationException"
        back = {"XksProxyConnectivity": "PUBLIC_ENDPOINT", "XksProxyUriEndpoint": ENDPOINT}
        assert update(xks, **back, XksProxyAuthenticationCredential=xks.behind.credential) is None
        assert set(entry(lab, xks.id)["XksProxyConfiguration"]) == {
            "Connectivity", "AccessKeyId", "UriEndpoint", "UriPath",
        }  # fmt: skip


class TestDescribe:
    def test_one_or_all(self, lab, kms):
        """
        All key stores are shown, or the one named by id or by name; both at once are refused.
        """
        first, second = new_store(lab, "first"), new_store(lab, "second")

        def shown(**params):
            return [one["CustomKeyStoreId"] for one in kms.describe_custom_key_stores(**params)["CustomKeyStores"]]

        assert shown() == [first, second]
        assert shown(CustomKeyStoreId=first) == [first]
        assert shown(CustomKeyStoreName="second") == [second]
        both = {"CustomKeyStoreId": first, "CustomKeyStoreName": "first"}
        assert code(kms.describe_custom_key_stores, **both) == "ValidationException"
        assert code(kms.describe_custom_key_stores, CustomKeyStoreName="x") == "CustomKeyStoreNotFoundException"

    def test_nowhere(self, kms):
        """
        Every operation on a key store says that there is none of that id.
        """
        methods = [
            kms.describe_custom_key_stores,
            kms.connect_custom_key_store,
            kms.disconnect_custom_key_store,
            kms.update_custom_key_store,
            kms.delete_custom_key_store,
        ]

        assert {code(one, CustomKeyStoreId=NOWHERE) for one in methods} == {"CustomKeyStoreNotFoundException"}


class TestDelete:
    def test_with_keys(self, lab, home):
        """
        A key store that contains a key, even one pending deletion, is not deleted; an empty one is.
        """
        home.disconnect()
        home.kms.schedule_key_deletion(KeyId=home.key, PendingWindowInDays=7)
        assert code(home.kms.delete_custom_key_store, CustomKeyStoreId=home.id) == "CustomKeyStoreHasCMKsException"

        lab.clock.travel(days=7)

        assert code(home.kms.delete_custom_key_store, CustomKeyStoreId=home.id) is None
        assert home.kms.describe_custom_key_stores()["CustomKeyStores"] == []

    def test_cluster_is_free_again(self, lab, kms):
        """
        Deleting a key store leaves its cluster as it is, free for another key store.
        """
        request = hsm_request(lab)
        store = kms.create_custom_key_store(**request)["CustomKeyStoreId"]

        kms.delete_custom_key_store(CustomKeyStoreId=store)

        assert code(kms.create_custom_key_store, **request) is None


# ------------------------------------------------------------------------------ permission, log, copies


def test_caller_account(lab, kms):
    """
    Operations on key stores set kms:CallerAccount, the listings of an account and GenerateRandom do not.
    """
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"kms:CallerAccount": "111122223333"}},
        },
    }  # fmt: skip
    app = lab.client(lab.iam.create_role("App", policies=[policy]))

    assert code(app.describe_custom_key_stores) is None
    assert code(app.list_keys) == code(app.generate_random, NumberOfBytes=1) == "AccessDeniedException"


def test_who_may_make_one(lab):
    """
    Making a key store asks for kms:CreateCustomKeyStore and for no permission of CloudHSM or IAM, which AWS wants too.
    """
    policy = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "kms:CreateCustomKeyStore", "Resource": "*"},
    }
    may, may_not = (
        lab.client(lab.iam.create_role(name, policies=given)) for name, given in (("A", [policy]), ("B", []))
    )

    assert code(may_not.create_custom_key_store, **hsm_request(lab)) == "AccessDeniedException"
    assert code(may.create_custom_key_store, **hsm_request(lab)) is None


def test_no_secret_is_logged(lab):
    """
    Neither the log nor an answer holds a password, a credential's secret, or a byte of a key.
    """
    homes = [Home(lab, kind) for kind in ("AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")]
    hsm, xks = homes
    for home in homes:
        home.kms.encrypt(KeyId=home.key, Plaintext=b"x")
        home.disconnect()
    update(hsm, KeyStorePassword="another password")
    update(xks, XksProxyAuthenticationCredential=xks.behind.rotate_credential())
    code(hsm.kms.create_custom_key_store, **hsm_request(lab, "cloudhsm"))
    secrets = [
        PASSWORD,
        "another password",
        xks.behind.credential["RawSecretAccessKey"],
        lab.world.clusters[hsm.behind.id].password,
        lab.world.clusters[hsm.behind.id].keys[lab.key(hsm.key).id].hex(),
        lab.world.proxies[ENDPOINT + PATH].keys["external"].secret.hex(),
    ]

    log = json.dumps([repr(lab.world.log.entry(index)) for index in range(len(lab.world.log))])
    shown = repr(hsm.kms.describe_custom_key_stores()) + repr([lab.key(home.key) for home in homes])
    records = repr([*lab.world.shelf("111122223333", "us-east-1").stores.values(), *lab.world.clusters.values()])
    records += repr(list(lab.world.proxies.values()))

    for text in (log, shown, records, repr(hsm.behind), repr(xks.behind), repr(lab.hsm), repr(lab.xks)):
        assert not any(secret in text for secret in secrets)


def test_what_the_log_keeps_of_a_key_store(lab, hsm):
    """
    An entry about a key store keeps its name and cluster, which CloudTrail shows, also when the call is refused.
    """
    code(hsm.kms.delete_custom_key_store, CustomKeyStoreId=hsm.id)

    found = lab.world.log.entry(-1)

    assert (found.operation, found.error) == ("DeleteCustomKeyStore", "CustomKeyStoreHasCMKsException")
    assert found.request == {"CustomKeyStoreId": hsm.id}
    assert (found.more["store_name"], found.more["cluster_id"]) == ("cloudhsm", hsm.behind.id)


@pytest.mark.parametrize("copy", ["saved", "forked"])
@pytest.mark.parametrize("now", ["CONNECTED", "CONNECTING", "DISCONNECTING", "FAILED", "DISCONNECTED"])
def test_copies(lab, home, tmp_path, copy, now):
    """
    A copy of a lab has its key stores and what stands behind them, amid connecting too, and goes its own way.
    """
    blob = home.kms.encrypt(KeyId=home.key, Plaintext=b"x")["CiphertextBlob"]
    bring(home, now)
    before = lab.world.to_data()
    if copy == "saved":
        lab.save(tmp_path / "lab.json")
        twin = Lab.load(tmp_path / "lab.json")
    else:
        twin = lab.fork()
    assert twin.world.to_data() == before

    wait(twin, CONNECTING_US[home.kind])
    later = {"CONNECTED": "CONNECTED", "CONNECTING": "CONNECTED", "FAILED": "FAILED"}.get(now, "DISCONNECTED")
    assert state(twin, home.id)[0] == later
    if later == "CONNECTED":
        assert twin.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    for key in twin.world.clusters.values():
        key.keys.clear()
    for proxy in twin.world.proxies.values():
        proxy.keys.clear()
    assert lab.world.to_data() == before


def test_a_copy_keeps_external_keys_as_they_are(lab, xks, tmp_path):
    """
    Status, spec and usage of external keys, and a proxy's trouble, are saved too.
    """
    xks.behind.create_key("weak", spec="AES_128", usage=["ENCRYPT"])
    xks.behind.disable_key("weak")
    xks.behind.trouble("slow")
    lab.save(tmp_path / "lab.json")
    twin = Lab.load(tmp_path / "lab.json")

    assert twin.world.proxies == lab.world.proxies
    assert twin.world.clusters == lab.world.clusters


def test_members_are_checked_as_the_model_says(kms, lab):
    """
    A member that AWS's model does not allow is refused before anything is looked at.
    """
    request = lab.xks.create_proxy().request

    found = code(
        kms.create_custom_key_store,
        CustomKeyStoreName="x",
        **{**request, "XksProxyUriPath": "/not/an/xks/path"},
    )
    assert found == "ValidationException"
    with pytest.raises(ParameterError, match="RawSecretAccessKey"):
        kms.create_custom_key_store(
            CustomKeyStoreName="x",
            **{**request, "XksProxyAuthenticationCredential": {"AccessKeyId": "A" * 20}},
        )
