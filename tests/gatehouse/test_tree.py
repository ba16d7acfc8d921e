"""Steps as text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatehouse.engine.tree import Step, render_counts, render_outputs, render_tree

STACK = "urn:pulumi:alfred::gatehouse::pulumi:pulumi:Stack::gatehouse-alfred"
APP = "urn:pulumi:alfred::gatehouse::gatehouse:index:ZeroTrustApp::grafana"
RECORD = "urn:pulumi:alfred::gatehouse::gatehouse:index:ZeroTrustApp$cloudflare:index/dnsRecord:DnsRecord::grafana-dns"
SERVICE = "urn:pulumi:alfred::gatehouse::gatehouse:index:ZeroTrustApp$kubernetes:core/v1:Service::grafana-service"


def test_what_changes_stands_under_its_parents_with_sign_name_and_type() -> None:
    steps = [
        Step("same", STACK),
        Step("update", RECORD, APP, ("content", "ttl")),
        Step("create", SERVICE, APP),
        Step("same", APP, STACK),
    ]
    assert render_tree(steps, 80).splitlines() == [
        "  gatehouse-alfred       pulumi:pulumi:Stack",
        "  └─ grafana             gatehouse:ZeroTrustApp",
        "~    ├─ grafana-dns      cloudflare:DnsRecord [content, ttl]",
        "+    └─ grafana-service  kubernetes:Service",
    ]


def test_what_stays_the_same_is_left_out() -> None:
    assert render_tree([Step("same", STACK), Step("same", APP, STACK)], 80) == ""


def test_a_step_that_failed_is_marked_also_where_nothing_would_change() -> None:
    assert render_tree([Step("same", APP, failed=True)], 80).startswith("! grafana")


def test_a_resource_whose_parent_is_gone_is_shown_on_its_own() -> None:
    assert render_tree([Step("delete", RECORD, "urn:pulumi:a::b::c:d:E::gone")], 80).startswith("- grafana-dns")


def test_changes_that_do_not_fit_go_on_below() -> None:
    step = Step("update", RECORD, changes=tuple(f"property{n}" for n in range(12)))
    lines = render_tree([step], 60).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 60
    assert all(f"property{n}" in " ".join(lines) for n in range(12))


names = st.text(st.characters(categories=["Ll", "Nd"]), min_size=1, max_size=90)


@given(st.lists(st.tuples(names, st.sampled_from(["create", "update", "delete", "replace"])), max_size=8))
def test_no_tree_is_wider_than_it_may_be(steps: list[tuple[str, str]]) -> None:
    parent, nested = "", []
    for name, op in steps:
        urn = f"urn:pulumi:alfred::gatehouse::gatehouse:index:Some{'x' * 20}::{name}"
        nested.append(Step(op, urn, parent))
        parent = urn
    assert all(len(line) <= 80 for line in render_tree(nested, 80).splitlines())


def test_counts_are_in_words_and_a_replacement_counts_once() -> None:
    counts = {"same": 5, "create": 2, "replace": 1, "create-replacement": 1, "delete-replaced": 1}
    assert render_counts(counts, planned=True) == "+ 2 to create, ± 1 to replace, 5 unchanged"
    assert render_counts({"delete": 3}, planned=False) == "- 3 deleted"
    assert render_counts({}, planned=True) == "nothing to do"


def test_outputs_are_whole_and_tables_only_counted() -> None:
    ds = "example.com. 3600 IN DS 2371 13 2 " + "ABCDEF01" * 8
    text = render_outputs({"ds_record": ds, "name_servers": ["a", "b"], "urls": {"x": "y"}, "later": "?"}, 80, "?")
    assert " ".join(text.split()) == f"ds_record {ds} name_servers a, b urls (1 entries)"
