"""Gatehouse's command line, engine driver and simulated clouds."""

__version__ = "0.1.0"
