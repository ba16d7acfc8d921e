"use strict";
// Filters what is already there: without this script the page shows everything.
(() => {
  const { ways, people } = JSON.parse(document.getElementById("map-data").textContent);
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const search = $("#search"), person = $("#person"), status = $("#status"), none = $("#none");
  const boxes = all(".legend input");
  const lanes = all(".map [data-way]"), groups = all(".map [data-ways]"), rows = all("tr[data-way]");
  const picks = all(".map [data-pick]");
  const indices = new Map(groups.map((g) => [g, g.dataset.ways.split(" ").filter(Boolean).map(Number)]));
  let picked = null;

  const count = (n, all) => `${n} of ${all} place${all === 1 ? "" : "s"}`;

  function shown() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const gates = new Set(boxes.filter((b) => b.checked).map((b) => b.value));
    const who = person.value === "" ? null : Number(person.value);
    return ways.map((way) => ({
      matches: gates.has(way.gate) && words.every((word) => way.text.includes(word)) &&
        (picked === null || way.picks.includes(picked)),
      reached: who === null || way.people.includes(who),
    }));
  }

  function sentence(found) {
    const asked = found.filter((way) => way.matches).length, left = found.filter((w) => w.matches && w.reached).length;
    const pick = picked === null ? "" : `${picks.find((p) => p.dataset.pick === picked).getAttribute("aria-label")}. `;
    if (person.value === "") return `${pick}${count(left, ways.length)} shown`;
    const missed = ways.filter((way, i) => found[i].matches && !found[i].reached).map((way) => way.address);
    const list = missed.length > 0 && missed.length <= 6 ? `; not ${missed.join(", ")}` : "";
    const name = people[Number(person.value)];
    const who = name.includes("@") ? name : name[0].toUpperCase() + name.slice(1);
    return `${pick}${who} reaches ${count(left, asked)}${list}`;
  }

  function draw() {
    const found = shown(), on = found.map((way) => way.matches && way.reached);
    for (const lane of lanes) lane.classList.toggle("off", !on[Number(lane.dataset.way)]);
    for (const [group, own] of indices) {
      if (!group.classList.contains("region")) group.classList.toggle("off", !own.some((i) => on[i]));
    }
    for (const row of rows) row.hidden = !on[Number(row.dataset.way)];
    for (const link of picks) link.setAttribute("aria-pressed", String(link.dataset.pick === picked));
    none.hidden = on.some(Boolean);
    status.textContent = sentence(found);
  }

  function pick(name) {
    picked = picked === name ? null : name;
    draw();
  }

  function reset() {
    search.value = "";
    person.value = "";
    picked = null;
    for (const box of boxes) box.checked = true;
    draw();
  }

  search.addEventListener("input", draw);
  person.addEventListener("change", draw);
  for (const box of boxes) box.addEventListener("change", draw);
  $("#reset").addEventListener("click", () => { reset(); search.focus(); });
  for (const link of picks) {
    link.setAttribute("role", "button");
    link.addEventListener("click", (event) => { event.preventDefault(); pick(link.dataset.pick); });
    link.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      pick(link.dataset.pick);
    });
  }
  for (const lane of lanes) lane.addEventListener("click", () => pick(ways[Number(lane.dataset.way)].picks[0]));
  document.addEventListener("keydown", (event) => {
    // First lets go of what is picked, then of everything.
    if (event.key === "Escape") picked !== null && none.hidden ? pick(picked) : reset();
    const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    }
  });
  for (const hidden of all(".needs-script")) hidden.hidden = false;
  // A browser may bring back what was typed before the page was left.
  reset();
})();
