"""The policy pack, run by the engine: `pulumi preview --policy-pack policy`. `PolicyPack` serves until it is ended."""

from __future__ import annotations

import sys
from pathlib import Path

# The engine runs this folder, and only what is in it would be found.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import EnforcementLevel, PolicyPack

from policy.pack import NAME, policies

PolicyPack(NAME, policies(), enforcement_level=EnforcementLevel.MANDATORY)
