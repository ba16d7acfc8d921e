"""Each rule on whole small stack files, under tests/fixtures/rules/<rule>/: `refused…` and `accepted…`.

A refused file says beside the line what is to be found there, and nothing else may be found:
`#! <rule> <path> = <value> ? <suggestion>`, and `#~ <rule>` at a place that the finding names as well. A folder is a
whole repository of stack files.
"""

from __future__ import annotations

import json
import pkgutil
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import indent

import pytest

import exposure.rules
from config.errors import Finding
from config.loader import LoadedStack, load_project, parse_stack_text, tie, type_stack
from config.positions import read_yaml
from exposure.check import check
from exposure.plan import plan_stack
from exposure.rules import ACCEPTABLE, RULES, STRUCTURAL, Rule
from exposure.rules.base import Rules
from tests.exposure.rules.follow import Step, fixes, followed
from tests.kit.certificates import HOME_CA

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rules"
MARK = re.compile(
    r"(?P<rule>[a-z0-9-]+)(?: (?P<path>[^=?@\s].*?))?(?: = (?P<value>.+?))?"
    r"(?: \? (?P<suggestion>.+?))?(?: @(?P<line>\d+))?"
)
RULE_IDS = sorted({rule.id for rule in RULES} | set(STRUCTURAL))

Expected = tuple[str, str, str, str, str, int]
"""Rule, path, value, suggestion, file, line."""


def cases(kind: str) -> list[Path]:
    return sorted(path for path in FIXTURES.glob(f"*/{kind}*") if path.is_dir() or path.suffix == ".yaml")


def texts(case: Path) -> Iterator[tuple[str, str]]:
    """File name in messages, and text."""
    if case.is_dir():
        yield from ((path.name, path.read_text()) for path in sorted(case.iterdir()))
    else:
        yield "Pulumi.test.yaml", case.read_text()


def load(case: Path) -> dict[str, LoadedStack]:
    if case.is_dir():
        return load_project(case)
    return tie([type_stack(parse_stack_text(case.read_text()))])


def marks(case: Path) -> tuple[list[Expected], set[tuple[str, str, int]]]:
    expected: list[Expected] = []
    related = set()
    for file, text in texts(case):
        for number, line in enumerate(text.splitlines(), 1):
            for part in re.split(r"#(?=[!~] )", line)[1:]:
                if part.startswith("~"):
                    related.add((part[2:].strip(), file, number))
                    continue
                mark = MARK.fullmatch(part[2:].strip())
                assert mark, f"{file}:{number}: {part}"
                expected.append(
                    (
                        mark["rule"],
                        mark["path"] or "",
                        mark["value"] or "",
                        mark["suggestion"] or "",
                        file,
                        int(mark["line"] or number),
                    )
                )
    return sorted(expected), related


def named(case: Path) -> str:
    return f"{case.parent.name}/{case.stem}"


@pytest.mark.parametrize("case", cases("refused"), ids=named)
def test_exactly_what_is_marked_is_found(case: Path) -> None:
    expected, related = marks(case)
    found = check(load(case))
    assert expected, "a refused file without a mark proves nothing"
    assert sorted((f.rule, f.where, f.value, f.suggestion, f.place.file, f.place.line) for f in found) == expected
    assert {(f.rule, place.file, place.line) for f in found for place in f.related} == related
    assert case.parent.name in {f.rule for f in found} or "alone" in case.stem
    lines = {file: text.splitlines() for file, text in texts(case)}
    for finding in found:
        assert finding.reason
        assert finding.fix
        # A misspelt key is read as the known one, and what is found about that stands at the misspelt one.
        if not any(f.rule == "unknown-key" and f.place == finding.place for f in found):
            assert column_is_right(finding, lines[finding.place.file][finding.place.line - 1])


def column_is_right(finding: Finding, line: str) -> bool:
    """The column is that of the deepest part of the path that is in the file, or of an item of a list."""
    text = line[finding.place.column - 1 :].lstrip("\"'")
    item = isinstance(finding.path[-1], int) if finding.path else False
    parts = [str(part) for part in finding.path if not isinstance(part, int)]
    starts = [start for start in (finding.value.strip('"'), "to:") if item and start]
    keys = (*parts, *(f"gatehouse:{part}" for part in parts), "config", "{", *starts)
    return not finding.path or text.startswith(keys)


def judged(files: dict[str, str]) -> list[Finding]:
    """What is found in files, by their names."""
    stacks = {name: text for name, text in files.items() if name.startswith("Pulumi.")}
    return list(
        check(tie([type_stack(parse_stack_text(t, n.split(".")[1], _given(files))) for n, t in stacks.items()]))
    )


def _given(files: dict[str, str]) -> Callable[[str], str]:
    def beside(name: str) -> str:
        if name not in files:
            raise LookupError("it is not there", "add it")
        return files[name]

    return beside


@cache
def refused(case: Path) -> list[Finding]:
    """What is found in a refused file."""
    return judged(dict(texts(case)))


def worse(found: list[Finding], finding: Finding, files: dict[str, str], step: Step) -> list[Finding]:
    """What is found after a step that was not found before, and the finding itself where it is still there."""
    # What is found in a policy is acknowledged in the stack file.
    file = next(name for name in (finding.place.file, *files) if name.startswith("Pulumi."))
    values = followed(read_yaml(files[file], file).values, step)
    after = [f for f in judged({**files, file: json.dumps(values, ensure_ascii=False)}) if f.severity == "error"]
    more = Counter(f.rule for f in after) - (Counter(f.rule for f in found) - Counter([finding.rule]))
    return [f for f in after if f.rule in more]


CANNOT = {
    # The key is read as the known one that is close to it, and stands in no file.
    ("unknown-key/refused-and-read-on", "host-outside-zone"),
    # Once it is followed, the claim can be judged, and does not hold.
    ("claim-broken/refused-alone-not-judged", "people-unknown"),
}


@pytest.mark.parametrize("case", cases("refused"), ids=named)
def test_what_a_message_says_to_do_is_accepted(case: Path) -> None:
    files = dict(texts(case))
    found = refused(case)
    for finding in found:
        for kind, steps in fixes(finding) if (named(case), finding.rule) not in CANNOT else ():
            left = [worse(found, finding, files, step) for step in steps]
            assert [] in left, (finding.where, kind, finding.fix, finding.suggestion, left)


NODE = "config:\n" + "\n".join((FIXTURES / "stack-file" / "accepted.yaml").read_text().splitlines()[1:])
# What a fix says in words, followed: in place of what. The marks go with the rest of their line.
FIXED: dict[str, tuple[tuple[str, str], ...]] = {
    "acknowledgement-unknown/refused-of-the-service": (
        ("  gatehouse:acknowledge:", "#"),
        ("    media-through-tunnel: a paid plan carries it", "#"),
        (
            "gate: public-tunnel",
            "gate: public-tunnel\n      acknowledge: {media-through-tunnel: a paid plan carries it}",
        ),
    ),
    "context-twice/refused": (("context: pi  #~", "context: nuc  #~"),),
    "duplicate-key/refused": (("sensitivity: low  #!", "#"),),
    "estate-owner/refused-both": (("  gatehouse:member_of: pi", "#"),),
    "estate-owner-twice/refused": (
        ("name: pi, router", "name: pi, router"),
        ("  gatehouse:estate:  #!", "  gatehouse:member_of: nuc\n  other:estate:  #"),
    ),
    "gate-not-http/refused-funnel": (
        ("scheme: tcp}", "scheme: tcp, selector: {app: db}}"),
        ("gate: funnel", "gate: port-forward"),
        (
            "clients: anyone",
            "clients: anyone\n"
            "      port_forward: [{external_port: 5432, protocol: tcp, service_port: 5432, node_port: 32000}]",
        ),
    ),
    "gate-origin/refused": (('{url: "http://192.168.0.9:4533"}', "{namespace: music, service: music, port: 4533}"),),
    "google-missing/refused": (
        ("    account_id", "    google: {client_id: 1-a.apps.googleusercontent.com}\n    account_id"),
    ),
    "host-form/refused-derived-too-long": (("traffic: html", "traffic: html\n      host: a.example.com"),),
    "host-form/refused-hyphen": (("web-.example", "web.example"),),
    "host-outside-zone/refused-port-forward": (("game.unrelated.org", "game.example.com"),),
    "host-twice/refused-node-record": (("public_record: true", "#"),),
    "host-twice/refused-two-stacks": (("host: web.example.com  #!", "host: another.example.com  #"),),
    "host-wildcard/refused-inside": (("a.*.example.com", '"*.example.com"'),),
    "host-wildcard/refused-redirect": (('"*.example.com"', "one.example.com, two.example.com"),),
    "host-wildcard/refused-redirect-to": (("redirect_from:", "#"),),
    "missing-key/refused": (("    web:", "    web:\n      traffic: html"),),
    "missing-key/refused-node-field": (("context: pi", "context: pi, lan_ipv4: 192.168.0.9"),),
    "node-name-twice/refused": (("name: pi  #~", "name: nuc  #"),),
    "origin-port-missing/refused": (("url: tcp://192.168.0.9", "{on_node: true, port: 5432}"),),
    "stack-file/refused": (("gatehouse:node: {name: pi}", NODE),),
    "node-port-twice/refused": (("node_port: 32000}  #!", "node_port: 32001}  #"),),
    "people-unknown/refused-member": (("people: admins", "people: family"),),
    "port-forward-ports/refused": (
        (
            "    game:",
            "    game:\n"
            "      port_forward: [{external_port: 25565, protocol: tcp, service_port: 25565, node_port: 32565}]",
        ),
    ),
    "port-forward-twice/refused": (("- {external_port: 25566,", "#"),),
    "redirect-elsewhere/refused": (
        ("host: example.com", ""),
        ("redirect_from: [www.example.com]", "hosts: [example.com, www.example.com]"),
    ),
    "router-port-twice/refused": (
        (
            "external_port: 80, protocol: tcp, service_port: 80, node_port: 32001",
            "external_port: 81, protocol: tcp, service_port: 80, node_port: 32001",
        ),
    ),
    "selector-missing/refused": (("scheme: tcp}", "scheme: tcp, selector: {app: game}}"),),
    "selector-missing/refused-tailnet": (("scheme: tcp}", "scheme: tcp, selector: {app: db}}"),),
    "tag-twice/refused": (("    gatehouse:  #!", "    wiki:  #"),),
    "tailnet-missing/refused": (("    account_id", "    tailnet: {name: tail.ts.net}\n    account_id"),),
    "tailnet-name/refused-derived-too-long": (("traffic: html", "traffic: html\n      tailnet_name: wiki"),),
    "tailnet-name-twice/refused": (("tailnet_name: box  #!", "tailnet_name: wiki  #"),),
    "wrong-form/refused-forms": (
        ("people: {family", "people: {alice: [alice@example.com], family"),
        ("people: alice@example.com", "people: alice"),
        ("owners: me@example.com", "owners: [me@example.com]"),
        ("selector: {}", "#"),
        ('origin: "http://192.168.0.1"', 'origin: {url: "http://192.168.0.1"}'),
        ("    empty:", "#"),
    ),
    "yaml-key/refused": (("? [a, b]  #!", '"other:a":'), ("\n  : c", " c")),
    "yaml-key/refused-merge": (
        ("<<: *usual", "origin: {namespace: wiki, service: wiki, port: 80}\n      traffic: html\n"),
    ),
    "yaml-key/refused-number": (("    0120:", '    "0120":'),),
    "yaml-value/refused-tag": (("!!str ", ""),),
    "yaml/refused-two-documents": (("---\n", ""), ("config: {}", "")),
    "access-path-bypass/refused-nobody": (
        ("paths: {", "acknowledge: {access-path-bypass: each call is signed}\n      paths: {"),
    ),
    "claim-broken/refused-same-workload": (("vault.vault", "blog.blog"), ("acknowledge: {workload-wider", "#")),
    "connector-image/refused-path-rewriting": (("2026.8.1", "2026.8.2"),),
    "gates-clash/refused": (("gates: [", "gate: public-tunnel\n      paths: {/admin: {people: admins}} #"),),
    "gates-clash/refused-machine": (("gates: [", "gate: funnel #"),),
    "gates-clash/refused-acme": (("gates: [", "#"),),
    "gates-clash/refused-router": (
        ("gates: [", "gate: public-tunnel #"),
        (", selector: {app: web}", ""),
        ("port_forward: [", "#"),
        ("acknowledge:", "#"),
        ("http-by-port-forward:", "#"),
    ),
    "host-below-wildcard/refused": (("host: web.example.com", "host: example.com"),),
    "host-twice/refused": (("host: one.example.com  #!", "host: one.example.com\n      path: /b #"),),
    "host-wildcard/refused": (("own_certificate: true", ""), ("challenges:", "others:"), ("acme-http-01", "html")),
    "ingress-controller/refused": (
        ("namespace: haproxy", "namespace: haproxy, service: haproxy, class_name: haproxy"),
    ),
    "ingress-nginx-retired/refused": (
        ("kind: nginx", "kind: traefik"),
        ("namespace: ingress-nginx, service: ingress-nginx-controller", "namespace: kube-system, service: traefik"),
    ),
    "managed-ingress-https/refused": (("managed}", "existing}"),),
    "limit-tailnet/refused": (("plan: personal", "plan: standard"),),
    "limit-tailnet/refused-by-default": (("name: tail.ts.net", "name: tail.ts.net\n      plan: premium"),),
    "managed-ingress-https/refused-rendered": (
        (", through_ingress: managed", ""),
        ("own_certificate: true", "origin_tls: {origin_server_name: kong.dashboard}"),
        ("    challenges:", "    # challenges:"),
        ("  origin: {namespace: kube-system", "  # origin: {namespace: kube-system"),
        ("  traffic: acme", "  # traffic: acme"),
    ),
    "nobody-at-all/refused": (("clients: nobody", "clients: nobody\n      paths: {/a: {people: admins}} #"),),
    "nobody-at-all/refused-funnel-for-people": (("clients: people", "clients: nobody"),),
    "one-or-several/refused": (("gate: z", "#"), ("host: w", "#")),
    "origin-ca-pool/refused-path": (
        ("ca_pool: /etc/ca/home.pem", f"ca_pool: |\n{indent(HOME_CA, ' ' * 10)}          #"),
    ),
    "origin-ca-pool/refused-rendered": (("manifests_folder:", "#"),),
    "other-ports-twice/refused": (("- {port: 53, ", "#"), ("- {port: 853, ", "#")),
    "path-gate/refused": (("paths: {", "#"),),
    "path-outside/refused": (
        ("/app: {", "/app/a: {"),
        ("/admin: {", "/app/admin: {"),
        ("/application: {", "/app/application: {"),
    ),
    "path-root/refused-for-people": (("/: {", "/admin: {"),),
    "path-twice/refused": (("/matrix: {", "#"), ("path: /matrix", "path: /matrix\n      people: admins")),
    "path-twice/refused-challenges": (("own_certificate: true  #!", "#"),),
    "address-impossible/refused": (("router_ipv4: ", "#"), ("lan_ipv4: 127.0.0.1", "lan_ipv4: 192.168.0.9")),
    "address-impossible/refused-tailnet": (("tailnet_ipv4: ", "#"),),
    "lan-address/refused": (
        ("  gatehouse:estate:", "  gatehouse:acknowledge: {lan-address: a rented server}\n  gatehouse:estate:"),
    ),
    "router-address/refused": (("clients: anyone", "clients: tailnet"), ("port_forward: [", "#")),
    "router-address/refused-record": (("public_record: true", "#"),),
    "sensitive-for-anyone/refused": (
        ("clients: anyone", "clients: anyone\n      sensitivity: low\n      paths: {/a: {people: family}} #"),
    ),
    "tailnet-https-port/refused": (("scheme: https}", "scheme: https, port_name: https}"),),
    "tailnet-https-port/refused-http-at-443": (("port: 443}", "port: 443, scheme: https}"),),
    "tailnet-policy-file/refused": (("policy: tailnet.hujson", "#"),),
    "tailnet-policy-invalid/refused": (('"grants"', '"tagOwners": {"tag:printer": []},\n"grants"'),),
    "tailnet-policy-invalid/refused-no-policy": (
        ('"] "dst": ["tag:printer"]', '"], "dst": ["autogroup:internet"], "ip": ["*"]'),
    ),
    "tailnet-policy-invalid/refused-twice": (('"group:family": [', "// "), ('"tag:gatehouse-pi": [', "// ")),
    "tailnet-policy-opens/refused": (('{"src": ["*"]', "// "),),
    "tailnet-policy-opens/refused-node": (
        ("carol@example.com", "alice@example.com"),
        ('tag:gatehouse-pi"], "attr', 'autogroup:member"], "attr'),
    ),
    "tailnet-policy-tests/refused": (('"src": ["alice@example.com"]', '"src": ["bob@example.com"]'),),
    "tailnet-service-twice/refused": (
        ("port: 445, scheme: tcp}", "port: 445, scheme: tcp, other_ports: [{port: 139}]}"),
        ("samba-netbios:", "samba-web:"),
        ("port: 139, scheme: tcp}", "port: 80}"),
    ),
    "tailnet-tls-passthrough/refused-other-port": (
        ("other_ports:", "#"),
        ("- {port: 443}", "#"),
        (
            "clients: tailnet",
            "clients: tailnet\n    git-web: {origin: {namespace: git, service: git, port: 443}, traffic: html}",
        ),
    ),
    "wider-than-meant/refused-nobody": (("gates: [zero-trust, tailnet]", "gate: zero-trust"),),
    "wider-than-meant/refused-path-by-funnel": (("/share: {", "/share/album: {"),),
    "wider-than-meant/refused-path-by-tailnet": (("gates: [zero-trust, tailnet]", "gate: zero-trust"),),
    "wider-than-meant/refused-people-on-funnel": (("gate: funnel", "gate: tailnet"),),
    "workload-wider/refused": (
        ("traffic: html\n    web-open", "traffic: html\n      paths: {/open: {}}\n    web-open"),
        ("sensitivity: low", "sensitivity: low\n      acknowledge: {workload-wider: it shows public pages alone}"),
    ),
    "workload-wider/refused-controller": (
        ("namespace: kube-system, service: traefik", "namespace: game, service: game"),
    ),
    "wrong-form/refused-ipv6": (
        ('router_ipv4: "', "#"),
        ('lan_ipv4: "fd12:3456::10"', "lan_ipv4: 192.168.0.9"),
        ("clients: anyone", "clients: tailnet"),
        ("port_forward: [", "#"),
    ),
    "people-public-mail/refused": (
        ("{domain: [smith.example, gmail.com]}", "{domain: smith.example, emails: [ann@example.com]}"),
        ("{domain: yahoo.co.uk}", "{emails: [ben@example.com]}"),
    ),
    "people-unfit/refused": (("ben@github", "ben@example.com"), ("people: smiths  #", "people: family  #")),
    "people-until/refused": (('until: "2020-12-06"', 'until: "2999-12-06"'),),
    "unknown-key/refused-ipv6": (('lan_ipv6: "', "#"), ('router_ipv6: "', "#"), ("connector: {", "#")),
    "zone-api/refused": (("smith.tk", "smith.to"), ("smith.ml", "smith.com")),
    "zone-registered/refused-of-others": (
        (
            "  gatehouse:estate:",
            "  gatehouse:acknowledge: {zone-registered: it lets me set name servers}\n  gatehouse:estate:",
        ),
    ),
    "zone-twice/refused": (("- name: example.com", "#"),),
}


def test_the_fix_of_every_rule_is_followed() -> None:
    by_program = {f.rule for case in cases("refused") for f in refused(case) if any(fixes(f))}
    by_hand = {case.split("/")[0] for case in FIXED}
    # These are for the owner: which paths, people or stacks to give up, and which address a node has.
    by_owner = {"limit-account", "limit-addresses", "limit-applications", "lan-address-twice"}
    assert set(RULE_IDS) - by_program - by_hand == by_owner


@pytest.mark.parametrize("case", FIXED)
def test_a_fix_that_is_followed_fixes(case: str) -> None:
    path = FIXTURES / case
    files = dict(texts(path if path.is_dir() else path.with_suffix(".yaml")))
    for old, new in FIXED[case]:
        assert any(old in text for text in files.values()), old
        files = {name: text.replace(old, new) for name, text in files.items()}
    assert [f for f in judged(files) if f.severity == "error"] == []


@pytest.mark.parametrize("case", cases("accepted"), ids=named)
def test_nothing_is_found_in_what_is_accepted(case: Path) -> None:
    stacks = load(case)
    assert check(stacks) == ()
    # What has no findings can be planned.
    for stack in stacks.values():
        plan_stack(stack, stacks)


@pytest.mark.parametrize("kind", ["refused", "accepted"])
def test_every_rule_has_both_kinds_of_fixture(kind: str) -> None:
    assert sorted({case.parent.name for case in cases(kind)}) == RULE_IDS


def test_ids_are_unique_and_readable() -> None:
    assert len(RULE_IDS) == len(RULES) + len(STRUCTURAL)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+|hsts|yaml", rule) for rule in RULE_IDS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_holds_and_where_its_reason_is_documented(rule: Rule) -> None:
    assert rule.source
    said = (rule.check.__doc__ or "").splitlines()[0]
    assert said == f"{rule.title}."
    assert re.match("[A-Z`]", rule.title)


def test_the_rules_of_every_subject_are_asked() -> None:
    modules = [import_module(f"exposure.rules.{found.name}") for found in pkgutil.iter_modules(exposure.rules.__path__)]
    subjects = [rules for module in modules if isinstance(rules := getattr(module, "RULES", None), Rules)]
    assert len(subjects) > 10
    assert [rule for rules in subjects for rule in rules if rule not in RULES] == []


def test_the_risks_that_may_be_acknowledged_are_these() -> None:
    # The issue names media, no_tls_verify, a path's bypass and HSTS; the rest are risks of the same kind.
    assert ACCEPTABLE == {
        "media-through-tunnel": "service",
        "origin-tls-unverified": "service",
        "access-path-bypass": "service",
        "access-weakened": "service",
        "sensitive-on-funnel": "service",
        "sensitive-by-port-forward": "service",
        "workload-wider": "service",
        "http-by-port-forward": "service",
        "hsts": "stack",
        "tailnet-policy-overwrite": "stack",
        # What a policy of the owner's own opens, or a subnet router.
        "tailnet-nameserver": "stack",
        "tailnet-policy-opens": "stack",
        "tailnet-route-opens": "stack",
        "tailnet-route-node": "stack",
        # Nobody here knows whose address it is.
        "tailnet-policy-address": "stack",
        "google-test-users": "stack",
        "limit-redirects": "stack",
        # What the platform takes from some: Enterprise plans, suffixes that delegate, rented servers.
        "zone-registered": "stack",
        "zone-api": "stack",
        "lan-address": "stack",
        "ingress-nginx-retired": "stack",
    }


@pytest.mark.parametrize("key", ["music", "name"])
def test_a_service_is_called_one_whatever_its_key_is(key: str) -> None:
    text = (FIXTURES / "tailnet-name-twice" / "refused.yaml").read_text().replace("    music:\n", f"    {key}:\n")
    [found] = check(tie([type_stack(parse_stack_text(text))]))
    assert found.reason.startswith(f"service {key} has this name on the tailnet: ")
