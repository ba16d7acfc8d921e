"""Where the states of real stacks are."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml


def backend_url(project: Path) -> str:
    """The backend's URL: PULUMI_BACKEND_URL, else what Pulumi.yaml says; empty for a login's."""
    if given := os.environ.get("PULUMI_BACKEND_URL"):
        return given
    try:
        settings = yaml.safe_load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
        return str(settings["backend"]["url"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return ""


def local_folder(backend: str, folder: Path) -> Path | None:
    """The folder of a backend's states on this machine (`file://.?metadata=skip`, `file://~`); None elsewhere.

    `folder` is what the URL is relative to: the one that Pulumi.yaml is in.
    """
    if not backend.startswith("file://"):
        return None
    parts = urlsplit(backend)
    return folder / Path(unquote(parts.netloc + parts.path)).expanduser() / ".pulumi"
