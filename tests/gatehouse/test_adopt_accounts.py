"""Reading the accounts: answers in the shape that the services' API references show, and refusals."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from config.loader import load_project
from gatehouse import cli
from gatehouse.adopt.cloudflare_account import read_cloudflare, read_tunnel_secret
from gatehouse.adopt.cluster import PATHS, connect, ingress_controller, read_cluster
from gatehouse.adopt.match import choose_tunnel, emails_of, is_for_everyone
from gatehouse.adopt.tailnet_account import read_tailnet, sign_in
from gatehouse.adopt.things import AccountError, Thing, is_tailscale, machine_of_ingress
from tests.gatehouse import hand_made as made

if TYPE_CHECKING:
    from cloudflare import Cloudflare

ROOT = Path(__file__).parents[2]
# Shapes: developers.cloudflare.com/api (zones, dns records, tunnels, Access), each with the fields shown there.
SECRET = base64.b64encode(b"a tunnel secret of thirty-two by").decode()
TOKEN = base64.b64encode(json.dumps({"a": made.ACCOUNT, "t": made.TUNNEL, "s": SECRET}).encode()).decode()
EMAILS = [{"email": {"email": "alice@example.com"}}, {"email": {"email": "bob@example.com"}}]
ANSWERS: Mapping[str, Any] = {
    "/zones": [
        {
            "id": made.ZONE,
            "name": "example.com",
            "status": "active",
            "paused": False,
            "type": "full",
            "development_mode": 0,
            "name_servers": ["ada.ns.cloudflare.com", "jay.ns.cloudflare.com"],
            "account": {"id": made.ACCOUNT, "name": "Alice's account"},
            "plan": {"id": "free", "name": "Free Website"},
        }
    ],
    f"/zones/{made.ZONE}/dns_records": [
        {
            "id": "023e105f4ecef8ad9ca31a8372d0c353",
            "name": "graphs.example.com",
            "type": "CNAME",
            "content": made.TARGET,
            "proxiable": True,
            "proxied": True,
            "ttl": 1,
            "settings": {},
            "meta": {},
            "comment": None,
            "tags": [],
            "created_on": "2024-01-01T05:20:00.12345Z",
            "modified_on": "2024-01-01T05:20:00.12345Z",
        },
        {
            "id": "023e105f4ecef8ad9ca31a8372d0c354",
            "name": "example.com",
            "type": "MX",
            "content": "mail.example.net",
            "priority": 10,
            "proxiable": False,
            "proxied": False,
            "ttl": 300,
        },
    ],
    f"/zones/{made.ZONE}/settings/ssl": {"id": "ssl", "value": "full", "editable": True, "modified_on": None},
    f"/zones/{made.ZONE}/settings/min_tls_version": {"id": "min_tls_version", "value": "1.0", "editable": True},
    f"/zones/{made.ZONE}/settings/always_use_https": {"id": "always_use_https", "value": "off", "editable": True},
    f"/zones/{made.ZONE}/settings/automatic_https_rewrites": {"id": "automatic_https_rewrites", "value": "on"},
    f"/zones/{made.ZONE}/settings/security_header": {
        "id": "security_header",
        "value": {"strict_transport_security": {"enabled": True, "max_age": 86400}},
    },
    f"/zones/{made.ZONE}/dnssec": {"status": "active", "algorithm": "13", "key_tag": 42},
    f"/accounts/{made.ACCOUNT}/cfd_tunnel": [
        {
            "id": made.TUNNEL,
            "account_tag": made.ACCOUNT,
            "name": "my homelab",
            "status": "healthy",
            "tun_type": "cfd_tunnel",
            "remote_config": True,
            "config_src": "cloudflare",
            "connections": [{"colo_name": "ZRH", "is_pending_reconnect": False}],
            "created_at": "2021-01-25T18:22:34.317854Z",
            "deleted_at": None,
        }
    ],
    f"/accounts/{made.ACCOUNT}/cfd_tunnel/{made.TUNNEL}/configurations": {
        "account_id": made.ACCOUNT,
        "tunnel_id": made.TUNNEL,
        "source": "cloudflare",
        "version": 7,
        "config": {
            "ingress": [
                {
                    "hostname": "graphs.example.com",
                    "service": "https://grafana.monitoring.svc:3000",
                    "originRequest": {
                        "noTLSVerify": True,
                        "matchSNItoHost": True,
                        "access": {"audTag": ["aud-1"], "teamName": "team", "required": True},
                    },
                },
                {"service": "http_status:404"},
            ],
            "warp-routing": {"enabled": False},
        },
    },
    f"/accounts/{made.ACCOUNT}/cfd_tunnel/{made.TUNNEL}/token": TOKEN,
    f"/accounts/{made.ACCOUNT}/access/apps": [
        {
            "id": made.GRAPHS,
            "uid": made.GRAPHS,
            "name": "Our graphs",
            "type": "self_hosted",
            "domain": "graphs.example.com",
            "self_hosted_domains": ["graphs.example.com"],
            "destinations": [{"type": "public", "uri": "graphs.example.com"}],
            "aud": "aud-1",
            "session_duration": "720h",
            "allowed_idps": [],
            "auto_redirect_to_identity": False,
            "app_launcher_visible": True,
            "policies": [
                {
                    "id": made.FAMILY_POLICY,
                    "name": "Only us",
                    "decision": "allow",
                    "precedence": 1,
                    "reusable": True,
                    "include": [{"group": {"id": made.FAMILY}}],
                    "exclude": [],
                    "require": [],
                }
            ],
        },
        {
            "id": made.GRAPHS_API,
            "name": "graphs for scripts",
            "type": "self_hosted",
            "domain": "graphs.example.com/api",
            "self_hosted_domains": ["graphs.example.com/api"],
            "policies": [
                {"id": made.OPEN_POLICY, "decision": "bypass", "include": [{"everyone": {}}], "precedence": 1}
            ],
        },
        {"id": made.STRANGER, "name": "App Launcher", "type": "app_launcher", "domain": "team.cloudflareaccess.com"},
    ],
    f"/accounts/{made.ACCOUNT}/access/policies": [
        {
            "id": made.FAMILY_POLICY,
            "name": "Only us",
            "decision": "allow",
            "include": [{"group": {"id": made.FAMILY}}],
            "exclude": [],
            "require": [],
            "reusable": True,
            "session_duration": "24h",
            "app_count": 1,
        },
        {"id": made.OPEN_POLICY, "name": "open", "decision": "bypass", "include": [{"everyone": {}}], "exclude": []},
    ],
    f"/accounts/{made.ACCOUNT}/access/groups": [
        {"id": made.FAMILY, "name": "Family", "include": EMAILS, "exclude": [], "require": [], "is_default": []}
    ],
    f"/accounts/{made.ACCOUNT}/access/identity_providers": [
        {
            "id": made.GOOGLE,
            "name": "Log in with Google",
            "type": "google",
            "config": {"client_id": "client", "client_secret": "**********", "redirect_url": None},
            "scim_config": {"enabled": False},
        },
        {"id": made.PIN, "name": "", "type": "onetimepin", "config": {}},
    ],
}


def cloudflare(answers: Mapping[str, Any] = ANSWERS, status: Mapping[str, int] | None = None) -> Cloudflare:
    # Here, as in the command itself: whoever only collects the tests need not wait for it. By its other name, as the
    # tests of the command put something else in the place of the first.
    from cloudflare import Client

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/client/v4")
        assert request.method == "GET"
        assert request.headers["Authorization"] == "Bearer a-token"
        code = (status or {}).get(path, 200)
        if code != 200:
            errors = [{"code": 10000, "message": "Authentication error"}]
            return httpx.Response(code, json={"success": False, "errors": errors, "messages": [], "result": None})
        result = answers[path]
        page = int(request.url.params.get("page", 1))
        if isinstance(result, list) and page > 1:
            result = []
        info = {"page": page, "per_page": 100, "count": len(result), "total_count": len(result)}
        body = {"success": True, "errors": [], "messages": [], "result": result}
        return httpx.Response(200, json={**body, **({"result_info": info} if isinstance(result, list) else {})})

    client = httpx.Client(transport=httpx.MockTransport(answer))
    return Client(api_token="a-token", http_client=client, max_retries=0)


def of(things: list[Thing], type_: str) -> dict[str, Thing]:
    return {t.id: t for t in things if t.type == type_}


def test_a_cloudflare_account_is_read_by_the_engines_names() -> None:
    things = read_cloudflare(cloudflare(), made.ACCOUNT, ["example.com"])
    assert set(of(things, "Zone")) == {made.ZONE}
    record = of(things, "DnsRecord")[f"{made.ZONE}/023e105f4ecef8ad9ca31a8372d0c353"]
    assert {k: record.inputs[k] for k in ("name", "content", "proxied", "ttl")} == {
        "name": "graphs.example.com",
        "content": made.TARGET,
        "proxied": True,
        "ttl": 1,
    }
    # The value's keys are the API's own, the property names the engine's.
    header = of(things, "ZoneSetting")[f"{made.ZONE}/security_header"].inputs
    assert header["value"] == {"strict_transport_security": {"enabled": True, "max_age": 86400}}
    assert of(things, "ZoneDnssec")[made.ZONE].inputs["status"] == "active"
    [rules] = of(things, "ZeroTrustTunnelCloudflaredConfig").values()
    assert rules.inputs["config"]["ingresses"] == [
        {
            "hostname": "graphs.example.com",
            "service": "https://grafana.monitoring.svc:3000",
            "originRequest": {
                "noTlsVerify": True,
                "matchSnItoHost": True,
                "access": {"audTags": ["aud-1"], "teamName": "team", "required": True},
            },
        },
        {"service": "http_status:404"},
    ]
    applications = of(things, "ZeroTrustAccessApplication")
    graphs = applications[f"accounts/{made.ACCOUNT}/{made.GRAPHS}"].inputs
    assert emails_of(graphs["policies"][0]["includes"], things) == frozenset({"alice@example.com", "bob@example.com"})
    assert is_for_everyone(applications[f"accounts/{made.ACCOUNT}/{made.GRAPHS_API}"].inputs["policies"][0], "bypass")
    assert set(of(things, "ZeroTrustAccessPolicy")) == {
        f"{made.ACCOUNT}/{made.FAMILY_POLICY}",
        f"{made.ACCOUNT}/{made.OPEN_POLICY}",
    }
    google = of(things, "ZeroTrustAccessIdentityProvider")[f"accounts/{made.ACCOUNT}/{made.GOOGLE}"]
    assert google.inputs["config"] == {"clientId": "client", "redirectUrl": None}
    tunnel = choose_tunnel(things, "alfred", ["example.com"], ["graphs.example.com"])
    assert tunnel is not None
    assert tunnel.label == "my homelab"


def test_a_member_does_not_read_the_zones_settings() -> None:
    answers = {k: v for k, v in ANSWERS.items() if "/settings/" not in k and "/dnssec" not in k}
    things = read_cloudflare(cloudflare(answers), made.ACCOUNT, ["example.com"], estate=False)
    assert of(things, "DnsRecord")
    assert not of(things, "ZoneSetting")


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("/zones", "Zone Read"),
        (f"/zones/{made.ZONE}/dns_records", "DNS Read"),
        (f"/zones/{made.ZONE}/settings/ssl", "Zone Settings Read"),
        (f"/accounts/{made.ACCOUNT}/cfd_tunnel", "Cloudflare Tunnel Read"),
        (f"/accounts/{made.ACCOUNT}/access/apps", "Access: Apps and Policies Read"),
        (f"/accounts/{made.ACCOUNT}/access/groups", "Access: Organizations, Identity Providers, and Groups Read"),
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_permission(path: str, permission: str, status: int) -> None:
    with pytest.raises(AccountError) as caught:
        read_cloudflare(cloudflare(status={path: status}), made.ACCOUNT, ["example.com"])
    assert repr(permission) in str(caught.value)
    assert "a-token" not in str(caught.value)


def test_another_failure_of_cloudflare_is_told_in_its_words() -> None:
    with pytest.raises(AccountError, match="Cloudflare answered 500"):
        read_cloudflare(cloudflare(status={"/zones": 500}), made.ACCOUNT, ["example.com"])


def test_a_tunnels_secret_is_taken_from_its_token() -> None:
    assert read_tunnel_secret(cloudflare(), made.ACCOUNT, made.TUNNEL) == SECRET
    path = f"/accounts/{made.ACCOUNT}/cfd_tunnel/{made.TUNNEL}/token"
    with pytest.raises(AccountError) as caught:
        read_tunnel_secret(cloudflare({**ANSWERS, path: "bm90IGpzb24="}), made.ACCOUNT, made.TUNNEL)
    assert "bm90IGpzb24=" not in str(caught.value)


# --- Tailscale: tailscale.com/api


def tailscale(status: int = 200) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2")
        if path == "/oauth/token":
            good = b"client_secret=hidden" in request.content
            return httpx.Response(200 if good else 401, json={"access_token": "t", "expires_in": 3600})
        assert request.headers["Authorization"] in ("Bearer tskey-api-x", "Bearer t")
        if status != 200:
            return httpx.Response(status, json={"message": "calling actor does not have enough permissions"})
        if path == "/tailnet/-/acl":
            assert request.headers["Accept"] == "application/hujson"
            return httpx.Response(200, text='// mine\n{"grants": []}', headers={"ETag": '"e0b2816b418"'})
        settings = {
            "httpsEnabled": False,
            "devicesApprovalOn": False,
            "usersRoleAllowedToJoinExternalTailnets": "admin",
        }
        # What is off or empty is not in the answer.
        whole = {
            "nameservers": [{"address": "9.9.9.9"}, {"address": "100.101.102.103"}],
            "splitDNS": {"home.example.com": [{"address": "100.101.102.103", "useWithExitNode": True}]},
            "preferences": {"magicDNS": True},
        }
        known = {"/tailnet/-/settings": settings, "/tailnet/-/dns/configuration": whole}
        return httpx.Response(200, json=known.get(path, {"magicDNS": True}))

    return httpx.Client(base_url="https://api.tailscale.com", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    "credentials", [{"api_key": "tskey-api-x"}, {"client_id": "kX", "client_secret": "hidden"}], ids=["key", "oauth"]
)
def test_a_tailnet_is_read_with_its_comments(credentials: dict[str, str]) -> None:
    client = tailscale()
    sign_in(client, **credentials)
    assert "DnsConfiguration" not in {t.type for t in read_tailnet(client)}, "the API calls it alpha"
    found = {t.type: t for t in read_tailnet(client, whole_dns=True)}
    assert found["DnsConfiguration"].inputs == {
        "magicDns": True,
        "overrideLocalDns": False,
        "nameservers": [{"address": "100.101.102.103"}, {"address": "9.9.9.9"}],
        # What a stack file cannot say is a difference that is shown.
        "splitDns": [
            {
                "domain": "home.example.com",
                "nameservers": [{"address": "100.101.102.103", "useWithExitNode": True}],
            }
        ],
        "searchPaths": [],
    }
    assert found["Acl"].inputs["acl"] == '// mine\n{"grants": []}'
    assert found["DnsPreferences"].inputs == {"magicDns": True}
    assert found["TailnetSettings"].inputs == {"httpsEnabled": False, "devicesApprovalOn": False}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_tailscale_names_the_scope(status: int) -> None:
    client = tailscale(status)
    sign_in(client, api_key="tskey-api-x")
    with pytest.raises(AccountError, match="policy_file:read") as caught:
        read_tailnet(client)
    assert "tskey-api-x" not in str(caught.value)
    with pytest.raises(AccountError, match="OAuth client"):
        sign_in(client, client_id="kX", client_secret="wrong")


# --- Kubernetes: the official client against an API server on loopback


@pytest.fixture
def api_server() -> Iterator[tuple[str, dict[str, int]]]:
    status: dict[str, int] = {}
    cluster = made.cluster()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            group, _, plural = path.removeprefix("/apis/").removeprefix("/api/").rpartition("/")
            kinds = {
                "deployments": "Deployment",
                "ingresses": "Ingress",
                "namespaces": "Namespace",
                "networkpolicies": "NetworkPolicy",
                "poddisruptionbudgets": "PodDisruptionBudget",
                "proxygroups": "ProxyGroup",
                "secrets": "Secret",
                "services": "Service",
            }
            # A server gives values of Secrets to whoever asks for more than their metadata.
            assert plural != "secrets" or "as=PartialObjectMetadataList" in self.headers["Accept"]
            prefix = f"kubernetes/alfred/{group}/{kinds[plural]}/"
            items = [
                {k: v for k, v in b.items() if k != "kind"} for key, b in cluster.items() if key.startswith(prefix)
            ]
            code = status.get(plural, 200)
            # A real server writes null for an empty list of metadata.
            listed = None if plural == "secrets" and not items else items
            whole: dict[str, Any] = {
                "kind": f"{kinds[plural]}List",
                "apiVersion": group,
                "metadata": {},
                "items": listed,
            }
            body = json.dumps(whole if code == 200 else {"kind": "Status", "code": code}).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", status
    server.shutdown()
    thread.join()
    server.server_close()


def kubeconfig(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "a-token"}}],
        "contexts": [{"name": "alfred", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "alfred",
    }
    path = folder / "config"
    path.write_text(json.dumps(settings))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_cluster_is_read_as_the_api_server_writes_it(
    api_server: tuple[str, dict[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, status = api_server
    kubeconfig(tmp_path, url, monkeypatch)
    # The kind comes with the Tailscale operator.
    status["proxygroups"] = 404
    things = read_cluster(connect("alfred"))
    [ingress] = of(things, "Ingress").values()
    assert ingress.id == "media/comics"
    assert is_tailscale(ingress)
    assert machine_of_ingress(ingress) == "comics"
    assert ingress.inputs["spec"]["defaultBackend"]["service"] == {"name": "komga", "port": {"name": "web"}}
    assert "cloudflared/cloudflared" in of(things, "Deployment")
    assert "cloudflared" in of(things, "Namespace")
    # An API server that was asked for metadata answers with a kind of its own.
    secret = {
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadata",
        "metadata": {"name": "t", "namespace": "n"},
    }
    [found] = read_cluster(lambda kind: [secret] if kind == "Secret" else [])
    assert (found.type, found.id, found.inputs) == ("Secret", "n/t", {"metadata": {"name": "t", "namespace": "n"}})
    status["ingresses"] = 403
    with pytest.raises(AccountError, match="list each Ingress"):
        read_cluster(connect("alfred"))


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_the_ingress_controller_of_a_cluster_is_known_by_its_service(
    api_server: tuple[str, dict[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, status = api_server
    kubeconfig(tmp_path, url, monkeypatch)
    assert ingress_controller("alfred") == {}, "its Services are others"
    service = {"metadata": {"namespace": "kube-system", "name": "traefik"}}
    monkeypatch.setattr("gatehouse.adopt.cluster.connect", lambda context: lambda kind: [service])
    # k3s-io/k3s manifests/traefik.yaml
    assert ingress_controller("alfred") == {"kind": "traefik"}
    monkeypatch.undo()
    kubeconfig(tmp_path, url, monkeypatch)
    status["services"] = 403
    assert ingress_controller("alfred") == {}
    assert ingress_controller("elsewhere") == {}


def test_a_context_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubeconfig(tmp_path, "http://127.0.0.1:1", monkeypatch)
    with pytest.raises(AccountError, match="elsewhere"):
        connect("elsewhere")


# --- the command, on accounts


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("__main__.py", "Pulumi.yaml", "config", "exposure", "components"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "Pulumi.alfred.yaml").write_text(made.STACK)
    return tmp_path


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Accounts behind the command: answers by path, which a test may change, and what was set as a secret."""
    answers = dict(ANSWERS)
    apps = f"/accounts/{made.ACCOUNT}/access/apps"
    # No path exception, so that there is nothing to decide first.
    answers[apps] = [a for a in ANSWERS[apps] if a["id"] != made.GRAPHS_API]
    config = f"/accounts/{made.ACCOUNT}/cfd_tunnel/{made.TUNNEL}/configurations"
    rule = {"hostname": "graphs.example.com", "service": "http://grafana.monitoring.svc:3000"}
    answers[config] = {**ANSWERS[config], "config": {"ingress": [rule, {"service": "http_status:404"}]}}
    found: dict[str, Any] = {"answers": answers, "secrets": [], "status": {}}
    lists = {kind: [body for key, body in made.cluster().items() if f"/{kind}/" in key] for kind in PATHS}
    monkeypatch.setattr("cloudflare.Cloudflare", lambda **_: cloudflare(answers, found["status"]))
    tail = tailscale()
    monkeypatch.setattr("gatehouse.adopt.tailnet_account.sign_in", lambda _, **given: sign_in(tail, **given))
    monkeypatch.setattr("gatehouse.adopt.tailnet_account.read_tailnet", lambda *_, **__: read_tailnet(tail))
    monkeypatch.setattr("gatehouse.adopt.cluster.connect", lambda *_: lists.__getitem__)
    monkeypatch.setattr("gatehouse.engine.secrets.open_workspace", lambda *_, **__: None)
    monkeypatch.setattr("gatehouse.engine.secrets.set_value", lambda *given: found["secrets"].append(given))
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "a-token")
    monkeypatch.setenv("TAILSCALE_API_KEY", "tskey-api-x")
    return found


def test_accounts_are_adopted_with_the_tunnels_own_secret(
    project: Path, accounts: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["-C", str(project), "adopt", "--apply"]) == 0
    shown = capsys.readouterr()
    text = (project / "Pulumi.alfred.yaml").read_text()
    loaded = load_project(project)["alfred"]
    assert loaded.findings == []
    assert loaded.config is not None
    assert set(loaded.config.services) == {"graphs", "comics"}
    adopted = loaded.config.adopt
    assert adopted["DnsRecord/graphs.example.com"] == f"{made.ZONE}/023e105f4ecef8ad9ca31a8372d0c353"
    assert adopted["Ingress/comics-ingress"] == "media/comics"
    assert adopted["ZeroTrustAccessPolicy/google-people-household"] == f"{made.ACCOUNT}/{made.FAMILY_POLICY}"
    # As the stack file says already: there is nothing to be left as it was found.
    assert loaded.config.recover["DnsPreferences/tailnet-dns"] == "dns"
    # A policy that allows nothing: imported as it is, and there is nothing to be kept in a file.
    assert adopted["Acl/tailnet-policy"] == "acl"
    assert not (project / "tailnet.hujson").exists()
    assert accounts["secrets"] == [(None, "alfred", "gatehouse:tunnel_secret", SECRET)]
    for secret in (SECRET, TOKEN, "a-token", "tskey-api-x"):
        assert secret not in shown.out + shown.err + text


def test_a_token_that_may_not_see_something_changes_nothing(
    project: Path, accounts: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    accounts["status"][f"/accounts/{made.ACCOUNT}/access/groups"] = 403
    assert cli.main(["-C", str(project), "adopt", "--apply"]) == 1
    said = capsys.readouterr().err
    assert "Identity Providers, and Groups Read" in said
    assert "Traceback" not in said
    assert (project / "Pulumi.alfred.yaml").read_text() == made.STACK


def test_where_the_tunnels_secret_cannot_be_had_it_is_said_and_the_rest_is_done(
    project: Path, accounts: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    accounts["status"][f"/accounts/{made.ACCOUNT}/cfd_tunnel/{made.TUNNEL}/token"] = 403
    assert cli.main(["-C", str(project), "adopt", "--apply"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "Cloudflare Tunnel Write" in said
    assert "gatehouse:adopt" in (project / "Pulumi.alfred.yaml").read_text()


def test_parts_can_be_left_out(project: Path, accounts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILSCALE_API_KEY")
    words = ["--without", "tailnet", "--without", "cluster"]
    assert cli.main(["-C", str(project), "adopt", "--apply", *words]) == 0
    text = (project / "Pulumi.alfred.yaml").read_text()
    assert "DnsRecord/graphs.example.com" in text
    assert "Ingress/" not in text
    assert "tailnet-dns" not in text


def test_service_tokens_are_read_where_the_estate_has_some_and_without_a_secret() -> None:
    path = f"/accounts/{made.ACCOUNT}/access/service_tokens"
    # developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/service_tokens/methods/list
    token = {
        "id": "f174e90a-fafe-4643-bbbc-4a0ed4fc8415",
        "client_id": "88bf3b6d86161464f6509f7219099e57.access",
        "created_at": "2014-01-01T05:20:00.12345Z",
        "duration": "8760h",
        "expires_at": "2015-01-01T05:20:00.12345Z",
        "name": "Gatehouse phone",
    }
    answers = {**ANSWERS, path: [token]}
    found = read_cloudflare(cloudflare(answers), made.ACCOUNT, ["example.com"], tokens=True)
    [thing] = [t for t in found if t.type == "ZeroTrustAccessServiceToken"]
    assert thing.id == f"accounts/{made.ACCOUNT}/{token['id']}"
    assert thing.inputs == {
        "name": "Gatehouse phone",
        "duration": "8760h",
        "clientId": token["client_id"],
        "expiresAt": token["expires_at"],
    }
    # Without any in the stack file the permission is not needed.
    read_cloudflare(cloudflare(status={path: 403}), made.ACCOUNT, ["example.com"])
    with pytest.raises(AccountError, match="Access: Service Tokens Read"):
        read_cloudflare(cloudflare(answers, status={path: 403}), made.ACCOUNT, ["example.com"], tokens=True)
