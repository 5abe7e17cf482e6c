"use strict";

/* Replies: filtered here, shown fifty at a time, and only ever through textContent, because models wrote them. */
const PAGE = 50;
const browser = document.getElementById("browser");
const { prompts, replies } = JSON.parse(document.getElementById("samples").textContent);
const filters = document.querySelector(".filters").elements;
const cards = document.getElementById("cards");
const baselines = new Map();
let found = replies;
let page = 0;

for (const reply of replies) {
  if (reply.arm !== browser.dataset.baseline) continue;
  const known = baselines.get(reply.prompt) || new Map();
  baselines.set(reply.prompt, known.set(reply.seed, reply));
}

/* An arm may have been run with seeds that the baseline was not: greedy decoding makes any of them its reply. */
function baselineOf(reply) {
  const known = baselines.get(reply.prompt);
  return known && (known.get(reply.seed) || known.values().next().value);
}

function matches(reply, needle) {
  const prompt = prompts[reply.prompt];
  const baseline = baselineOf(reply);
  return (
    (!filters.arm.value || reply.arm === filters.arm.value) &&
    (!filters.benchmark.value || prompt.benchmark === filters.benchmark.value) &&
    (!filters.verdict.value || reply.verdict === filters.verdict.value) &&
    (!filters.changed.checked || (baseline && baseline.verdict !== reply.verdict)) &&
    (!needle || [prompt.question, prompt.text, reply.text].some((text) => text.toLowerCase().includes(needle)))
  );
}

function filter() {
  const needle = filters.search.value.trim().toLowerCase();
  found = replies.filter((reply) => matches(reply, needle));
  turnTo(0);
}

function turnTo(number) {
  page = number;
  const start = page * PAGE;
  const end = Math.min(start + PAGE, found.length);
  const total = found.length.toLocaleString("en");
  document.getElementById("shown").textContent = found.length ? `${start + 1} to ${end} of ${total} replies` : "No reply matches.";
  document.getElementById("previous").disabled = page === 0;
  document.getElementById("next").disabled = end === found.length;
  cards.replaceChildren(...found.slice(start, end).map(card));
}

function card(reply) {
  const item = document.getElementById("card").content.cloneNode(true).firstElementChild;
  const prompt = prompts[reply.prompt];
  const head = { arm: reply.arm, verdict: reply.verdict, benchmark: prompt.benchmark, category: prompt.category };
  item.querySelector("[data-field=verdict]").dataset.verdict = reply.verdict;
  write(item, { ...head, attack: prompt.attack, seed: `seed ${reply.seed}`, id: prompt.id });
  item.querySelector(".reveal").addEventListener("click", () => {
    show(item, reply);
    item.querySelector(".text").focus();
  });
  if (!prompt.isHarmful || filters.reveal.checked) show(item, reply);
  return item;
}

/* Harmful text enters the page only here, so that neither the eye nor the browser's own search meets it before. */
function show(item, reply) {
  const prompt = prompts[reply.prompt];
  const baseline = baselineOf(reply);
  write(item, { question: prompt.question, text: prompt.text, reply: reply.text || "(empty)" });
  write(item, { reason: reply.reason && `Verdict because: ${reply.reason}`, action: reply.action && `Method: ${reply.action}` });
  if (prompt.text === prompt.question) item.querySelector(".asked").remove();
  if (!baseline || baseline.arm === reply.arm) item.querySelector(".baseline").remove();
  else {
    item.querySelector(".baseline summary").textContent = `${baseline.arm} answered (${baseline.verdict})`;
    write(item, { baseline: baseline.text || "(empty)" });
  }
  item.querySelector(".reveal").remove();
  item.querySelector(".text").hidden = false;
}

function write(item, fields) {
  for (const [name, text] of Object.entries(fields)) {
    const place = item.querySelector(`[data-field=${name}]`);
    if (text) place.textContent = text;
    else place.remove();
  }
}

let waiting;
document.querySelector(".filters").addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(filter, event.target.name === "search" ? 200 : 0);
});
document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
for (const [id, step] of [["previous", -1], ["next", 1]]) {
  document.getElementById(id).addEventListener("click", () => {
    turnTo(page + step);
    document.getElementById("replies").scrollIntoView();
  });
}
browser.hidden = false;
filter();
