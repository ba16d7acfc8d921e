"""Sensitive HTML behind Google login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.base import Component
from components.records import tunnel_record
from components.sdk import cloudflare
from components.tunnel import TunnelConfiguration
from exposure.ingress import general_rule, open_path_rule
from exposure.model import OriginSettings, TunnelRule
from exposure.plan import path_names

# An application that is moved to another host in place leaves the old one without it while the old record and rule are
# still there. Made anew, the new one comes first, and the old one goes when everything else has moved.
MOVES = ["destinations"]


class ZeroTrustApp(Component):
    """A host behind a Cloudflare Access application with exactly one policy and Google as the only login.

    Takes the account id, the host, a title for people, the origin's URL (`http://svc.ns.svc.cluster.local:80`, no
    path), the ids of the identity provider and of the reusable policy, and `path_exceptions`: paths such as `/api` that
    anyone reaches without login, through an application of their own with the reusable bypass policy. `also` holds the
    AUDs of further applications of the host (an `AcmeHttpRoute`'s); `after` is the zone, where this program makes it.
    Gives `rules` and `auds` for the `TunnelConfiguration`.

    Registers a ZeroTrustAccessApplication for the host (Instant Auth: one login method and redirect to it) and one for
    each path exception; `publish` then registers the DnsRecord. The order is *born locked*: application, rules with
    its AUD, record; on delete the reverse. The most specific path's application wins, with nothing inherited [CFDOC
    cloudflare-one/access-controls/policies/app-paths].

    Raises ValueError where path exceptions lack the bypass policy.

    Example:
        ```python
        app = ZeroTrustApp(
            "grafana",
            account_id="0" * 32,
            host="grafana.example.com",
            title="Grafana",
            origin="http://grafana.monitoring.svc.cluster.local:3000",
            identity_provider_id=google.identity_provider_id,
            policy_id=google.policy_ids["household"],
        )
        rules = TunnelConfiguration("alfred", ..., rules=app.rules, auds=app.auds)
        app.publish(zone_id=zone.zone_id, tunnel_id=tunnel.tunnel_id, after=rules)
        ```
    """

    def __init__(
        self,
        name: str,
        *,
        account_id: pulumi.Input[str],
        host: str,
        title: str,
        origin: str,
        identity_provider_id: pulumi.Input[str],
        policy_id: pulumi.Input[str],
        bypass_policy_id: pulumi.Input[str] | None = None,
        path_exceptions: Sequence[str] = (),
        also: Mapping[str, pulumi.Output[str]] | None = None,
        settings: OriginSettings = OriginSettings(),
        session_duration: str = "24h",
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        if path_exceptions and bypass_policy_id is None:
            raise ValueError(f"{name}: path exceptions need bypass_policy_id, the policy that lets anyone in")
        self.host = host
        application = cloudflare.ZeroTrustAccessApplication(
            f"{name}-access",
            account_id=account_id,
            name=title,
            type="self_hosted",
            destinations=[{"type": "public", "uri": host}],
            allowed_idps=[identity_provider_id],
            auto_redirect_to_identity=True,
            policies=[{"id": policy_id, "precedence": 1}],
            session_duration=session_duration,
            app_launcher_visible=True,
            http_only_cookie_attribute=True,
            same_site_cookie_attribute="lax",
            opts=self.child(depends_on=after, replace_on_changes=MOVES),
        )
        self._applications = [application]
        self.auds: dict[str, pulumi.Output[str]] = {name: application.aud}
        names = path_names(name, path_exceptions)
        for path, logical in names.items():
            assert bypass_policy_id is not None
            exception = bypass_application(
                self,
                logical,
                account_id=account_id,
                title=f"{title} {path}",
                uri=f"{host}{path}",
                policy_id=bypass_policy_id,
                after=after,
            )
            self._applications.append(exception)
            self.auds[logical] = exception.aud
        self.auds.update(also or {})
        self.rules: list[TunnelRule] = [
            *(open_path_rule(name, host, path, origin, settings) for path in names),
            general_rule(name, host, origin, tuple(self.auds), settings),
        ]
        self.register_outputs({"host": host, "aud": application.aud})

    def publish(
        self,
        *,
        zone_id: pulumi.Input[str],
        tunnel_id: pulumi.Input[str],
        after: TunnelConfiguration,
        applications: Sequence[pulumi.Resource] = (),
    ) -> cloudflare.DnsRecord:
        """Register the DNS record, after the applications and the tunnel's rules. Returns it.

        `applications` are further ones of the host (an `AcmeHttpRoute`'s): the engine orders deletes by direct
        dependencies alone, and the record has to go before any of them.
        """
        return tunnel_record(
            self,
            host=self.host,
            zone_id=zone_id,
            tunnel_id=tunnel_id,
            after=[*self._applications, *applications, after.configured],
        )


def bypass_application(
    component: Component,
    name: str,
    *,
    account_id: pulumi.Input[str],
    title: str,
    uri: str,
    policy_id: pulumi.Input[str],
    after: Sequence[pulumi.Resource] = (),
) -> cloudflare.ZeroTrustAccessApplication:
    """An application for one path that lets anyone by. A child of `component`."""
    return cloudflare.ZeroTrustAccessApplication(
        f"{name}-access",
        account_id=account_id,
        name=title,
        type="self_hosted",
        destinations=[{"type": "public", "uri": uri}],
        policies=[{"id": policy_id, "precedence": 1}],
        session_duration="24h",
        app_launcher_visible=False,
        http_only_cookie_attribute=True,
        opts=component.child(depends_on=after, replace_on_changes=MOVES),
    )
