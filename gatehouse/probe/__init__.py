"""The probe: what the plan promises, asked for from outside, and above all what must not work.

`checks` says what to ask (pure), `judge` what an answer means (pure), `names`, `web`, `ports` ask, `runner` runs
them all, `report` shows it.
"""
