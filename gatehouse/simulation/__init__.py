"""The simulated clouds: stand-ins for the Cloudflare, Tailscale and Kubernetes providers.

They speak Pulumi's provider protocol from a process of their own, keep their objects in one file and
touch nothing outside it. `launch.SimulatedClouds` starts them; `python -m gatehouse.simulation` is the process.
"""
