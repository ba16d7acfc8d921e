"""The map: who reaches what, and by which way, as one page, as a drawing and as text.

found = map_of(plan_project(load_project(folder), ["alfred"]), "alfred")
Path("map.html").write_text(html_page(found))
"""

from __future__ import annotations

from exposure.map.model import Map, Way, map_of
from exposure.map.page import html_page, svg_file
from exposure.map.text import markdown, mermaid, plain

__all__ = ["Map", "Way", "html_page", "map_of", "markdown", "mermaid", "plain", "svg_file"]
