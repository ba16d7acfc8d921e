"""The base of every model of the stack file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen part of the stack file that refuses unknown keys and converts no types.

    A misspelt key must not silently unprotect a service, so extras are an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)
