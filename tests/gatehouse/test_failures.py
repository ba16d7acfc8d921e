"""Why a run failed. Each error is worded as the plugins word it:

- Cloudflare: `failed to make http request: <error>` (terraform-provider-cloudflare, internal/services/*/resource.go),
  where the error is `METHOD "url": status text body` (cloudflare-go, internal/apierror) or Go's own (net/url).
- Tailscale: `<summary>: <message> (<status>)` (terraform-provider-tailscale, resource_*.go; client v2, client.go).
- Kubernetes: pulumi-kubernetes, provider/pkg/provider/provider.go and pkg/await/await.go, around apimachinery's texts.
- The engine: pkg/engine/update.go gives a failed step's error the step's URN; the rest has none.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gatehouse.engine.failures import _REASONS, NEEDS, Asked, Failure, _Reason, _said, explanations, report, shown
from gatehouse.engine.progress import Progress
from gatehouse.engine.tree import Step
from tests.engine.stacks import SMALL
from tests.gatehouse.test_progress import said, step, take
from tests.kit.builders import stack_text

URN = "urn:pulumi:alfred::gatehouse::gatehouse:index:Part$"
API = "https://api.cloudflare.com/client/v4"
TYPES = {
    "Ingress": "kubernetes:networking.k8s.io/v1:Ingress",
    "ProxyGroup": "kubernetes:tailscale.com/v1alpha1:ProxyGroup",
    "Zone": "cloudflare:index/zone:Zone",
    "ZoneDnssec": "cloudflare:index/zoneDnssec:ZoneDnssec",
    "ZoneSetting": "cloudflare:index/zoneSetting:ZoneSetting",
    "Ruleset": "cloudflare:index/ruleset:Ruleset",
    "DnsRecord": "cloudflare:index/dnsRecord:DnsRecord",
    "ZeroTrustAccessGroup": "cloudflare:index/zeroTrustAccessGroup:ZeroTrustAccessGroup",
    "ZeroTrustAccessApplication": "cloudflare:index/zeroTrustAccessApplication:ZeroTrustAccessApplication",
    "ZeroTrustTunnelCloudflared": "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared",
    "Acl": "tailscale:index/acl:Acl",
    "DnsPreferences": "tailscale:index/dnsPreferences:DnsPreferences",
    "TailnetSettings": "tailscale:index/tailnetSettings:TailnetSettings",
    "Namespace": "kubernetes:core/v1:Namespace",
    "Service": "kubernetes:core/v1:Service",
    "ServicePatch": "kubernetes:core/v1:ServicePatch",
    "Deployment": "kubernetes:apps/v1:Deployment",
}
RESET = f'failed to make http request: Post "{API}/zones/0a/dns_records": read tcp 10.0.0.2:5->1.1.1.1:443: read: connection reset by peer'  # noqa: E501
REFUSED = f'failed to make http request: Post "{API}/zones/0a/dns_records": dial tcp 127.0.0.1:9401: connect: connection refused'  # noqa: E501
EOF = f'failed to make http request: Post "{API}/zones/0a/dns_records": EOF'
ACL_500 = "Failed to set ACL: internal server error (500)"
CLUSTER_DOWN = (
    'configured Kubernetes cluster is unreachable: unable to load schema information from the API server: Get "'
    'https://192.168.0.124:6443/openapi/v2?timeout=32s": dial tcp 192.168.0.124:6443: connect: connection refused'
)
NOISE = (
    "Resource monitor has terminated, shutting down",
    "failed to run remediation: rpc error: code = Canceled desc = context canceled",
    "resource monitor shut down while waiting on step's done channel",
    "<_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.CANCELLED\n>",
)


def urn(label: str) -> str:
    type_, name = label.split("/")
    return f"{URN}{TYPES[type_]}::{name}"


def refusal(
    code: int, message: str, status: str = "400 Bad Request", method: str = "POST", path: str = "/zones"
) -> str:
    body = f'{{"result":null,"success":false,"errors":[{{"code":{code},"message":"{message}"}}],"messages":[]}}'
    return f'failed to make http request: {method} "{API}{path}": {status} {body}'


def failing(failures: Mapping[str, str], op: str = "create", *noise: str) -> Progress:
    """The events of a run in which these resources (`DnsRecord/blog-dns`) failed so."""
    progress = Progress("updating")
    for label, text in failures.items():
        one = urn(label)
        take(
            progress,
            {"resourcePreEvent": step(op, one)},
            said(f"{text}\n", urn=one, prefix="error: "),
            {"resOpFailedEvent": {**step(op, one), "status": 0, "steps": 1}},
        )
    return take(progress, said("update failed\n"), *(said(text) for text in noise))


def asked(
    project: Path = Path(),
    command: str = "up",
    values: Mapping[str, object] | None = None,
    simulated: bool = False,
) -> Asked:
    given = {"gatehouse:node": {"context": "home"}, **(values or {})}
    return Asked(project, command, "alfred", given, {"CLOUDFLARE_API_TOKEN": "x", "TAILSCALE_API_KEY": "y"}, simulated)


def told(failures: Mapping[str, str], op: str = "create", *noise: str, **about: Any) -> str:
    return "\n\n".join(explanations(failing(failures, op, *noise), asked(**about)))


# --- an answer that was lost


@pytest.mark.parametrize("error", [RESET, REFUSED, EOF, "error reading from server: EOF"])
def test_a_create_whose_answer_was_lost_may_exist(error: str) -> None:
    text = told({"DnsRecord/blog-dns": error})
    assert "DnsRecord/blog-dns" in text
    assert "may exist although this run did not hear of it" in text
    assert "`gatehouse up --stack alfred`" in text
    assert "`gatehouse adopt --stack alfred --apply`" in text


@pytest.mark.parametrize(
    ("label", "error"),
    [
        ("DnsRecord/blog-dns", refusal(10000, "Authentication error", "403 Forbidden")),
        ("Acl/tailnet-policy", ACL_500),
        ("Namespace/connector-namespace", CLUSTER_DOWN),
        ("Acl/tailnet-policy", 'Failed to set ACL: Post "https://api.tailscale.com/x": dial tcp: lookup: no such host'),
    ],
)
def test_where_nothing_was_lost_it_is_not_said_whatever_else_speaks_of_it(label: str, error: str) -> None:
    text = told({label: error}, "create", *NOISE, "connection reset by peer", "EOF")
    assert text
    assert "may exist" not in text
    # The same noise beside a create whose answer was lost.
    assert "may exist" in told({"DnsRecord/blog-dns": EOF}, "create", *NOISE)


def test_an_update_whose_answer_was_lost_is_run_again_and_nothing_is_said_of_what_may_exist() -> None:
    text = told({"DnsRecord/blog-dns": RESET}, "update")
    assert "may exist" not in text
    assert "not done twice" in text


def test_a_preview_makes_nothing_that_may_exist() -> None:
    one = urn("DnsRecord/blog-dns")
    events = {"resourcePreEvent": step("create", one)}, said(f"Preview failed: {RESET}", urn=one)
    [text] = explanations(take(Progress("previewing"), *events), asked(command="preview"))
    assert "may exist" not in text
    assert "`gatehouse preview --stack alfred`" in text


# --- what only follows from a failure


def test_what_follows_from_a_failure_is_not_printed() -> None:
    progress = failing({"Acl/tailnet-policy": ACL_500}, "create", *NOISE)
    assert [m.text for m in shown(progress)] == [ACL_500]
    assert {m.text for m in shown(progress, debug=True)} > set(NOISE)


@pytest.mark.parametrize("noise", NOISE)
def test_what_would_follow_is_printed_where_it_is_all_there_is(noise: str) -> None:
    assert [m.text for m in shown(take(Progress("x"), said(noise), said("update failed")))] == [noise]


def test_a_failed_operation_s_own_error_is_printed_even_if_it_reads_like_noise() -> None:
    errors = {"DnsRecord/blog-dns": "context canceled", "Acl/tailnet-policy": ACL_500}
    assert {m.text for m in shown(failing(errors))} == set(errors.values())


CRASH = "Traceback (most recent call last):\n  …\n<_InactiveRpcError of RPC that terminated with: context canceled>"


@pytest.mark.parametrize("failures", [{}, {"Acl/tailnet-policy": ACL_500}], ids=["alone", "after a failure"])
def test_a_program_that_ends_because_a_step_failed_is_no_mistake_of_gatehouse_s(
    failures: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    report(failing(failures), asked(), Path("x.log"), CRASH, False, lambda: None)
    told = capsys.readouterr().err
    assert ("please report it" in told) == (not failures)
    assert ("Tailscale answered" in told) == bool(failures)


def test_redirects_that_somebody_made_by_hand_are_to_be_deleted_or_taken_over() -> None:
    kind = "'zone' is not a valid value for kind because exceeded maximum number of zone rulesets for phase "
    text = told({"Ruleset/estate-redirects": refusal(20217, f"{kind}http_request_dynamic_redirect")})
    assert "`DELETE /zones/<zone id>/rulesets/<id>`" in text
    assert "`Ruleset/estate-redirects: zones/<zone id>/<id>` under `gatehouse:recover` in Pulumi.alfred.yaml" in text
    assert "deleted in the dashboard" not in told({"Ruleset/estate-redirects": refusal(20217, f"{kind}http_ratelimit")})


# --- who may do what


@pytest.mark.parametrize(("type_", "permission"), [n for n in NEEDS.items() if n[0].startswith("cloudflare:")])
def test_the_permission_of_each_type_is_one_that_the_sdk_s_documentation_names(type_: str, permission: str) -> None:
    name = type_.removeprefix("cloudflare:")
    if name in ("Zone", "Ruleset", "ZeroTrustAccessApplication"):
        # One lists every permission that may read a zone, the others none: docs/first-up.md lists them.
        assert f"- {permission}\n" in (Path(__file__).parents[2] / "docs" / "first-up.md").read_text(encoding="utf-8")
        return
    sdk = find_spec("pulumi_cloudflare")
    assert sdk
    assert sdk.origin
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    assert f"- `{permission}`" in Path(sdk.origin).with_name(f"{module}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "error",
    [
        refusal(10000, "Authentication error", "403 Forbidden"),
        refusal(9109, "Unauthorized to access requested resource", "403 Forbidden"),
        refusal(9109, "Invalid access token", "401 Unauthorized"),
        refusal(10001, "Unable to authenticate request", "400 Bad Request"),
        refusal(6003, "Invalid request headers", "400 Bad Request"),
    ],
)
def test_a_token_that_cloudflare_refuses_is_named_with_each_permission_once(error: str) -> None:
    text = told({"DnsRecord/blog-dns": error, "ZoneSetting/estate-ssl": error, "DnsRecord/grafana-dns": error})
    assert text.count("Cloudflare refused the API token") == 1
    assert "the environment variable CLOUDFLARE_API_TOKEN" in text
    assert "  DNS Write: for DnsRecord/blog-dns and DnsRecord/grafana-dns\n" in text
    assert "  Zone Settings Write: for ZoneSetting/estate-ssl\n" in text
    configured = told({"DnsRecord/blog-dns": error}, values={"cloudflare:apiToken": {"secure": "x"}})
    assert "`cloudflare:apiToken` in Pulumi.alfred.yaml" in configured


def test_an_invalid_request_is_not_taken_for_a_token_that_is_refused() -> None:
    assert told({"DnsRecord/blog-dns": refusal(10001, "Invalid request")}) == ""


@pytest.mark.parametrize(
    "error",
    [
        "Failed to set ACL: API token invalid (401)",
        "Failed to set ACL: calling actor does not have enough permissions to perform this function (403)",
        'Failed to set ACL: Post "https://api.tailscale.com/x": oauth2: cannot fetch token: 401 Unauthorized',
    ],
)
def test_credentials_that_tailscale_refuses_are_named_with_the_scopes(error: str) -> None:
    text = told({"Acl/tailnet-policy": error, "DnsPreferences/tailnet-dns": error, "TailnetSettings/tailnet": error})
    assert text.count("Tailscale refused the credentials") == 1
    assert "the environment variable TAILSCALE_API_KEY" in text
    for scope in ("policy_file", "dns", "feature_settings", "networking_settings"):
        assert scope in text
    oauth = {"tailscale:oauthClientId": "a", "tailscale:oauthClientSecret": {"secure": "b"}, "tailscale:apiKey": None}
    places = Asked(Path(), "up", "alfred", oauth, {}).credentials("tailscale")
    assert (
        places
        == "`tailscale:oauthClientId` in Pulumi.alfred.yaml and `tailscale:oauthClientSecret` in Pulumi.alfred.yaml"
    )


CREATED = 'resource "urn" was not successfully created by the Kubernetes API server: '


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CLUSTER_DOWN, "`kubectl --context home get nodes`"),
        (CREATED + "Unauthorized", "`kubectl --context home auth whoami`"),
        (
            CREATED + "the server has asked for the client to provide credentials (post namespaces)",
            "`kubectl --context home auth whoami`",
        ),
        (
            CREATED + 'namespaces is forbidden: User "ann" cannot create resource "namespaces" in API group ""',
            "`kubectl --context home auth whoami`",
        ),
        (
            CREATED
            + 'Internal error occurred: failed calling webhook "validate.nginx.ingress.kubernetes.io": failed to '
            'call webhook: Post "https://ingress-nginx-controller-admission.ingress-nginx.svc:443/": dial tcp '
            "10.43.1.1:443: connect: connection refused",
            "`kubectl --context home get pods -A`",
        ),
    ],
)
def test_a_cluster_that_cannot_be_used_is_named_by_its_context(error: str, expected: str) -> None:
    text = told({"Namespace/connector-namespace": error, "Service/game": error})
    assert "Namespace/connector-namespace and Service/game" in text
    assert expected in text


# --- what is there already, and what is not there any more

EXISTS = (
    "The resource already exists in the cluster. This can happen when:\n\n  - Renaming a Pulumi resource: use an alias"
)


@pytest.mark.parametrize(
    ("op", "label", "error", "expected"),
    [
        (
            "create",
            "Zone/estate-zone",
            refusal(1061, "example.com already exists"),
            "`gatehouse adopt --stack alfred --apply`",
        ),
        # The words of 1097 are Cloudflare's own [github.com/mandatoryprogrammer/cloudflare_enum/issues/1].
        (
            "create",
            "Zone/estate-zone",
            refusal(1049, "smith.examplex is not a registered domain"),
            "Write the zone's `name:` in Pulumi.alfred.yaml as it was registered",
        ),
        (
            "create",
            "Zone/estate-zone",
            refusal(1097, "This zone is banned and cannot be added to CloudFlare at this time"),
            "only its support can lift that",
        ),
        (
            "create",
            "DnsRecord/blog-dns",
            refusal(81058, "An identical record already exists."),
            "exactly the record of DnsRecord/blog-dns",
        ),
        (
            "create",
            "DnsRecord/blog-dns",
            refusal(81053, "An A, AAAA, or CNAME record with that host already exists."),
            "another record with the name of DnsRecord/blog-dns",
        ),
        (
            "create",
            "ZeroTrustTunnelCloudflared/alfred-tunnel",
            refusal(1013, "You already have a tunnel with this name", "409 Conflict"),
            "a tunnel with the name of ZeroTrustTunnelCloudflared/alfred-tunnel",
        ),
        (
            "delete",
            "ZeroTrustTunnelCloudflared/alfred-tunnel",
            refusal(1022, "Cannot delete tunnel because it has active connections", method="DELETE"),
            "while a connector is connected",
        ),
        (
            "create",
            "ZeroTrustAccessGroup/friends",
            refusal(11010, "access.api.error.already_exists", "409 Conflict"),
            "something in Cloudflare with the name of ZeroTrustAccessGroup/friends",
        ),
        (
            "create",
            "ZeroTrustAccessApplication/wiki.example.com",
            refusal(11010, "access.api.error.application_already_exists", "409 Conflict"),
            "an Access application for the destination of ZeroTrustAccessApplication/wiki.example.com",
        ),
        (
            "create",
            "ServicePatch/dns-exposed",
            f'resource "{URN}kubernetes:core/v1:ServicePatch::dns-exposed" was not successfully created by the '
            'Kubernetes API server: Service "dns" is invalid: spec.ports: Required value',
            "annotates a Service that is not there",
        ),
        (
            "delete",
            "ServicePatch/dns-exposed",
            "this Patch resource is currently managing a required field, so it can't be deleted directly. Either set "
            "the `retainOnDelete` resource option, or transfer ownership of the field before deleting: spec.ports",
            "`gatehouse refresh --stack alfred`",
        ),
        (
            "update",
            "DnsRecord/blog-dns",
            refusal(81044, "Record does not exist.", "404 Not Found", "PATCH"),
            "`gatehouse refresh --stack alfred`",
        ),
        (
            "delete",
            "ZeroTrustTunnelCloudflared/alfred-tunnel",
            refusal(1003, "Tunnel not found", "404 Not Found", "DELETE"),
            "`gatehouse refresh --stack alfred`",
        ),
        (
            "create",
            "DnsRecord/blog-dns",
            refusal(7003, "Could not route to /zones/0a, perhaps your object identifier is invalid?", "404 Not Found"),
            "belongs to is not in Cloudflare any more",
        ),
        (
            "create",
            "Acl/tailnet-policy",
            "Overwrite Protected: You are trying to overwrite a non-default policy. Please import the ACL first or set "
            "overwrite_existing_content = true.",
            "`tailnet-policy-overwrite`",
        ),
        (
            "create",
            "Namespace/connector-namespace",
            f'{CREATED}namespaces "cloudflared" already exists\n\n{EXISTS}',
            "this stack did not make it",
        ),
        (
            "create",
            "Service/game",
            f'{CREATED}Service "game" is invalid: spec.ports[0].nodePort: Invalid value: 30000: provided port is '
            "already allocated",
            "`kubectl --context home get services -A`",
        ),
        # pulumi-kubernetes await/internal/awaiter.go
        ("delete", "Ingress/wiki-ingress", "timed out waiting for the condition", "-n tailscale get pods"),
        (
            "create",
            "ProxyGroup/tailscale-proxies-group",
            # pulumi-kubernetes provider.go, Create
            'creation of resource "urn" with kind tailscale.com/v1alpha1/ProxyGroup failed because the Kubernetes API '
            "server reported that the apiVersion for this resource does not exist. Verify that any required CRDs have "
            'been created: no matches for kind "ProxyGroup" in version "tailscale.com/v1alpha1"',
            "older than 1.84",
        ),
        ("create", "Deployment/web", f'{CREATED}namespaces "web" not found', "`kubectl --context home get namespaces`"),
        ("create", "Acl/tailnet-policy", ACL_500, "Tailscale answered with an error of its own"),
    ],
)
def test_what_a_cloud_refuses_is_told_with_what_to_type(op: str, label: str, error: str, expected: str) -> None:
    text = told({label: error}, op)
    assert label in text
    assert expected in text
    assert "`gatehouse up --stack alfred`" in text
    # A typed `pulumi up` needs a language host, which the engine of `make engine` has not.
    assert "pulumi up" not in text
    assert told({label: error}, op, command="destroy").count("`gatehouse destroy --stack alfred`") == 1


def test_an_error_of_no_known_kind_is_printed_and_not_explained() -> None:
    error = refusal(1004, "DNS Validation Error")
    assert told({"Zone/estate-zone": error}) == ""
    assert [m.text for m in shown(failing({"Zone/estate-zone": error}))] == [error]


def test_many_failures_for_one_reason_are_one_error_and_one_paragraph_with_all_of_them() -> None:
    labels = [f"DnsRecord/{name}" for name in ("a", "b", "c")]
    failures = {label: refusal(81058, "An identical record already exists.", path=f"/{label}") for label in labels}
    progress = failing(failures)
    assert [m.urn for m in shown(progress)] == [urn(labels[0])]
    [text] = explanations(progress, asked())
    assert "DnsRecord/a, DnsRecord/b and DnsRecord/c" in text


def test_advice_in_pulumi_s_own_words_is_not_printed() -> None:
    progress = failing(
        {"Namespace/connector-namespace": f'{CREATED}namespaces "cloudflared" already exists\n\n{EXISTS}'}
    )
    assert [m.text for m in shown(progress)] == [f'{CREATED}namespaces "cloudflared" already exists']


def protected(label: str) -> str:
    """As pkg/resource/deploy/step.go has it."""
    return (
        f'resource "{urn(label)}" cannot be deleted\nbecause it is protected. To unprotect the resource, either remove '
        f"the `protect` flag from the resource in your Pulumi program and run `pulumi up`, or use the command:\n"
        f"`pulumi state unprotect '{urn(label)}'`"
    )


def test_dnssec_that_is_to_go_is_told_with_the_safe_order() -> None:
    """The DS record first: a signed delegation without a signed zone is bogus (RFC 4035, 5.2)."""
    label = "ZoneDnssec/estate-dnssec"
    text = told({label: protected(label)}, "delete")
    order = ["Remove the DS record", "Wait until its TTL", f"--yes '{urn(label)}'", "gatehouse up", "Disable DNSSEC"]
    assert sorted(order, key=text.index) == order
    other = "ZeroTrustTunnelCloudflared/alfred-tunnel"
    assert "DS record" not in told({other: protected(other)}, "delete")
    assert f"pulumi state unprotect --stack alfred --yes '{urn(other)}'" in told({other: protected(other)}, "delete")


def test_what_is_to_be_typed_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = failing({"DnsRecord/blog-dns": refusal(81058, "An identical record already exists.")})
    report(progress, asked(), Path("x.log"), "", False, lambda: None)
    told = capsys.readouterr().err
    assert "`gatehouse adopt --stack alfred --apply`" in told
    assert max(len(line) for line in told.splitlines()[:6]) <= 80


# --- the tailnet policy's tests

FAILED = {"Acl/tailnet-policy": "Failed to set ACL: test(s) failed (400)"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = Path(__file__).parents[2]
    for name in ("Pulumi.yaml", "__main__.py"):
        (tmp_path / name).write_text((root / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "Pulumi.alfred.yaml").write_text(stack_text(SMALL), encoding="utf-8")
    return tmp_path


def test_where_the_policy_s_tests_pass_here_those_that_were_sent_are_listed(project: Path) -> None:
    text = told(FAILED, project=project)
    assert "Tailscale and Gatehouse disagree" in text
    # SMALL's `wiki` is for the household, Alice and Bob (tests/kit/builders.py), and for nobody who comes by Funnel.
    for line in (
        "alice@example.com must reach tag:wiki-alfred:443",
        "tag:k8s-funnel must not reach tag:wiki-alfred:443",
    ):
        assert line in text


def test_where_a_test_fails_here_too_it_is_named_with_the_reason(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = project / "__main__.py"
    program.write_text(
        textwrap.dedent(
            """
            import json, pulumi_tailscale
            policy = {"tests": [{"src": "alice@example.com", "accept": ["tag:wiki:443"]}], "grants": [],
                      "tagOwners": {"tag:wiki": []}}
            pulumi_tailscale.Acl("tailnet-policy", acl=json.dumps(policy))
            """
        )
    )
    text = told(FAILED, project=project)
    assert "FAILED tests[0] from alice@example.com" in text
    assert "accept tag:wiki:443" in text
    assert "disagree" not in text


# --- simulated clouds


@pytest.mark.parametrize("reason", _REASONS, ids=lambda reason: reason.words.pattern[:30])
def test_what_a_simulated_run_proposes_is_about_simulated_clouds(reason: _Reason) -> None:
    step_of = Step("create", urn("DnsRecord/blog-dns"))
    text = _said(reason, [Failure(step_of, "")], asked(simulated=True))
    # `plan` and the like touch no cloud.
    proposed = re.findall(r"gatehouse (?:up|preview|refresh|destroy|adopt|doubles|pulumi)\b[^`\n]*", text)
    assert [command for command in proposed if "--simulated" not in command] == []
    assert "--simulated" not in _said(reason, [Failure(step_of, "")], asked())


def test_a_simulated_run_that_failed_says_that_nothing_real_was_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for simulated in (True, False):
        report(failing({"DnsRecord/blog-dns": RESET}), asked(simulated=simulated), tmp_path, "", False, lambda: None)
        said = " ".join(capsys.readouterr().err.split())
        assert ("nothing outside this folder was touched" in said) is simulated
        assert ("delete .gatehouse/simulated" in said) is simulated
