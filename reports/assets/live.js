"use strict";

/* Progress: asked for every two seconds while the page is in sight; texts go to their places, and a page whose places
   have changed loads itself anew. */
const PAUSE = 2000;
const places = [...document.querySelectorAll("[data-live]")];
const structure = document.getElementById("live").dataset.structure;

function show(texts) {
  for (const place of places) {
    const text = texts[place.dataset.live];
    if (place instanceof HTMLProgressElement) place.value = Number(text.replaceAll(",", ""));
    else if (place.textContent !== text) place.textContent = text; /* what stays is not read aloud again */
  }
}

async function refresh() {
  if (document.hidden) return;
  try {
    const found = await (await fetch("/progress.json")).json();
    if (found.structure === structure) show(found.texts);
    else location.reload();
  } catch {
    for (const place of places) if (place.dataset.live === "told") place.textContent = "equipoise view does not answer.";
  }
}

setInterval(refresh, PAUSE);
document.addEventListener("visibilitychange", refresh);
