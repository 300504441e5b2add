"use strict";
// Filter and sort, for what can be read without them as well.
(() => {
  const text = (cell) => cell.textContent.trim();
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const key = (cell) => cell.classList.contains("n") ? text(cell).replace(/\s/g, "") : text(cell);

  const sortable = (table) => {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((th, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...th.childNodes);
      th.append(button);
      button.addEventListener("click", () => {
        const up = th.getAttribute("aria-sort") !== "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [key(row.cells[column]), row]);
        rows.sort((a, b) => collator.compare(a[0], b[0]) * (up ? 1 : -1));
        body.append(...rows.map((pair) => pair[1]));
      });
    });
  };

  const filterable = (table) => {
    const box = document.createElement("div"), label = document.createElement("label");
    const input = document.createElement("input"), count = document.createElement("output");
    box.className = "filter";
    input.type = "search";
    input.autocomplete = "off";
    input.id = table.id + "-f";
    label.htmlFor = input.id;
    label.textContent = "Filter";
    box.append(label, input, count);
    table.parentElement.before(box);
    let rows;
    input.addEventListener("input", () => {
      rows = rows || [...table.tBodies[0].rows].map((row) => [row.textContent.toLowerCase(), row]);
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let n = 0;
      for (const [content, row] of rows) {
        row.hidden = !words.every((word) => content.includes(word));
        if (!row.hidden) n++;
      }
      count.textContent = words.length ? n + " of " + rows.length + " rows" : "";
    });
  };

  for (const table of document.querySelectorAll("table[data-large]")) {
    sortable(table);
    filterable(table);
  }

  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
