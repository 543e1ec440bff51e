"""The learner's hand on what stands behind custom key stores: stand-ins for CloudHSM clusters and XKS proxies."""

import re

import pytest
from cryptography import x509

from kms_lab import Lab, LabError
from kms_lab.core import model

NOWHERE = "there is no"


@pytest.fixture
def lab():
    return Lab(seed=7)


@pytest.fixture
def cluster(lab):
    return lab.hsm.create_cluster()


@pytest.fixture
def proxy(lab):
    return lab.xks.create_proxy()


def test_everything_says_what_it_is(lab, cluster, proxy):
    """
    Whoever prints one of them reads that it is a stand-in, and how it fares.
    """
    cluster.stop()
    proxy.create_key("a")
    proxy.go_offline()

    texts = [repr(one) for one in (lab.hsm, lab.xks, cluster, proxy)]

    assert all("a stand-in" in text for text in texts)
    assert "stopped, HSMs in us-east-1a, us-east-1b" in texts[2]
    assert "offline, 1 external keys" in texts[3]
    cluster.delete()
    assert "deleted" in repr(cluster)


def test_nothing_is_logged(lab, cluster, proxy):
    """
    What happens outside KMS is no AWS call, and leaves nothing in the log.
    """
    cluster.stop()
    proxy.create_key("a")
    proxy.rotate_credential()

    assert len(lab.world.log) == 0


def test_reproducible():
    """
    Two labs of one seed make the same clusters, certificates, credentials and keys.
    """

    def made():
        lab = Lab(seed=5)
        cluster, proxy = lab.hsm.create_cluster(), lab.xks.create_proxy()
        proxy.create_key("a")
        return (
            cluster.id,
            cluster.trust_anchor,
            proxy.credential,
            lab.world.proxies["https://xks.example.com/kms/xks/v1"],
        )

    assert made() == made()


def test_names_are_as_aws_wants_them(lab, cluster, proxy):
    """
    What the stand-ins call themselves passes AWS's model, so that CreateCustomKeyStore takes it.
    """
    accepts = model.operation("CreateCustomKeyStore").accepts
    private = lab.xks.create_proxy(
        "https://private.example.com", vpc_service="com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
    )

    assert accepts(
        {
            "CustomKeyStoreName": "x",
            "CloudHsmClusterId": cluster.id,
            "TrustAnchorCertificate": cluster.trust_anchor,
            "KeyStorePassword": "kmsuser-password",
        }
    )
    assert all(accepts({"CustomKeyStoreName": "x", **one.request}) for one in (proxy, private))
    assert re.fullmatch("[A-Z2-7]{20,30}", proxy.credential["AccessKeyId"])
    assert re.fullmatch("[a-zA-Z0-9/+=]{43,64}", proxy.credential["RawSecretAccessKey"])


class TestCluster:
    def test_certificate(self, cluster):
        """
        The trust anchor is a real certificate, signed by itself, and says that it is a stand-in's.
        """
        certificate = x509.load_pem_x509_certificate(cluster.trust_anchor.encode())

        certificate.verify_directly_issued_by(certificate)
        assert cluster.id in certificate.subject.rfc4514_string()
        assert "stand-in" in certificate.subject.rfc4514_string()

    def test_clusters_differ(self, lab, cluster):
        """
        Each new cluster has an id and a certificate of its own; one from a backup shares the certificate.
        """
        other, relative = lab.hsm.create_cluster(), lab.hsm.create_cluster(backup_of=cluster)

        assert len({cluster.id, other.id, relative.id}) == 3
        assert cluster.trust_anchor == relative.trust_anchor != other.trust_anchor
        assert lab.hsm.list() == [cluster.id, other.id, relative.id]
        assert lab.hsm.cluster(other.id).trust_anchor == other.trust_anchor

    def test_hsms(self, cluster):
        """
        An HSM comes into the first Zone without one, or into the Zone named; the last or the named one goes.
        """
        assert cluster.add_hsm() == "us-east-1c"
        assert cluster.add_hsm("us-east-1a") == "us-east-1a"
        assert cluster.zones == ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1a"]
        assert cluster.remove_hsm("us-east-1b") == "us-east-1b"
        assert cluster.remove_hsm() == "us-east-1a"
        assert sorted(cluster.zones) == ["us-east-1a", "us-east-1c"]

    @pytest.mark.parametrize("zones", [-1, 7])
    def test_impossible_sizes(self, lab, zones):
        """
        A Region has six Availability Zones.
        """
        with pytest.raises(LabError, match="6 Availability Zones"):
            lab.hsm.create_cluster(zones=zones)
        assert len(lab.hsm.create_cluster(zones=6).zones) == 6

    @pytest.mark.parametrize(
        ("act", "says"),
        [
            (lambda cluster: cluster.remove_hsm("us-east-1f"), "no HSM in us-east-1f"),
            (lambda cluster: [cluster.remove_hsm() for _ in range(3)], "has no HSM;"),
            (lambda cluster: cluster.add_hsm("eu-west-1a"), "Zone of us-east-1"),
            (lambda cluster: [cluster.add_hsm() for _ in range(5)], "Zone of us-east-1"),
            (lambda cluster: cluster.delete_key("x"), "no key 'x'"),
            (lambda cluster: cluster.pretend("INVALID_CREDENTIALS"), "choose one of INTERNAL_ERROR"),
            (lambda cluster: (cluster.delete(), cluster.start()), "not any more"),
        ],
    )
    def test_mistakes(self, cluster, act, says):
        """
        What cannot be done is refused with a sentence that helps.
        """
        with pytest.raises(LabError, match=says):
            act(cluster)

    def test_unknown(self, lab):
        """
        A cluster that is not there is not found.
        """
        with pytest.raises(LabError, match=NOWHERE):
            lab.hsm.cluster("cluster-x")


class TestProxy:
    def test_keys(self, proxy):
        """
        External keys are made, disabled, enabled and deleted by their ids.
        """
        proxy.create_key("a")
        proxy.create_key("b")
        proxy.disable_key("b")
        assert proxy.keys == {"a": "ENABLED", "b": "DISABLED"}

        proxy.enable_key("b")
        proxy.delete_key("a")
        assert proxy.keys == {"b": "ENABLED"}

    def test_credential(self, proxy):
        """
        A new credential differs in both parts, and is what the proxy's request says from then on.
        """
        old = proxy.credential
        new = proxy.rotate_credential()

        assert old["AccessKeyId"] != new["AccessKeyId"]
        assert old["RawSecretAccessKey"] != new["RawSecretAccessKey"]
        assert proxy.request["XksProxyAuthenticationCredential"] == new

    def test_move(self, lab, proxy):
        """
        A proxy that moves keeps its keys and leaves its old address free.
        """
        proxy.create_key("a")
        proxy.move(path="/p/kms/xks/v1")
        proxy.move(endpoint="https://moved.example.com")

        assert lab.xks.list() == ["https://moved.example.com/p/kms/xks/v1"]
        assert lab.xks.proxy("https://moved.example.com/p/kms/xks/v1").keys == proxy.keys == {"a": "ENABLED"}
        assert proxy.request["XksProxyUriEndpoint"] == "https://moved.example.com"

    @pytest.mark.parametrize(
        ("act", "says"),
        [
            (lambda lab, proxy: [proxy.create_key("a"), proxy.create_key("a")], "key 'a' already"),
            (lambda lab, proxy: proxy.create_key("a", spec="RSA_2048"), "AES_256, AES_192, AES_128"),
            (lambda lab, proxy: proxy.disable_key("a"), "no key 'a'"),
            (lambda lab, proxy: proxy.delete_key("a"), "no key 'a'"),
            (lambda lab, proxy: proxy.trouble("fire"), "choose one of offline, slow"),
            (lambda lab, proxy: lab.xks.create_proxy(), "already"),
            (lambda lab, proxy: lab.xks.create_proxy("https://b.example.com").move(proxy.endpoint), "already"),
            (lambda lab, proxy: lab.xks.proxy("https://nowhere"), NOWHERE),
        ],
    )
    def test_mistakes(self, lab, proxy, act, says):
        """
        What cannot be done is refused with a sentence that helps.
        """
        with pytest.raises(LabError, match=says):
            act(lab, proxy)

    def test_a_hand_on_what_is_gone(self, lab, proxy):
        """
        A hand on a proxy that has moved away under another hand says so.
        """
        other = lab.xks.proxy(proxy.endpoint + proxy.path)
        other.move(path="/p/kms/xks/v1")

        with pytest.raises(LabError, match="not any more"):
            proxy.go_offline()


def test_hands_follow_the_lab(lab, cluster, proxy):
    """
    After a rewind the same hands move what stood there at the bookmark, and a copy of the lab is moved by its own.
    """
    proxy.create_key("a")
    lab.bookmark()
    cluster.stop()
    proxy.delete_key("a")
    twin = lab.fork()

    lab.rewind()

    assert "active" in repr(cluster)
    assert proxy.keys == {"a": "ENABLED"}
    assert "stopped" in repr(twin.hsm.cluster(cluster.id))
    proxy.create_key("b")
    assert twin.xks.proxy(proxy.endpoint + proxy.path).keys == {}
