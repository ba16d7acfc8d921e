from __future__ import annotations

import base64
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.runtime.proto import provider_pb2 as rpc

from gatehouse.simulation import values
from gatehouse.simulation.cloudflare import Cloudflare
from gatehouse.simulation.kubernetes import Kubernetes
from gatehouse.simulation.server import Provider
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import UNKNOWN, Secret
from tests.simulation.plugin import ACCOUNT, Plugin, ProviderError, Resource
from tests.simulation.test_cloudflare import TUNNEL_SECRET, tunnel

NAMESPACE = "kubernetes:core/v1:Namespace"
NAMESPACE_PATCH = "kubernetes:core/v1:NamespacePatch"
SECRET = "kubernetes:core/v1:Secret"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SERVICE = "kubernetes:core/v1:Service"
SERVICE_PATCH = "kubernetes:core/v1:ServicePatch"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
PDB = "kubernetes:policy/v1:PodDisruptionBudget"
RELEASE = "kubernetes:helm.sh/v3:Release"
PROXY_GROUP = "kubernetes:tailscale.com/v1alpha1:ProxyGroup"

LABELS = {"app": "x"}


def named(name: str, namespace: str = "default", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, **more}}


def deployment(secret: str = "token", **more: Any) -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": secret, "key": "token"}}
    container = {"name": "c", "image": "cloudflared", "env": [{"name": "TUNNEL_TOKEN", "valueFrom": reference}]}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    return {**named("cloudflared"), "spec": {"selector": {"matchLabels": LABELS}, "template": template, **more}}


def service(*ports: dict[str, Any], type_: str = "NodePort") -> dict[str, Any]:
    return {"spec": {"type": type_, "selector": LABELS, "ports": list(ports)}}


def test_what_only_the_cluster_knows_is_unknown_in_a_preview(kubernetes: Plugin) -> None:
    inputs = {**named("web"), **service({"port": 80}, type_="ClusterIP")}
    shown = kubernetes.create(SERVICE, "web", preview=True, **inputs)
    assert shown["metadata"]["name"] == "web"
    assert shown["metadata"]["uid"] is UNKNOWN
    assert shown["spec"]["clusterIP"] is UNKNOWN
    assert "status" not in shown.outputs
    made = kubernetes.create(SERVICE, "web", **inputs)
    assert made.id == "default/web"
    assert made["spec"]["clusterIP"].startswith("10.")
    assert made["metadata"]["resourceVersion"]
    assert made.changes(**inputs) == {}


def test_a_namespace_must_be_there_first(kubernetes: Plugin) -> None:
    inputs = {**named("cm", "apart"), "data": {"a": "b"}}
    with pytest.raises(ProviderError, match=r'not successfully created .*: namespaces "apart" not found'):
        kubernetes.create(CONFIG_MAP, "cm", **inputs)
    kubernetes.create(NAMESPACE, "apart", metadata={"name": "apart"})
    assert kubernetes.create(CONFIG_MAP, "cm", **inputs).id == "apart/cm"


def test_namespaces_given_to_the_simulation_are_in_every_cluster(store: Store) -> None:
    provider = Provider(Kubernetes(store, namespaces=["monitoring"]))
    for context in ("alfred", "octavo"):
        plugin = Plugin(provider, connection=context, context=context)
        assert plugin.create(CONFIG_MAP, "cm", **named("cm", "monitoring"), data={}).id == "monitoring/cm"
    with pytest.raises(ProviderError, match="already exists"):
        plugin.create(NAMESPACE, "monitoring", metadata={"name": "monitoring"})
    found = plugin.import_(NAMESPACE, "monitoring", "monitoring")
    assert found is not None
    assert found["status"] == {"phase": "Active"}


def test_deleting_a_namespace_deletes_what_is_in_it(kubernetes: Plugin) -> None:
    space = kubernetes.create(NAMESPACE, "apart", metadata={"name": "apart"})
    inside = kubernetes.create(CONFIG_MAP, "cm", **named("cm", "apart"), data={})
    outside = kubernetes.create(CONFIG_MAP, "cm2", **named("cm"), data={})
    space.delete()
    assert inside.refresh() is None
    assert outside.refresh() is not None
    inside.delete()


def test_a_name_is_taken_once_a_cluster(store: Store) -> None:
    provider = Provider(Kubernetes(store))
    alfred = Plugin(provider, connection="a", context="alfred")
    octavo = Plugin(provider, connection="b", context="octavo")
    alfred.create(NAMESPACE, "one", metadata={"name": "tailscale"})
    with pytest.raises(ProviderError, match='namespaces "tailscale" already exists'):
        alfred.create(NAMESPACE, "two", metadata={"name": "tailscale"})
    octavo.create(NAMESPACE, "one", metadata={"name": "tailscale"})


@pytest.mark.parametrize(
    ("type_", "inputs", "words"),
    [
        (NAMESPACE, {"metadata": {"name": "Bad"}}, "a lowercase RFC 1123 label must consist"),
        (NAMESPACE, {"metadata": {"name": "a.b"}}, "a lowercase RFC 1123 label must consist"),
        (CONFIG_MAP, {"metadata": {"name": "a_b"}, "data": {}}, "a lowercase RFC 1123 subdomain"),
        (SERVICE, {**named("1st"), **service({"port": 1})}, "a DNS-1035 label must consist"),
        (SERVICE, {**named("web"), **service()}, "spec.ports: Required value"),
        (SERVICE, {**named("web"), **service({"port": 1}, {"port": 2})}, "name: Required value"),
        (SERVICE, {**named("web"), **service({"port": 1, "nodePort": 80})}, "not in the valid range"),
        (SERVICE, {**named("web", labels={"a key": "x"}), **service({"port": 1})}, "name part must be"),
        (SERVICE, {**named("web", labels={"a": "x" * 64}), **service({"port": 1})}, "at most 63"),
        (SERVICE, {**named("web"), "spec": {"selector": {"app": "-x"}, "ports": [{"port": 1}]}}, r"spec.selector.app"),
        (SERVICE, {**named("web"), **service({"port": 1, "targetPort": "a-name-of-16-chs"})}, "targetPort"),
        (SERVICE, {**named("web"), **service({"port": 1, "targetPort": "22"})}, "one of them a letter"),
        (SERVICE, {**named("web"), **service({"port": 1, "name": "Web"})}, r"spec.ports\[0\].name"),
        (
            SERVICE,
            {**named("web"), **service({"port": 1, "name": "a"}, {"port": 1, "name": "b"})},
            r"spec.ports\[1\]: Duplicate value",
        ),
        (
            SERVICE,
            {**named("web"), **service({"port": 1, "name": "a"}, {"port": 2, "name": "a"})},
            r'spec.ports\[1\].name: Duplicate value: "a"',
        ),
        (SERVICE_PATCH, named("absent"), r'Service "absent" is invalid: spec.ports: Required value'),
        (SECRET, {**named("s"), "data": {"a": "no base64!"}}, "illegal base64 data"),
        (PDB, {**named("p"), "spec": {"minAvailable": 1, "maxUnavailable": 1}}, "cannot be both set"),
        (
            INGRESS,
            {**named("i"), "spec": {"rules": [{"http": {"paths": [{"path": "/"}]}}]}},
            "pathType must be specified",
        ),
        (DEPLOYMENT, {**deployment(), "spec": {"selector": {"matchLabels": LABELS}}}, "does not match template"),
        ("kubernetes:apps/v1:Service", named("x"), 'no matches for kind "Service" in version "apps/v1"'),
        ("kubernetes:cert-manager.io/v1:Issuer", named("x"), "required CRDs have been created"),
    ],
)
def test_what_the_api_server_refuses_is_refused(
    kubernetes: Plugin, type_: str, inputs: dict[str, Any], words: str
) -> None:
    with pytest.raises(ProviderError, match=words) as caught:
        kubernetes.create(type_, "x", **inputs)
    assert "no base64!" not in str(caught.value)


def test_texts_must_be_texts(kubernetes: Plugin) -> None:
    inputs = {"metadata": {"name": "x", "annotations": {"a": True}}, "data": {"n": 1, "s": "1"}}
    assert sorted(kubernetes.failures(CONFIG_MAP, inputs)) == ["data.n", "metadata.annotations.a"]
    wrong = deployment()
    wrong["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "PORT", "value": 80}]
    assert list(kubernetes.failures(DEPLOYMENT, wrong)) == ["spec.template.spec.containers[0].env[0].value"]
    assert kubernetes.failures(CONFIG_MAP, {"kind": "Secret", "metadata": {"name": "x"}}) == {
        "kind": f'"Secret" does not fit the resource type {CONFIG_MAP}'
    }


def test_an_object_without_a_name_gets_one_and_keeps_it(kubernetes: Plugin) -> None:
    made = kubernetes.create(CONFIG_MAP, "cm", data={"a": "b"})
    assert made["metadata"]["name"].startswith("cm-")
    changed = made.diff(data={"a": "c"})
    assert list(changed.replaces) == ["data.a"]
    assert not changed.deleteBeforeReplace


def test_a_named_secret_is_deleted_before_it_is_replaced(store: Store) -> None:
    plugin = Plugin(Kubernetes(store), context="alfred")
    made = plugin.create(SECRET, "s", **named("s"), stringData=Secret({"a": "one"}))
    changed = made.diff(**named("s"), stringData=Secret({"a": "two"}))
    assert list(changed.replaces) == ["data.a"]
    assert changed.deleteBeforeReplace


def test_secret_values_are_secret_in_outputs_and_not_in_the_file(kubernetes: Plugin, store: Store) -> None:
    made = kubernetes.create(SECRET, "s", **named("s"), stringData={"a": "hush"})
    encoded = base64.b64encode(b"hush").decode()
    assert made["data"] == Secret({"a": encoded})
    assert made["stringData"] == Secret({"a": "hush"})
    read = made.refresh()
    assert read is not None
    assert (read["data"], read["stringData"]) == (made["data"], made["stringData"])
    assert read.changes(**named("s"), stringData={"a": "hush"}) == {}
    text = store.path.read_text()
    assert "hush" not in text
    assert encoded not in text


def test_a_secret_value_anywhere_stays_secret(kubernetes: Plugin, store: Store) -> None:
    inputs: dict[str, Any] = {
        "metadata": {"name": "cm", "annotations": {"a": Secret("hush")}},
        "data": {"b": Secret("quiet")},
    }
    made = kubernetes.create(CONFIG_MAP, "cm", **inputs)
    read = made.refresh()
    assert read is not None
    for one in (made, read):
        assert one["metadata"]["annotations"]["a"] == Secret("hush")
        assert one["data"]["b"] == Secret("quiet")
        assert one.inputs["data"]["b"] == Secret("quiet")
    assert not [word for word in ("hush", "quiet") if word in store.path.read_text()]


def test_a_deployment_is_updated_and_its_selector_replaces_it(kubernetes: Plugin) -> None:
    made = kubernetes.create(DEPLOYMENT, "d", **deployment(replicas=2))
    assert made.changes(**deployment(replicas=3)) == {"spec.replicas": "update"}
    changed = made.update(**deployment(replicas=3))
    assert changed["status"]["readyReplicas"] == 3
    assert changed["metadata"]["generation"] == 2
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    other = deployment(selector={"matchLabels": {"app": "y"}})
    other["spec"]["template"]["metadata"]["labels"] = {"app": "y"}
    assert "spec.selector.matchLabels.app" in list(made.diff(**other).replaces)
    with pytest.raises(ProviderError, match="field is immutable"):
        made.update(**other)


def test_a_field_no_longer_given_goes_and_others_fields_stay(kubernetes: Plugin, store: Store) -> None:
    made = kubernetes.create(CONFIG_MAP, "cm", **named("cm", labels={"a": "1", "b": "2"}), data={})
    key = next(key for key, _ in store.find("kubernetes/"))
    item = store.get(key) or {}
    item["body"]["metadata"]["labels"]["theirs"] = "x"
    with store.transaction():
        store.put(key, item)
    changed = made.update(**named("cm", labels={"a": "1"}), data={})
    assert changed["metadata"]["labels"] == {"a": "1", "theirs": "x"}


def test_drift_shows_on_refresh_and_the_clusters_own_fields_do_not(kubernetes: Plugin, store: Store) -> None:
    inputs = {**named("web"), **service({"port": 80})}
    made = kubernetes.create(SERVICE, "web", **inputs)
    key = next(key for key, _ in store.find("kubernetes/"))
    item = store.get(key) or {}
    item["body"]["spec"]["selector"]["app"] = "changed"
    with store.transaction():
        store.put(key, item)
    read = made.refresh()
    assert read is not None
    assert read.inputs["spec"]["selector"] == {"app": "changed"}
    assert "clusterIP" not in read.inputs["spec"]
    assert read.changes(**inputs) == {"spec.selector.app": "update"}


def test_a_node_port_belongs_to_one_service(kubernetes: Plugin) -> None:
    one = kubernetes.create(SERVICE, "one", **named("one"), **service({"port": 25565, "nodePort": 32565}))
    with pytest.raises(ProviderError, match="32565: provided port is already allocated"):
        kubernetes.create(SERVICE, "two", **named("two"), **service({"port": 1, "nodePort": 32565}))
    free = kubernetes.create(SERVICE, "two", **named("two"), **service({"port": 1}))
    port = free["spec"]["ports"][0]["nodePort"]
    assert 30000 <= port <= 32767
    again = free.update(**named("two"), **service({"port": 1, "name": "renamed"}))
    assert again["spec"]["ports"][0]["nodePort"] == port
    both = one.update(**named("one"), **service({"port": 25565, "nodePort": 32566}))
    assert both["spec"]["ports"][0]["nodePort"] == 32566


def test_tcp_and_udp_may_have_one_port_and_pods_ports_have_names(kubernetes: Plugin) -> None:
    ports = [
        {"port": 53, "name": "udp-53", "protocol": "UDP", "targetPort": "dns"},
        {"port": 53, "name": "tcp-53", "protocol": "TCP", "targetPort": "dns-tcp"},
    ]
    made = kubernetes.create(SERVICE, "dns", **named("dns"), **service(*ports, type_="ClusterIP"))
    assert [port["targetPort"] for port in made["spec"]["ports"]] == ["dns", "dns-tcp"]


def test_a_load_balancer_opens_ports_of_the_node_unless_it_is_told_not_to(kubernetes: Plugin) -> None:
    # Kubernetes, Service: `allocateLoadBalancerNodePorts` is true where it is not said.
    usual = kubernetes.create(SERVICE, "a", **named("a"), **service({"port": 80}, type_="LoadBalancer"))
    assert 30000 <= usual["spec"]["ports"][0]["nodePort"] <= 32767
    closed = service({"port": 80}, type_="LoadBalancer")
    closed["spec"] |= {"allocateLoadBalancerNodePorts": False, "loadBalancerClass": "tailscale"}
    made = kubernetes.create(SERVICE, "b", **named("b"), **closed)
    assert "nodePort" not in made["spec"]["ports"][0]
    # What was given is not taken back: https://kubernetes.io/docs/concepts/services-networking/service/
    told = usual.update(**named("a"), **closed)
    assert told["spec"]["ports"][0]["nodePort"] == usual["spec"]["ports"][0]["nodePort"]


def users(store: Store) -> Plugin:
    """A cluster with a Service that no program made."""
    there = Kubernetes(store, namespaces=["adguard"], services=["adguard/dns:53/udp,853/tcp"])
    return Plugin(there, context="alfred")


EXPOSED = {"tailscale.com/expose": "true", "tailscale.com/hostname": "dns-alfred"}


def test_a_patch_annotates_the_users_own_service_and_leaves_it_as_it_was(store: Store) -> None:
    plugin = users(store)
    before = plugin.import_(SERVICE, "dns", "adguard/dns")
    assert before is not None
    assert [(p["port"], p["protocol"]) for p in before["spec"]["ports"]] == [(53, "UDP"), (853, "TCP")]
    patch = plugin.create(SERVICE_PATCH, "dns-exposed", **named("dns", "adguard", annotations=EXPOSED))
    assert patch.id == "adguard/dns"
    assert patch.inputs["kind"] == "Service"
    assert patch["spec"]["ports"] == before["spec"]["ports"]
    assert patch.changes(**named("dns", "adguard", annotations=EXPOSED)) == {}
    renamed = patch.update(**named("dns", "adguard", annotations={**EXPOSED, "tailscale.com/hostname": "names"}))
    assert renamed["metadata"]["annotations"]["tailscale.com/hostname"] == "names"
    renamed.delete()
    after = plugin.import_(SERVICE, "dns", "adguard/dns")
    assert after is not None
    assert after["spec"] == before["spec"]
    assert "annotations" not in after["metadata"]


def test_what_a_patch_took_from_another_by_force_is_nobodys_after_it(store: Store) -> None:
    plugin = users(store)
    theirs = {"tailscale.com/hostname": "theirs", "kept": "1"}
    made = plugin.create(SERVICE, "web", **named("web", annotations=theirs), **service({"port": 80}, type_="ClusterIP"))
    with pytest.raises(ProviderError, match="Apply failed with 1 conflict"):
        plugin.create(SERVICE_PATCH, "patch", **named("web", annotations=EXPOSED))
    forced = {**EXPOSED, "pulumi.com/patchForce": "true"}
    plugin.create(SERVICE_PATCH, "patch", **named("web", annotations=forced)).delete()
    left = made.refresh()
    assert left is not None
    assert left["metadata"]["annotations"] == {"kept": "1"}


def test_a_patch_whose_service_is_gone_cannot_be_let_go_of_until_a_refresh(store: Store) -> None:
    # pulumi-kubernetes provider/pkg/ssa/actions.go: it applies an object without fields.
    plugin = users(store)
    made = plugin.create(SERVICE, "web", **named("web"), **service({"port": 80}, type_="ClusterIP"))
    patch = plugin.create(SERVICE_PATCH, "patch", **named("web", annotations=EXPOSED))
    made.delete()
    with pytest.raises(ProviderError, match="currently managing a required field"):
        patch.delete()
    with pytest.raises(ProviderError, match=r"spec\.ports: Required value"):
        patch.update(**named("web", annotations={**EXPOSED, "a": "b"}))
    assert patch.refresh() is None


def test_a_patch_adds_its_fields_and_takes_only_them_away(kubernetes: Plugin) -> None:
    space = kubernetes.create(NAMESPACE, "apart", metadata={"name": "apart", "labels": {"theirs": "1"}})
    patch = kubernetes.create(NAMESPACE_PATCH, "patch", metadata={"name": "apart", "labels": {"ours": "1"}})
    assert patch.id == "apart"
    assert {"theirs": "1", "ours": "1"}.items() <= patch["metadata"]["labels"].items()
    changed = patch.update(metadata={"name": "apart", "labels": {"other": "2"}})
    assert "ours" not in changed["metadata"]["labels"]
    changed.delete()
    left = space.refresh()
    assert left is not None
    assert left["metadata"]["labels"] == {"theirs": "1", "kubernetes.io/metadata.name": "apart"}


def test_a_patch_makes_what_is_not_there_and_leaves_it(kubernetes: Plugin) -> None:
    patch = kubernetes.create(NAMESPACE_PATCH, "patch", metadata={"name": "fresh"})
    kubernetes.create(CONFIG_MAP, "cm", **named("cm", "fresh"), data={})
    patch.delete()
    assert kubernetes.import_(NAMESPACE, "fresh", "fresh") is not None
    with pytest.raises(ProviderError, match=r"require the `.metadata.name` field"):
        kubernetes.create(NAMESPACE_PATCH, "nameless", metadata={})


def test_a_patch_that_takes_anothers_field_needs_force(kubernetes: Plugin) -> None:
    kubernetes.create(NAMESPACE, "apart", metadata={"name": "apart", "labels": {"a": "1"}})
    metadata: dict[str, Any] = {"name": "apart", "labels": {"a": "2"}}
    with pytest.raises(ProviderError, match="Apply failed with 1 conflict"):
        kubernetes.create(NAMESPACE_PATCH, "patch", metadata=metadata)
    metadata["annotations"] = {"pulumi.com/patchForce": "true"}
    assert kubernetes.create(NAMESPACE_PATCH, "patch", metadata=metadata)["metadata"]["labels"]["a"] == "2"


def test_a_tailscale_ingress_gets_the_operators_name(kubernetes: Plugin) -> None:
    for hosts, expected in (
        (["komga-alfred"], "komga-alfred.simulated.ts.net"),
        (["komga-alfred.xantu-lizard.ts.net"], "komga-alfred.xantu-lizard.ts.net"),
    ):
        spec = {"ingressClassName": "tailscale", "tls": [{"hosts": hosts}]}
        made = kubernetes.create(INGRESS, expected, **named(hosts[0].replace(".", "-")), spec=spec)
        assert made["status"]["loadBalancer"]["ingress"][0]["hostname"] == expected


def test_a_release_is_kept_and_its_values_stay_secret(kubernetes: Plugin, store: Store) -> None:
    inputs: dict[str, Any] = {
        "chart": "tailscale-operator",
        "version": "1.80.0",
        "name": "operator",
        "namespace": "tailscale",
        "values": {"oauth": {"clientSecret": Secret("hush")}},
        "compat": "true",
    }
    shown = kubernetes.create(RELEASE, "operator", preview=True, **inputs)
    assert shown["status"] is UNKNOWN
    with pytest.raises(ProviderError, match='namespaces "tailscale" not found'):
        kubernetes.create(RELEASE, "operator", **inputs)
    made = kubernetes.create(RELEASE, "operator", **inputs, createNamespace=True)
    assert made.id == "tailscale/operator"
    assert made["status"]["status"] == "deployed"
    read = made.refresh()
    assert read is not None
    assert read["values"]["oauth"]["clientSecret"] == Secret("hush")
    assert "hush" not in store.path.read_text()
    inputs["createNamespace"] = True
    assert read.changes(**inputs) == {}
    assert made.update(**{**inputs, "version": "1.81.0"})["status"]["revision"] == 2
    made.delete()
    assert kubernetes.import_(NAMESPACE, "ns", "tailscale") is not None


def test_an_import_gives_what_a_program_would_write(kubernetes: Plugin) -> None:
    kubernetes.create(CONFIG_MAP, "cm", **named("cm"), data={"a": "b"})
    found = kubernetes.import_(CONFIG_MAP, "cm", "default/cm")
    assert found is not None
    assert found.inputs == {"apiVersion": "v1", "kind": "ConfigMap", **named("cm"), "data": {"a": "b"}}


def rendering(store: Store, folder: Path) -> Plugin:
    return Plugin(Kubernetes(store), connection="rendered", renderYamlToDirectory=str(folder))


def test_manifests_are_rendered_in_up_only_and_taken_away_again(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    plugin = rendering(store, folder)
    inputs = {**named("web", "apart"), **service({"port": 80}, type_="ClusterIP")}
    plugin.create(SERVICE, "web", preview=True, **inputs)
    assert not folder.exists()
    made = plugin.create(SERVICE, "web", **inputs)
    # Name and place as pulumi-kubernetes' `renderPathForResource` has them.
    path = folder / "1-manifest" / "v1-service-apart-web.yaml"
    assert yaml.safe_load(path.read_text()) == {"apiVersion": "v1", "kind": "Service", **inputs}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (folder / "0-crd").is_dir()
    assert [key for key, _ in store.find("kubernetes/")] == []
    assert made.refresh() is not None
    made.update(**{**inputs, "spec": {**inputs["spec"], "type": "NodePort"}})
    assert yaml.safe_load(path.read_text())["spec"]["type"] == "NodePort"
    made.delete()
    assert not path.exists()


def test_rendering_does_not_go_with_a_context(kubernetes: Plugin) -> None:
    news = values.to_struct({"renderYamlToDirectory": "x", "context": "alfred"})
    response = kubernetes.provider.CheckConfig(rpc.CheckRequest(news=news), kubernetes.context)
    assert [one.property for one in response.failures] == ["context"]
    olds = values.to_struct({"renderYamlToDirectory": "x"})
    changed = kubernetes.provider.DiffConfig(
        rpc.DiffRequest(olds=olds, news=values.to_struct({"renderYamlToDirectory": "y"})), kubernetes.context
    )
    assert list(changed.replaces) == ["renderYamlToDirectory"]


def test_a_connected_tunnel_cannot_be_deleted_before_its_connector(store: Store, kubernetes: Plugin) -> None:
    cloudflare = Plugin(Cloudflare(store))
    made = tunnel(cloudflare)
    token = base64.b64encode(json.dumps({"a": ACCOUNT, "t": made.id, "s": TUNNEL_SECRET}).encode()).decode()
    secret = kubernetes.create(SECRET, "token", **named("token"), stringData={"token": token})
    connector: Resource = kubernetes.create(DEPLOYMENT, "d", **deployment())
    with pytest.raises(ProviderError, match="active connections"):
        made.delete()
    connector.delete()
    made.delete()
    secret.delete()


def group(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "proxies"}, "spec": {"type": "ingress", **spec}}


def operator(kubernetes: Plugin) -> Resource:
    kubernetes.create(NAMESPACE, "tailscale", metadata={"name": "tailscale"})
    chart: dict[str, Any] = {"chart": "tailscale-operator", "name": "tailscale-operator", "namespace": "tailscale"}
    return kubernetes.create(RELEASE, "operator", **chart)


def test_a_proxy_group_is_known_once_the_operators_chart_is_there(kubernetes: Plugin, store: Store) -> None:
    # The provider asks the cluster nothing at preview for a kind that it does not know [provider.go, gvkExists].
    kubernetes.create(PROXY_GROUP, "proxies", preview=True, **group())
    with pytest.raises(ProviderError, match='no matches for kind "ProxyGroup" in version'):
        kubernetes.create(PROXY_GROUP, "proxies", **group())
    operator(kubernetes)
    assert kubernetes.create(PROXY_GROUP, "proxies", **group()).id == "proxies"
    # An operator that is there from the start has brought it.
    there = Plugin(Provider(Kubernetes(store, namespaces=["tailscale"])), context="other")
    assert there.create(PROXY_GROUP, "proxies", **group()).id == "proxies"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"type": "serve"}, "spec.type: Unsupported value"),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1"),
        ({"hostnamePrefix": "-a"}, 'spec.hostnamePrefix: Invalid value: "-a"'),
        ({"tags": ["tag:a", "k8s"]}, 'spec.tags: Invalid value: "k8s"'),
    ],
)
def test_a_proxy_group_that_its_schema_refuses_is_refused(kubernetes: Plugin, spec: dict[str, Any], text: str) -> None:
    operator(kubernetes)
    with pytest.raises(ProviderError, match=re.escape(text)):
        kubernetes.create(PROXY_GROUP, "proxies", **group(**spec))


def test_what_is_behind_a_proxy_group_goes_first_then_the_group_then_the_operator(kubernetes: Plugin) -> None:
    # Each has a finalizer that the next one takes off [TS cmd/k8s-operator/ingress-for-pg.go, proxygroup.go].
    release = operator(kubernetes)
    proxies = kubernetes.create(PROXY_GROUP, "proxies", **group())
    annotated = named("web", annotations={"tailscale.com/proxy-group": "proxies"})
    web = kubernetes.create(SERVICE, "web", **annotated, **service({"port": 80}, type_="ClusterIP"))
    with pytest.raises(ProviderError, match="timed out waiting for the condition"):
        release.delete()
    proxies.delete()
    with pytest.raises(ProviderError, match="timed out waiting for the condition"):
        web.delete()
    proxies = kubernetes.create(PROXY_GROUP, "proxies", **group())
    for resource in (web, proxies, release):
        resource.delete()
