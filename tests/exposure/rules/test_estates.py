"""Properties over generated estates."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.loader import tie
from exposure.check import check, checked
from tests.kit.builders import loaded
from tests.kit.estates import Estate, estates


@given(estates())
def test_a_sound_estate_has_no_finding(estate: Estate) -> None:
    assert check(estate.loaded()) == ()


@given(estates(most_members=1), st.data())
def test_the_order_of_services_changes_no_finding_but_its_place(estate: Estate, data: st.DataObject) -> None:
    # Something wrong in each service, so that there is something to find.
    services: dict[str, dict[str, Any]] = {
        stack: {
            key: {**copy.deepcopy(dict(service)), "host": f"{data.draw(st.sampled_from('ab'))}.other.org"}
            for key, service in found.items()
        }
        for stack, found in estate.services.items()
    }

    def told(turned: bool) -> set[tuple[str, str, str, str]]:
        stacks = tie(
            [
                loaded(dict(sorted(found.items(), reverse=turned)), stack, **estate.sections[stack])
                for stack, found in services.items()
            ]
        )
        found = checked(stacks)
        findings = found.findings
        assert all(set(found.of(name)) <= set(findings) for name in stacks)
        return {(f.rule, f.where, f.value, f.place.file) for f in findings}

    assert told(False) == told(True)
