"""Reading a stack file: YAML as Pulumi reads it, places, types, and going on after a mistake."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from config.errors import Finding, Place, dotted, in_order, render, show
from config.loader import load_project, parse_stack_text, read_stack_file, stack_names, stack_path, tie, type_stack
from config.positions import read_yaml
from config.secrets import SECRETS
from exposure.check import check

HEAD = """\
config:
  gatehouse:node: {name: pi, router_ipv4: 203.0.113.7, lan_ipv4: 192.168.0.9, context: pi, tailscale_operator: existing}
  gatehouse:estate:
    account_id: 0123456789abcdef0123456789abcdef
    team: team
    zone: {name: example.com}
    google: {client_id: 1-a.apps.googleusercontent.com}
    people: {family: [alice@example.com, bob@example.com]}
    default_people: family
    tailnet: {name: tail.ts.net}
"""
WEB = """\
  gatehouse:services:
    web:
      origin: {namespace: web, service: web, port: 80}
      traffic: html
"""


def found(text: str) -> list[tuple[str, str, int]]:
    return [(f.rule, f.where, f.place.line) for f in check(tie([type_stack(parse_stack_text(text))]))]


# YAML, as gopkg.in/yaml.v3 reads it


# As `pulumi config get gatehouse:x` of engine 3.276.0 printed each; tests/engine/test_reading.py asks the engine again.
PULUMI: dict[str, object] = {
    "yes": "yes",
    "on": "on",
    "=": "=",
    "_1": "_1",
    "0o8": "0o8",
    "0x1p4": "0x1p4",
    "0120abc": "0120abc",
    ".infinity": ".infinity",
    "1e400": "1e400",
    ".5_": ".5_",
    "True": True,
    "FALSE": False,
    "nULL": "nULL",
    "~": None,
    "22:22": "22:22",
    "1:30": "1:30",
    "'80'": "80",
    '"0120"': "0120",
    "0": 0,
    "-7": -7,
    "+5": 5,
    "0.5": 0.5,
    "-2.25": -2.25,
    "0x1F": 31,
    "012345678901234567890x": "012345678901234567890x",
}
"""Plain words that everybody reads as Pulumi does."""
ODD: dict[str, object] = {
    "0120": 80,
    "012": 10,
    "00": 0,
    "080": 80,
    "089": 89,
    "0o17": 15,
    "0O17": 15,
    "-0o17": -15,
    "0b101": 5,
    "0B11": 3,
    "0X1F": 31,
    "-0x1F": -31,
    "1_000": 1000,
    "1__0": 10,
    "0_1": 1,
    "1.5_0": 1.5,
    ".1_0": 0.1,
    "8e1": 80,
    "1E3": 1000,
    "12e03": 12000,
    "0777e1": 7770,
    ".5": 0.5,
    "+.5": 0.5,
    "-.5": -0.5,
    "5.": 5,
    "1.0": 1,
    "80.0": 80,
}
"""Plain words that are refused, for not everybody reads the number that Pulumi does."""
TIMES = ("2026-01-01", "2026-1-1", "2026-01-01 10:00:00", "2026-01-01T10:00:00Z")
"""Pulumi makes another text of these, such as `2026-01-01 00:00:00 +0000 UTC`."""


@pytest.mark.parametrize(("text", "value"), PULUMI.items())
def test_a_plain_word_is_what_pulumi_reads(text: str, value: object) -> None:
    document = read_yaml(f"a: {text}", "x")
    assert document.findings == []
    read = document.values
    assert read == {"a": value}
    assert isinstance(read, dict)
    assert type(read["a"]) is type(value)


@pytest.mark.parametrize(("text", "value"), ODD.items())
def test_a_number_that_not_everybody_reads_alike_is_refused(text: str, value: object) -> None:
    document = read_yaml(f"a: {text}", "x")
    assert [(f.rule, f.path, f.value) for f in document.findings] == [("yaml-value", ("a",), text)]
    assert str(value) in document.findings[0].reason
    # What follows is judged as Pulumi would take it.
    assert document.values == {"a": value}


@pytest.mark.parametrize("text", [*TIMES, ".inf", "-.Inf", ".NaN", "99999999999999999999"])
def test_a_word_that_pulumi_would_change_or_refuse_is_refused(text: str) -> None:
    assert [(f.rule, f.value) for f in read_yaml(f"a: {text}", "x").findings] == [("yaml-value", text)]
    assert read_yaml(f'a: "{text}"', "x").findings == []


@pytest.mark.parametrize("key", ["0120", "8e1", "0x10", "True", "2026-01-01"])
def test_a_key_that_pulumi_reads_as_another_is_refused(key: str) -> None:
    assert [(f.rule, f.path) for f in read_yaml(f"{key}: a", "x").findings] == [("yaml-key", (key,))]
    assert read_yaml(f'"{key}": a', "x").findings == []
    assert read_yaml("404: a\nyes: b\ntrue: c", "x").findings == []


@pytest.mark.parametrize(
    ("text", "rule", "line", "words"),
    [
        ("a: {b: 1}\nc: {<<: {b: 2}}", "yaml-key", 2, "merges another part of the file"),
        ("a: !!str 5", "yaml-value", 1, "tag"),
        ("a: !mine {b: 1}", "yaml-value", 1, "tag"),
        ("!!str a: b", "yaml-value", 1, "tag"),
        ("a:\n\tb: 1", "yaml", 2, "a tab"),
        ("a: 1\n---\nb: 2", "yaml", 2, "second document"),
        ("a: 1\nb: \x00", "yaml", 2, "NUL"),
        ("a: \x07", "yaml", 1, "control character U+0007"),
        ("a: &a {b: *a}", "yaml", 1, "alias"),
    ],
)
def test_what_a_stack_file_has_no_use_for_is_named(text: str, rule: str, line: int, words: str) -> None:
    (finding,) = read_yaml(text, "x").findings
    assert (finding.rule, finding.place.line) == (rule, line)
    assert words in finding.reason


def test_what_a_merge_key_brings_is_judged_too() -> None:
    web = WEB.replace("    web:", "    web: &web")
    text = f"{HEAD}{web}    wiki:\n      <<: *web\n      host: wiki.other.org\n"
    assert [f[:2] for f in found(text)] == [
        ("yaml-key", "services.wiki.<<"),
        ("host-outside-zone", "services.wiki.host"),
    ]


def test_a_key_has_its_line_and_column() -> None:
    document = read_yaml("a:\n  b: 1\n  c: [x, {d: 2}]\n", "x.yaml")
    assert document.place(("a", "b")) == Place("x.yaml", 2, 3)
    assert document.place(("a", "c", 1, "d")) == Place("x.yaml", 3, 11)
    # What is not there has the place of what would hold it.
    assert document.place(("a", "c", 1, "e", "f")) == Place("x.yaml", 3, 10)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 60_000, "- " * 50_000])
def test_a_file_nested_without_end_is_refused_and_ends_no_process(text: str) -> None:
    document = read_yaml(text, "x")
    assert [f.reason for f in document.findings] == ["nested too deeply"]


def test_sixty_levels_are_read_and_no_more() -> None:
    assert read_yaml("[" * 60 + "1" + "]" * 60, "x").findings == []
    assert [f.reason for f in read_yaml("[" * 61 + "1" + "]" * 61, "x").findings] == ["nested too deeply"]
    assert [f.reason for f in read_yaml("- " * 61 + "1", "x").findings] == ["nested too deeply"]


def test_aliases_that_multiply_are_refused_and_the_part_that_they_repeat_is_named() -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (finding,) = read_yaml("\n".join(lines), "x").findings
    assert finding.rule == "yaml"
    assert "aliases" in finding.reason
    assert re.search(r"`a\d", finding.reason)
    assert 1 <= finding.place.line <= len(lines)


def test_a_long_file_is_no_bomb() -> None:
    # As many words as 12,000 services have, and more than aliases may repeat.
    document = read_yaml("a:\n" + "- 1\n" * 101_000, "x")
    assert document.findings == []
    assert isinstance(document.values, dict)
    assert len(document.values["a"]) == 101_000


# Types


@pytest.mark.parametrize("line", ["own_certificate: yes", "own_certificate: 1", 'own_certificate: "true"', "host: 5"])
def test_no_type_is_converted(line: str) -> None:
    field = line.split(":")[0]
    assert found(f"{HEAD}{WEB}      {line}\n") == [("wrong-form", f"services.web.{field}", 15)]


def test_an_origin_of_two_forms_is_refused() -> None:
    text = HEAD + WEB.replace("port: 80}", "port: 80, url: 'http://nas'}")
    assert {(rule, where) for rule, where, _ in found(text)} == {
        ("unknown-key", "services.web.origin.namespace"),
        ("unknown-key", "services.web.origin.service"),
        ("unknown-key", "services.web.origin.port"),
    }


def test_a_finding_shows_the_key_that_stands_in_the_file_and_says_what_does_not() -> None:
    misspelt = HEAD.replace("router_ipv4: 203.0.113.7", "router_ip: none").replace(
        "gatehouse:estate:", "gatehouse:estat:"
    )
    text = misspelt.replace("{name: example.com}", "{name: localhost}") + WEB.replace(
        "traffic: html", "traffic: non-html"
    )
    findings = check(tie([type_stack(parse_stack_text(text))]))
    assert {(f.rule, f.where, f.value) for f in findings} >= {
        ("unknown-key", "node.router_ip", ""),
        ("wrong-form", "node.router_ip", '"none"'),
        ("zone-name", "estat.zone.name", '"localhost"'),
    }
    assert not any("router_ipv4" in f.where or f.where.startswith("estate") for f in findings)
    wider = HEAD + WEB.replace("traffic: html", "traffic: html\n      gate: public-tunnel")
    shown = render(check(tie([type_stack(parse_stack_text(wider))])))
    assert 'services.web.clients: "people" (not in the file: so by default)' in " ".join(shown.split())
    assert "by default" not in render(check(tie([type_stack(parse_stack_text(wider + "      clients: people\n"))])))


def test_addresses_are_kept_in_lower_case() -> None:
    stack = type_stack(parse_stack_text(HEAD.replace("bob@", "Bob@")))
    assert stack.config
    assert stack.config.estate
    assert stack.config.estate.people["family"] == ["alice@example.com", "bob@example.com"]


# All findings at once


def test_every_mistake_is_found_in_one_run() -> None:
    text = """\
config:
  gatehouse:node:
    name: Pi
    router_ipv4: 203.0.113
    lan_ipv4: 192.168.0.9
    context: pi
    conector: {replicas: 99}
  gatehouse:estate:
    account_id: nonsense
    team: team.cloudflareaccess.com
    zone: {name: example.com, dnsec: true}
    google: {client_id: 1-a.apps.googleusercontent.com}
    people: {family: [alice, bob@example.com]}
    default_people: famly
  gatehouse:services:
    web:
      origin: {namespace: web, service: web, port: 80}
      trafic: html
      host: web.example.org
    music:
      origin: {namespace: music, service: music, port: 80}
      traffic: non-html
      bandwidth: hihg
      sensitivity: low
      clients: anyone
      gate: public-tunel
    broken:
      origin: {namespace: web, service: web}
      traffic: html
"""
    assert sorted(found(text), key=lambda f: f[2]) == [
        ("wrong-form", "node.name", 3),
        ("wrong-form", "node.router_ipv4", 4),
        ("unknown-key", "node.conector", 7),
        ("connector-replicas", "node.conector.replicas", 7),
        ("wrong-form", "estate.account_id", 9),
        ("wrong-form", "estate.team", 10),
        ("unknown-key", "estate.zone.dnsec", 11),
        ("wrong-form", "estate.people.family[0]", 13),
        ("people-unknown", "estate.default_people", 14),
        ("unknown-key", "services.web.trafic", 18),
        ("host-outside-zone", "services.web.host", 19),
        ("unknown-name", "services.music.bandwidth", 23),
        ("gate-unknown", "services.music.gate", 26),
        ("missing-key", "services.broken.origin.port", 28),
    ]


TRAFFIC = "      traffic: html\n"


@pytest.mark.parametrize(
    ("old", "new", "rule", "where"),
    [
        # What cannot be read stands for nothing: no rule says more about it, or about what rests on it.
        ("origin: {namespace: web, service: web, port: 80}", "origin: nonsense", "wrong-form", "services.web.origin"),
        ("[alice@example.com, bob@example.com]", "[x]", "wrong-form", "estate.people.family[0]"),
        ("zone: {name: example.com}", "zone: 5", "wrong-form", "estate.zone"),
        ("zone: {name: example.com}", "zone: {}", "missing-key", "estate.zone.name"),
        ("tailnet: {name: tail.ts.net}", "tailnet: {name: 5}", "wrong-form", "estate.tailnet.name"),
        ("name: pi, router", "name: 5, router", "wrong-form", "node.name"),
        (TRAFFIC, "      traffic: 5\n", "unknown-name", "services.web.traffic"),
        (TRAFFIC, "      trafic: html\n", "unknown-key", "services.web.trafic"),
        (
            TRAFFIC,
            f"{TRAFFIC}      acknowledge: {{media-through-tunnel: 5}}\n",
            "wrong-form",
            "services.web.acknowledge.media-through-tunnel",
        ),
        (
            TRAFFIC,
            f"{TRAFFIC}      path_exceptions: [/api]\n      acknowledge: {{access-path-bypass: tokens there}}\n",
            "unknown-key",
            "services.web.path_exceptions",
        ),
        (
            TRAFFIC,
            f"{TRAFFIC}      paths: {{/api: 5}}\n      acknowledge: {{access-path-bypass: tokens there}}\n",
            "wrong-form",
            "services.web.paths./api",
        ),
    ],
)
def test_one_mistake_is_one_finding(old: str, new: str, rule: str, where: str) -> None:
    text = HEAD + WEB
    assert found(text) == []
    assert [f[:2] for f in found(text.replace(old, new, 1))] == [(rule, where)]


def test_a_service_that_cannot_be_read_does_not_make_others_wrong() -> None:
    solver = "    acme:\n      origin: 5\n      traffic: acme-http-01\n"
    text = f"{HEAD}{WEB}      own_certificate: true\n{solver}"
    assert [f[:2] for f in found(text)] == [("wrong-form", "services.acme.origin")]


# Files and stacks


def test_stack_files_are_found_by_name(tmp_path: Path) -> None:
    for name in ("Pulumi.yaml", "Pulumi.b.yml", "Pulumi.a.yaml", "Pulumi.a.yml", "Pulumi..yaml.bak", "notes.yaml"):
        (tmp_path / name).write_text(HEAD)
    assert stack_names(tmp_path) == ["a", "b"]
    assert stack_path(tmp_path, "a").name == "Pulumi.a.yaml"
    assert stack_path(tmp_path, "b").name == "Pulumi.b.yml"


def test_only_the_file_that_pulumi_reads_may_be_there(tmp_path: Path) -> None:
    # Pulumi takes the ending of its project file (sdk/go/common/workspace/paths.go, ProjectStackPath).
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.pi.yaml").write_text(HEAD)
    assert check(load_project(tmp_path)) == ()
    (tmp_path / "Pulumi.pi.yml").write_text(f"{HEAD}{WEB}      host: web.other.org\n")
    (finding,) = check(load_project(tmp_path))
    assert finding.rule == "stack-file"
    assert "Pulumi.pi.yaml and Pulumi.pi.yml" in finding.reason
    (tmp_path / "Pulumi.pi.yaml").unlink()
    # The other one is judged as well, for it is what is to be renamed.
    assert {f.rule for f in check(load_project(tmp_path))} == {"stack-file", "host-outside-zone"}


def test_what_is_no_file_is_a_finding_and_hides_no_other_stack(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.folder.yaml").mkdir()
    (tmp_path / "Pulumi.link.yaml").symlink_to("gone.yaml")
    os.mkfifo(tmp_path / "Pulumi.pipe.yaml")
    (tmp_path / "Pulumi.pi.yaml").write_text(f"{HEAD}{WEB}      host: web.other.org\n")
    told = {f.place.file: f for f in check(load_project(tmp_path))}
    assert "folder" in told["Pulumi.folder.yaml"].reason
    assert "gone.yaml" in told["Pulumi.link.yaml"].reason
    assert "no file" in told["Pulumi.pipe.yaml"].reason
    assert told["Pulumi.pi.yaml"].rule == "host-outside-zone"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (HEAD.encode("utf-16"), "UTF-16"),
        (HEAD.encode("utf-16-be"), "UTF-16"),
        (f"{HEAD}# caf\xe9\n".encode("latin-1"), "byte 0xe9"),
    ],
)
def test_another_encoding_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "Pulumi.pi.yaml").write_bytes(data)
    (finding,) = check(load_project(tmp_path))
    assert finding.rule == "yaml"
    assert words in finding.reason
    assert finding.place.line == (len(HEAD.splitlines()) + 1 if b"\xe9" in data else 1)


def test_secrets_are_told_apart_from_values(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.pi.yaml"
    path.write_text(HEAD + "  gatehouse:tunnel_secret: {secure: v1:abc}\n  cloudflare:apiToken: {secure: v1:def}\n")
    source = read_stack_file(path)
    assert source.secure == {"gatehouse:tunnel_secret", "cloudflare:apiToken"}
    assert set(source.raw) == {"node", "estate"}


def test_a_secret_never_stands_in_a_finding() -> None:
    text = f"{HEAD}  gatehouse:tunnel_secret: hunter2\n  gatehouse:tunnel_secrets: hunter2\n"
    findings = check(tie([type_stack(parse_stack_text(text))]))
    assert {f.rule for f in findings} == {"secret-in-clear", "unknown-key"}
    assert "hunter2" not in render(findings)


def test_a_member_takes_the_estate_of_its_owner() -> None:
    node = HEAD.splitlines()[1]
    member = f"config:\n{node}\n  gatehouse:member_of: organization/gatehouse/owner\n"
    stacks = tie([type_stack(parse_stack_text(HEAD, "owner")), type_stack(parse_stack_text(member, "member"))])
    assert stacks["member"].owner is stacks["owner"]
    assert stacks["member"].estate is stacks["owner"].estate
    assert stacks["owner"].owns_estate
    assert not stacks["member"].owns_estate


def test_the_shipped_stack_files_are_clean() -> None:
    assert check(load_project(Path(__file__).parents[2])) == ()


@pytest.mark.parametrize("secret", SECRETS, ids=lambda s: s.name)
def test_a_made_up_secret_has_the_right_form(secret: object) -> None:
    assert secret.key.startswith("gatehouse:")  # type: ignore[attr-defined]
    assert secret.simulated  # type: ignore[attr-defined]


# Findings in words


def test_findings_are_listed_in_the_order_of_the_file_and_once() -> None:
    later = Finding("b-rule", ("services", "b"), '"x"', "it breaks", "fix it", Place("x.yaml", 9, 1))
    first = Finding("a-rule", ("services", "a"), "", "it breaks", "fix it", Place("x.yaml", 2, 1), "a source", "ab")
    assert in_order([later, first, later]) == (first, later)
    assert render([later, first]) == (
        "x.yaml:2:1: error [a-rule]\n"
        "    at:   services.a\n"
        "    why:  it breaks\n"
        "    fix:  fix it\n"
        "    did you mean 'ab'?\n"
        "    more: docs/refusals.md#a-rule (a source)\n\n"
        "x.yaml:9:1: error [b-rule]\n"
        '    at:   services.b: "x"\n'
        "    why:  it breaks\n"
        "    fix:  fix it\n"
        "    more: docs/refusals.md#b-rule\n\n"
        "2 errors."
    )


def test_a_path_is_written_as_people_write_it() -> None:
    assert dotted(("services", "grafana", "hosts", 0)) == "services.grafana.hosts[0]"


def test_a_long_value_is_cut() -> None:
    assert len(show("x" * 1000)) == 80


def test_nothing_in_a_file_steers_the_terminal() -> None:
    text = 'config:\n  "gatehouse:\\e[31mred\\u009b1m\\nnode": 5\n  gatehouse:node: {name: "\\e[31m"}\n'
    findings = check(tie([type_stack(parse_stack_text(text))]))
    assert {"unknown-key", "wrong-form"} <= {f.rule for f in findings}
    assert all(line.isprintable() for line in render(findings).splitlines())
    assert "\\u001b[31mred\\u009b1m\\u000anode" in render(findings)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("own_certificate: yes", "`true` or `false`"),
        ("host: 5", "text is expected"),
        ("hosts: a.example.com", "a list is expected"),
        ("people: 5", "the name of a set of people is expected"),
        ("path_exceptions: [/api]", "paths have clients of their own now"),
        ("origin_tls: strict", "keys with values"),
        ('funnel_port: "443"', "a whole number"),
        ("title: ''", "no text here"),
        ("title: 5", "not text without quotes"),
        ("hosts: []", "nothing is listed under `hosts:`"),
    ],
)
def test_a_wrong_form_is_said_in_words(line: str, words: str) -> None:
    (finding,) = check(tie([type_stack(parse_stack_text(f"{HEAD}{WEB}      {line}\n"))]))
    assert words in finding.reason
    assert "Input" not in finding.reason


@pytest.mark.parametrize(
    ("said", "at", "words"),
    [
        # A port, a URL and a name: nobody would be asked. Each device's own address: it would ask itself.
        ("dns: {nameservers: ['9.9.9.9:53'], override_local_dns: true}", "dns.nameservers[0]", "with no port"),
        ("dns: {nameservers: [dns.quad9.net], override_local_dns: true}", "dns.nameservers[0]", "IPv4 or IPv6 address"),
        ("dns: {nameservers: ['::1'], override_local_dns: true}", "dns.nameservers[0]", "each one's own"),
        ("dns: {split_dns: {home.arpa: [100.100.100.100]}}", "dns.split_dns.home.arpa[0]", "each one's own"),
        ("dns: {split_dns: {home.arpa: []}}", "dns.split_dns.home.arpa", "nothing is listed"),
        # MagicDNS answers these on each device [tailscale#9495].
        ("dns: {split_dns: {a.tail.ts.net: [9.9.9.9]}}", "dns.split_dns.a.tail.ts.net", "MagicDNS"),
        ("dns: {search_paths: [ts.net]}", "dns.search_paths[0]", "MagicDNS"),
        ("dns: {split_dns: {'*.home.arpa': [9.9.9.9]}}", "dns.split_dns.*.home.arpa", "bare"),
        ("dns: {search_paths: [Home.arpa]}", "dns.search_paths[0]", "lower case"),
        ("dns: {search_paths: [a b]}", "dns.search_paths[0]", "no DNS name"),
        ("settings: {devices_key_duration_days: 181}", "settings.devices_key_duration_days", "from 1 to 180"),
    ],
)
def test_what_devices_could_not_ask_is_refused_alone(said: str, at: str, words: str) -> None:
    text = HEAD.replace("{name: tail.ts.net}", f"{{name: tail.ts.net, {said}}}") + WEB
    (finding,) = check(tie([type_stack(parse_stack_text(text))]))
    assert (finding.rule, finding.where) == ("wrong-form", f"estate.tailnet.{at}")
    assert words in finding.reason
