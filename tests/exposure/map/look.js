// What a person would see to be wrong with the page, as a list of sentences. Run in the page by the browser's tests.
() => {
  const wrong = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
  const seen = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: false });
  const name = (e) => `<${e.tagName.toLowerCase()} ${e.getAttribute("class") ?? ""}> ${e.textContent.trim().slice(0, 30)}`;
  const meet = (a, b, by) => a.left < b.right - by && b.left < a.right - by && a.top < b.bottom - by && b.top < a.bottom - by;
  const within = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;

  for (const e of document.body.querySelectorAll("*")) {
    if (!seen(e) || e.closest(".skip") || e.closest("thead")) continue;
    const r = e.getBoundingClientRect();
    if (r.width && (r.left < -0.5 || r.right > width + 0.5)) wrong.push(`outside the viewport: ${name(e)}`);
  }
  const maps = [...document.querySelectorAll("svg.map")].filter(seen);
  if (maps.length !== 1) wrong.push(`${maps.length} maps are shown`);
  for (const map of maps) {
    const edge = map.getBoundingClientRect();
    const texts = [...map.querySelectorAll("text")].map((t) => [t, t.getBoundingClientRect()]);
    if (texts.length === 0) wrong.push("the map has no words");
    texts.forEach(([t, r], i) => {
      if (!within(r, edge)) wrong.push(`outside the map: ${name(t)}`);
      const scale = edge.width / map.viewBox.baseVal.width;
      const size = parseFloat(getComputedStyle(t).fontSize) * scale;
      if (size < 10) wrong.push(`${size.toFixed(1)} pixels small: ${name(t)}`);
      const box = t.closest("a, .box, .upright")?.querySelector("rect") ?? t.previousElementSibling;
      const held = t.closest(".way") ? t.parentElement.querySelector("rect.pill") : box;
      if (held && !within(r, held.getBoundingClientRect())) wrong.push(`out of its box: ${name(t)}`);
      for (const [u, s] of texts.slice(i + 1)) if (meet(r, s, 2)) wrong.push(`on each other: ${name(t)} / ${name(u)}`);
    });
    const boxes = [...map.querySelectorAll(".box:not(.region) > rect")].map((b) => b.getBoundingClientRect());
    boxes.forEach((r, i) => boxes.slice(i + 1).forEach((s) => { if (meet(r, s, 1)) wrong.push("boxes on each other"); }));
    for (const line of map.querySelectorAll(".line")) {
      if (!within(line.getBoundingClientRect(), edge)) wrong.push("a line leaves the map");
    }
  }
  const shown = [...document.querySelectorAll("main h2, main p, main table, main tr, main li, main label, main button, main input")]
    .filter((e) => seen(e) && !e.closest("svg") && !e.closest("thead"));
  for (const [i, e] of shown.entries()) {
    for (const f of shown.slice(i + 1, i + 12)) {
      if (e.contains(f) || f.contains(e)) continue;
      if (meet(e.getBoundingClientRect(), f.getBoundingClientRect(), 2)) wrong.push(`on each other: ${name(e)} / ${name(f)}`);
    }
  }
  return wrong;
}
