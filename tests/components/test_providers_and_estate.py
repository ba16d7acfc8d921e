"""The explicit providers, and what a member takes from the estate's owner."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.estate import estate_of, register_estate
from components.providers import make_providers, missing_credentials
from config.loader import tie
from exposure.plan import plan_stack
from tests.kit.builders import ESTATE, HTML, NODE, OPEN_HTML, loaded, plan_of
from tests.kit.recorder import Recording, Secret, record

OWNER = "organization/gatehouse/alfred"
CREDENTIALS = {
    "cloudflare:apiToken": "cloudflare token",
    "tailscale:oauthClientSecret": "tailscale secret",
    "kubernetes:kubeconfig": "kubeconfig",
}


def _provider(found: Recording, package: str) -> dict[str, Any]:
    return found.one("pulumi:" + package).inputs


def _made(secrets: Mapping[str, str] | None = None, **more: Any) -> Recording:
    arguments = {"context": "alfred", "tailnet": "tail.ts.net", "manifests_folder": None, **more}
    return record(lambda: make_providers(**arguments), preview=False, secrets=secrets)


def test_credentials_of_the_configuration_are_secrets_of_their_provider() -> None:
    found = _made(CREDENTIALS)
    assert _provider(found, "cloudflare")["apiToken"] == Secret("cloudflare token")
    assert _provider(found, "tailscale")["oauthClientSecret"] == Secret("tailscale secret")
    assert _provider(found, "kubernetes")["kubeconfig"] == Secret("kubeconfig")


def test_without_them_the_plugins_read_their_own_environment_variables() -> None:
    found = _made()
    assert "apiToken" not in _provider(found, "cloudflare")
    assert not {"apiKey", "oauthClientSecret", "oauthClientId"} & set(_provider(found, "tailscale"))


def test_the_tailnets_dns_name_is_not_given_to_the_provider() -> None:
    # The API's `tailnet` is the organization or `-`; `<words>.ts.net` is a DNS name [TFT provider.go].
    assert "tailnet" not in _provider(_made(), "tailscale")


def test_the_cluster_is_the_nodes_context_unless_the_configuration_names_another() -> None:
    assert _provider(_made(), "kubernetes")["context"] == "alfred"
    other = record(lambda: make_providers("alfred", None, None), False, config={"kubernetes:context": "other"})
    assert _provider(other, "kubernetes")["context"] == "other"


def test_rendered_manifests_need_no_cluster() -> None:
    # `renderYamlToDirectory` conflicts with context and kubeconfig [pulumi-kubernetes provider, CheckConfig].
    found = _provider(_made(CREDENTIALS, manifests_folder="manifests"), "kubernetes")
    assert found["renderYamlToDirectory"] == "manifests"
    assert not {"context", "kubeconfig"} & set(found)


def test_there_is_no_tailscale_provider_without_a_tailnet() -> None:
    # The plugin refuses even a preview without credentials.
    assert [p.name for p in _made(tailnet=None) if p.type.startswith("pulumi:providers")] == [
        "cloudflare",
        "kubernetes",
    ]
    assert len([p for p in _made() if p.type.startswith("pulumi:providers")]) == 3


@pytest.mark.parametrize(
    ("environment", "secrets", "missing"),
    [
        ({}, {}, ["cloudflare:apiToken", "tailscale:oauthClientSecret"]),
        ({"CLOUDFLARE_API_TOKEN": "x"}, {}, ["tailscale:oauthClientSecret"]),
        ({"TAILSCALE_API_KEY": "x"}, {}, ["cloudflare:apiToken"]),
        ({"TAILSCALE_OAUTH_CLIENT_SECRET": "x", "CLOUDFLARE_API_TOKEN": "x"}, {}, []),
        ({"TAILSCALE_AUDIENCE": "x", "CLOUDFLARE_API_TOKEN": "x"}, {}, []),
        ({}, {"cloudflare:apiToken": "x"}, ["tailscale:oauthClientSecret"]),
        ({}, {"cloudflare:apiToken": "x", "tailscale:apiKey": "x"}, []),
    ],
)
def test_each_missing_credential_is_named_with_the_command_that_sets_it(
    environment: dict[str, str], secrets: dict[str, str], missing: list[str]
) -> None:
    said: list[str] = []

    def program() -> None:
        for key in [k for k in os.environ if k.startswith(("CLOUDFLARE_", "TAILSCALE_"))]:
            del os.environ[key]
        os.environ.update(environment)
        said.extend(missing_credentials(tailnet=True))

    record(program, preview=True, secrets=secrets)
    assert [text.split(": ")[0] for text in said] == missing
    assert all("pulumi config set --secret" in text for text in said)


def test_tailscales_credentials_are_not_missed_where_there_is_no_tailnet() -> None:
    said: list[str] = []
    record(lambda: said.extend(missing_credentials(tailnet=False)), preview=True)
    assert [text for text in said if "tailscale" in text] == []


OUTPUTS: Mapping[str, object] = {
    "zone_id": "zone-id",
    "zone_ids": {"example.com": "zone-id", "example.org": "other-id"},
    "identity_provider_id": "idp-id",
    "policy_ids": {"household": "policy-id", "admins+household": "both-id"},
    "bypass_policy_id": "bypass-id",
    "deny_policy_id": "deny-id",
}
TWO_ZONES = {**ESTATE, "other_zones": [{"name": "example.org"}]}


def _member(outputs: Mapping[str, object], services: Mapping[str, Any], preview: bool = False) -> Recording:
    """A member of alfred's estate, with what its owner's stack says."""
    member = {**NODE, "name": "octavo", "context": "octavo"}
    stacks = tie([loaded({}, estate=TWO_ZONES), loaded(services, "octavo", member_of="alfred", node=member)])
    plan = plan_stack(stacks["octavo"], stacks)

    def program() -> None:
        ids = estate_of(OWNER, plan)
        pulumi.export("zones", dict(ids.zone_ids))
        pulumi.export("policies", dict(ids.access.policy_ids))
        pulumi.export("bypass", ids.access.bypass_policy_id)
        pulumi.export("deny", ids.access.deny_policy_id)

    return record(program, preview, stack_outputs={OWNER: outputs}.__getitem__)


def test_the_owner_is_in_the_organization_of_the_member(monkeypatch: pytest.MonkeyPatch) -> None:
    # On Pulumi Cloud a stack's full name begins with its organization [PU pkg/backend/httpstate].
    monkeypatch.setattr(pulumi, "get_organization", lambda: "acme")
    member = {**NODE, "name": "octavo", "context": "octavo"}
    stacks = tie([loaded({}), loaded({"wiki": HTML}, "octavo", member_of="alfred", node=member)])
    plan = plan_stack(stacks["octavo"], stacks)
    asked: list[str] = []

    def outputs(name: str) -> Mapping[str, object]:
        asked.append(name)
        return OUTPUTS

    def program() -> None:
        estate_of(OWNER, plan)

    record(program, preview=False, stack_outputs=outputs)
    assert asked == ["acme/gatehouse/alfred"]


PEOPLE_AND_API = {**HTML, "paths": {"/api": {"clients": "anyone"}}}


@pytest.mark.parametrize("preview", [True, False])
def test_a_member_reads_the_owners_ids_as_far_as_it_uses_them_and_registers_nothing_of_the_estate(
    preview: bool,
) -> None:
    found = _member(OUTPUTS, {"wiki": PEOPLE_AND_API}, preview)
    assert found.exports == {
        "zones": {"example.com": "zone-id"},
        "policies": {"household": "policy-id"},
        "bypass": "bypass-id",
    }
    assert found.counts() == {}


def test_a_member_reads_another_zone_the_policy_of_several_sets_and_the_one_of_nobody() -> None:
    services = {
        "wiki": {**HTML, "people": ["household", "admins"], "host": "wiki.example.org"},
        "hooks": {**HTML, "clients": "nobody", "paths": {"/in": {"clients": "anyone"}}},
    }
    assert _member(OUTPUTS, services).exports == {
        "zones": {"example.com": "zone-id", "example.org": "other-id"},
        "policies": {"admins+household": "both-id"},
        "bypass": "bypass-id",
        "deny": "deny-id",
    }


@pytest.mark.parametrize(
    ("lacking", "service", "said"),
    [
        ("policy_ids", {**HTML, "people": "admins"}, r"policy for people 'admins'"),
        ("zone_ids", {**HTML, "host": "wiki.example.org"}, r"output 'zone_ids'"),
        ("deny_policy_id", {**HTML, "clients": "nobody", "paths": {"/in": {}}}, r"output 'deny_policy_id'"),
        ("bypass_policy_id", PEOPLE_AND_API, r"output 'bypass_policy_id'"),
    ],
)
def test_what_the_owner_has_not_made_yet_is_told_with_the_command_that_makes_it(
    lacking: str, service: Mapping[str, Any], said: str
) -> None:
    kept = {**OUTPUTS, **({"policy_ids": {"household": "policy-id"}} if lacking == "policy_ids" else {lacking: None})}
    with pytest.raises(pulumi.RunError, match=rf"{said}.*gatehouse up --stack alfred"):
        _member(kept, {"wiki": service})


def test_an_owner_that_is_not_up_is_told_with_the_command_that_brings_it_up() -> None:
    with pytest.raises(pulumi.RunError, match=r"no output '.*'.*gatehouse up --stack alfred"):
        _member({}, {"wiki": HTML})


def test_a_member_whose_hosts_are_all_public_needs_no_google_of_its_owner() -> None:
    # An owner without Google exports no ids of it; with people to let in, the test above refuses.
    assert _member({"zone_id": "zone-id"}, {"blog": OPEN_HTML}).exports["zones"] == {"example.com": "zone-id"}


def test_an_owner_exports_every_zone_and_a_zone_keeps_its_name_among_the_resources() -> None:
    plan = plan_of({}, estate=TWO_ZONES)
    secrets = {"google_client_secret": "client secret"}

    def program() -> None:
        register_estate(plan, {k: pulumi.Output.secret(v) for k, v in secrets.items()}, pulumi.ResourceOptions())

    found = record(program, preview=False)
    assert [(z.name, z.inputs["name"]) for z in found.all("cloudflare:Zone")] == [
        ("estate-zone", "example.com"),
        ("example.org-zone", "example.org"),
    ]
    assert found.exports["zone_ids"] == {"example.com": "estate-zone-id", "example.org": "example.org-zone-id"}
    assert found.exports["zone_id"] == "estate-zone-id"
    assert {name: zone["ds_record"].split()[0] for name, zone in found.exports["zones"].items()} == {
        "example.com": "estate-dnssec",
        "example.org": "example.org-dnssec",
    }
    assert all(len(zone["name_servers"]) == 2 for zone in found.exports["zones"].values())
    # What members and people read since there was one zone.
    assert found.exports["ds_record"] == found.exports["zones"]["example.com"]["ds_record"]
