"use strict";

/* Tables: a header becomes a button that sorts, best first at the first press; missing numbers stay last. */
for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const opposite = { ascending: "descending", descending: "ascending" };
      const order = opposite[header.getAttribute("aria-sort")] || header.dataset.first;
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", order);
      sortRows(table.tBodies[0], place, order === "ascending" ? 1 : -1);
    });
  });
}

function sortRows(body, place, sign) {
  const value = (row) => (row.cells[place].dataset.sort === "" ? NaN : Number(row.cells[place].dataset.sort));
  const compare = (a, b) => {
    const [first, second] = [value(a), value(b)];
    if (Number.isNaN(first) || Number.isNaN(second)) return Number.isNaN(first) - Number.isNaN(second);
    return sign * (first - second);
  };
  body.append(...[...body.rows].sort(compare));
}
