"""Service tokens: what Access gets for an app that cannot log in, and that its secret stays one."""

from __future__ import annotations

import pytest

from exposure.audience import NOBODY, people, tokens
from tests.components import examples
from tests.kit.recorder import Recording, Registered, record


def _all(found: Recording, kind: str) -> dict[str, Registered]:
    return {r.name: r for r in found if r.type.endswith(f":{kind}")}


def test_each_token_is_made_as_it_is_said_and_its_secret_is_a_secret_output(preview: bool) -> None:
    made = _all(record(examples.service_tokens, preview), "ZeroTrustAccessServiceToken")
    assert {name: token.inputs["duration"] for name, token in made.items()} == {
        "tokens-phone": "8760h",
        "tokens-prometheus": "720h",
    }
    # The provider refuses a version without the date, and the date without a version.
    rotated = ("clientSecretVersion", "previousClientSecretExpiresAt")
    assert [made["tokens-prometheus"].inputs[key] for key in rotated] == [2, "2026-12-24T18:00:00Z"]
    assert not set(rotated) & set(made["tokens-phone"].inputs)
    assert all("clientSecret" in token.request.additionalSecretOutputs for token in made.values())


def test_a_policy_of_service_auth_names_its_tokens_and_nothing_else() -> None:
    made = _all(record(examples.service_tokens, False), "ZeroTrustAccessPolicy")
    assert sorted(made) == ["tokens-phone", "tokens-phone+prometheus"]
    assert {policy.inputs["decision"] for policy in made.values()} == {"non_identity"}
    both = made["tokens-phone+prometheus"].inputs["includes"]
    assert [list(entry) for entry in both] == [["serviceToken"], ["serviceToken"]]
    assert len(made["tokens-phone"].inputs["includes"]) == 1


def test_beside_people_the_policy_for_tokens_comes_first_and_an_app_is_answered_401() -> None:
    audience = people(["household"]) | tokens(["phone"])
    found = record(lambda: examples.zero_trust_app(audience=audience), False)
    (application,) = _all(found, "ZeroTrustAccessApplication").values()
    assert application.inputs["policies"] == [{"id": "phone-id", "precedence": 1}, {"id": "policy-id", "precedence": 2}]
    assert application.inputs["serviceAuth401Redirect"] is True
    assert application.inputs["allowedIdps"] == ["idp-id"]


def test_without_tokens_an_application_is_as_it_was() -> None:
    (application,) = _all(record(examples.zero_trust_app, False), "ZeroTrustAccessApplication").values()
    assert application.inputs["policies"] == [{"id": "policy-id", "precedence": 1}]
    assert "serviceAuth401Redirect" not in application.inputs


def test_a_path_for_tokens_alone_has_their_policy_alone_and_no_tile() -> None:
    paths = {"/federate": tokens(["prometheus", "phone"])}
    found = record(lambda: examples.zero_trust_app(audience=NOBODY, paths=paths), False)
    application = _all(found, "ZeroTrustAccessApplication")["wiki.example.com/federate"]
    assert application.inputs["policies"] == [{"id": "both-id", "precedence": 1}]
    assert application.inputs["appLauncherVisible"] is False


def test_tokens_without_a_policy_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"example\.com: it is for token watch, which needs a policy for 'watch'"):
        record(lambda: examples.zero_trust_app(audience=tokens(["watch"])), False)
