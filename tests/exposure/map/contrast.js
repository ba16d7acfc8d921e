// Every text and every line whose contrast with what is behind it is below WCAG 2.2 AA (1.4.3: 4.5; 1.4.11: 3).
() => {
  const wrong = [];
  let looked = 0;
  const channel = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const parse = (text) => {
    const m = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(text);
    return m && (m[4] === undefined || Number(m[4]) === 1) ? m.slice(1, 4).map(Number) : null;
  };
  const seen = (e) => e.checkVisibility({ visibilityProperty: true });
  function behind(x, y, self) {
    for (const e of document.elementsFromPoint(x, y)) {
      if (e === self || e.contains(self) && e instanceof SVGElement || ["text", "path", "title"].includes(e.tagName)) continue;
      const style = getComputedStyle(e);
      const colour = e instanceof SVGElement ? (e.tagName === "rect" ? parse(style.fill) : null) : parse(style.backgroundColor);
      if (colour) return colour;
    }
    return parse(getComputedStyle(document.body).backgroundColor);
  }
  const has = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  const texts = [...document.querySelectorAll("body *")].filter((e) => seen(e) && !e.closest("script, title, option") && has(e));
  for (const e of texts) {
    const r = e.getBoundingClientRect();
    if (r.width < 2 || r.left < 0) continue;
    const style = getComputedStyle(e);
    const colour = parse(e instanceof SVGElement ? style.fill : style.color);
    const ground = behind(r.left + Math.min(r.width / 2, 20), r.top + r.height / 2, e);
    looked += 1;
    if (!colour || !ground || ratio(colour, ground) < 4.5) {
      wrong.push(`${e.tagName} ${e.getAttribute("class") ?? ""} ${e.textContent.trim().slice(0, 20)}: ${colour} on ${ground}`);
    }
  }
  const ground = parse(getComputedStyle(document.body).backgroundColor);
  const box = parse(getComputedStyle(document.querySelector(".controls")).backgroundColor);
  for (const e of document.querySelectorAll(".line, .pill, .service > rect, .who > rect, .station > rect, input, select, button")) {
    if (!seen(e)) continue;
    const colour = parse(e instanceof SVGElement ? getComputedStyle(e).stroke : getComputedStyle(e).borderTopColor);
    looked += 1;
    for (const back of [ground, box]) {
      if (!colour || ratio(colour, back) < 3) wrong.push(`${e.tagName} ${e.getAttribute("class") ?? ""}: ${colour} on ${back}`);
    }
  }
  return { looked, wrong: [...new Set(wrong)] };
}
