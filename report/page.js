"use strict";
// Filter, sort and page through long tables. Without this script the page has their first
// rows. Text only becomes text nodes and attributes that are set one by one.
(() => {
  const perPage = 50;
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const format = new Intl.NumberFormat("en-US");

  let data; // read when it is first needed
  const load = () => {
    const element = document.getElementById("data");
    data ??= element ? JSON.parse(element.textContent) : { tables: {}, people: [], tags: [] };
    return data;
  };

  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const svg = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const isolated = (text) => make("bdi", text, text.split(/[ @-]/).some((word) => word.length > 30) ? "u" : "");
  const code = (id) => {
    const element = make("code");
    id.split(/(?<=:)/).forEach((part, i) => element.append(...(i ? [make("wbr"), part] : [part])));
    return element;
  };
  const tags = (places) => places.map((place) => {
    const [level, text] = load().tags[place];
    return make("span", text, ("tag " + level).trim());
  });
  const bar = (parts) => {
    const picture = svg("svg", { class: "bar", viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img",
      "aria-label": parts.map((p) => p[3] + " " + p[4]).join(", ") });
    for (const [className, x, width] of parts) picture.append(svg("rect", { class: className, x, width, height: 6 }));
    return picture;
  };
  const difference = (list) => {
    const ul = make("ul", "", "diff");
    for (const [name, before, after] of list) {
      const li = make("li"), arrow = make("span", "→");
      arrow.setAttribute("aria-hidden", "true");
      li.append(make("b", name), " ", make("del", before), " ", arrow, " ", make("ins", after));
      ul.append(li);
    }
    return ul;
  };
  const head = ([name, sub, link, id, places]) => {
    const th = make("th");
    th.scope = "row";
    const bdi = isolated(name);
    if (link) {
      const a = make("a");
      a.href = "#" + link;
      a.append(bdi);
      th.append(a);
    } else if (name) th.append(bdi);
    th.append(...tags(places || []));
    if (id) th.append(code(id));
    if (sub) {
      const small = make("small"), bdi = isolated(sub), at = sub.indexOf("@");
      if (at >= 0) bdi.replaceChildren(sub.slice(0, at), make("wbr"), sub.slice(at));
      small.append(bdi);
      th.append(small);
    }
    return th;
  };
  const cell = (value, column) => {
    if (Array.isArray(value) && typeof value[0] === "string") return head(value);
    const td = make("td", "", column.className === "w" ? "" : column.className);
    td.dataset.label = column.title;
    if (typeof value === "number") td.append(...tags([value]));
    else if (Array.isArray(value)) td.append(...tags(value));
    else if (value.b) td.append(bar(value.b));
    else if (value.d) td.append(difference(value.d));
    else if (!value) return td;
    else if (column.className === "c") td.append(code(value));
    else if (column.className === "n" || column.className === "d") td.textContent = value;
    else td.append(isolated(value));
    return td;
  };
  // The text of a cell, to sort and filter by.
  const textOf = (value) => {
    if (typeof value === "string") return value;
    if (typeof value === "number") return load().tags[value][1];
    if (value.b) return value.b.map((p) => p[3] + " " + p[4]).join(" ");
    if (value.d) return value.d.flat().join(" ");
    return value.map((part) => typeof part === "string" ? part : part === undefined ? "" : Array.isArray(part) ? part.map(textOf).join(" ") : textOf(part)).join(" ");
  };

  // A row of a table: text(i) is that of a cell, element() the row itself.
  const written = (tr) => ({ text: (i) => tr.cells[i]?.textContent.trim() ?? "", all: () => tr.textContent, element: () => tr });
  const stored = (cells, columns) => {
    let tr;
    return {
      text: (i) => textOf(cells(i)),
      all: () => columns.map((_, i) => textOf(cells(i))).join(" "),
      element: () => {
        if (!tr) {
          tr = make("tr");
          tr.append(...columns.map((column, i) => cell(cells(i), column)));
        }
        return tr;
      },
    };
  };
  const rowsOf = (table, columns) => {
    if (!("partial" in table.dataset)) return [...table.tBodies[0].rows].map(written);
    const { people, tables } = load(), { p, r } = tables[table.id];
    if (!p) return r.map((row) => stored((i) => row[i], columns));
    return r.map((row) => {
      const person = people[typeof row === "number" ? row : row[0]];
      let next = 1;
      const texts = p.map((place) => place < 0 ? next++ : 0);
      return stored((i) => p[i] < 0 ? row[texts[i]] : person[p[i]], columns);
    });
  };

  const enliven = (table) => {
    const body = table.tBodies[0], partial = "partial" in table.dataset;
    const heads = [...table.tHead.rows[0].cells];
    const columns = heads.map((th) => ({ title: th.textContent, className: th.className }));
    let all, shown, first = 0, words = [];
    const rows = () => all ??= rowsOf(table, columns);

    const box = make("div", "", "filter"), label = make("label", "Filter"), input = make("input"), count = make("output");
    input.type = "search";
    input.autocomplete = "off";
    input.id = table.id + "-f";
    label.htmlFor = input.id;
    box.append(label, input, count);
    if (table.caption.classList.contains("hidden")) table.parentElement.before(box);
    else table.caption.append(box);

    const pager = make("div", "", "pager"), back = make("button", "Previous"), where = make("span"), on = make("button", "Next");
    back.type = on.type = "button";
    pager.append(back, where, on);
    if (partial) table.parentElement.after(pager);

    const show = () => {
      const list = shown ?? rows();
      first = Math.max(0, Math.min(first, Math.floor((list.length - 1) / perPage) * perPage));
      const page = partial ? list.slice(first, first + perPage) : list;
      body.replaceChildren(...page.map((row) => row.element()));
      count.textContent = words.length ? format.format(list.length) + " of " + format.format(rows().length) + " rows" : "";
      where.textContent = list.length ? format.format(first + 1) + "–" + format.format(first + page.length) + " of " + format.format(list.length) : "no rows";
      back.disabled = first === 0;
      on.disabled = first + page.length >= list.length;
    };
    const turn = (by) => {
      first += by;
      show();
      box.scrollIntoView({ block: "nearest" });
    };
    back.addEventListener("click", () => turn(-perPage));
    on.addEventListener("click", () => turn(perPage));

    let contents;
    input.addEventListener("input", () => {
      words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      contents ??= new Map(rows().map((row) => [row, row.all().toLowerCase()]));
      shown = words.length ? rows().filter((row) => words.every((word) => contents.get(row).includes(word))) : undefined;
      first = 0;
      show();
    });

    heads.forEach((th, column) => {
      const button = make("button");
      button.type = "button";
      button.append(...th.childNodes);
      th.append(button);
      button.addEventListener("click", () => {
        const up = th.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (row) => columns[column].className === "n" ? row.text(column).replace(/,/g, "") : row.text(column);
        const sorted = (list) => list.map((row) => [key(row), row]).sort((a, b) => collator.compare(a[0], b[0]) * (up ? 1 : -1)).map((pair) => pair[1]);
        all = sorted(rows());
        shown &&= sorted(shown);
        first = 0;
        show();
      });
    });
    if (!partial) return;
    if (body.rows.length < perPage) return show();
    where.textContent = "1–" + perPage + " of " + format.format(table.dataset.partial);
    back.disabled = true;
  };

  document.documentElement.classList.add("js");
  const enlivened = new Set();
  const once = (table) => {
    if (enlivened.has(table)) return;
    enlivened.add(table);
    enliven(table);
  };
  const large = "table[data-large], table[data-partial]";
  const inside = (details) => details.querySelectorAll(large).forEach(once);
  for (const table of document.querySelectorAll(large)) {
    const details = table.closest("details");
    if (!details || details.open) once(table);
    else details.addEventListener("toggle", () => inside(details), { once: true });
  }

  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
