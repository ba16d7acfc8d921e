"""Gatehouse's command line, engine driver and simulated clouds."""
