"""What is asked of Tailscale Funnel."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from config.values import ROOT
from exposure.ways.funnel import FunnelWay
from gatehouse.probe.checks.view import View
from gatehouse.probe.probes import CertificateProbe, Check, ClosedProbe, HttpProbe

UNPLANNED_PORTS = (8443, 10000)
"""Funnel's other ports; the operator serves 443 alone [TS cmd/k8s-operator]."""


def funnel(view: View, way: FunnelWay) -> Iterator[Check]:
    """A certificate of its own, an answer at what is served, and none anywhere else."""
    key, gate = way.service, way.gate
    name = f"{way.machine}.{way.tailnet}"
    ask = partial(Check, key, gate, at=name)
    up = "Is the proxy up (kubectl -n tailscale get pods) and the Ingress's address set? The first certificate may"
    yield ask(
        "certificate",
        "the name serves a valid certificate of its own",
        CertificateProbe(name),
        "Clients refuse the connection, or somebody else answers for the name.",
        f"{up} take a minute. The tailnet needs HTTPS and the node attribute `funnel`.",
    )
    for path in way.paths:
        yield ask(
            f"answers{path.suffix}",
            "anyone gets an answer" if path.root else f"anyone gets an answer at {path}",
            HttpProbe("page" if path.root else "open", "https", name, path, verify=False),
            "The service is not to be had from outside.",
            f"{up} take a minute. 502: the service behind the proxy does not answer.",
        )
    unserved = {} if ROOT in way.paths else {"unserved-root": "/", "unserved-path": f"/gatehouse-{view.nonce}"}
    for what, target in unserved.items():
        yield ask(
            what,
            f"{target} is not served, for {' '.join(way.paths)} alone {'is' if len(way.paths) == 1 else 'are'}",
            HttpProbe("unserved", "https", name, target, verify=False),
            "The whole service is public, where single paths of it were meant.",
            "On the proxy: `tailscale funnel status` says what is served; the Ingress has to name the paths alone: run"
            " `gatehouse preview --refresh`.",
            must_not=True,
        )
    for port in UNPLANNED_PORTS:
        yield ask(
            f"port-{port}",
            f"nothing is served on Funnel's port {port}",
            ClosedProbe(name, port, tls=True),
            "Something that is in no plan is public on this machine.",
            "On the proxy: `tailscale funnel status` says what; `tailscale funnel reset` closes it.",
            must_not=True,
        )
    yield from view.no_name(key, gate)
