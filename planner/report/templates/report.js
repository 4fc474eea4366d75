"use strict";
// Sorts a table by a column: numbers by value, text by letters, empty cells last either way.
function sortBy(head, place) {
  const table = head.closest("table");
  const body = table.tBodies[0];
  const down = head.getAttribute("aria-sort") === "ascending";
  const number = head.classList.contains("number");
  const key = (row) => row.cells[place].dataset.key;
  const rows = Array.from(body.rows).filter((row) => !row.classList.contains("none"));
  rows.sort((a, b) => {
    const one = key(a), two = key(b);
    if (one === "" || two === "") return (one === "") - (two === "");
    const order = number ? Number(one) - Number(two) : one.localeCompare(two);
    return down ? -order : order;
  });
  for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...rows);
}
for (const head of document.querySelectorAll("thead tr")) {
  Array.from(head.cells).forEach((cell, place) => {
    cell.querySelector("button").addEventListener("click", () => sortBy(cell, place));
  });
}
