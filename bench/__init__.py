"""How fast Gatehouse is, measured against something in the same run: `make bench`."""
