"""The three explicit providers. Credentials are read here and nowhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_tailscale as tailscale

from components.manifests import RenderingProvider
from components.sdk import cloudflare


@dataclass(frozen=True)
class Providers:
    """The providers of a stack; `tailscale` is None where the estate has no tailnet."""

    cloudflare: cloudflare.Provider
    kubernetes: kubernetes.Provider
    tailscale: tailscale.Provider | None

    @property
    def options(self) -> pulumi.ResourceOptions:
        """Options that give a component all of them."""
        given = [self.cloudflare, self.kubernetes, self.tailscale]
        return pulumi.ResourceOptions(providers=[p for p in given if p is not None])


def make_providers(context: str, tailnet: str | None, manifests_folder: str | None) -> Providers:
    """Register the providers.

    Credentials come from the stack's configuration (`cloudflare:apiToken`, `tailscale:apiKey`, or
    `tailscale:oauthClientId` with `tailscale:oauthClientSecret`), else the plugins read their environment variables.
    `kubernetes:context` and `kubernetes:kubeconfig` take the place of `node.context`. With `manifests_folder` the
    Kubernetes provider renders manifests there and applies nothing.
    """
    cloud, tail, kube = (pulumi.Config(name) for name in ("cloudflare", "tailscale", "kubernetes"))
    return Providers(
        cloudflare.Provider(
            "cloudflare",
            api_token=cloud.get_secret("apiToken"),
            api_key=cloud.get_secret("apiKey"),
            email=cloud.get("email"),
            base_url=cloud.get("baseUrl"),
        ),
        RenderingProvider("kubernetes", render_yaml_to_directory=manifests_folder)
        if manifests_folder
        else kubernetes.Provider(
            "kubernetes", context=kube.get("context") or context, kubeconfig=kube.get_secret("kubeconfig")
        ),
        tailscale.Provider(
            "tailscale",
            # An organization's id, or by default the tailnet of the credentials; a ts.net name is not one [TFT].
            tailnet=tail.get("tailnet"),
            api_key=tail.get_secret("apiKey") or _stand_in(),
            oauth_client_id=tail.get("oauthClientId"),
            oauth_client_secret=tail.get_secret("oauthClientSecret"),
            base_url=tail.get("baseUrl"),
        )
        if tailnet
        else None,
    )


# A job of GitHub's has an identity of its own, which the plugin asks for where an audience is set [TFT docs/index.md].
_TAILSCALE_VARIABLES = (
    "TAILSCALE_API_KEY",
    "TAILSCALE_OAUTH_CLIENT_SECRET",
    "TAILSCALE_IDENTITY_TOKEN",
    "TAILSCALE_AUDIENCE",
)


def _has_tailscale_credentials() -> bool:
    config = pulumi.Config("tailscale")
    given = config.get_secret("apiKey") is not None or config.get_secret("oauthClientSecret") is not None
    return given or any(os.environ.get(name) for name in _TAILSCALE_VARIABLES)


def _stand_in() -> pulumi.Output[str] | None:
    """A key for a preview without credentials, which Tailscale's plugin alone refuses; it calls no API there."""
    if pulumi.runtime.is_dry_run() and not _has_tailscale_credentials():
        return pulumi.Output.secret("missing")
    return None


def missing_credentials(tailnet: bool) -> list[str]:
    """What the plugins would refuse for want of credentials, each with the command that sets it."""
    missing = []
    on = f" --stack {pulumi.get_stack()}"
    token = pulumi.Config("cloudflare").get_secret("apiToken") is not None
    if not token and not any(os.environ.get(n) for n in ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY")):
        command = f"gatehouse pulumi config set --secret cloudflare:apiToken{on}"
        missing.append(f"cloudflare:apiToken: {command} (or CLOUDFLARE_API_TOKEN)")
    if tailnet and not _has_tailscale_credentials():
        missing.append(
            f"tailscale:oauthClientSecret: gatehouse pulumi config set tailscale:oauthClientId{on} and"
            f" gatehouse pulumi config set --secret tailscale:oauthClientSecret{on}"
            " (or TAILSCALE_OAUTH_CLIENT_ID and _SECRET)"
        )
    return missing
