"""The simulated Kubernetes clusters: one a provider `context` (or kubeconfig), each with a willing kubelet.

Ids, previews, replacements, naming, Patch kinds and rendering: pulumi/pulumi-kubernetes (`provider/pkg/provider/
provider.go`, `diff.go`, `helm_release.go`, `provider/pkg/await/await.go`). Refusals: the API server's own texts.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from gatehouse.simulation import values
from gatehouse.simulation.cloud import Cloud, Difference, Faults, Found, RefusedError, Request, uuid_of
from gatehouse.simulation.shapes import Failure
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import UNKNOWN, Object, Path, Secret

_SYSTEM_NAMESPACES: Final = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
# API version -> kinds; those that end in "-" belong to no namespace.
_KINDS: Final = {
    "v1": "Namespace- ConfigMap Secret Service",
    "apps/v1": "Deployment",
    "helm.sh/v3": "Release",
    "networking.k8s.io/v1": "Ingress NetworkPolicy",
    "policy/v1": "PodDisruptionBudget",
    # The Tailscale operator's chart brings it [TS deploy/chart, installCRDs].
    "tailscale.com/v1alpha1": "ProxyGroup-",
    # k3s comes with Traefik's own kinds.
    "traefik.io/v1alpha1": "ServersTransport",
}
# What a change of which path (a prefix) replaces, besides name and namespace.
_REPLACES: Final = {
    "ConfigMap": ("binaryData", "data"),
    "Deployment": ("spec.selector",),
    "Secret": ("type", "stringData", "data"),
    "Service": ("spec.clusterIP",),
}
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE_LABEL: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"|[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_KEY: Final = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PORT_NAME: Final = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
_STRING_MAPS: Final = frozenset({"annotations", "labels", "matchLabels", "nodeSelector"})
_OPERATOR: Final = "tailscale-operator"
_PROXY_GROUP: Final = "tailscale.com/proxy-group"
# [TS deploy/crds/tailscale.com_proxygroups.yaml]
_PROXY_GROUP_TYPES: Final = ("egress", "ingress", "kube-apiserver")
_PROXY_GROUP_TEXTS: Final = {"hostnamePrefix": "[a-z0-9][a-z0-9-]{0,61}", "tags": "tag:[a-zA-Z][a-zA-Z0-9-]*"}
_AUTONAMED: Final = "pulumi.com/autonamed"
_PATCH_FORCE: Final = "pulumi.com/patchForce"
_NODE_PORTS: Final = range(30000, 32768)
# What only the cluster sets in an object's metadata.
_CLUSTERS_OWN: Final = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")


class _Target:
    """Which object a request is about."""

    def __init__(self, request: Request, inputs: Object) -> None:
        kind = request.type.rsplit(":", 1)[-1]
        module = request.type.split(":")[1].split("/index")[0]
        group, _, version = module.rpartition("/")
        self.patch = kind.endswith("Patch")
        self.kind = kind.removesuffix("Patch")
        self.api_version = version if group == "core" else module
        self.release = self.api_version == "helm.sh/v3" and kind == "Release"
        self.config = config = request.config
        identity = config.get("context")
        if not identity and config.get("kubeconfig"):
            identity = hashlib.sha256(str(config["kubeconfig"]).encode()).hexdigest()[:8]
        self.cluster = re.sub(r"[^A-Za-z0-9.@_-]", "_", str(identity or "default"))
        metadata = inputs if self.release else inputs.get("metadata") or {}
        namespace, name = metadata.get("namespace"), metadata.get("name")
        if request.id:
            first, slash, last = request.id.partition("/")
            namespace, name = (first, last) if slash else (namespace if self.release else "", first)
        self.name = str(name)
        self.namespace = str(namespace or "")
        self.render = str(config.get("renderYamlToDirectory") or "")

    def invalid(self, where: str, what: str) -> RefusedError:
        """Gives the API server's refusal of a field."""
        return RefusedError(f'{self.kind} "{self.name}" is invalid: {where}: {what}')

    def bad(self, where: str, value: Any, why: str) -> RefusedError:
        """Gives its refusal of a field's value."""
        return self.invalid(where, f"Invalid value: {json.dumps(value)}: {why}")

    @property
    def key(self) -> str:
        """Where the object is kept."""
        kind = f"{self.api_version}/{self.kind}"
        return f"kubernetes/{self.cluster}/{kind}/{self.namespace or '-'}/{self.name}"

    @property
    def id(self) -> str:
        """The id the engine knows it by."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def plural(self) -> str:
        """The resource's name in the API server's texts."""
        lower = self.kind.lower()
        if lower.endswith("s"):
            return f"{lower}es"
        return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s"

    @property
    def qualified(self) -> str:
        """The same with the API group."""
        group, slash, _ = self.api_version.rpartition("/")
        return f"{self.plural}.{group}" if slash else self.plural


def has_connector(store: Store, tunnel: str) -> bool:
    """Says whether a Deployment runs with a Secret that holds the tunnel's token, so that it is connected."""
    for key, body in store.find("kubernetes/"):
        if "/apps/v1/Deployment/" not in key:
            continue
        _, cluster, rest = key.split("/", 2)
        namespace = rest.split("/")[3]
        for name in _secret_names(body):
            item = store.get(f"kubernetes/{cluster}/v1/Secret/{namespace}/{name}")
            if item is not None and tunnel in item.get("tunnels", ()):
                return True
    return False


def _secret_names(deployment: Object) -> Iterator[str]:
    pod = deployment.get("spec", {}).get("template", {}).get("spec", {})
    for container in pod.get("containers", []):
        for one in container.get("env", []):
            reference = (one.get("valueFrom") or {}).get("secretKeyRef") or {}
            yield str(reference.get("name"))


def _tunnels(data: Mapping[str, Any]) -> list[str]:
    """Gives the tunnel ids of the tokens in a Secret: base64 of `{"a": account, "t": tunnel, "s": secret}`."""
    found = []
    for value in data.values():
        try:
            token = json.loads(base64.b64decode(base64.b64decode(str(value), validate=True), validate=True))
            found.append(str(token["t"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found


class Kubernetes(Cloud):
    """The simulated clusters. Every workload is ready at once, every Ingress has an address."""

    name = "kubernetes"
    version = "4.34.2"

    def __init__(
        self,
        store: Store,
        faults: Faults | None = None,
        *,
        namespaces: Iterable[str] = (),
        services: Iterable[str] = (),
    ) -> None:
        """Keeps its objects in `store`.

        In each cluster `namespaces` are there from the start, and the user's own `services`, each written as
        `<namespace>/<name>:<port>/<protocol>,…`.
        """
        super().__init__(store, faults)
        self.namespaces = _SYSTEM_NAMESPACES | set(namespaces)
        self.services = {name: ports.split(",") for name, _, ports in (one.partition(":") for one in services)}

    # -- the provider ---------------------------------------------------------------------------------------

    def check_config(self, news: Object) -> list[Failure]:
        """Refuses what does not go with rendering to a folder."""
        if not news.get("renderYamlToDirectory"):
            return []
        return [
            Failure(name, f'"{name}" arg is not compatible with "renderYamlToDirectory" arg')
            for name in ("context", "kubeconfig")
            if news.get(name) and news[name] != os.environ.get("KUBECONFIG")
        ]

    def config_replaces(self, olds: Object, news: Object) -> tuple[str, ...]:
        """Another cluster, or another folder, replaces everything."""
        names = ("renderYamlToDirectory", "context", "kubeconfig")
        return tuple(name for name in names if olds.get(name) != news.get(name))

    # -- check ----------------------------------------------------------------------------------------------

    def check(self, request: Request) -> tuple[Object, list[Failure]]:
        """Names what has no name, sets the namespace, and refuses what the API server's schema refuses."""
        inputs = dict(request.news)
        target = _Target(request, values.reveal(inputs))
        if target.release:
            return self._check_release(request, inputs)
        failures: list[Failure] = []
        for name, want in (("apiVersion", target.api_version), ("kind", target.kind)):
            if inputs.setdefault(name, want) != want:
                failures.append(Failure(name, f'"{inputs[name]}" does not fit the resource type {request.type}'))
        metadata = inputs.get("metadata")
        metadata = {} if metadata is None else metadata
        if isinstance(metadata, dict):
            metadata = dict(metadata)
            if metadata.get("name") is None:
                if target.patch:
                    raise RefusedError("patch resources require the `.metadata.name` field to be set")
                old = values.reveal(request.olds).get("metadata") or {}
                kept = (old.get("annotations") or {}).get(_AUTONAMED) == "true"
                metadata["name"] = old["name"] if kept else _made_up_name(request)
                metadata["annotations"] = {**(metadata.get("annotations") or {}), _AUTONAMED: "true"}
            inputs["metadata"] = metadata
        return inputs, failures + list(_not_strings(values.reveal(inputs)))

    def _check_release(self, request: Request, inputs: Object) -> tuple[Object, list[Failure]]:
        inputs.pop("compat", None)
        inputs.pop("resourceNames", None)
        inputs["name"] = inputs.get("name") or values.reveal(request.olds).get("name") or _made_up_name(request)
        inputs["namespace"] = inputs.get("namespace") or "default"
        if not inputs.get("skipAwait"):
            inputs.setdefault("timeout", 300)
        missing = [] if inputs.get("chart") else [Failure("chart", "a chart must be given")]
        return inputs, missing

    # -- diff -----------------------------------------------------------------------------------------------

    def diff(self, request: Request) -> Difference:
        """Compares what the cluster has of the old inputs with the new inputs."""
        old_inputs = values.reveal(request.old_inputs)
        new = values.reveal(request.news)
        target = _Target(request, old_inputs)
        if target.kind == "Secret":
            old_inputs, new = _as_data(old_inputs), _as_data(new)
        if target.release:
            olds: Object = old_inputs
            forcing: tuple[str, ...] = ("name", "namespace")
        else:
            live = values.reveal(request.olds)
            if target.kind == "Secret" and isinstance(new.get("data"), dict):
                live = {**live, "data": self.store.recognised(live.get("data") or {}, new["data"])}
            olds = values.shaped_like(live, old_inputs)
            forcing = ("metadata.name", "metadata.namespace", *(() if target.patch else _REPLACES.get(target.kind, ())))
            if self._namespaced(target):
                for one in (olds, new):
                    one.setdefault("metadata", {}).setdefault("namespace", "default")
        changes: dict[str, str] = {}
        replaces = []
        for path, how in values.differences(olds, new):
            text = values.path_text(path)
            if _read_only(path) or (how == "add" and _empty(new, path)):
                continue
            changes[text] = how
            dotted = ".".join(str(step) for step in path if not isinstance(step, int))
            if any(dotted == one or dotted.startswith(f"{one}.") for one in forcing):
                replaces.append(text)
        named = (new.get("metadata") or {}).get("name")
        annotations = (new.get("metadata") or {}).get("annotations") or {}
        same_place = named == target.name and new.get("metadata", {}).get("namespace", "") in ("", target.namespace)
        delete_first = bool(replaces) and same_place and annotations.get(_AUTONAMED) != "true"
        return Difference(changes, tuple(replaces), delete_first and not target.release)

    # -- create, read, update, delete -----------------------------------------------------------------------

    def create(self, request: Request) -> tuple[str, Object]:
        """Makes the object; a Patch changes or makes it."""
        return self._written(request, "create")

    def update(self, request: Request) -> Object:
        """Changes the object as server-side apply does: sets what is given, takes away what no longer is."""
        return self._written(request, "update")[1]

    def _written(self, request: Request, method: str) -> tuple[str, Object]:
        makes = method == "create"
        inputs = values.reveal(request.news)
        target = _Target(request, inputs)
        if makes and not target.namespace and not target.render and self._namespaced(target):
            target.namespace = "default"
        secrets = list(values.secret_paths(request.news))
        if request.preview:
            self.previewed(method, request)
            if makes and not values.has_unknown(inputs) and not target.patch:
                self._valid(target, inputs)
            shown = inputs if target.render else self._previewed(target, inputs)
            shown = shown if makes else self._changed(target, values.reveal(request.olds), inputs, shown)
            return "", _secret_kind(target, values.conceal(shown, secrets))
        if target.render:
            _render(target, inputs)
            return target.id, _secret_kind(target, values.conceal(inputs, secrets))

        def act() -> tuple[str, Object]:
            self._home(target, inputs)
            existing = self.store.get(target.key) or (self._users_service(target) if makes else None)
            self._valid(target, inputs, partial=target.patch and existing is not None)
            taken = existing is not None or (target.kind == "Namespace" and target.name in self.namespaces)
            if makes and taken and not target.patch:
                helms = "cannot re-use a name that is still in use"
                raise RefusedError(helms if target.release else f'{target.qualified} "{target.name}" already exists')
            if target.release and not makes and existing is None:
                raise RefusedError(f'"{target.name}" has no deployed releases')
            # An apply makes anew what someone else deleted.
            item = existing or self._new(target, inputs, request.urn)
            before = item["body"]
            if target.patch:
                self._patch(target, item, inputs, request)
            elif not makes:
                self._immutable(target, values.reveal(request.olds), inputs)
                item["body"] = _without(before, _gone(values.reveal(request.old_inputs), inputs))
            return target.id, self._applied(target, item, before, inputs, secrets)

        try:
            return target.id, self.call(method, request, act)
        except RefusedError as no:
            failed = "was not successfully created by the Kubernetes API server" if makes else "failed"
            what = f'resource "{request.urn}"' if makes else f'update of resource "{request.urn}"'
            raise RefusedError(f"{what} {failed}: {no}") from None

    def _previewed(self, target: _Target, inputs: Object) -> Object:
        """Gives what a preview shows: the inputs, and as unknown what only the cluster can fill."""
        shown = copy.deepcopy(inputs)
        if target.patch:
            return shown
        if target.release:
            return {**shown, "status": UNKNOWN, "resourceNames": UNKNOWN}
        if isinstance(shown.get("metadata"), dict):
            shown["metadata"] |= dict.fromkeys(("creationTimestamp", "generation", "resourceVersion", "uid"), UNKNOWN)
        if target.kind == "Service" and isinstance(shown.get("spec"), dict):
            shown["spec"].setdefault("clusterIP", UNKNOWN)
        if target.kind == "Secret" and isinstance(shown.get("stringData"), dict):
            whole = {**(shown.get("data") or {}), **_encoded(shown["stringData"])}
            shown["data"] = UNKNOWN if values.has_unknown(shown) else whole
        return shown

    def read(self, request: Request) -> Found:
        """Looks the object up; an import gives as inputs all that is not the cluster's own."""
        old_inputs = values.reveal(request.old_inputs)
        target = _Target(request, old_inputs or values.reveal(request.olds))
        if target.render:
            return Found(request.id, request.olds, request.old_inputs)

        def act() -> tuple[str, Found]:
            item = self.store.get(target.key) or self._from_the_start(target)
            if item is None:
                return "", Found()
            live = self.store.unseal(item["body"], request.olds, request.old_inputs)
            secrets = [*values.secret_paths(live), *values.secret_paths(request.olds)]
            live = values.reveal(live)
            if target.release:
                given = [key for key in live if key not in ("status", "resourceNames")]
                inputs = {key: live[key] for key in (old_inputs or given) if key in live}
                inputs = values.conceal(copy.deepcopy(inputs), values.secret_paths(request.old_inputs))
                return target.id, Found(request.id, values.conceal(live, secrets), inputs)
            outputs = self._answer(target, copy.deepcopy(live), old_inputs, secrets)
            if old_inputs:
                plain = values.reveal(outputs)
                inputs = values.shaped_like(plain, old_inputs)
            else:
                inputs = _importable(live)
            inputs = _secret_kind(target, values.conceal(inputs, values.secret_paths(request.old_inputs)))
            return target.id, Found(request.id, outputs, inputs)

        return self.call("read", request, act)

    def _from_the_start(self, target: _Target) -> Object | None:
        """Gives a namespace that no program made, or a Service of the user's."""
        if target.kind != "Namespace" or target.name not in self.namespaces:
            return self._users_service(target)
        uid = uuid_of(hashlib.sha256(target.key.encode()).hexdigest())
        metadata = {"name": target.name, "uid": uid, "labels": {"kubernetes.io/metadata.name": target.name}}
        return {"body": {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "status": {"phase": "Active"}}}

    def _users_service(self, target: _Target) -> Object | None:
        if target.kind != "Service" or target.id not in self.services:
            return None
        item = self._new(target, {}, target.id)
        ports = [
            {
                "name": port.replace("/", "-"),
                "port": int(port.partition("/")[0]),
                "protocol": port.partition("/")[2].upper(),
            }
            for port in self.services[target.id]
        ]
        body = {**item["body"], "spec": {"selector": {"app": target.name}, "ports": ports}}
        return {"body": self._fill(target, body, {})}

    def _applied(self, target: _Target, item: Object, before: Object, inputs: Object, secrets: list[Path]) -> Object:
        """Keeps the object with the inputs set and what the cluster itself sets; gives it as it is answered."""
        live = copy.deepcopy(inputs) if target.release else _merged(item["body"], inputs)
        live = self._fill(target, live, before)
        self._keep(target, item, live, secrets)
        return self._answer(target, live, inputs, secrets)

    def _changed(self, target: _Target, olds: Object, inputs: Object, shown: Object) -> Object:
        """Gives what a preview shows of an object that is there already."""
        shown = {**olds, **shown}
        if target.release:
            return shown
        metadata = _merged(olds.get("metadata") or {}, inputs.get("metadata") or {})
        shown["metadata"] = metadata if target.render else {**metadata, "resourceVersion": UNKNOWN}
        if target.kind == "Service":
            shown["spec"] = _merged(olds.get("spec") or {}, inputs.get("spec") or {})
        return shown

    def delete(self, request: Request) -> None:
        """Deletes the object, a namespace with all that is in it; a Patch only lets go of its fields."""
        target = _Target(request, values.reveal(request.old_inputs or request.olds))
        if target.render:
            _rendered_at(target).unlink(missing_ok=True)
            return

        def act() -> tuple[str, None]:
            item = self.store.get(target.key)
            if item is None and target.patch and target.kind == "Service":
                # It is let go of by an apply without fields, which would make a Service without ports.
                raise RefusedError(
                    "this Patch resource is currently managing a required field, so it can't be deleted directly. "
                    "Either set the `retainOnDelete` resource option, or transfer ownership of the field before "
                    "deleting: spec.ports"
                )
            if item is None:
                return target.id, None
            if target.patch:
                added = item.get("patches", {}).pop(request.urn, [])
                item["body"] = _without(item["body"], [tuple(path) for path in added])
                self.store.put(target.key, item)
                return target.id, None
            self._finalized(target, item["body"])
            if target.kind == "Namespace":
                for key, _ in list(self.store.find(f"kubernetes/{target.cluster}/")):
                    if key.split("/")[-2] == target.name:
                        self.store.remove(key)
            self.store.remove(target.key)
            return target.id, None

        self.call("delete", request, act)

    def _finalized(self, target: _Target, body: Object) -> None:
        """Refuses, as the plugin does after ten minutes, what the Tailscale operator's finalizer would keep.

        Of what is behind a ProxyGroup it takes that off while the group is there; and the chart takes the kind along
        [TS cmd/k8s-operator/svc-for-pg.go, ingress-for-pg.go, proxygroup.go].
        """
        group = ((body.get("metadata") or {}).get("annotations") or {}).get(_PROXY_GROUP)
        groups = f"kubernetes/{target.cluster}/tailscale.com/v1alpha1/ProxyGroup/-/"
        behind = target.kind in ("Ingress", "Service") and group
        needs_operator = behind or target.kind == "ProxyGroup"
        last = target.release and _chart(body) == _OPERATOR
        if (
            (behind and self.store.get(groups + str(group)) is None)
            or (needs_operator and not self._has_operator(target))
            or (last and any(self.store.find(groups)))
        ):
            raise RefusedError("timed out waiting for the condition")

    def _has_operator(self, target: _Target) -> bool:
        """Whether the cluster has the Tailscale operator: by its chart, or from the start in its usual namespace."""
        releases = self.store.find(f"kubernetes/{target.cluster}/helm.sh/v3/Release/")
        return "tailscale" in self.namespaces or any(_chart(body) == _OPERATOR for _, body in releases)

    # -- the rules of the API server ------------------------------------------------------------------------

    def _namespaced(self, target: _Target) -> bool:
        return f"{target.kind}-" not in _KINDS.get(target.api_version, "").split()

    def _home(self, target: _Target, inputs: Object) -> None:
        """Refuses what there is no such kind or no namespace for."""
        known = target.kind in _KINDS.get(target.api_version, "").replace("-", "").split()
        if not known or (target.kind == "ProxyGroup" and not self._has_operator(target)):
            raise RefusedError(
                f'no matches for kind "{target.kind}" in version "{target.api_version}": the apiVersion for this '
                "resource does not exist. Verify that any required CRDs have been created"
            )
        key = f"kubernetes/{target.cluster}/v1/Namespace/-/{target.namespace}"
        if not self._namespaced(target) or target.namespace in self.namespaces or self.store.get(key) is not None:
            return
        if not (target.release and inputs.get("createNamespace")):
            raise RefusedError(f'namespaces "{target.namespace}" not found')
        home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": target.namespace}}
        place = _Target(Request("", "kubernetes:core/v1:Namespace", config=target.config), home)
        self._applied(place, self._new(place, home, f"{target.key} namespace"), {}, home, [])

    def _valid(self, target: _Target, inputs: Object, *, partial: bool = False) -> None:
        """Refuses what the API server does; `partial` are fields for an object that is there."""
        name = target.name
        if target.kind == "Service" and not _SERVICE_LABEL.fullmatch(name):
            raise target.bad(
                "metadata.name",
                name,
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
                "character, and end with an alphanumeric character",
            )
        labels = [name] if target.kind == "Namespace" else name.split(".")
        if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
            form, dots = ("label", "") if target.kind == "Namespace" else ("subdomain", " or .")
            raise target.bad(
                "metadata.name",
                name,
                f"a lowercase RFC 1123 {form} must consist of lower case alphanumeric characters or '-'{dots}, and "
                "must start and end with an alphanumeric character",
            )
        spec = inputs.get("spec") or {}
        labelled = [("metadata.labels", (inputs.get("metadata") or {}).get("labels") or {})]
        if target.kind == "Service" and isinstance(spec, dict):
            labelled.append(("spec.selector", spec.get("selector") or {}))
        for where, pairs in labelled:
            for key, value in pairs.items():
                if not _LABEL_KEY.fullmatch(key):
                    raise target.bad(where, key, "name part must be at most 63 letters, digits, -, _, .")
                if isinstance(value, str) and not _LABEL_VALUE.fullmatch(value):
                    why = "a valid label must be at most 63 letters, digits, -, _, ."
                    raise target.bad(f"{where}.{key}", value, why)
        if partial or not isinstance(spec, dict):
            return
        if target.kind == "Deployment":
            wanted = values.at(spec, ("selector", "matchLabels")) or {}
            given = values.at(spec, ("template", "metadata", "labels")) or {}
            if any(given.get(key) != value for key, value in wanted.items()):
                raise target.bad("spec.template.metadata.labels", given, "`selector` does not match template `labels`")
        if target.kind == "PodDisruptionBudget" and "minAvailable" in spec and "maxUnavailable" in spec:
            raise target.bad("spec", spec, "minAvailable and maxUnavailable cannot be both set")
        if target.kind == "Service":
            self._valid_ports(target, spec)
        if target.kind == "ProxyGroup":
            _valid_proxy_group(target, spec)
        if target.kind == "Ingress":
            for path, item in values.walk(spec.get("rules") or []):
                if path[-2:-1] == ("paths",) and item.get("pathType") is None:
                    where = f"{values.path_text(('spec', 'rules', *path))}.pathType"
                    raise target.invalid(where, "Required value: pathType must be specified")
        for key, value in (inputs.get("data") or {}).items() if target.kind == "Secret" else ():
            try:
                base64.b64decode(str(value), validate=True)
            except binascii.Error:
                raise target.invalid(f"data.{key}", "illegal base64 data (the value is not shown)") from None

    def _valid_ports(self, target: _Target, spec: Object) -> None:
        ports = spec.get("ports") or []
        if not ports:
            raise target.invalid("spec.ports", "Required value")
        if len(ports) > 1 and any(not port.get("name") for port in ports):
            raise target.invalid("spec.ports[0].name", "Required value")
        seen: set[Any] = set()
        for index, port in enumerate(ports):
            name, target_port, where = port.get("name"), port.get("targetPort"), f"spec.ports[{index}]"
            if name and not _LABEL.fullmatch(name):
                raise target.bad(f"{where}.name", name, "a lowercase RFC 1123 label is expected")
            if isinstance(target_port, str) and not _PORT_NAME.fullmatch(target_port):
                why = "must be a port's name: at most 15 of a-z, 0-9 and '-', one of them a letter"
                raise target.bad(f"{where}.targetPort", target_port, why)
            for value in (name, (port.get("port"), port.get("protocol") or "TCP")):
                if value and value in seen:
                    place = f"{where}{'.name' if value == name else ''}"
                    raise target.invalid(place, f"Duplicate value: {json.dumps(value)}")
                seen.add(value)

    def _immutable(self, target: _Target, olds: Object, inputs: Object) -> None:
        old_spec, spec = olds.get("spec") or {}, inputs.get("spec") or {}
        field = {"Deployment": "selector", "Service": "clusterIP"}.get(target.kind)
        if field in spec and field in old_spec and spec[field] != old_spec[field]:
            raise target.invalid(f"spec.{field}", "field is immutable")

    # -- what the cluster keeps -----------------------------------------------------------------------------

    def _new(self, target: _Target, inputs: Object, urn: str) -> Object:
        mint = self.store.mint(urn)
        metadata = {"name": target.name, "uid": uuid_of(mint("uid")), "creationTimestamp": self.store.time()}
        if target.namespace:
            metadata["namespace"] = target.namespace
        body = {"apiVersion": target.api_version, "kind": target.kind, "metadata": metadata}
        return {"body": body, "urn": urn, "given": sorted(inputs), "id": target.id}

    def _keep(self, target: _Target, item: Object, live: Object, secrets: Iterable[Path]) -> None:
        kept = {key: value for key, value in live.items() if not (target.kind == "Secret" and key == "stringData")}
        paths = list(secrets)
        if target.kind == "Secret":
            data = kept.get("data") or {}
            item["tunnels"] = _tunnels(data)
            paths = [path for path in paths if path[0] not in ("data", "stringData")]
            paths += [("data", key) for key in data]
        self.store.put(target.key, {**item, "body": self.store.seal(kept, paths)})

    def _answer(self, target: _Target, live: Object, inputs: Object, secrets: Iterable[Path]) -> Object:
        """Gives an object as the provider returns it."""
        shown = copy.deepcopy(live)
        if target.kind == "Secret":
            data = values.reveal(shown.get("data") or {})
            if inputs.get("stringData"):
                shown["stringData"] = {key: _decoded(data[key]) for key in inputs["stringData"] if key in data}
        return _secret_kind(target, values.conceal(shown, secrets))

    def _patch(self, target: _Target, item: Object, inputs: Object, request: Request) -> None:
        """Lets go of the fields the Patch set before, and notes those it will add; refuses a conflict."""
        before = item.setdefault("patches", {}).pop(request.urn, [])
        item["body"] = _without(item["body"], [tuple(path) for path in before])
        annotations = (inputs.get("metadata") or {}).get("annotations") or {}
        force = annotations.get(_PATCH_FORCE) == "true"
        added = []
        for path, value in _leaves(inputs):
            if path in (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")):
                continue
            there = values.at(item["body"], path)
            if there == value:
                continue
            # What is taken from another is nobody's once it is let go of.
            added.append(list(path))
            if there is not None and not force:
                raise RefusedError(
                    f"Server-Side Apply field conflict detected: Apply failed with 1 conflict: "
                    f".{values.path_text(path)} (set the annotation {_PATCH_FORCE} to take the field)"
                )
        item["patches"][request.urn] = added

    def _fill(self, target: _Target, live: Object, old: Object) -> Object:
        """Sets what the cluster itself sets."""
        metadata = live.get("metadata", {})
        metadata["resourceVersion"] = str(self.store.count())
        spec = live.get("spec")
        if target.kind not in ("ConfigMap", "Secret", "Namespace", "ServiceAccount"):
            generation = int((old.get("metadata") or {}).get("generation") or 0)
            metadata["generation"] = generation if generation and spec == old.get("spec") else generation + 1
        fill: Callable[[_Target, Object, Object], None] | None = {
            "Namespace": _fill_namespace,
            "Secret": _fill_secret,
            "Service": self._fill_service,
            "Deployment": _fill_deployment,
            "Ingress": _fill_ingress,
            "Release": _fill_release,
        }.get(target.kind)
        if fill is not None:
            fill(target, live, old)
        return live

    def _fill_service(self, target: _Target, live: Object, old: Object) -> None:
        spec = live.setdefault("spec", {})
        old_spec = old.get("spec") or {}
        type_ = spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        if type_ == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)
        digest = hashlib.sha256(target.key.encode()).digest()
        others = [
            body.get("spec") or {}
            for key, body in self.store.find(f"kubernetes/{target.cluster}/v1/Service/")
            if key != target.key
        ]
        taken = {one.get("clusterIP") for one in others}
        address = spec.get("clusterIP") or old_spec.get("clusterIP")
        number = int.from_bytes(digest[:2])
        while address is None or address in taken:
            address = f"10.96.{number // 256}.{number % 256}"
            number = (number + 1) % 65536
        spec["clusterIP"], spec["clusterIPs"] = address, [address]
        used = {port.get("nodePort") for one in others for port in one.get("ports") or []}
        for index, port in enumerate(spec.get("ports") or []):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port["port"])
            if type_ in ("NodePort", "LoadBalancer"):
                where = f"spec.ports[{index}].nodePort"
                wanted = port.get("nodePort")
                before = old_spec.get("ports") or []
                had = {(one["port"], one.get("protocol", "TCP")): one.get("nodePort") for one in before}
                wanted = wanted or had.get((port["port"], port["protocol"]))
                if wanted is None and type_ == "LoadBalancer" and not spec["allocateLoadBalancerNodePorts"]:
                    continue
                if wanted is None:
                    start = (int.from_bytes(digest[2:4]) + index) % len(_NODE_PORTS)
                    wanted = next(one for one in (*_NODE_PORTS[start:], *_NODE_PORTS[:start]) if one not in used)
                if wanted not in _NODE_PORTS:
                    why = "provided port is not in the valid range. The range of valid ports is 30000-32767"
                    raise target.bad(where, wanted, why)
                if wanted in used:
                    raise target.bad(where, wanted, "provided port is already allocated")
                port["nodePort"] = wanted
        balanced = {"ingress": [{"ip": f"192.0.2.{1 + digest[4] % 250}"}]} if type_ == "LoadBalancer" else {}
        live["status"] = {"loadBalancer": balanced}


def _chart(release: Object) -> str:
    return str(release.get("chart")).rsplit("/", 1)[-1]


def _valid_proxy_group(target: _Target, spec: Object) -> None:
    """Refuses what the kind's own schema does."""
    if spec.get("type") not in _PROXY_GROUP_TYPES:
        listed = ", ".join(f'"{one}"' for one in _PROXY_GROUP_TYPES)
        raise target.invalid("spec.type", f'Unsupported value: "{spec.get("type")}": supported values: {listed}')
    if spec.get("replicas", 0) < 0:
        raise target.bad("spec.replicas", spec["replicas"], "should be greater than or equal to 0")
    for field, pattern in _PROXY_GROUP_TEXTS.items():
        given = spec.get(field) or []
        for text in [given] if isinstance(given, str) else given:
            if not re.fullmatch(pattern, text):
                raise target.bad(f"spec.{field}", text, f"should match '^{pattern}$'")


def _fill_namespace(target: _Target, live: Object, old: Object) -> None:
    labels = live["metadata"].get("labels") or {}
    live["metadata"]["labels"] = {**labels, "kubernetes.io/metadata.name": target.name}
    live.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    live["status"] = {"phase": "Active"}


def _fill_secret(target: _Target, live: Object, old: Object) -> None:
    live.setdefault("type", "Opaque")
    if live.get("stringData"):
        live["data"] = {**(live.get("data") or {}), **_encoded(live["stringData"])}


def _fill_deployment(target: _Target, live: Object, old: Object) -> None:
    count = live.setdefault("spec", {}).setdefault("replicas", 1)
    numbers = ("availableReplicas", "readyReplicas", "replicas", "updatedReplicas")
    live["status"] = {
        **dict.fromkeys(numbers, count),
        "observedGeneration": live["metadata"]["generation"],
        "conditions": [
            {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ],
    }


def _fill_ingress(target: _Target, live: Object, old: Object) -> None:
    spec = live.get("spec") or {}
    address: Object = {"ip": "192.0.2.80"}
    if spec.get("ingressClassName") == "tailscale":
        # The operator's name for it: the first label of the first TLS host, else <ns>-<name>-ingress.
        hosts = ((spec.get("tls") or [{}])[0]).get("hosts") or [f"{target.namespace}-{target.name}-ingress"]
        label, dot, tailnet = str(hosts[0]).partition(".")
        name = f"{label}.{tailnet if dot else 'simulated.ts.net'}"
        address = {"hostname": name, "ports": [{"port": 443, "protocol": "TCP"}]}
    live["status"] = {"loadBalancer": {"ingress": [address]}}


def _fill_release(target: _Target, live: Object, old: Object) -> None:
    version = live.setdefault("version", "0.0.0-simulated")
    live["resourceNames"] = {}
    live["status"] = {
        "appVersion": version,
        "chart": str(live["chart"]).rsplit("/", 1)[-1],
        "name": live["name"],
        "namespace": live["namespace"],
        "revision": old.get("status", {}).get("revision", 0) + 1,
        "status": "deployed",
        "version": version,
    }


def _secret_kind(target: _Target, shown: Object) -> Object:
    """Marks what is secret by nature."""
    for name in ("data", "stringData"):
        if target.kind == "Secret" and shown.get(name) is not None:
            shown[name] = Secret(values.reveal(shown[name]))
    return shown


def _as_data(inputs: Object) -> Object:
    """A Secret's inputs as the provider compares them: `data` alone [pulumi-kubernetes clients/unstructured.go]."""
    given = inputs.get("stringData")
    if not isinstance(given, dict):
        return inputs
    rest = {key: value for key, value in inputs.items() if key != "stringData"}
    return {**rest, "data": {**(inputs.get("data") or {}), **_encoded(given)}}


def _encoded(texts: Mapping[str, Any]) -> Object:
    return {
        key: UNKNOWN if text is UNKNOWN else base64.b64encode(str(text).encode()).decode()
        for key, text in texts.items()
    }


def _decoded(text: Any) -> str:
    try:
        return base64.b64decode(str(text), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return str(text)


def _not_strings(inputs: Any) -> Iterator[Failure]:
    """Finds the values of maps that hold only texts, which the API server would not decode."""
    for path, item in values.walk(inputs):
        at = path[-2:-1] if len(path) > 1 else ()
        texts = at and (at[0] in _STRING_MAPS or (len(path) == 2 and at[0] in ("data", "stringData", "binaryData")))
        if (texts or (path[-1:] == ("value",) and "env" in path)) and not isinstance(item, str) and item is not UNKNOWN:
            yield Failure(values.path_text(path), f"must be a string, is {type(item).__name__}: quote it")


def _made_up_name(request: Request) -> str:
    seed = request.random_seed or request.urn.encode()
    return f"{request.name}-{hashlib.sha256(seed).hexdigest()[:8]}"


def _read_only(path: Path) -> bool:
    return path[0] == "status" or (len(path) > 1 and path[0] == "metadata" and path[1] in _CLUSTERS_OWN)


def _empty(inputs: Object, path: Path) -> bool:
    return values.at(inputs, path) in ({}, [])


def _leaves(value: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yields what a patch sets: each value that is not a map, with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*at, key))
    else:
        yield at, value


def _gone(old: Object, new: Object) -> list[Path]:
    """Gives the paths that were inputs and are none now."""
    return [path for path, how in values.differences(old, new) if how == "delete" and isinstance(path[-1], str)]


def _without(body: Object, paths: Iterable[Path]) -> Object:
    """Gives the body without what is at the paths, nor the maps that are empty then."""
    body = copy.deepcopy(body)
    for path in paths:
        if any(isinstance(step, int) for step in path):
            continue  # a list is set whole
        holder = values.at(body, path[:-1])
        if isinstance(holder, dict):
            holder.pop(path[-1], None)
            if not holder and len(path) > 1:
                outer = values.at(body, path[:-2])
                if isinstance(outer, dict):
                    outer.pop(path[-2], None)
    return body


def _merged(live: Object, inputs: Object) -> Object:
    """Gives `live` with the inputs set: maps are merged, everything else is replaced."""
    merged = copy.deepcopy(live)
    for key, item in inputs.items():
        if isinstance(item, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], item)
        elif item is not None:
            merged[key] = copy.deepcopy(item)
    return merged


def _importable(live: Object) -> Object:
    """Gives what an import takes for inputs: all that could be one, with what the cluster filled in
    [pulumi-kubernetes provider/pkg/provider/provider.go, Read]."""
    inputs = {key: copy.deepcopy(item) for key, item in live.items() if key != "status"}
    inputs["metadata"] = {key: item for key, item in inputs["metadata"].items() if key not in _CLUSTERS_OWN}
    return inputs


def _rendered_at(target: _Target) -> FilePath:
    folder = "0-crd" if target.kind == "CustomResourceDefinition" else "1-manifest"
    version = target.api_version.replace("/", "_").replace(":", "_")
    name = f"{version}-{target.kind.lower()}-{target.namespace or 'default'}-{target.name}.yaml"
    return FilePath(target.render) / folder / name


def _render(target: _Target, inputs: Object) -> None:
    """Writes the manifest to the folder, as the provider's `renderYamlToDirectory` does."""
    import yaml

    for folder in ("0-crd", "1-manifest"):
        (FilePath(target.render) / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    path = _rendered_at(target)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yaml.safe_dump(inputs, file, sort_keys=True, default_flow_style=False, allow_unicode=True)
