"use strict";

/* Two arms side by side: chosen, filtered and linked to by the page's fragment, twenty rows at a time, and only ever
   written through textContent, because models wrote it. */
{
  const PAGE = 20;
  const MOST_CHARACTERS = 20000; // of one reply, before it is asked for as a whole
  const PREFIX = "#replies?";
  const byId = (id) => document.getElementById(id);
  const view = byId("pairs-view");
  const form = view && view.querySelector("form");
  const list = byId("pairs");
  const controls = form ? [...form.elements].filter((one) => one.name) : [];
  const defaults = Object.fromEntries(controls.map((one) => [one.name, one.value]));
  const wanted = () => Object.fromEntries(controls.map((one) => [one.name, one.value]));
  let data;
  let found = [];
  let page = 0;
  let latest = 0;

  /* ---- the fragment: #replies?left=..&right=..&filter=..&page=..&prompt=benchmark/link/seed ---- */

  function fragment(key = "") {
    const told = new URLSearchParams();
    for (const { name, value } of controls) if (value !== defaults[name] || ["left", "right"].includes(name)) told.set(name, value);
    if (page && !key) told.set("page", page + 1);
    if (key) told.set("prompt", key);
    return PREFIX + told;
  }

  /* Sets the controls; says what the page does not have. */
  function restore(link) {
    const told = new URLSearchParams(link.startsWith(PREFIX) ? link.slice(PREFIX.length) : "");
    const unknown = [];
    for (const one of controls) {
      const value = told.get(one.name) ?? defaults[one.name];
      one.value = value;
      if (one.value === value) continue;
      unknown.push(`${one.name} "${value}"`);
      one.value = defaults[one.name];
    }
    page = Math.max(0, Math.floor(Number(told.get("page")) || 1) - 1);
    return { key: told.get("prompt"), unknown };
  }

  /* Every entry of the history remembers the view, also those that stand at another section's anchor. */
  function remember(link, isNew) {
    history[isNew ? "pushState" : "replaceState"]({ replies: link }, "", link);
  }

  async function follow(link, isHere) {
    const { key, unknown } = restore(link);
    const isLatest = await update();
    if (!isLatest) return;
    if (key) unknown.push(...open(key));
    byId("problem").textContent = unknown.length ? `The link names what is not here: ${unknown.join(", ")}.` : "";
    if (isHere && !list.querySelector("[aria-current]")) byId("replies").scrollIntoView();
  }

  /* Turns to the prompt and marks it; returns what there is to complain of. */
  function open(key) {
    const place = found.findIndex((row) => row.key === key);
    if (place < 0) return [`prompt "${key}"`];
    turnTo(Math.floor(place / PAGE));
    mark(list.children[place % PAGE], "start");
    return [];
  }

  function mark(item, block) {
    for (const other of list.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
    item.setAttribute("aria-current", "true");
    item.focus({ preventScroll: true });
    item.scrollIntoView({ block });
  }

  /* ---- rows ---- */

  /* Unpacks the arms if need be and filters; false where another choice has overtaken this one. */
  async function update() {
    const mine = ++latest;
    const choice = wanted();
    const columns = await Promise.all([data.column(choice.left), data.column(choice.right)]);
    if (mine !== latest) return false;
    found = filtered(data, rowsOf(columns), columns, choice);
    byId("flips").textContent = flips(choice.left, choice.right);
    turnTo(Math.min(page, Math.max(0, Math.ceil(found.length / PAGE) - 1)));
    return true;
  }

  let kept = { columns: [] };
  function rowsOf(columns) {
    if (columns.some((column, side) => column !== kept.columns[side])) kept = { columns, rows: data.pairs(...columns) };
    return kept.rows;
  }

  function flips(left, right) {
    const number = (count) => count.toLocaleString("en");
    const counts = data.moves(left, right);
    const total = counts.reduce((sum, [, , pairs]) => sum + pairs, 0);
    const flipped = counts.filter(([was, is, pairs]) => was !== is && pairs);
    const told = flipped.map(([was, is, pairs]) => `${number(pairs)} ${was} → ${is}`).join(", ");
    const sum = flipped.reduce((all, [, , pairs]) => all + pairs, 0);
    return left === right ? "" : `${left} → ${right}, the whole run: ${number(sum)} of ${number(total)} pairs flip${told && ` (${told})`}.`;
  }

  let marks = [];
  function turnTo(number) {
    page = number;
    const start = page * PAGE;
    const end = Math.min(start + PAGE, found.length);
    const total = found.length.toLocaleString("en");
    byId("shown").textContent = found.length ? `${start + 1} to ${end} of ${total} pairs` : "No pair matches.";
    for (const button of view.querySelectorAll(".turn")) button.disabled = button.dataset.step < 0 ? !page : end === found.length;
    marks = [];
    list.start = start + 1;
    list.replaceChildren(...found.slice(start, end).map(rowItem));
    markNext(marks);
  }

  /* Differences are marked after the rows are on the screen, one row at a time, so that no filter waits for them. */
  function markNext(mine) {
    if (mine === marks && mine.length) mine.shift()();
    if (mine === marks && mine.length) setTimeout(markNext, 0, mine);
  }

  function rowItem(row) {
    const item = byId("pair").content.cloneNode(true).firstElementChild;
    const { prompt, sides } = row;
    write(item, {
      name: `${prompt.benchmark} ${prompt.number}, seed ${row.seed}`,
      verdicts: columnsShown(sides).map((side) => (side ? side.verdict : "no reply")).join(" → "),
      flip: isFlip(row) ? "flip" : "",
      category: prompt.category,
      attack: prompt.attack,
    });
    const link = item.querySelector("[data-field=link]");
    link.href = fragment(row.key);
    item.dataset.key = row.key;
    const button = item.querySelector(".reveal");
    if (prompt.intent !== "harmful" || byId("reveal").checked) show(item, row);
    else button.addEventListener("click", () => {
      show(item, row);
      item.querySelector(".text").focus();
      markNext(marks);
    });
    return item;
  }

  /* An arm beside itself is shown once. */
  const columnsShown = (sides) => (kept.columns[0] === kept.columns[1] ? sides.slice(0, 1) : sides);

  /* Harmful text enters the page only here, so that neither the eye nor the browser's own search meets it before. */
  function show(item, { prompt, sides, seed }) {
    write(item, { id: `Prompt ${prompt.id}`, question: prompt.question || "(empty)", asked: prompt.text });
    item.querySelector(".asked").hidden = !prompt.text;
    const shown = columnsShown(sides);
    item.querySelector(".sides").append(...shown.map((side, place) => sideItem(side, place, seed)));
    item.querySelector(".reveal").remove();
    item.querySelector(".text").hidden = false;
    if (shown.length === 2 && sides[0] && sides[1]) marks.push(() => markWords(item, sides.map(told)));
    else item.querySelector("[data-field=difference]").remove();
  }

  function sideItem(side, place, seed) {
    const item = byId("side").content.cloneNode(true).firstElementChild;
    const reply = side ? told(side) : { arm: kept.columns[place].arm, verdict: "no reply", text: "" };
    item.querySelector("[data-field=verdict]").dataset.verdict = reply.verdict;
    write(item, {
      arm: reply.arm,
      verdict: reply.verdict,
      text: start(reply.text) || (side ? "(empty)" : "This arm has not answered this prompt."),
      reason: reply.reason && `Verdict because: ${reply.reason}.`,
      action: reply.action && `Method: ${reply.action}.`,
      length: side && length(reply, seed),
    });
    const button = item.querySelector(".whole");
    const rest = reply.text.slice(start(reply.text).length);
    if (rest) button.textContent = `Show all ${[...reply.text].length.toLocaleString("en")} characters`;
    else button.remove();
    button.addEventListener("click", () => {
      item.querySelector("[data-field=text]").append(rest);
      button.remove();
    });
    return item;
  }

  /* An answer that was chosen by log-probability has neither tokens nor entropy. */
  function length({ tokens, entropy, seed }, seedOfRow) {
    const parts = [];
    if (tokens) parts.push(`${tokens.toLocaleString("en")} tokens`);
    if (entropy !== null) parts.push(`entropy ${entropy.toFixed(2)} bits`);
    if (seed !== seedOfRow) parts.push(`seed ${seed}, the only one of this arm`);
    return parts.length ? `${parts.join(", ")}.` : "";
  }

  /* As much as is shown at first; never half of a sign that takes two units. */
  function start(text) {
    const isHalf = /[\ud800-\udbff]/.test(text[MOST_CHARACTERS - 1] || "");
    return text.slice(0, MOST_CHARACTERS + (isHalf ? 1 : 0));
  }

  function markWords(item, replies) {
    const [left, right] = replies.map((reply) => start(reply.text));
    const difference = item.querySelector("[data-field=difference]");
    if (replies[0].text === replies[1].text) {
      difference.textContent = "Both replies are the same.";
      return;
    }
    const pieces = wordDifference(left, right);
    difference.textContent = pieces ? `Only on the left: ${alone(pieces[0])}. Only on the right: ${alone(pieces[1])}.` : "The replies are too different to mark words.";
    if (!pieces) return;
    item.querySelectorAll(".side [data-field=text]").forEach((place, side) => {
      const rest = [...place.childNodes].slice(1); // what the button of a long reply has added
      if ([left, right][side]) place.replaceChildren(...pieces[side].map((piece) => element(piece, ["del", "ins"][side])), ...rest);
    });
  }

  function alone(pieces) {
    const count = pieces.reduce((sum, piece) => sum + (piece.isAlone ? piece.words : 0), 0);
    return `${count.toLocaleString("en")} ${count === 1 ? "word or sign" : "words and signs"}`;
  }

  function element({ text, isAlone }, name) {
    if (!isAlone) return document.createTextNode(text);
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  }

  function write(item, fields) {
    for (const [name, text] of Object.entries(fields)) {
      const place = item.querySelector(`[data-field=${name}]`);
      if (text) place.textContent = text;
      else place.remove();
    }
  }

  /* ---- what the reader does ---- */

  function choose(isNew) {
    page = 0;
    byId("problem").textContent = "";
    remember(fragment(), isNew);
    update();
  }

  function turn(step) {
    turnTo(page + step);
    remember(fragment(), true);
  }

  /* j and k: along the rows, and over the edge of a page. */
  function walk(step) {
    const items = [...list.children];
    const here = items.indexOf(document.activeElement.closest(".pair"));
    const next = here < 0 ? 0 : here + step;
    const last = Math.ceil(found.length / PAGE) - 1;
    if (!items.length || next + page * PAGE < 0 || (next >= items.length && page === last)) return;
    if (next < 0 || next >= items.length) turnTo(page + step);
    const item = list.children[next < 0 ? PAGE - 1 : next % items.length];
    mark(item, "nearest");
    remember(fragment(item.dataset.key), false);
  }

  function listen() {
    let waiting;
    form.addEventListener("input", (event) => {
      clearTimeout(waiting);
      if (event.target.id === "reveal") turnTo(page);
      else if (event.target.name === "search") waiting = setTimeout(choose, 150, false);
      else choose(true);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      for (const one of controls) if (!["left", "right"].includes(one.name)) one.value = "";
      choose(true);
    });
    for (const button of view.querySelectorAll(".turn")) {
      button.addEventListener("click", () => {
        turn(Number(button.dataset.step));
        byId("replies").scrollIntoView();
      });
    }
    view.addEventListener("keydown", (event) => {
      const isTyped = event.target.closest("select, input[type=search]") || event.ctrlKey || event.metaKey || event.altKey;
      if (!isTyped && ["j", "k"].includes(event.key)) walk(event.key === "j" ? 1 : -1);
    });
    addEventListener("popstate", (event) => {
      if (location.hash.startsWith(PREFIX)) follow(location.hash, true);
      else if (event.state) follow(event.state.replies, false);
      else history.replaceState({ replies: fragment() }, "");
    });
  }

  async function begin() {
    if (!self.DecompressionStream || !segmenter) {
      byId("lacking").hidden = false;
      return;
    }
    data = await ReplyData.open();
    listen();
    view.hidden = false;
    const isHere = location.hash.startsWith(PREFIX);
    const link = isHere ? location.hash : history.state?.replies || "";
    await follow(link, isHere);
    if (!history.state) history.replaceState({ replies: isHere ? link : fragment() }, "");
  }

  if (view) begin();
}
