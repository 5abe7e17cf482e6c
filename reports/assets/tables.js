"use strict";

/* Tables sort by sortable-tablesort 4.1.7 (vendor/sortable.min.js), which reads `data-sort` and sets `aria-sort`. Of
   the libraries looked at it alone enhances a plain table that prints and works without it, puts missing numbers last,
   and styles nothing from scripts (tablesort sorts by a cell's text where `data-sort` is empty; simple-datatables and
   Tabulator put tables of their own in its place, with 100 and 450 kB of script). Two things are added: a header is a button, for the keyboard, and it starts best first. */
for (const header of document.querySelectorAll("table.sortable > thead > tr > th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  header.append(button);
  button.addEventListener("click", () => {
    header.closest("table").classList.toggle("asc", header.dataset.first === "ascending");
  });
}
for (const table of document.querySelectorAll("table.sortable")) table.classList.add("n-last");
