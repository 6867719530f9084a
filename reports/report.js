"use strict";
// Figures, their colours, printing, sorting and the download. All data is already in the page.
(() => {
  const byId = (id) => document.getElementById(id);
  const plots = () => [...document.querySelectorAll(".plot")];
  const PRINT_WIDTH = 660;
  const NARROW = 520;
  const LABEL = 24;
  const TITLE = 30;

  async function unpack(base64) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  // A colour that is a CSS variable in the figure becomes its value in the present theme.
  function coloured(value, style) {
    if (typeof value === "string") {
      const name = /^var\((--[a-z0-9-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((item) => coloured(item, style));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, coloured(v, style)]));
  }

  // Labels are escaped for plotly: an entity is one character.
  function cut(label) {
    const letters = label.match(/&(?:amp|lt|gt);|./gsu) || [];
    if (letters.length <= LABEL) return label;
    return letters.slice(0, LABEL / 2).join("") + "…" + letters.slice(1 - LABEL / 2).join("");
  }

  // A title that is wider than its axis is broken between words; it is escaped already.
  function broken(title) {
    return title.split(" ").reduce((lines, word) => {
      const last = lines.length - 1;
      if (lines[last].length + word.length < TITLE) lines[last] += ` ${word}`;
      else lines.push(word);
      return lines;
    }, [""]).map((line) => line.trim()).filter(Boolean).join("<br>");
  }

  // Where cells are narrower than their numbers, colour and hover have to do.
  function small(trace) {
    const crowded = trace.x.length > 4;
    return { ...trace, showscale: false, texttemplate: crowded ? "" : trace.texttemplate };
  }

  function sized(plot, spec, width) {
    const figure = coloured(spec, getComputedStyle(document.documentElement));
    const layout = { ...figure.layout, width, height: Number(plot.dataset.height) };
    layout.font = { ...layout.font, family: getComputedStyle(document.body).fontFamily };
    if (width < NARROW) {
      layout.font.size = 11;
      for (const axis of [layout.xaxis, layout.yaxis]) if (axis.title?.font) axis.title.font.size = 11;
      if (layout.xaxis.title) layout.xaxis.title.text = broken(layout.xaxis.title.text);
      if (layout.yaxis2) {
        layout.yaxis2 = { ...layout.yaxis2, visible: false };
        layout.margin = { ...layout.margin, r: 8 };
      }
      if (layout.yaxis) layout.yaxis = { ...layout.yaxis, ticktext: layout.yaxis.ticktext?.map(cut) };
      figure.data = figure.data.map((trace) => (trace.type === "heatmap" ? small(trace) : trace));
      // The counts on the right give way to the intervals; the table has them.
      layout.annotations = (layout.annotations || []).filter((a) => a.name !== "right");
    }
    return { data: figure.data, layout };
  }

  let specs = {};
  const config = { displayModeBar: false, showTips: false, doubleClick: false, showAxisDragHandles: false };

  function draw(plot, limit) {
    const width = Math.floor(Math.min(plot.clientWidth, limit || Infinity));
    if (!width || !specs[plot.id] || plot.closest("details:not([open])")) return null;
    const { data, layout } = sized(plot, specs[plot.id], width);
    return window.Plotly.react(plot, data, layout, config);
  }

  async function drawAll() {
    for (const plot of plots()) {
      await draw(plot);
      await new Promise((done) => setTimeout(done)); // let the reader scroll meanwhile
    }
  }

  // What was drawn and is folded again is drawn anew when it is opened.
  function redraw() {
    plots().filter((plot) => plot.closest("details:not([open])")).forEach((plot) => {
      if (plot.classList.contains("js-plotly-plot")) window.Plotly.purge(plot);
      plot.classList.remove("js-plotly-plot");
    });
    return drawAll();
  }

  // What is folded is drawn when it is opened.
  function whenUnfolded() {
    document.querySelectorAll("details.fold, details.part").forEach((details) => {
      details.addEventListener("toggle", async () => {
        if (!details.open) return;
        for (const plot of details.querySelectorAll(".plot:not(.js-plotly-plot)")) {
          await draw(plot);
          await new Promise((done) => setTimeout(done));
        }
      });
    });
  }

  // A link to what is folded unfolds it, where the browser does not do so by itself.
  function whenLinked() {
    const open = () => {
      const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
      for (let d = target?.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
      target?.scrollIntoView();
    };
    window.addEventListener("hashchange", open);
    if (location.hash) open();
  }

  function unfoldAll() {
    const parts = [...document.querySelectorAll("details.part")];
    const open = parts.some((part) => !part.open);
    parts.forEach((part) => { part.open = open; });
    const button = byId("unfold");
    button.textContent = open ? button.dataset.fold : button.dataset.unfold;
  }

  function whenWidthChanges(action) {
    let width = document.documentElement.clientWidth;
    let timer = 0;
    window.addEventListener("resize", () => {
      if (document.documentElement.clientWidth === width) return;
      width = document.documentElement.clientWidth;
      clearTimeout(timer);
      timer = setTimeout(action, 150);
    });
  }

  function forPrint(ready) {
    let closed = [];
    const open = () => {
      closed = [...document.querySelectorAll("details:not([open])")];
      closed.forEach((details) => { details.open = true; });
      document.documentElement.classList.add("printing");
      if (ready()) plots().forEach((plot) => draw(plot, PRINT_WIDTH));
    };
    const restore = () => {
      closed.forEach((details) => { details.open = false; });
      document.documentElement.classList.remove("printing");
      if (ready()) plots().forEach((plot) => draw(plot));
    };
    window.addEventListener("beforeprint", open);
    window.addEventListener("afterprint", restore);
  }

  function sortable(table) {
    const body = table.tBodies[0];
    if (body.rows.length < 3) return;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sortBy(table, head, column));
      head.replaceChildren(button);
    });
  }

  function sortBy(table, head, column) {
    const down = head.getAttribute("aria-sort") === "ascending";
    [...head.parentNode.cells].forEach((cell) => cell.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.sort;
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === undefined || y === undefined) {
        if (x !== y) return x === undefined ? 1 : -1; // without a number: always last
        const texts = a.cells[column].textContent.localeCompare(b.cells[column].textContent, document.documentElement.lang, { numeric: true });
        return down ? -texts : texts;
      }
      return down ? y - x : x - y;
    });
    table.tBodies[0].append(...rows);
  }

  // Rows stay whose cell has every word that was typed for its column.
  function filterable(filters) {
    const rows = [...byId(filters.dataset.table).tBodies[0].rows];
    const fields = [...filters.querySelectorAll("input")];
    const words = (field) => field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (row, field) => {
      const text = row.cells[field.dataset.column].textContent.toLowerCase();
      return words(field).every((word) => text.includes(word));
    };
    const apply = () => {
      for (const row of rows) row.hidden = !fields.every((field) => fits(row, field));
      const shown = rows.filter((row) => !row.hidden).length;
      const said = filters.dataset.shown.replace("{shown}", shown).replace("{all}", rows.length);
      filters.querySelector("output").textContent = said;
    };
    filters.hidden = false;
    filters.addEventListener("input", apply);
    apply();
  }

  // Large JSON is packed in the page.
  async function embedded(id) {
    const source = byId(id);
    const packed = (source.dataset.encoding || "json") !== "json";
    return packed ? unpack(source.textContent) : source.textContent;
  }

  async function download() {
    const source = byId("audit-json");
    const text = await embedded("audit-json");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = source.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async function start() {
    if (byId("download")) {
      byId("download").hidden = false;
      byId("download").addEventListener("click", download);
    }
    if (byId("unfold")) {
      byId("unfold").hidden = false;
      byId("unfold").addEventListener("click", unfoldAll);
    }
    document.querySelectorAll(".filters").forEach(filterable);
    document.querySelectorAll("table").forEach(sortable);
    let ready = false;
    forPrint(() => ready);
    specs = JSON.parse(await embedded("figure-specs"));
    if (byId("plotly-source")) {
      const script = document.createElement("script");
      script.textContent = await unpack(byId("plotly-source").textContent);
      document.head.append(script);
    }
    if (!window.Plotly) specs = {}; // without the library, tables have to do
    await drawAll();
    ready = true;
    whenUnfolded();
    whenLinked();
    document.querySelectorAll("details[open] .plot:not(.js-plotly-plot)").forEach((plot) => draw(plot));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    whenWidthChanges(redraw);
    document.documentElement.dataset.figures = "drawn";
  }

  start();
})();
