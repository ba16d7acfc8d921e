"""Connector: cloudflared in the cluster, as Pod Security `restricted` admits it."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from components.connector import network_policy
from config.services import Connector as Settings
from config.values import Certificates
from exposure.estate import CATCH_ALL
from exposure.model import TunnelRule
from policy.pod_security import restricted
from tests.components.conftest import Known, Run
from tests.components.examples import connector, tunnel
from tests.kit.certificates import HOME_CA, OTHER_CA
from tests.kit.recorder import Recording, Secret
from tests.policy import builders

DEPLOYMENT = "kubernetes:Deployment"
IN_CLUSTER = "http://wiki.wiki.svc.cluster.local:8080"


def _spec(found: Recording) -> dict[str, Any]:
    spec = found.one(DEPLOYMENT).inputs["spec"]
    assert isinstance(spec, dict)
    return spec


def _pod(found: Recording) -> dict[str, Any]:
    pod = _spec(found)["template"]["spec"]
    assert isinstance(pod, dict)
    return pod


def _container(found: Recording) -> dict[str, Any]:
    (container,) = _pod(found)["containers"]
    assert isinstance(container, dict)
    return container


def test_it_registers_these_and_no_more(run: Run) -> None:
    assert run(connector).counts() == {
        "gatehouse:Connector": 1,
        DEPLOYMENT: 1,
        "kubernetes:Namespace": 1,
        "kubernetes:NetworkPolicy": 1,
        "kubernetes:PodDisruptionBudget": 1,
        "kubernetes:Secret": 1,
        "kubernetes:Service": 1,
    }


@pytest.mark.parametrize("settings", [Settings(), Settings(replicas=3, protocol="http2", image="mirror/x:1")])
def test_pod_security_restricted_admits_its_pods(settings: Settings, run: Run) -> None:
    assert (
        list(
            restricted(
                builders.resource(
                    "Deployment", "d", **builders.deployment(_pod(run(lambda: connector(settings=settings))))
                )
            )
        )
        == []
    )


def test_its_namespace_holds_everything_to_restricted(run: Run) -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-admission/#pod-security-admission-labels-for-namespaces
    found = run(connector).one("kubernetes:Namespace").inputs["metadata"]
    assert found["name"] == "cloudflared"
    assert found["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_it_is_harder_than_restricted_where_it_can_be(run: Run) -> None:
    # 65532 is the user of cloudflared's image (its Dockerfile, distroless nonroot).
    pod = _pod(run(connector))
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["runAsGroup"] == 65532
    assert _container(run(connector))["securityContext"]["readOnlyRootFilesystem"] is True
    assert [sorted(volume) for volume in pod["volumes"]] == [["configMap", "name"]]


def test_the_token_is_a_secret_and_stands_in_the_secret_alone(run: Run) -> None:
    found = run(connector)
    assert found.one("kubernetes:Secret").inputs["stringData"] == Secret({"token": "the token"})
    for resource in found:
        if resource.short != "kubernetes:Secret":
            assert "the token" not in str(resource.inputs), resource.name


def test_cloudflared_takes_its_token_from_the_secret(run: Run, known: Known) -> None:
    # `TUNNEL_TOKEN` [CFD cmd/cloudflared/tunnel/subcommands.go]; the name is Pulumi's, so a new token rolls the pods.
    assert _container(run(connector))["env"] == [
        {
            "name": "TUNNEL_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": known("connector-token-00000000"), "key": "token"}},
        }
    ]
    assert "name" not in run(connector).one("kubernetes:Secret").inputs["metadata"]


def test_rendered_manifests_hold_no_secret_and_name_the_one_that_a_person_makes(run: Run) -> None:
    found = run(lambda: connector(token=None))
    assert found.all("kubernetes:Secret") == [], "the tests above are the control"
    reference = _container(found)["env"][0]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "cloudflared-token", "key": "token"}


def test_its_arguments_are_those_of_cloudflares_guide(run: Run) -> None:
    # developers.cloudflare.com/cloudflare-one/networks/connectors/cloudflare-tunnel/deployment-guides/kubernetes/
    arguments = ["tunnel", "--no-autoupdate", "--metrics", "0.0.0.0:2000", "run"]
    assert _container(run(connector))["args"] == arguments
    fixed = _container(run(lambda: connector(settings=Settings(protocol="quic"))))["args"]
    assert fixed == [*arguments[:-1], "--protocol", "quic", "run"]


def test_its_image_is_pinned(run: Run) -> None:
    image = _container(run(connector))["image"]
    assert re.fullmatch(r"cloudflare/cloudflared:20\d\d\.\d+\.\d+(@sha256:[0-9a-f]{64})?", image)
    # These two normalised request paths, which path rules depend on [CFD RELEASE_NOTES, 2026.8.2].
    assert not re.search(r":2026\.8\.[01](@|$)", image)
    own = Settings(image="registry.example.com/cloudflared:2026.1.0")
    assert _container(run(lambda: connector(settings=own)))["image"] == own.image


def test_it_is_ready_only_while_it_has_an_edge_connection(run: Run) -> None:
    # `/ready` answers 503 without one [CFD metrics/readiness.go]. Were it that strict about living, an outage of the
    # internet would restart every pod.
    container = _container(run(connector))
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/ready", "port": 2000}
    ready, alive = container["readinessProbe"], container["livenessProbe"]
    assert ready["failureThreshold"] * ready["periodSeconds"] <= 30
    assert alive["failureThreshold"] * alive["periodSeconds"] >= 300
    assert container["ports"] == [{"name": "metrics", "containerPort": 2000, "protocol": "TCP"}]


def test_its_grace_period_is_longer_than_cloudflareds_own(run: Run) -> None:
    # `--grace-period` is 30 s by default [CFD cmd/cloudflared/tunnel/cmd.go].
    assert _pod(run(connector))["terminationGracePeriodSeconds"] > 30


def test_it_says_what_it_needs_and_caps_its_memory(run: Run) -> None:
    resources = _container(run(connector))["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]


def test_two_replicas_are_spread_and_never_both_taken_away(run: Run) -> None:
    found = run(connector)
    assert _spec(found)["replicas"] == 2
    (spread,) = _pod(found)["topologySpreadConstraints"]
    # On a single node both have to fit.
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    budget = found.one("kubernetes:PodDisruptionBudget").inputs["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget, "with one replica it would block every drain"
    assert _spec(found)["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_every_selector_finds_its_pods(run: Run) -> None:
    found = run(connector)
    labels = _spec(found)["template"]["metadata"]["labels"]
    selectors = [
        _spec(found)["selector"]["matchLabels"],
        _pod(found)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
        found.one("kubernetes:PodDisruptionBudget").inputs["spec"]["selector"]["matchLabels"],
        found.one("kubernetes:Service").inputs["spec"]["selector"],
        found.one("kubernetes:NetworkPolicy").inputs["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()


def test_everything_of_it_is_in_its_namespace_and_made_after_it(run: Run) -> None:
    found = run(lambda: connector(settings=Settings(namespace="edge")))
    for resource in found:
        if resource.type.startswith("kubernetes:") and resource.short != "kubernetes:Namespace":
            assert resource.inputs["metadata"]["namespace"] == "edge"
            assert "kubernetes:Namespace connector-namespace" in resource.dependencies


def test_it_depends_directly_on_the_tunnel_so_that_it_goes_first(run: Run) -> None:
    # Deleting a tunnel with live connections can fail (terraform-provider-cloudflare issue 5255).
    def program() -> None:
        home = tunnel()
        connector(token=home.token, after=[home])

    found = run(program).one(DEPLOYMENT)
    assert "cloudflare:ZeroTrustTunnelCloudflared alfred-tunnel" in found.dependencies


def test_up_waits_for_no_pod(run: Run) -> None:
    # The plugin waits ten minutes for these two [pulumi-kubernetes provider/pkg/await]; the others it does not await.
    found = run(connector)
    for kind in (DEPLOYMENT, "kubernetes:Service"):
        assert found.one(kind).inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"


# What the connector may call.


def _egress(*rules: Any) -> list[dict[str, Any]]:
    policy = network_policy([*rules, CATCH_ALL], {"app": "cloudflared"})
    assert policy["policy_types"] == ["Ingress", "Egress"]
    return list(policy["egress"])


def _ports(rule: dict[str, Any]) -> set[tuple[str, int]]:
    return {(p["protocol"], p["port"]) for p in rule.get("ports", [])}


def _internet(rule: dict[str, Any]) -> bool:
    return any(peer.get("ip_block", {}).get("cidr") == "0.0.0.0/0" for peer in rule["to"])


def test_the_edge_is_7844_by_tcp_and_udp_over_both_internets() -> None:
    # developers.cloudflare.com/cloudflare-one/networks/connectors/cloudflare-tunnel/configure-tunnels/
    # tunnel-with-firewall/; since 2026.4.0 cloudflared takes IPv6 where there is one.
    (edge,) = [rule for rule in _egress() if ("TCP", 7844) in _ports(rule)]
    assert _ports(edge) == {("TCP", 7844), ("UDP", 7844)}
    assert [peer["ip_block"]["cidr"] for peer in edge["to"]] == ["0.0.0.0/0", "::/0"]


@pytest.mark.parametrize("network", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"])
def test_the_internet_is_not_the_home_network(network: str) -> None:
    # RFC 1918 and RFC 6598 (the tailnet's addresses too).
    (edge,) = [rule for rule in _egress() if ("TCP", 7844) in _ports(rule)]
    assert network in edge["to"][0]["ip_block"]["except_"]


def test_names_are_asked_of_the_clusters_own_dns_and_of_a_cache_on_the_node_alone() -> None:
    # kubernetes.io/docs/tasks/administer-cluster/nodelocaldns: 169.254.20.10, and any other of 169.254.0.0/16;
    # kubespray docs/advanced/dns-stack.md: 169.254.25.10.
    (dns,) = [rule for rule in _egress() if ("UDP", 53) in _ports(rule)]
    assert _ports(dns) == {("UDP", 53), ("TCP", 53)}
    assert dns["to"] == [
        {"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}}},
        {"ip_block": {"cidr": "169.254.0.0/16"}},
    ]


# Where packets go, as network plugins tell destinations apart. A destination with a `namespace` is a pod with an
# address of its own; a pod on the host's network is the node itself.
NODE_IP = "192.168.0.124"
KUBE_DNS = {"namespace": "kube-system", "address": "10.42.0.3"}
PLUGINS = ("calico", "cilium", "kube-router")


def _allowed(spec: dict[str, Any], plugin: str, protocol: str, port: int, to: dict[str, str]) -> bool:
    """An evaluator of egress, from Kubernetes' page on network policies and the plugins' own documents.

    Under Cilium an address block matches neither pods nor the node's own addresses [docs.cilium.io, Layer 3 Policies];
    for the others it matches what has the address.
    """

    def reaches(peer: dict[str, Any]) -> bool:
        if "namespaceSelector" in peer:
            wanted = peer["namespaceSelector"].get("matchLabels", {}).get("kubernetes.io/metadata.name")
            return "namespace" in to and wanted in (None, to["namespace"])
        if plugin == "cilium" and ("namespace" in to or to.get("node")):
            return False
        address = ip_address(to["address"])
        block = peer["ipBlock"]
        return address in ip_network(block["cidr"]) and not any(
            address in ip_network(part) for part in block.get("except", ())
        )

    return any(
        any((p["protocol"], p["port"]) == (protocol, port) for p in rule["ports"] or ())
        if "to" not in rule
        else any(map(reaches, rule["to"]))
        and ("ports" not in rule or any((p["protocol"], p["port"]) == (protocol, port) for p in rule["ports"]))
        for rule in spec["egress"]
    )


def _policy(run: Run, *origins: str, **settings: Any) -> dict[str, Any]:
    rules = [TunnelRule(f"h{i}.example.com", None, origin) for i, origin in enumerate(origins)]
    found = run(lambda: connector(rules=rules, settings=Settings(**settings))).one("kubernetes:NetworkPolicy")
    return dict(found.inputs["spec"])


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_usual_things_are_reached_whatever_the_network_plugin(plugin: str, run: Run) -> None:
    spec = _policy(run, IN_CLUSTER, "http://192.168.0.9:8123")
    for protocol in ("TCP", "UDP"):
        assert _allowed(spec, plugin, protocol, 53, KUBE_DNS)
        assert _allowed(spec, plugin, protocol, 7844, {"address": "198.41.192.7"})
    assert _allowed(spec, plugin, "TCP", 8080, {"namespace": "wiki", "address": "10.42.0.9"})
    assert _allowed(spec, plugin, "TCP", 8123, {"address": "192.168.0.9"})
    assert not _allowed(spec, plugin, "TCP", 8124, {"address": "192.168.0.9"})
    assert not _allowed(spec, plugin, "TCP", 6443, {"address": NODE_IP, "node": "yes"})
    assert not _allowed(spec, plugin, "TCP", 53, {"address": "192.168.0.1"})


@pytest.mark.parametrize("address", ["169.254.20.10", "169.254.25.10"])
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_a_dns_cache_on_the_node_is_asked(address: str, protocol: str, run: Run) -> None:
    to, usual = {"address": address, "node": "yes"}, _policy(run, IN_CLUSTER)
    for plugin in ("calico", "kube-router"):
        assert _allowed(usual, plugin, protocol, 53, to)
        assert not _allowed(usual, plugin, protocol, 80, to)
    assert not _allowed(usual, "cilium", protocol, 53, to), "which is what the key is for"
    assert _allowed(_policy(run, IN_CLUSTER, open_ports=[53]), "cilium", protocol, 53, to)


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_pod_on_the_hosts_network_is_reached_by_its_port_where_that_is_opened(plugin: str, run: Run) -> None:
    home_assistant = "http://home-assistant.home-assistant.svc.cluster.local:80"
    at_node = {"address": NODE_IP, "node": "yes"}
    assert not _allowed(_policy(run, home_assistant), plugin, "TCP", 8123, at_node)
    opened = _policy(run, home_assistant, open_ports=[8123])
    assert _allowed(opened, plugin, "TCP", 8123, at_node)
    assert not _allowed(opened, plugin, "TCP", 22, at_node)


@pytest.mark.parametrize(("plugin", "needs_key"), [("calico", False), ("kube-router", False), ("cilium", True)])
def test_a_port_of_the_node_itself_is_reached(plugin: str, needs_key: bool, run: Run) -> None:
    origin, at_node = f"http://{NODE_IP}:9000", {"address": NODE_IP, "node": "yes"}
    assert _allowed(_policy(run, origin), plugin, "TCP", 9000, at_node) is not needs_key
    assert _allowed(_policy(run, origin, open_ports=[9000]), plugin, "TCP", 9000, at_node)


# Certificates of origins.

HOME, OTHER = Certificates.parse(HOME_CA), Certificates.parse(OTHER_CA)
PATCH = "kubernetes:ConfigMapPatch"


def _mounted(found: Recording) -> dict[str, str]:
    """The files that a pod has: the patched ConfigMap's data, under the directory where it is mounted."""
    (volume,), (mount,) = _pod(found)["volumes"], _container(found)["volumeMounts"]
    assert volume["name"] == mount["name"]
    patches = [p.inputs for p in found.all(PATCH)]
    assert {p["metadata"]["name"] for p in patches} <= {volume["configMap"]["name"]}
    return {f"{mount['mountPath']}/{file}": text for p in patches for file, text in p["data"].items()}


def test_every_pod_has_the_place_for_certificates_whether_or_not_there_is_one(run: Run) -> None:
    (volume,) = _pod(run(connector))["volumes"]
    # kubernetes.io/docs/concepts/storage/volumes/#configmap: a pod starts without an optional one.
    assert volume["configMap"]["optional"] is True
    assert _pod(run(lambda: connector(certificates=[HOME])))["volumes"] == [volume], (
        "so the last may go without a rollout"
    )


def test_a_rule_finds_its_certificate_where_it_names_it(run: Run) -> None:
    found = run(lambda: connector(certificates=[HOME, OTHER]))
    assert _mounted(found) == {HOME.path: HOME_CA, OTHER.path: OTHER_CA}
    assert HOME.path != OTHER.path


def test_pods_start_anew_with_a_new_certificate_and_up_waits_for_them(run: Run) -> None:
    def deployed(*certificates: Certificates) -> Any:
        return run(lambda: connector(certificates=certificates)).one(DEPLOYMENT)

    one, both, none = deployed(HOME), deployed(HOME, OTHER), deployed()
    templates = [d.inputs["spec"]["template"]["metadata"] for d in (one, both, none)]
    assert templates[0] != templates[1] != templates[2]
    assert "pulumi.com/skipAwait" not in one.inputs["metadata"]["annotations"]
    assert none.inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
    assert [d for d in one.dependencies if d.startswith(PATCH)]


def test_a_changed_certificate_is_a_file_beside_the_one_that_rules_still_name(run: Run) -> None:
    # The engine deletes what a program has no more of after everything else, so the old one goes last.
    before, after = (run(lambda c=c: connector(certificates=[c])).one(PATCH) for c in (HOME, OTHER))  # type: ignore[misc]
    assert before.name != after.name
    assert set(before.inputs["data"]) & set(after.inputs["data"]) == set()


def test_443_is_open_only_where_a_jwt_is_checked() -> None:
    # The keys are at https://<team>.cloudflareaccess.com/cdn-cgi/access/certs.
    def web(*rules: Any) -> list[dict[str, Any]]:
        return [rule for rule in _egress(*rules) if ("TCP", 443) in _ports(rule) and _internet(rule)]

    assert web(TunnelRule("wiki.example.com", None, IN_CLUSTER)) == []
    assert len(web(TunnelRule("wiki.example.com", None, IN_CLUSTER, "wiki", ("wiki",)))) == 1


def test_an_origin_in_the_cluster_opens_its_own_namespace() -> None:
    rules = [
        TunnelRule("wiki.example.com", None, IN_CLUSTER),
        TunnelRule("wiki.example.com", "^/x", "http://ingress.ingress-nginx.svc.cluster.local:80"),
    ]
    opened = [
        peer["namespace_selector"]["match_labels"]["kubernetes.io/metadata.name"]
        for rule in _egress(*rules)
        for peer in rule["to"]
        if "namespace_selector" in peer and "ports" not in rule
    ]
    assert opened == ["ingress-nginx", "wiki"]


@pytest.mark.parametrize(
    ("origin", "cidrs", "port"),
    [
        ("http://192.168.0.9:8123", ["192.168.0.9/32"], 8123),
        ("https://192.168.0.9", ["192.168.0.9/32"], 443),
        ("http://[fd00::9]:80", ["fd00::9/128"], 80),
        ("http://nas.example.com", ["0.0.0.0/0", "::/0"], 80),
    ],
)
def test_an_origin_outside_opens_its_address_and_port_alone(origin: str, cidrs: list[str], port: int) -> None:
    last = _egress(TunnelRule("nas.example.com", None, origin))[-1]
    assert last == {
        "to": [{"ip_block": {"cidr": cidr}} for cidr in cidrs],
        "ports": [{"protocol": "TCP", "port": port}],
    }


def test_nothing_is_open_to_everywhere_on_every_port() -> None:
    for rule in _egress(TunnelRule("nas.example.com", None, "http://nas.example.com:80", "nas", ("nas",))):
        assert "to" in rule
        assert not (_internet(rule) and "ports" not in rule)


def test_only_its_metrics_can_be_asked_of_it(run: Run) -> None:
    spec = run(connector).one("kubernetes:NetworkPolicy").inputs["spec"]
    assert spec["ingress"] == [{"from": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP", "port": 2000}]}]


def test_the_exceptions_of_a_block_arrive_under_kubernetes_own_name(run: Run) -> None:
    # Python's `except_` is `except` in the API; lost, the connector could reach the whole home network.
    spec = run(connector).one("kubernetes:NetworkPolicy").inputs["spec"]
    blocks = [peer["ipBlock"] for rule in spec["egress"] for peer in rule["to"] if "ipBlock" in peer]
    assert blocks
    assert all(block["except"] for block in blocks if block["cidr"] == "0.0.0.0/0")
