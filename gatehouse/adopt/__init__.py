"""Adopting what exists: the accounts are read, what fits the stack is recognised, and the stack file says so."""
