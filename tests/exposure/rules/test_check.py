"""All rules together: one stack or all of them, acknowledgements, and what order cannot change."""

from __future__ import annotations

from pathlib import Path

from config.loader import LoadedStack, parse_stack_text, tie, type_stack
from exposure.check import check, check_one
from tests.config.test_reading import HEAD, WEB

NODE = HEAD.splitlines(keepends=True)[1]
ROOT = Path(__file__).parents[3]


def member(name: str, services: str = "", owner: str = "home") -> LoadedStack:
    node = NODE.replace("pi,", f"{name},").replace("0.9,", f"0.{sum(map(ord, name)) % 200 + 10},")
    text = f"config:\n{node}  gatehouse:member_of: organization/gatehouse/{owner}\n"
    return type_stack(parse_stack_text(text + (f"  gatehouse:services:\n{services}" if services else ""), name))


def home(more: str = "") -> LoadedStack:
    return type_stack(parse_stack_text(HEAD + WEB + more, "home"))


BAD = (
    "    bad:\n      origin: {namespace: bad, service: bad, port: 80}\n      traffic: html\n      host: bad.other.org\n"
)
GOOD = BAD.replace("bad.other.org", "good.example.com")
WARNED = f"{GOOD}      acknowledge: {{media-through-tunnel: there was a reason once}}\n"


def test_one_stack_is_not_told_of_another_members_mistakes() -> None:
    stacks = tie([home(), member("nuc", BAD), member("box", GOOD.replace("good", "fine"))])
    assert [f.rule for f in check(stacks)] == ["host-outside-zone"]
    assert [f.rule for f in check_one("nuc", stacks)] == ["host-outside-zone"]
    assert check_one("box", stacks) == ()


def test_an_owner_is_kept_by_its_members_errors_for_its_policy_is_made_from_their_services() -> None:
    stacks = tie([home(), member("nuc", BAD)])
    assert [f.place.file for f in check_one("home", stacks)] == ["Pulumi.nuc.yaml"]
    # Their warnings are their own.
    stacks = tie([home(), member("nuc", WARNED)])
    assert [f.severity for f in check_one("nuc", stacks)] == ["warning"]
    assert check_one("home", stacks) == ()


def test_a_member_is_kept_by_what_is_wrong_with_the_estate_and_by_nothing_else_of_the_owner() -> None:
    stacks = tie([home(BAD), member("nuc", GOOD)])
    assert check_one("nuc", stacks) == ()
    broken = type_stack(parse_stack_text(HEAD.replace("{name: example.com}", "{name: localhost}"), "home"))
    stacks = tie([broken, member("nuc")])
    assert [f.rule for f in check_one("nuc", stacks)] == ["zone-name"]
    misspelt = HEAD.replace("{name: example.com}", "{name: localhost}").replace(":estate:", ":estat:")
    stacks = tie([type_stack(parse_stack_text(misspelt, "home")), member("nuc")])
    assert [f.rule for f in check_one("nuc", stacks)] == ["unknown-key", "zone-name"]


def test_a_clash_is_told_to_both_sides() -> None:
    stacks = tie([home(), member("nuc", GOOD.replace("good.example.com", "web-pi.example.com"))])
    for name in stacks:
        (finding,) = check_one(name, stacks)
        assert finding.rule == "host-twice"
        assert "two nodes is not supported" in finding.reason
        assert {finding.place.file, *(p.file for p in finding.related)} == {"Pulumi.home.yaml", "Pulumi.nuc.yaml"}


def test_the_order_of_services_and_of_stacks_changes_no_finding_but_its_place() -> None:
    names = ("a", "b", "c")

    def told(order: tuple[str, ...]) -> set[tuple[str, str]]:
        services = "".join(
            f"    {n}:\n      origin: {{url: 'http://{n}/'}}\n      traffic: html\n      host: {n}.other.org\n"
            for n in order
        )
        stack = type_stack(parse_stack_text(f"{HEAD}  gatehouse:services:\n{services}"))
        return {(f.rule, f.where) for f in check(tie([stack]))}

    assert told(names) == told(names[::-1])
    assert len(told(names)) == 6

    pair = [home(BAD), member("nuc", BAD.replace("bad", "worse"))]
    assert {f.where for f in check(tie(pair))} == {f.where for f in check(tie(pair[::-1]))}


def test_an_acknowledgement_accepts_its_own_service_alone() -> None:
    def media(key: str, more: str = "") -> str:
        return (
            f"    {key}:\n      origin: {{namespace: m, service: m, port: 80}}\n      traffic: non-html\n"
            f"      sensitivity: low\n      clients: anyone\n      gate: public-tunnel\n{more}"
        )

    acknowledged = media("a", "      acknowledge: {media-through-tunnel: a paid plan carries it}\n")
    stacks = tie([type_stack(parse_stack_text(f"{HEAD}  gatehouse:services:\n{acknowledged}{media('b')}"))])
    assert [(f.rule, f.service) for f in check(stacks)] == [("media-through-tunnel", "b")]


def test_an_acknowledgement_accepts_one_risk_and_not_the_next() -> None:
    text = f"{HEAD}{WEB.replace('port: 80', 'port: 443, scheme: https')}      paths: {{/api: {{clients: anyone}}}}\n"
    text += "      origin_tls: {no_tls_verify: true}\n      acknowledge: {origin-tls-unverified: its own certificate}\n"
    assert [f.rule for f in check(tie([type_stack(parse_stack_text(text))]))] == ["access-path-bypass"]


def test_a_file_that_is_no_yaml_does_not_hide_the_others() -> None:
    stacks = tie([home(BAD), type_stack(parse_stack_text("config: [", "nuc"))])
    assert {f.rule for f in check(stacks)} == {"yaml", "host-outside-zone"}


def test_findings_can_be_read_by_programs() -> None:
    (finding,) = check(tie([home(BAD)]))
    told = finding.to_dict()
    assert told["rule"] == "host-outside-zone"
    assert told["path"] == "services.bad.host"
    assert told["service"] == "bad"
    assert (told["file"], told["line"], told["column"]) == ("Pulumi.home.yaml", 18, 7)
