"""Calls a simulated provider as the engine does, in this process and over no network."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
from pulumi.runtime.proto import provider_pb2 as rpc

from gatehouse.simulation import values
from gatehouse.simulation.cloud import Cloud
from gatehouse.simulation.server import Provider

ACCOUNT = "0041a4dbd1c161fe785c4f63fa8fcc06"


class ProviderError(Exception):
    """What the engine would show."""


class _Context:
    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise ProviderError(details)


class Plugin:
    """One provider instance; `config` as the program gives it."""

    def __init__(self, cloud: Cloud | Provider, *, connection: str = "one", **config: Any) -> None:
        self.provider = cloud if isinstance(cloud, Provider) else Provider(cloud)
        self.context: Any = _Context(connection)
        struct = values.to_struct(config)
        self.provider.Configure(rpc.ConfigureRequest(args=struct), self.context)

    @staticmethod
    def urn(type_: str, name: str) -> str:
        return f"urn:pulumi:dev::gatehouse::{type_}::{name}"

    def failures(self, type_: str, inputs: dict[str, Any], name: str = "one") -> dict[str, str]:
        """What Check refuses: property to reason."""
        request = rpc.CheckRequest(urn=self.urn(type_, name), news=values.to_struct(inputs))
        response = self.provider.Check(request, self.context)
        return {one.property: one.reason for one in response.failures}

    def checked(self, type_: str, name: str, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
        request = rpc.CheckRequest(
            urn=self.urn(type_, name), news=values.to_struct(inputs), olds=values.to_struct(olds)
        )
        response = self.provider.Check(request, self.context)
        if response.failures:
            raise ProviderError(f"{response.failures[0].property}: {response.failures[0].reason}")
        return values.from_struct(response.inputs)

    def create(self, type_: str, name: str, /, *, preview: bool = False, **inputs: Any) -> Resource:
        news = self.checked(type_, name, inputs, {})
        request = rpc.CreateRequest(urn=self.urn(type_, name), properties=values.to_struct(news), preview=preview)
        response = self.provider.Create(request, self.context)
        return Resource(self, type_, name, response.id, news, values.from_struct(response.properties))

    def import_(self, type_: str, name: str, id_: str) -> Resource | None:
        request = rpc.ReadRequest(urn=self.urn(type_, name), id=id_)
        response = self.provider.Read(request, self.context)
        if not response.id:
            return None
        return Resource(
            self,
            type_,
            name,
            response.id,
            values.from_struct(response.inputs),
            values.from_struct(response.properties),
        )


class Resource:
    """A resource as the state knows it: id, inputs, outputs."""

    def __init__(
        self, plugin: Plugin, type_: str, name: str, id_: str, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> None:
        self.plugin, self.type, self.name, self.id = plugin, type_, name, id_
        self.inputs, self.outputs = inputs, outputs

    def __getitem__(self, name: str) -> Any:
        return self.outputs[name]

    @property
    def urn(self) -> str:
        return self.plugin.urn(self.type, self.name)

    def diff(self, **inputs: Any) -> rpc.DiffResponse:
        news = self.plugin.checked(self.type, self.name, inputs, self.inputs)
        request = rpc.DiffRequest(
            urn=self.urn,
            id=self.id,
            olds=values.to_struct(self.outputs),
            old_inputs=values.to_struct(self.inputs),
            news=values.to_struct(news),
        )
        return self.plugin.provider.Diff(request, self.plugin.context)

    def changes(self, **inputs: Any) -> dict[str, str]:
        """Changed path to the kind of change, in lower case."""
        response = self.diff(**inputs)
        return {
            path: rpc.PropertyDiff.Kind.Name(one.kind).lower() for path, one in sorted(response.detailedDiff.items())
        }

    def update(self, *, preview: bool = False, **inputs: Any) -> Resource:
        news = self.plugin.checked(self.type, self.name, inputs, self.inputs)
        request = rpc.UpdateRequest(
            urn=self.urn,
            id=self.id,
            olds=values.to_struct(self.outputs),
            old_inputs=values.to_struct(self.inputs),
            news=values.to_struct(news),
            preview=preview,
        )
        response = self.plugin.provider.Update(request, self.plugin.context)
        return Resource(self.plugin, self.type, self.name, self.id, news, values.from_struct(response.properties))

    def refresh(self) -> Resource | None:
        request = rpc.ReadRequest(
            urn=self.urn, id=self.id, properties=values.to_struct(self.outputs), inputs=values.to_struct(self.inputs)
        )
        response = self.plugin.provider.Read(request, self.plugin.context)
        if not response.id:
            return None
        return Resource(
            self.plugin,
            self.type,
            self.name,
            response.id,
            values.from_struct(response.inputs),
            values.from_struct(response.properties),
        )

    def delete(self) -> None:
        request = rpc.DeleteRequest(
            urn=self.urn,
            id=self.id,
            properties=values.to_struct(self.outputs),
            old_inputs=values.to_struct(self.inputs),
        )
        self.plugin.provider.Delete(request, self.plugin.context)
