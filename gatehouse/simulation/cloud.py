"""What all simulated clouds share: how a call is made, logged and refused, and the life of a resource."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar
from urllib.parse import unquote

from gatehouse.simulation import values
from gatehouse.simulation.shapes import Failure, Shape, imported, misfits
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import UNKNOWN, Object, Path

T = TypeVar("T")


class RefusedError(Exception):
    """The cloud says no; the text is what its user reads. It never holds a secret value."""


class CutError(Exception):
    """The connection broke; whether the change was made is not known to the one who asked."""


class StatusError(Exception):
    """The cloud's server answers with an HTTP status that says nothing about the request."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text or f"unexpected status {status}")
        self.status = status


#: What a provider that tries again takes for passing (terraform-provider-cloudflare; platform measurements).
_PASSING = frozenset({408, 409, 429, *range(500, 600)})


@dataclass(frozen=True)
class Call:
    """One call to the cloud, as the log and a fault plan see it."""

    provider: str
    method: str
    urn: str
    id: str = ""
    preview: bool = False

    @property
    def type(self) -> str:
        """The resource's type token."""
        return self.urn.split("::")[2].rsplit("$", 1)[-1] if self.urn.count("::") >= 3 else ""

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.split("::", 3)[-1]

    def entry(self) -> Object:
        """Gives the call's line in the log, without its outcome."""
        return {
            "provider": self.provider,
            "method": self.method,
            "type": self.type,
            "name": self.name,
            "urn": self.urn,
            "id": self.id,
            "preview": self.preview,
        }


class Faults:
    """A plan of faults, here of none: a subclass may wait at a call, raise `RefusedError`, or end the process."""

    def before(self, call: Call) -> None:
        """The request is under way; nothing has happened yet."""

    def after(self, call: Call) -> None:
        """The change is in the file; to raise here is to lose the answer."""

    def on(self, deed: str) -> bool:
        """Says whether a fault that lies in the plugin itself, and meets no one call, is there."""
        return False


@dataclass(frozen=True)
class Request:
    """What the engine asks of one resource; all property bags may hold `Secret`s and `UNKNOWN`s."""

    urn: str
    type: str
    id: str = ""
    news: Object = field(default_factory=dict)
    olds: Object = field(default_factory=dict)
    old_inputs: Object = field(default_factory=dict)
    preview: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    random_seed: bytes = b""
    #: What `ignore_changes` names; the engine has taken the old inputs there, what only the cloud has is left to us.
    ignored: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.split("::", 3)[-1]

    def redact(self, text: str) -> str:
        """Gives the text without any of the request's secrets."""
        return values.redact(text, self.news, self.olds, self.old_inputs)


@dataclass(frozen=True)
class Difference:
    """How an update would go: the changed paths with `add`/`delete`/`update`, and those that replace."""

    changes: Mapping[str, str] = field(default_factory=dict)
    replaces: tuple[str, ...] = ()
    delete_first: bool = False


@dataclass(frozen=True)
class Found:
    """What a read gives; an empty `id` says that the object is gone."""

    id: str = ""
    outputs: Object = field(default_factory=dict)
    inputs: Object = field(default_factory=dict)


class Cloud:
    """A simulated cloud; the subclasses are the rules of one provider."""

    name: str
    version: str
    #: How often its provider asks, where the connection breaks or the server answers with a status that may pass.
    attempts: ClassVar[int] = 1

    def __init__(self, store: Store, faults: Faults | None = None) -> None:
        """Keeps its objects in `store`; `faults` is asked around each call."""
        self.store = store
        self.faults = faults or Faults()

    def call(self, method: str, request: Request, act: Callable[[], tuple[str, T]]) -> T:
        """The one way to the cloud's objects: makes the call in a transaction and logs it.

        `act` gives the object's id (for the log) and the answer. It runs again, whatever it did the first time, where
        no answer came or one that may pass, and the provider is one that tries again.
        Raises `RefusedError`, `CutError`.
        """
        for left in reversed(range(self.attempts)):
            try:
                return self._ask(method, request, act)
            except CutError:
                if left == 0:
                    raise
            except StatusError as error:
                if left == 0 or error.status not in _PASSING:
                    raise RefusedError(f"{self.name}: {error} ({error.status})") from None
        raise AssertionError("a cloud is asked at least once")

    def _ask(self, method: str, request: Request, act: Callable[[], tuple[str, T]]) -> T:
        call = Call(self.name, method, request.urn, request.id)
        self.faults.before(call)
        entry = call.entry()
        with self.store.lock:
            try:
                with self.store.transaction():
                    entry["id"], answer = act()
            except RefusedError as no:
                text = request.redact(str(no))
                self.store.log({**entry, "outcome": text})
                raise RefusedError(text) from None
            self.store.log({**entry, "outcome": "ok", "changes": self.store.changes})
        self.faults.after(call)
        return answer

    def previewed(self, method: str, request: Request) -> None:
        """Logs that a preview asked; it is no call to the cloud, so that no fault can meet it."""
        self.store.log({**Call(self.name, method, request.urn, request.id, True).entry(), "outcome": "ok"})

    def check_config(self, news: Object) -> list[Failure]:
        """Checks the provider's own settings."""
        return []

    def config_replaces(self, olds: Object, news: Object) -> tuple[str, ...]:
        """Says which changed settings mean another cloud, so that all its resources are replaced."""
        return ()

    def check(self, request: Request) -> tuple[Object, list[Failure]]:
        """Gives the inputs as they will be used, and what is wrong with them."""
        raise NotImplementedError

    def diff(self, request: Request) -> Difference:
        """Says what changes between the old and the new inputs."""
        raise NotImplementedError

    def create(self, request: Request) -> tuple[str, Object]:
        """Makes the object; gives its id and outputs. In a preview nothing is made and the id is empty."""
        raise NotImplementedError

    def read(self, request: Request) -> Found:
        """Looks the object up; without properties (an import) by its import id."""
        raise NotImplementedError

    def update(self, request: Request) -> Object:
        """Changes the object; gives its outputs."""
        raise NotImplementedError

    def delete(self, request: Request) -> None:
        """Deletes the object."""
        raise NotImplementedError


def known(value: Any) -> bool:
    """Says whether a value is there and no unknown is in it."""
    return value is not None and not values.has_unknown(value)


def uuid_of(digits: str) -> str:
    """Gives a version 4 UUID made of the digits."""
    return str(uuid.UUID(hex=digits[:32], version=4))


def text_of(digits: str, length: int) -> str:
    """Gives letters and digits, as keys are written."""
    raw = base64.b64encode(bytes.fromhex(digits)).decode()
    return "".join(letter for letter in raw if letter.isalnum())[:length]


class Kind:
    """The rules of one resource type whose objects are flat property bags (Cloudflare, Tailscale).

    A subclass states names and overrides what differs; all bags it gets are plain (no `Secret`).
    """

    #: Type name without package and module, such as `DnsRecord`.
    type: str
    #: Where its objects are kept: `<cloud>/<collection>/…`.
    collection: str
    #: A change of these is a replacement.
    replaces: frozenset[str] = frozenset()
    #: Lists whose order means nothing.
    sets: frozenset[str] = frozenset()
    #: What the cloud takes for inputs that are not given.
    defaults: ClassVar[Mapping[str, Any]] = {}
    #: Outputs the cloud decides, unknown until the object is there.
    computed: tuple[str, ...] = ()
    #: Outputs that each update changes.
    volatile: tuple[str, ...] = ()
    #: Outputs that say when the object was made, and, where they are volatile, changed.
    stamps: tuple[str, ...] = ()
    #: Inputs that have one of a few values, in capitals or not.
    choices: ClassVar[Mapping[str, Iterable[str]]] = {}
    #: The input that is the object's id; empty where the cloud makes one up.
    named_by = ""
    #: Whether the id that is made up is a UUID; else 32 hexadecimal digits.
    uuids = False
    #: Whether the object stays when its resource is deleted.
    stays = False
    #: Inputs and outputs that are secret by nature.
    secrets: tuple[Path, ...] = ()
    #: Inputs that the cloud takes and does not tell again: the plugin keeps what the state holds.
    untold: tuple[str, ...] = ()
    #: The form of an import id, as the plugin writes it; the last word is the id.
    import_form = "<id>"
    #: Whether importing what is not there is an error.
    imports_or_fails = False
    #: Whether deleting what is not there is no error.
    forgives_missing = False

    def __init__(self, store: Store) -> None:
        """Looks up other objects in `store`."""
        self.store = store

    def check(self, inputs: Object) -> Iterator[Failure]:
        """Yields what is wrong with the inputs in themselves; they may hold unknowns."""
        for name, allowed in self.choices.items():
            value = inputs.get(name)
            if isinstance(value, str) and value.lower() not in [one.lower() for one in allowed]:
                yield Failure(name, f'{name} value must be one of: {", ".join(sorted(allowed))}; got "{value}"')

    def key(self, id_: str, properties: Object) -> str:
        """Gives where the object is kept."""
        return f"{self.collection}/{id_}"

    def opened(self, state: Object, *, asks: bool = True) -> Object:
        """Gives the outputs of a state as the plugin takes them; `asks`: it then asks the cloud for the object.

        Raises `RefusedError` where the plugin can do nothing with them.
        """
        return state

    def bridged(self, id_: str, outputs: Object) -> Object:
        """Gives the outputs with what the plugin adds for itself."""
        return outputs

    def whole(self, body: Object) -> None:
        """Raises `RefusedError` where the API refuses a body because of what it lacks."""

    def admit(self, inputs: Object, id_: str | None) -> None:
        """Raises `RefusedError` where the API would, before a creation (`id_` is None) or an update."""

    def new_id(self, mint: Callable[[str], str], inputs: Object) -> str:
        """Gives the id of a new object."""
        if self.named_by:
            return str(inputs[self.named_by])
        return uuid_of(mint("id")) if self.uuids else mint("id")[:32]

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        """Gives the computed outputs of a new object."""
        return {}

    def changed(self, id_: str, inputs: Object, old: Object) -> Object:
        """Gives the outputs that an update changes, besides the inputs."""
        return {}

    def stored(self, id_: str, body: Object) -> Object:
        """Gives what the cloud keeps, where that is not what the provider answers at once."""
        return body

    def preview(self, inputs: Object, old: Object | None) -> Object:
        """Gives the outputs that a preview can already know or must not know, besides the usual ones."""
        return {}

    def gone(self, id_: str, body: Object) -> bool:
        """Deletes: raises `RefusedError` where the API would; says whether the object leaves the cloud's file."""
        return not self.stays

    def missing(self, id_: str, state: Object) -> Object | None:
        """Gives the outputs to show for an object that is no longer there; None says it is gone."""
        return None

    def shown(self, body: Object, state: Object) -> Object:
        """Gives what a read shows of the object; `state` is what the engine had (empty on an import).

        No cloud tells a secret again: the plugin keeps what the state holds.
        """
        for path in self.secrets:
            body = values.replaced(body, path, values.at(state, path))
        told = {name: item for name, item in body.items() if name not in self.untold}
        return {**told, **{name: state[name] for name in self.untold if name in state}}

    def import_fails(self, body: Object) -> str:
        """Gives what the plugin dies of where it imports such an object; empty where it does not."""
        return ""

    def same(self, property_: str, old: Any, new: Any, inputs: Object) -> bool:
        """Says whether two forms of an input mean the same to the API."""
        return False


class FlatCloud(Cloud):
    """A cloud of `Kind`s."""

    kinds: Mapping[str, Kind]
    shapes: Mapping[str, Shape]

    def _kind(self, token: str) -> Kind:
        name = token.rsplit(":", 1)[-1]
        if name not in self.kinds:
            raise RefusedError(
                f"the simulated {self.name} does not know the resource type {token}; it knows: "
                f"{', '.join(sorted(self.kinds))}"
            )
        return self.kinds[name]

    def check(self, request: Request) -> tuple[Object, list[Failure]]:
        """Refuses unknown and missing properties, then what the kind itself refuses."""
        kind = self._kind(request.type)
        inputs = values.reveal(request.news)
        return request.news, list(misfits(inputs, kind.type, self.shapes)) or list(kind.check(inputs))

    def diff(self, request: Request) -> Difference:
        """Compares what was with the new inputs, property by property.

        What was are the old inputs, and the outputs where the program says nothing: there a value that the cloud alone
        has is to go, unless it is the cloud's to choose.
        """
        kind = self._kind(request.type)
        state = kind.opened(values.reveal(request.olds), asks=False)
        old = {**state, **values.reveal(request.old_inputs)}
        new = values.reveal(request.news)
        changes: Object = {}
        replaces: list[str] = []
        unset = [] if "*" in request.ignored else self._unset(kind, old, new)
        # What an import could not read is set to its default, whatever is ignored.
        unread = [name for name in kind.untold if name in kind.defaults and name not in old]
        for name in dict.fromkeys([*new, *(one for one in unset if one not in request.ignored), *unread]):
            before = None if name in unread else old.get(name, kind.defaults.get(name))
            after = new.get(name, kind.defaults.get(name))
            if before == after or (known(after) and kind.same(name, before, after, new)):
                continue
            if name in kind.sets and known(after) and _as_set(before or []) == _as_set(after):
                continue
            for path, how in values.differences({name: before}, {name: after}):
                changes[values.path_text(path)] = how
                if name in kind.replaces:
                    replaces.append(values.path_text(path))
        return Difference(changes, tuple(replaces))

    def _unset(self, kind: Kind, old: Object, new: Object) -> list[str]:
        """Gives the inputs that were there, are no longer, and that the cloud does not choose itself."""
        return [name for name in self.shapes[kind.type] if name in old and name not in {*new, *kind.computed}]

    def sent(self, kind: Kind, inputs: Object, state: Object | None) -> Object:
        """Gives the body that the plugin sends; `state` is None for a creation."""
        return inputs

    def create(self, request: Request) -> tuple[str, Object]:
        """Makes the object."""
        kind = self._kind(request.type)
        inputs = values.reveal(request.news)
        paths = [*values.secret_paths(request.news), *kind.secrets]
        if request.preview:
            outputs = {
                **kind.defaults,
                **dict.fromkeys(kind.computed, UNKNOWN),
                **inputs,
                **kind.preview(inputs, None),
            }
            self.previewed("create", request)
            return "", values.conceal(outputs, paths)

        sent = self.sent(kind, inputs, None)

        def act() -> tuple[str, tuple[str, Object]]:
            kind.whole(sent)
            kind.admit(sent, None)
            mint = self.store.mint(request.urn)
            id_ = kind.new_id(mint, inputs)
            born = {**dict.fromkeys(kind.stamps, self.store.time()), **kind.born(id_, inputs, mint)}
            self._keep(kind, id_, {**kind.defaults, **sent, **born}, paths, request.urn)
            return id_, (id_, values.conceal(kind.bridged(id_, {**kind.defaults, **inputs, **born}), paths))

        return self.call("create", request, act)

    def _keep(self, kind: Kind, id_: str, body: Object, paths: Iterable[Path], urn: str) -> None:
        sealed = self.store.seal(kind.stored(id_, body), paths)
        self.store.put(kind.key(id_, body), {"body": sealed, "id": id_, "urn": urn})

    def update(self, request: Request) -> Object:
        """Changes the object; what was set before and is not now falls back to its default."""
        kind = self._kind(request.type)
        inputs = values.reveal(request.news)
        olds = kind.opened(values.reveal(request.olds), asks=not request.preview)
        dropped = {"id", *self._unset(kind, olds, inputs)}
        kept = {name: item for name, item in olds.items() if name not in dropped and not name.startswith("__")}
        base = {**kind.defaults, **kept}
        paths = [
            *values.secret_paths(request.news),
            *(path for path in values.secret_paths(request.olds) if path[0] not in inputs),
            *kind.secrets,
        ]
        if request.preview:
            self.previewed("update", request)
            fresh = dict.fromkeys(kind.volatile, UNKNOWN)
            shown = {**base, **fresh, **inputs, **kind.preview(inputs, olds)}
            return values.conceal(kind.bridged(request.id, shown), paths)
        sent = self.sent(kind, inputs, olds)

        def act() -> tuple[str, Object]:
            if self.store.get(kind.key(request.id, {**olds, **inputs})) is None:
                raise RefusedError(self._not_found(request))
            kind.whole(sent)
            kind.admit(sent, request.id)
            stamps = (name for name in kind.stamps if name in kind.volatile)
            changed = {**dict.fromkeys(stamps, self.store.time()), **kind.changed(request.id, inputs, olds)}
            there = {name: item for name, item in base.items() if name not in inputs}
            self._keep(kind, request.id, {**there, **sent, **changed}, paths, request.urn)
            return request.id, values.conceal(kind.bridged(request.id, {**base, **inputs, **changed}), paths)

        return self.call("update", request, act)

    def _not_found(self, request: Request) -> str:
        return f"{self.name}: {request.type.rsplit(':', 1)[-1]} {request.id} not found (404)"

    def read(self, request: Request) -> Found:
        """Looks the object up."""
        kind = self._kind(request.type)
        state = kind.opened(values.reveal(request.olds)) if request.olds else {}
        id_, owner = (request.id, state) if request.olds else _import_id(kind, request.id)

        def act() -> tuple[str, Found]:
            item = self.store.get(kind.key(id_, owner))
            if item is None or any(item["body"].get(name, one) != one for name, one in owner.items() if not state):
                return self._missing(kind, id_, request, owner)
            body = self.store.unseal(item["body"], request.olds, request.old_inputs)
            outputs = kind.shown(body, state)
            if request.old_inputs:
                # What the user wrote as a secret stays one, also where the cloud holds another value now.
                inputs = values.shaped_like(values.reveal(outputs), values.reveal(request.old_inputs))
                inputs = values.conceal(inputs, values.secret_paths(request.old_inputs))
            else:
                if dies := kind.import_fails(body):
                    raise RefusedError(dies)
                inputs = imported(outputs, kind.type, self.shapes)
            settable = self.shapes[kind.type]
            carried = {name: one for name, one in state.items() if name not in outputs and name not in settable}
            paths = [*values.secret_paths(request.olds), *kind.secrets]
            shown = kind.bridged(item["id"], {**carried, **outputs})
            return id_, Found(item["id"], values.conceal(shown, paths), inputs)

        return self.call("read", request, act)

    def _missing(self, kind: Kind, id_: str, request: Request, owner: Object) -> tuple[str, Found]:
        outputs = kind.missing(id_, owner)
        if outputs is None:
            if kind.imports_or_fails and not request.olds:
                raise RefusedError(self._not_found(request))
            return "", Found()
        shape = dict.fromkeys(self.shapes[kind.type])
        inputs = values.shaped_like(outputs, values.reveal(request.old_inputs) or shape)
        return id_, Found(id_, values.conceal(kind.bridged(id_, outputs), kind.secrets), inputs)

    def delete(self, request: Request) -> None:
        """Deletes the object."""
        kind = self._kind(request.type)
        state = kind.opened(values.reveal(request.olds))

        def act() -> tuple[str, None]:
            key = kind.key(request.id, state)
            item = self.store.get(key)
            if item is None:
                if kind.forgives_missing:
                    return request.id, None
                raise RefusedError(self._not_found(request))
            if kind.gone(request.id, item["body"]):
                self.store.remove(key)
            return request.id, None

        self.call("delete", request, act)


def _as_set(items: Iterable[Any]) -> list[str]:
    return sorted(repr(item) for item in items)


def _import_id(kind: Kind, id_: str) -> tuple[str, Object]:
    """Takes an import id apart: gives the object's own id, and the properties that say whose it is.

    Source of form and words: terraform-provider-cloudflare `internal/importpath`, and each type's `ImportState`.
    """
    words, form = id_.split("/"), kind.import_form.split("/")
    if len(words) != len(form):
        raise RefusedError(f'invalid ID: expected urlencoded segments "{kind.import_form}", got "{id_}"')
    *path, own = map(unquote, words)
    names = [camel(segment) for segment in form]
    if len(path) == 2:
        if path[0] not in ("accounts", "zones"):
            raise RefusedError(
                f"invalid discriminator segment - {kind.import_form.rpartition('/')[0]}: "
                "expected discriminator to be one of {accounts|zones}"
            )
        names, path = [camel(f"{path[0][:-1]}_id")], path[1:]
    return own, dict(zip(names, path, strict=False))


def camel(segment: str) -> str:
    """Gives the property of a parameter in an import id."""
    first, *rest = segment.strip("<>").split("_")
    return first + "".join(word.title() for word in rest)
