"""The catalogue: everything that must never reach the clouds, and what keeps each from it.

A number is refused by the rules that carry it, or `cannot` be written: the model has no words for it, or the plan or
the components always make it right. Each `cannot` names the test that shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

_PLAN = "tests/exposure/rules/test_cannot_be_written.py::"
_REGISTERED = "tests/exposure/rules/test_registered.py::"
_CFD_INGRESS = "CFD ingress/ingress.go"
_CFD_RULE = "CFD ingress/rule.go"
_CFD_CONFIG = "CFD config/configuration.go"
_POLICIES = "CFDOC cloudflare-one/access-controls/policies"
_APP_PATHS = "CFDOC cloudflare-one/access-controls/policies/app-paths"
_DEPLOY = "CFDOC cloudflare-one deploy-kubernetes"
_TS = "TS cmd/k8s-operator"


@dataclass(frozen=True)
class Cannot:
    """Why a stack file cannot bring it about, and the test that shows it (`file::test`)."""

    how: str
    test: str


@dataclass(frozen=True)
class Refusal:
    """One numbered refusal, with where the reason is documented. Its rules are found by their `refuses`."""

    number: int
    title: str
    source: str
    cannot: tuple[Cannot, ...] = ()


def _plan(how: str, test: str) -> tuple[Cannot, ...]:
    return (Cannot(how, _PLAN + test),)


def _registered(how: str, test: str) -> tuple[Cannot, ...]:
    return (Cannot(how, _REGISTERED + test),)


_NO_KEY = "the stack file has no key for it, and unknown keys are refused"

CATALOGUE: tuple[Refusal, ...] = (
    Refusal(1, "A host outside every managed zone", "CFDOC dns/manage-dns-records"),
    Refusal(
        2,
        "A host more than one label below the zone without an advanced certificate",
        "CFDOC ssl/edge-certificates/universal-ssl/limitations",
    ),
    Refusal(
        3,
        "A tunnel wildcard deeper than the Access wildcard that guards it",
        f"{_CFD_RULE}; {_APP_PATHS}",
        _plan(
            "a guarded wildcard's rule asks for the JWT at any depth, and Access gives none for deeper names",
            "test_a_guarded_wildcards_rule_asks_for_the_jwt_at_any_depth",
        ),
    ),
    Refusal(4, "`*foo.zone`, `a.*.zone`", _CFD_INGRESS),
    Refusal(5, "A port, scheme, path, capital or underscore in a host name", _CFD_INGRESS),
    Refusal(
        6,
        "The catch-all missing, early or filtered",
        _CFD_INGRESS,
        _plan("one function orders the rules and adds the catch-all", "test_the_catch_all_is_last_and_alone"),
    ),
    Refusal(
        7,
        "An empty rule list",
        _CFD_INGRESS,
        _plan("the catch-all is always there", "test_a_stack_with_no_service_still_has_the_catch_all"),
    ),
    Refusal(
        8,
        "The same host and path twice, or a broader rule before a narrower",
        _CFD_RULE,
        _plan("rules are ordered narrow before broad", "test_a_narrower_rule_stands_before_a_broader_one"),
    ),
    Refusal(
        9,
        "A path that is not RE2 or not anchored",
        _CFD_RULE,
        _plan("paths are literal, and their expression is made from them", "test_every_path_is_anchored_re2"),
    ),
    Refusal(10, "A service URL with a path, slash, query or fragment", "CFD ingress/origin_service.go"),
    Refusal(11, "A service URL without a scheme", "CFD ingress/origin_service.go"),
    Refusal(12, "A service URL with an unknown scheme", "CFD ingress/origin_service.go"),
    Refusal(13, "tcp without a port", "CFD ingress/origin_service.go"),
    Refusal(14, "http_status outside 200 to 599", "CFD ingress/origin_service.go"),
    Refusal(
        15,
        "Durations that are not whole seconds",
        _CFD_CONFIG,
        _plan("they are typed as whole seconds", "test_a_duration_is_whole_seconds"),
    ),
    Refusal(
        16,
        "An https origin with no way to check its certificate",
        "CFDOC cloudflare-one/connections/connect-networks/configure-tunnels/origin-configuration",
    ),
    Refusal(17, "http2_origin on http", _CFD_CONFIG),
    Refusal(
        18,
        "Access only at the top level of the tunnel's configuration",
        _CFD_INGRESS,
        _registered("it is written on each rule, and nowhere else", "test_access_is_demanded_rule_by_rule"),
    ),
    Refusal(
        19,
        "access.required with an empty team or AUD, or the full domain as team",
        _CFD_CONFIG,
        (
            *_plan("a team is one DNS label", "test_a_team_is_a_bare_name"),
            *_registered("AUDs are those of the applications that decide", "test_access_is_demanded_rule_by_rule"),
        ),
    ),
    Refusal(
        20,
        "access.required on a bypassed path's rule",
        _CFD_CONFIG,
        _plan("the rule of a path for anyone has no application", "test_a_bypassed_path_asks_for_no_jwt"),
    ),
    Refusal(
        21,
        "audTag missing one of a host's applications",
        _APP_PATHS,
        _plan(
            "a rule names the one that decides over it, and those that let anyone by below; never another login",
            "test_a_rule_accepts_the_application_that_decides_over_it_and_what_is_let_by_below",
        ),
    ),
    Refusal(
        22,
        "A tunnel's CNAME not proxied, or with a ttl other than 1",
        "CFDOC cloudflare-one/connections/connect-networks/routing-to-tunnel/dns",
        _registered("one function makes the records", "test_a_tunnel_record_is_proxied_with_ttl_1"),
    ),
    Refusal(23, "Two records for one name, across services too", "CFDOC dns/manage-dns-records"),
    Refusal(
        24,
        "config_src other than cloudflare",
        "TFC zero_trust_tunnel_cloudflared",
        _registered("it is written by the component", "test_the_tunnel_is_remotely_managed_and_protected"),
    ),
    Refusal(
        25,
        "More than 25 replicas, or an autoscaler",
        "CFDOC cloudflare-one/account-limits",
        _registered("no autoscaler is registered", "test_nothing_scales_the_connector"),
    ),
    Refusal(
        26,
        "A NetworkPolicy without 7844 TCP and UDP, DNS, the origins and the team's domain",
        _DEPLOY,
        _registered("it is made from the rules", "test_the_connector_may_call_what_it_needs"),
    ),
    Refusal(
        27,
        "Fixed quic with egress by TCP alone",
        _DEPLOY,
        _registered("both protocols are open, whichever is fixed", "test_the_connector_may_call_what_it_needs"),
    ),
    Refusal(
        28,
        "The token as an argument or plain environment variable",
        _DEPLOY,
        _registered("it comes from a Secret", "test_the_token_comes_from_a_secret"),
    ),
    Refusal(
        29,
        "SSL off with Always Use HTTPS or HSTS; HSTS unacknowledged",
        "CFDOC ssl/origin-configuration/ssl-modes/off",
    ),
    Refusal(
        30,
        "Universal SSL off with no other certificate",
        "CFDOC ssl/edge-certificates/universal-ssl/disable-universal-ssl",
    ),
    Refusal(
        31,
        "DNSSEC or the zone unprotected",
        "TFC zone_dnssec",
        _registered("the component protects and keeps both", "test_zone_dnssec_and_policy_are_protected"),
    ),
    Refusal(
        32,
        "A host with its own certificate behind Access without the challenge's bypass, or with a broader one",
        f"{_APP_PATHS}; RFC 8555 8.3",
        _plan("the bypass comes with own_certificate, for that path alone", "test_own_certificate_brings_the_bypass"),
    ),
    Refusal(33, "ACME for a wildcard, a `*.ts.net` name, or a host without a tunnel route", "CM pkg/issuer/acme/http"),
    Refusal(
        34,
        "A challenge routed to the workload while cert-manager solves through an ingress class",
        "CM pkg/issuer/acme/http",
    ),
    Refusal(
        35,
        "The ACME rule after the host's general rule",
        _CFD_RULE,
        _plan("a host's paths stand before its general rule", "test_own_certificate_brings_the_bypass"),
    ),
    Refusal(36, "Two challenge owners for one host", "RFC 8555 8.3"),
    Refusal(
        37,
        "A solver with both class and ingressClassName, or neither",
        "CM pkg/issuer/acme/http",
        _registered("one field, always written", "test_an_ingress_names_its_class_once"),
    ),
    Refusal(
        38,
        "An Access application without a policy",
        _POLICIES,
        _registered("each has exactly one", "test_an_application_has_one_policy"),
    ),
    Refusal(
        39,
        "A policy without include, or a rule with two selectors",
        _POLICIES,
        _registered("a policy includes one group", "test_a_policy_includes_one_group"),
    ),
    Refusal(
        40,
        "require with two values of one kind",
        _POLICIES,
        _registered("no policy has a require", "test_a_policy_includes_one_group"),
    ),
    Refusal(
        41,
        "Bypass with identity selectors; bypass of a whole host",
        _POLICIES,
        (
            *_plan("an application for anyone is for a path", "test_only_a_path_is_let_by"),
            *_registered("a bypass includes everyone alone", "test_a_policy_includes_one_group"),
        ),
    ),
    Refusal(
        42,
        "Allow everyone",
        _POLICIES,
        (
            *_plan("a set holds single addresses", "test_a_set_of_people_holds_single_addresses"),
            *_registered("an allow policy includes one group", "test_a_policy_includes_one_group"),
        ),
    ),
    Refusal(
        43,
        "A duplicate precedence, or one below 1",
        _POLICIES,
        _registered("one policy, at precedence 1", "test_an_application_has_one_policy"),
    ),
    Refusal(
        44,
        "Instant Auth with other than one login method",
        "CFDOC cloudflare-one/identity",
        _registered("Google alone", "test_instant_auth_has_google_alone"),
    ),
    Refusal(
        45,
        "`1d`, `1w`; an application's session longer than its policy's",
        _POLICIES,
        _registered("both have the estate's duration", "test_a_session_is_no_longer_than_its_policys"),
    ),
    Refusal(
        46,
        "same_site strict unacknowledged",
        "CFDOC cloudflare-one/identity/authorization-cookie",
    ),
    Refusal(47, "A URI with a port, query or fragment", _APP_PATHS),
    Refusal(
        48,
        "A service token in an allow policy",
        _POLICIES,
        _registered("policies include groups of people", "test_a_policy_includes_one_group"),
    ),
    Refusal(
        49,
        "deny_unmatched_requests with a public host that has no application",
        "TFC zero_trust_organization",
        _registered("the organization is not registered", "test_no_other_singleton_is_registered"),
    ),
    Refusal(
        50,
        "Media through the tunnel unacknowledged",
        "CFDOC fundamentals/reference/policies-compliances/delivering-videos-with-cloudflare",
    ),
    Refusal(
        51, "A Funnel port other than 443, 8443, 10000; with the operator, other than 443", "tailscale.com/kb/1223"
    ),
    Refusal(
        52,
        "Funnel without MagicDNS, HTTPS or a matching nodeAttr",
        "tailscale.com/kb/1223",
        _plan("the attribute comes with the service", "test_a_funnel_brings_its_node_attribute"),
    ),
    Refusal(
        53,
        "Funnel on a Service, with a proxy group, or with a domain of one's own",
        _TS,
        _registered("a Funnel is a standalone Ingress", "test_a_tailscale_ingress_is_one_the_operator_reads"),
    ),
    Refusal(54, "Serve and Funnel on one node and port", "tailscale.com/kb/1223"),
    Refusal(55, "A bad or duplicate tailnet name", _TS),
    Refusal(
        56,
        "A tag without an owner",
        "tailscale.com/kb/1068",
        _plan("owners are made from the tags in use", "test_every_tag_has_an_owner"),
    ),
    Refusal(
        57,
        "Spaces in `tailscale.com/tags`",
        _TS,
        _registered("one generated tag", "test_a_tailscale_ingress_is_one_the_operator_reads"),
    ),
    Refusal(
        58,
        "A Tailscale Ingress with more than one TLS host, another rule host, an Exact path, or a backend elsewhere",
        _TS,
        _registered(
            "one TLS host, the default backend, the Service's own namespace (that a Service is headless shows only in "
            "the cluster)",
            "test_a_tailscale_ingress_is_one_the_operator_reads",
        ),
    ),
    Refusal(
        59,
        "DnsConfiguration beside its parts; two owners of a singleton",
        "TFT resource_dns_configuration.go",
        _registered(
            "DnsPreferences is registered once, and DnsConfiguration beside it only where it says the same of MagicDNS",
            "test_no_other_singleton_is_registered",
        ),
    ),
    Refusal(
        60,
        "The tailnet's policy unprotected, or overwriting unacknowledged; a policy without tests",
        "TFT resource_acl.go",
        (
            *_registered("the component protects it", "test_zone_dnssec_and_policy_are_protected"),
            *_plan("tests are made from nodes and services", "test_a_policy_has_tests"),
        ),
    ),
    Refusal(
        61,
        "An AllowFunnel key without a handler",
        "TS cmd/containerboot",
        _registered(
            "the operator writes it; no Serve configuration is registered", "test_only_the_operator_runs_proxies"
        ),
    ),
    Refusal(
        62,
        "Two proxies on one state Secret; an auth key and OAuth together",
        "TS cmd/containerboot",
        _registered("the operator makes the Secrets", "test_only_the_operator_runs_proxies"),
    ),
    Refusal(63, "TLS passed through to a workload without a ts.net certificate", _TS),
)
