"""The engine's events taken in. They are written as the engine writes them (sdk/go/common/apitype/events.go)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pulumi.automation import EngineEvent

from gatehouse.engine.progress import Progress

STACK = "urn:pulumi:alfred::gatehouse::pulumi:pulumi:Stack::gatehouse-alfred"
ZONE = "urn:pulumi:alfred::gatehouse::cloudflare:index/zone:Zone::zone"


def take(progress: Progress, *events: Mapping[str, object]) -> Progress:
    for event in events:
        progress.on_event(EngineEvent.from_json(dict(event)))
    return progress


def step(op: str, urn: str = ZONE, **more: object) -> dict[str, object]:
    type_ = urn.split("::")[2]
    return {
        "metadata": {"op": op, "urn": urn, "type": type_, "new": {"urn": urn, "type": type_, "parent": STACK}, **more}
    }


def said(message: str, severity: str = "error", **more: object) -> dict[str, object]:
    return {"diagnosticEvent": {"message": message, "severity": severity, "color": "never", **more}}


def test_a_step_is_taken_with_its_parent_and_what_changes() -> None:
    progress = take(Progress("x"), {"resourcePreEvent": step("update", diffs=["paused", "name"])})
    assert progress.steps[ZONE].op == "update"
    assert progress.steps[ZONE].parent == STACK
    assert progress.steps[ZONE].changes == ("name", "paused")


@pytest.mark.parametrize(
    "order",
    [("create-replacement", "replace", "delete-replaced"), ("delete-replaced", "replace", "create-replacement")],
)
def test_the_three_steps_of_a_replacement_are_one(order: tuple[str, ...]) -> None:
    progress = take(Progress("x"), *({"resourcePreEvent": step(op, diffs=["name"])} for op in order))
    assert [s.op for s in progress.steps.values()] == ["replace"]


def test_what_a_refresh_found_comes_with_the_outputs() -> None:
    progress = take(Progress("x"), {"resourcePreEvent": step("refresh")}, {"resOutputsEvent": step("delete")})
    assert progress.steps[ZONE].op == "delete"
    progress = take(Progress("x"), {"resourcePreEvent": step("refresh")}, {"resOutputsEvent": step("refresh")})
    assert progress.steps[ZONE].op == "same"


def test_a_failed_step_is_marked() -> None:
    progress = take(Progress("x"), {"resourcePreEvent": step("create")}, {"resOpFailedEvent": step("create")})
    assert progress.steps[ZONE].failed


def test_one_failure_that_is_told_three_times_is_said_once() -> None:
    progress = take(
        Progress("x"),
        said("<{%reset%}>two findings<{%reset%}>\n"),
        said("an unhandled error occurred: two findings"),
        said("update failed"),
    )
    assert [str(m) for m in progress.messages] == ["error: two findings"]


def test_a_message_about_a_resource_names_it_and_debugging_is_left_out() -> None:
    progress = take(
        Progress("x"),
        said("careful", "warning", urn=ZONE),
        said("details", "debug"),
        said("passing", "info", ephemeral=True),
        said("about all", "info", urn=STACK),
    )
    assert [str(m) for m in progress.messages] == ["warning: zone: careful", "info: about all"]


def test_a_crash_of_the_program_is_kept_apart_from_what_users_read() -> None:
    progress = take(Progress("x"), said("python inline source runtime error: boom\nTraceback (most recent call last):"))
    assert "Traceback" in progress.crash
    assert progress.messages == []


def test_secret_outputs_are_not_shown() -> None:
    outputs = {"zone_id": "1", "token": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}}
    event = step("same", STACK)
    event["metadata"]["new"]["outputs"] = {**outputs, "nested": {"token": outputs["token"]}}  # type: ignore[index]
    progress = take(Progress("x"), {"resOutputsEvent": event})
    assert progress.outputs == {"zone_id": "1", "token": "[secret]", "nested": {"token": "[secret]"}}


def test_the_summary_gives_the_counts() -> None:
    summary = {"summaryEvent": {"resourceChanges": {"create": 2, "same": 1}, "durationSeconds": 1}}
    assert take(Progress("x"), summary).counts == {"create": 2, "same": 1}


def test_where_there_is_no_terminal_a_line_says_what_is_under_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatehouse.engine.progress._PLAIN_SECONDS", 0.02)
    with Progress("updating") as progress:
        take(progress, {"resourcePreEvent": step("create")})
        progress._ended.wait(0.1)
    assert "updating: 0 done, 0 s, under way: zone" in capsys.readouterr().out


def test_what_the_plugins_warn_of_at_every_preview_is_not_repeated() -> None:
    stays = "[WARNING] This resource cannot be destroyed from Terraform.: Resource Destruction Considerations"
    warning = said(stays, "warning")
    other = said("[WARNING] property is deprecated: This attribute is deprecated.", "warning")
    assert [m.severity for m in take(Progress("x"), warning, other).messages] == ["warning"]


def test_what_a_plugin_logs_and_then_fails_with_is_told_once() -> None:
    detail = 'PUT "https://api.cloudflare.com/client/v4/x": 404 Not Found {"errors": [{"code": 11021}]}'
    logged, failed = f"[ERROR] {detail}: failed to make http request", f"failed to make http request: {detail}"
    told = take(Progress("x"), said(logged, urn=ZONE), said(f"error: {failed}", urn=ZONE)).messages
    assert [(m.severity, m.text, m.urn) for m in told] == [("error", failed, ZONE)]
    [alone] = take(Progress("x"), said(logged, urn=ZONE), said("error: another", urn=ZONE)).messages[:1]
    assert alone.text == f"{detail}: failed to make http request"


def test_two_resources_that_fail_alike_are_two_failures() -> None:
    other = ZONE.replace("::zone", "::other")
    told = take(Progress("x"), said("no", urn=ZONE), said("no", urn=other), said("no")).messages
    assert [m.urn for m in told] == [ZONE, other]


def beginning(name: str, type_: str) -> dict[str, object]:
    return {"resourcePreEvent": step("create", f"urn:pulumi:alfred::gatehouse::{type_}::{name}")}


RECORD = "cloudflare:index/dnsRecord:DnsRecord"


def test_what_takes_long_is_named_with_its_cloud_and_once_with_the_reason() -> None:
    """Cloudflare's provider asks for some 190 s before it gives up, Pulumi's Kubernetes waits 10 min for readiness."""
    now = [0.0]
    progress = take(Progress("updating", clock=lambda: now[0]), beginning("grafana-dns", RECORD))
    now[0] = 12
    take(progress, beginning("web", "kubernetes:apps/v1:Deployment"), beginning("blog-dns", RECORD))
    assert progress.lines() == ["updating: 0 done, 12 s, under way: blog-dns, grafana-dns, web"]
    now[0] = 31
    why, line = progress.lines()
    assert why.startswith(
        "waiting for Cloudflare: DnsRecord/grafana-dns, 31 s (the provider tries again for up to 3 min"
    )
    assert line == "updating: 0 done, 31 s, waiting for Cloudflare: DnsRecord/grafana-dns, 31 s"
    now[0] = 40
    why, line = progress.lines()
    assert why.startswith("waiting for the cluster: Deployment/web, 28 s (")
    assert "10 min" in why
    assert line.endswith(
        "waiting for Cloudflare: DnsRecord/grafana-dns, 40 s, DnsRecord/blog-dns, 28 s, "
        "waiting for the cluster: Deployment/web, 28 s"
    )
    assert len(progress.lines()) == 1


def test_what_ended_and_what_no_cloud_does_is_not_waited_for() -> None:
    now = [0.0]
    progress = Progress("updating", clock=lambda: now[0])
    take(progress, beginning("part", "gatehouse:index:Zone"), beginning("grafana-dns", RECORD))
    now[0] = 60
    assert "waiting for" in progress.lines()[-1]
    take(progress, {"resOutputsEvent": step("create", f"urn:pulumi:alfred::gatehouse::{RECORD}::grafana-dns")})
    assert progress.lines() == ["updating: 1 done, 60 s, under way: part"]
