"use strict";

/* Filters over the groups. What is chosen is in the address, in words, so that a link keeps it; any other fragment is a place on the page. */
(() => {
  const form = document.getElementById("filters");
  const selects = [...form.querySelectorAll("select")];
  const groups = [...document.querySelectorAll(".group")];
  const lines = [...document.querySelectorAll("tr[data-group]")];
  const word = (select) => (select.value ? select.selectedOptions[0].textContent : "");

  function show() {
    const fits = (group) => selects.every((one) => !one.value || group.dataset[one.name].split(" ").includes(one.value));
    for (const group of groups) group.hidden = !fits(group);
    const shown = new Set(groups.filter((group) => !group.hidden).map((group) => group.id));
    for (const line of lines) line.hidden = !shown.has(line.dataset.group);
    document.getElementById("count").textContent = `${shown.size} of ${groups.length} ${groups.length === 1 ? "group" : "groups"}`;
    document.getElementById("nothing").hidden = shown.size > 0;
  }

  function read() {
    const fragment = location.hash.slice(1);
    const wanted = new URLSearchParams(fragment.includes("=") ? fragment : "");
    for (const select of selects) {
      const found = [...select.options].find((option) => option.value && option.textContent === wanted.get(select.name));
      select.value = found ? found.value : "";
    }
    show();
    if (fragment && !fragment.includes("=")) document.getElementById(fragment)?.scrollIntoView();
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => {
    const chosen = new URLSearchParams(selects.filter((one) => one.value).map((one) => [one.name, word(one)]));
    history.replaceState(null, "", `#${chosen}`);
    show();
  });
  addEventListener("hashchange", read);
  form.hidden = false;
  read();
})();
