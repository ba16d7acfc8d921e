"""What is left for a person, and the plan as people read it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from config.loader import load_project, parse_stack_text, tie, type_stack
from exposure.manual_steps import redirect_uri
from exposure.model import ExposurePlan
from exposure.plan import plan_stack
from exposure.render import exposure_table, manual_steps_list, report
from exposure.ways.way import ManualStep
from tests.kit.builders import ESTATE, GAME, HTML, MEDIA, NODE, OPEN_HTML, PROJECT, SSH, loaded, plan_of, stack_text


@pytest.fixture(scope="module")
def plans() -> dict[str, ExposurePlan]:
    stacks = load_project(PROJECT)
    return {name: plan_stack(stack, stacks) for name, stack in stacks.items()}


def _work(plan: ExposurePlan) -> dict[str, ManualStep]:
    return {work.key: work for work in plan.manual_steps}


def test_all_that_no_api_does_is_listed_for_alfred(plans: dict[str, ExposurePlan]) -> None:
    # The post, step by step: name servers at the registrar, DS, test users at Google, the tailnet's name, `tailscale
    # up`, sharing; and the router's rules, the operator, cert-manager's issuer. A domain may come from another DNS.
    assert set(_work(plans["alfred"])) == {
        "old-ds",
        "records",
        "name-servers",
        "ds-record",
        "google",
        "tailnet-name",
        "tailscale-up",
        "share-machines",
        "tailscale-operator",
        "cluster-issuer",
        "router-minecraft",
    }


def test_a_member_has_its_own_part_alone(plans: dict[str, ExposurePlan]) -> None:
    assert set(_work(plans["octavo"])) == {"owner-first", "tailscale-up", "share-machines", "tailscale-operator"}
    assert _work(plans["octavo"])["owner-first"].values == {"Run": "gatehouse up --stack alfred"}


def test_who_and_what_has_to_be_approved_is_told_where_approval_is_on() -> None:
    def title(**settings: bool) -> str | None:
        tailnet = {**ESTATE["tailnet"], "settings": settings}
        step = _work(plan_of({"web": HTML}, estate={**ESTATE, "tailnet": tailnet})).get("tailnet-approval")
        return step.title if step else None

    assert title() is None
    assert title(devices_approval_on=False) is None
    assert title(devices_approval_on=True) == "Approve new devices of the tailnet"
    assert title(devices_approval_on=True, users_approval_on=True) == "Approve new devices and users of the tailnet"


def test_whom_devices_ask_for_names_is_shown_where_the_stack_says_it() -> None:
    dns = {"nameservers": ["9.9.9.9"], "override_local_dns": True, "split_dns": {"home.arpa": ["2620:fe::fe"]}}
    estate = {**ESTATE, "tailnet": {**ESTATE["tailnet"], "dns": dns}}
    said = report(plan_of({"web": HTML}, estate=estate))
    assert "Whom devices of the tailnet ask:\n    all names: 9.9.9.9\n    home.arpa: 2620:fe::fe\n\nManual" in said
    assert "devices of the tailnet ask" not in report(plan_of({"web": HTML}))


def test_what_an_estate_takes_of_its_tailnets_plan_is_shown_where_the_plan_limits_it() -> None:
    def said(own: str = "{}", **tailnet: object) -> str:
        node = {**NODE, "name": "octavo", "lan_ipv4": "192.168.0.8", "context": "octavo"}
        member = loaded({"tv": MEDIA}, "octavo", member_of="organization/gatehouse/alfred", node=node)
        estate = {**ESTATE, "tailnet": {**ESTATE["tailnet"], "policy": "own.hujson", **tailnet}}
        text = stack_text({"ssh": {**SSH, "people": "admins"}, "films": MEDIA}, estate=estate)
        owner = type_stack(parse_stack_text(text, "alfred", {"own.hujson": own}.__getitem__))
        stacks = tie([owner, member])
        assert "Tailnet: " not in report(plan_stack(stacks["octavo"], stacks))
        return report(plan_stack(stacks["alfred"], stacks)).splitlines()[-1]

    # Alice, by admins; two nodes, and a machine of each of two funnels.
    assert said() == "Tailnet: 1 of 6 users, 1 of 3 groups, 4 of 50 tagged machines of plan personal."
    own = '{"groups": {"group:mine": ["carol@example.com"]}, "acls": [{"action": "accept", "src": ["group:household"]'
    own += ', "dst": ["tag:printer:631"]}], "tagOwners": {"tag:printer": ["group:mine"]}}'
    assert said(own).startswith("Tailnet: 1 of 6 users, 3 of 3 groups,")
    assert said(plan="standard", users=["dora@example.com"]) == "Tailnet: 1 of 10 groups of plan standard."
    assert said(users=["dora@example.com"]).startswith("Tailnet: 2 of 6 users")
    assert said(ssh={"people": "household"}).startswith("Tailnet: 2 of 6 users, 2 of 3 groups")


def test_no_node_asks_a_nameserver_of_the_tailnet_which_the_policy_opens_to_people_alone() -> None:
    def step(services: Mapping[str, object], **dns: object) -> ManualStep | None:
        estate = {**ESTATE, "tailnet": {**ESTATE["tailnet"], "dns": dns}}
        return _work(plan_of(services, estate=estate)).get("node-dns")

    origin = {"namespace": "adguard", "service": "adguard", "port": 53, "scheme": "udp", "selector": {"app": "adguard"}}
    adguard = {"adguard": {"origin": origin, "traffic": "non-html", "clients": "tailnet"}}
    told = step(adguard, nameservers=["100.101.102.103"], override_local_dns=True)
    assert told is not None
    assert told.values == {"On alfred": "sudo tailscale set --accept-dns=false"}
    # A node reaches a public one, and asks its own for all names but those of a domain.
    assert step({"web": HTML}, nameservers=["9.9.9.9"], override_local_dns=True) is None
    assert step(adguard, split_dns={"home.arpa": ["100.101.102.103"]}) is None


def test_more_machines_than_lets_encrypt_certifies_at_once_are_opened_one_after_the_other() -> None:
    def services(count: int) -> dict[str, object]:
        return {f"media{i}": {**MEDIA, "origin": {**MEDIA["origin"], "service": f"media{i}"}} for i in range(count)}

    assert "tailnet-certificates" not in _work(plan_of(services(10)))
    assert "there are 11" in _work(plan_of(services(11)))["tailnet-certificates"].title
    # What is served by a port has no certificate.
    assert "tailnet-certificates" not in _work(plan_of({**services(10), "ssh": SSH}))


def test_outputs_that_hold_a_value_are_named(plans: dict[str, ExposurePlan]) -> None:
    work = _work(plans["alfred"])
    assert work["name-servers"].outputs == {"Name servers": "name_servers"}
    assert work["ds-record"].outputs == {"DS record": "ds_record"}


def test_a_domain_moves_in_the_order_in_which_it_is_never_down() -> None:
    # CFDOC dns/zone-setups/full-setup/setup: DNSSEC off at the registrar and records reviewed before the name servers
    # change, DNSSEC on again after. A DS record of a key that the name servers have not takes the domain down.
    zones = {"zone": {"name": "example.com"}, "other_zones": [{"name": "example.org", "dnssec": False}]}
    plan = plan_of({"web": HTML}, estate={**ESTATE, **zones})
    assert list(_work(plan))[:7] == [
        "old-ds",
        "records",
        "name-servers",
        "ds-record",
        # It is not signed at Cloudflare, and may have been before.
        "old-ds-example.org",
        "records-example.org",
        "name-servers-example.org",
    ]
    steps = {key: " ".join(work.steps) for key, work in _work(plan).items()}
    assert "not before" in steps["ds-record"]
    # CFDOC dns/manage-dns-records/how-to/email-records: the records that mail stands on.
    assert all(word in steps["records"] for word in ("MX", "v=spf1", "_domainkey", "_dmarc", "TTL", "28 days"))
    assert _work(plan)["name-servers-example.org"].outputs == {"Name servers": "zones.example.org.name_servers"}


def test_google_is_told_origin_redirect_uri_and_every_person_who_is_let_in(plans: dict[str, ExposurePlan]) -> None:
    # https://developers.cloudflare.com/cloudflare-one/identity/idp-integration/google/
    work = _work(plans["alfred"])["google"]
    assert work.values == {
        "Authorized origin": "https://high-energy-building.cloudflareaccess.com",
        "Authorized redirect URI": "https://high-energy-building.cloudflareaccess.com/cdn-cgi/access/callback",
        "Test user 1": "alice@example.com",
        "Test user 2": "bob@example.com",
    }
    assert "100 at most" in " ".join(work.steps)
    assert redirect_uri("team") == "https://team.cloudflareaccess.com/cdn-cgi/access/callback"


def test_people_who_only_use_the_tailnet_are_told_to_google_as_little_as_anyone() -> None:
    estate = {**ESTATE, "people": {"household": ["alice@example.com"], "others": ["carol@example.com"]}}
    values = _work(plan_of({"web": HTML}, estate=estate))["google"].values
    assert [v for k, v in values.items() if k.startswith("Test user")] == ["alice@example.com"]


def test_each_forwarded_port_is_a_rule_of_the_router() -> None:
    assert _work(plan_of({"game": GAME}))["router-game"].values == {"TCP port 25565": "to 192.168.0.124 port 32565"}


def test_the_node_joins_with_the_name_that_its_url_has_and_the_tag_that_the_policy_grants() -> None:
    # A machine takes its own name otherwise: a Pi calls itself raspberrypi [tailscale#7513].
    plan = plan_of({"ssh": SSH}, node={**NODE, "name": "cellar"})
    joined = _work(plan)["tailscale-up"].values["On cellar"]
    assert joined == "sudo tailscale up --hostname=cellar --advertise-tags=tag:gatehouse-cellar"
    assert plan.services[0].urls == ("ssh://cellar.tail.ts.net",)
    assert plan.tailnet_policy is not None
    assert "tag:gatehouse-cellar" in str(plan.tailnet_policy["grants"])


def test_on_a_machine_that_has_flags_already_there_is_a_command_that_changes_its_name_alone() -> None:
    # `tailscale up` refuses to drop what is set; `set` has --hostname and no flag for tags [cmd/tailscale/cli/set.go].
    work = _work(plan_of({"ssh": SSH}))["tailscale-up"]
    assert work.values["Or its name alone"] == "sudo tailscale set --hostname=alfred"
    assert "tag:gatehouse-alfred" in work.steps[0]


def test_to_share_names_each_machine_and_the_people_who_reach_it() -> None:
    # A tailnet service is a machine of its own: whoever has the node shared with them does not reach it.
    photos = {**HTML, "clients": "tailnet", "people": "photos"}
    people = {**ESTATE["people"], "photos": ["alice@example.com", "granny@example.com"]}

    def shared(users: list[str]) -> dict[str, str]:
        estate = {**ESTATE, "people": people, "tailnet": {**ESTATE["tailnet"], "users": users}}
        work = _work(plan_of({"ssh": {**SSH, "people": "admins"}, "immich": photos}, estate=estate))
        return dict(work["share-machines"].values) if "share-machines" in work else {}

    assert shared([]) == {"alfred": "alice@example.com", "immich-alfred": "alice@example.com, granny@example.com"}
    assert shared(["alice@example.com"]) == {"immich-alfred": "granny@example.com"}
    assert shared(["alice@example.com", "granny@example.com"]) == {}


def test_behind_shared_proxies_linux_takes_routes_and_whoever_is_no_user_is_invited() -> None:
    # tailscale.com/kb/1439: "Clients other than Linux accept routes by default"; "Tailscale versions 1.84 and later".
    photos = {**HTML, "clients": "tailnet", "people": "photos", "machines": "tag:ci"}
    mail = {"namespace": "mail", "service": "mail", "port": 993, "scheme": "tcp"}
    services = {"photos": photos, "mail": {**photos, "origin": mail, "traffic": "non-html", "people": "admins"}}
    people = {**ESTATE["people"], "photos": ["alice@example.com", "granny@example.com"]}
    estate = {**ESTATE, "people": people, "tailnet": {**ESTATE["tailnet"], "users": ["alice@example.com"]}}
    on, off = (
        _work(plan_of(services, estate=estate, node=node)) for node in ({**NODE, "proxy_group": {"replicas": 1}}, NODE)
    )
    step = on["tailscale-services"]
    # A Service of the user's keeps its own proxy.
    assert step.title == "Let Linux devices take the addresses of photos-alfred"
    assert step.values == {"On Linux": "sudo tailscale set --accept-routes"}
    said = " ".join(step.steps)
    assert "each Linux machine with tag:ci" in said
    assert "cannot be shared with them: granny@example.com." in said
    assert "share-machines" not in on
    assert "1.84" in " ".join(on["tailscale-operator"].steps)
    assert "tailscale-services" not in off
    assert off["share-machines"].values == {"photos-alfred": "granny@example.com"}
    assert "1.84" not in " ".join(off["tailscale-operator"].steps)
    notes = [way.mind for way in plan_of(services, estate=estate, node={**NODE, "proxy_group": True}).ways]
    assert sorted(len(found) for found in notes) == [0, 1]


@pytest.mark.parametrize(("by", "listed"), [("existing", True), ("none", True), ("helm", False)])
def test_the_operator_is_manual_steps_unless_it_is_installed_from_here(by: str, listed: bool) -> None:
    plan = plan_of({"media": MEDIA}, node={**NODE, "tailscale_operator": by})
    assert ("tailscale-operator" in _work(plan)) is listed


def test_no_tailnet_no_manual_steps_on_it() -> None:
    estate = {key: value for key, value in ESTATE.items() if key != "tailnet"}
    assert not {"tailnet-name", "tailscale-up"} & set(_work(plan_of({"web": HTML}, estate=estate)))
    assert {"tailnet-name", "tailscale-up"} <= set(_work(plan_of({"web": HTML}))), "the control"


def test_rendered_manifests_leave_the_connectors_secret_to_a_person_without_showing_it() -> None:
    plan = plan_of({"web": HTML}, node={**NODE, "manifests_folder": "manifests"})
    work = _work(plan)["connector-secret"]
    assert work.values["Run"].startswith("kubectl -n cloudflared create secret generic cloudflared-token")
    assert not work.outputs
    assert "connector-secret" not in _work(plan_of({"web": HTML}))


def test_the_table_says_which_names_redirect() -> None:
    web = {**HTML, "host": "example.com", "redirect_from": ["www.example.com", "web.example.com"]}
    table = exposure_table(plan_of({"web": web, "wiki": HTML}).services, 200)
    assert table.count("redirects from") == 1
    assert "household (2 people) after Google login; redirects from www.example.com web.example.com" in table
    assert "https://www.example.com" not in table


def test_steps_and_titles_are_plain_text(plans: dict[str, ExposurePlan]) -> None:
    for plan in plans.values():
        for work in plan.manual_steps:
            assert work.title
            assert work.steps or work.values
            assert all("\n" not in step for step in work.steps)


# For people.


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("stack", ["alfred", "octavo"])
def test_the_report_fits_the_columns_but_for_what_is_copied_whole(
    plans: dict[str, ExposurePlan], stack: str, width: int
) -> None:
    copied = {value for work in plans[stack].manual_steps for value in work.values.values()}
    for line in report(plans[stack], width).splitlines():
        # A command, a URL or an address is never broken.
        if line.strip() in copied:
            continue
        words = line.split()
        assert len(line) <= width or max(map(len, words)) > width - 20, line


def test_the_table_says_of_every_service_its_gate_url_people_and_reason(plans: dict[str, ExposurePlan]) -> None:
    text = " ".join(exposure_table(plans["alfred"].services).split())
    for service in plans["alfred"].services:
        for way, reason in zip(service.ways, service.reasons, strict=True):
            for said in (service.key, way.gate, *way.urls, way.reaches, reason):
                assert said in text
            for caution in way.mind:
                assert f"note {caution}" in text


def test_a_gate_that_was_asked_for_is_marked() -> None:
    wished = {**MEDIA, "gate": "port-forward", "origin": {**MEDIA["origin"], "selector": {"app": "web"}}}
    wished["port_forward"] = GAME["port_forward"]
    assert "(asked for)" in exposure_table(plan_of({"media": wished}).services)
    assert "(asked for)" not in exposure_table(plan_of({"media": MEDIA}).services)


def test_urls_are_never_broken_over_lines() -> None:
    host = "a-rather-long-name-for-a-service-of-somebody-who-likes-long-names.example.com"
    table = exposure_table(plan_of({"web": {**OPEN_HTML, "host": host}}).services, 60)
    assert f"https://{host}/" in table


def test_values_of_a_stack_that_is_up_are_filled_in() -> None:
    work = plan_of({"web": HTML}).manual_steps
    known = manual_steps_list(work, outputs={"name_servers": ["ada.example.net", "bob.example.net"]})
    assert "Name servers: ada.example.net, bob.example.net" in known
    assert "Name servers: known after `gatehouse up`" in manual_steps_list(work)


def test_values_of_a_further_zone_are_filled_in_from_that_zones() -> None:
    work = plan_of({"web": HTML}, estate={**ESTATE, "other_zones": [{"name": "example.org"}]}).manual_steps
    there = {"name_servers": ["eve.example.net"], "ds_record": "example.org. 2371 13 2 AA"}
    known = manual_steps_list(
        work, outputs={"zones": {"example.org": there, "example.com": {"ds_record": "2371 of-another"}}}
    )
    assert "Name servers: eve.example.net" in known
    assert "DS record: example.org. 2371 13 2 AA" in known
    assert "of-another" not in known


def test_nothing_is_said_to_be_nothing() -> None:
    assert exposure_table([]) == "No services yet: add one under `gatehouse:services`."
    assert manual_steps_list([]) == "Nothing left to do by hand."


def test_manual_steps_is_numbered_in_its_order(plans: dict[str, ExposurePlan]) -> None:
    lines = manual_steps_list(plans["alfred"].manual_steps).splitlines()
    numbers = [line.split(".")[0] for line in lines if not line.startswith(" ")]
    assert numbers == [str(n) for n in range(1, len(plans["alfred"].manual_steps) + 1)]
