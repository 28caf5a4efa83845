// The page around the views: header, kernels, tabs. The address's fragment says what is shown.

const tabs = [["overview", "Overview"], ["graph", "Graph"], ["memory", "Memory"], ["ledger", "Fusion ledger"]];
const app = {
  fn: data.functions.find((fn) => fn.name !== "init" && fn.items.length) || data.functions.find((fn) => fn.name !== "init") || data.functions[0],
  tab: "overview", kernel: null, filter: "",
  openKernel(index) { location.hash = `${encodeURIComponent(app.fn.name)}/kernel/${index}`; },
  openTab(tab) { location.hash = `${encodeURIComponent(app.fn.name)}/${tab}`; },
  show,
};

function readAddress() {
  const [name, tab, kernel] = location.hash.slice(1).split("/").map(decodeURIComponent);
  app.fn = data.functions.find((fn) => fn.name === name) || app.fn;
  app.tab = tab || "overview";
  app.kernel = tab === "kernel" ? Number(kernel) : null;
}

function show() {
  hideTip();
  const fn = app.fn;
  const views = {overview: overviewView, graph: graphView, memory: memoryView, ledger: ledgerView, kernel: kernelView};
  main.replaceChildren((views[app.tab] || overviewView)(app));
  main.className = "view-" + app.tab;
  navigation.replaceChildren(...tabs.map(([key, name]) => el("button", {class: key === app.tab ? "on" : "", "data-tab": key, onclick: () => app.openTab(key)}, name)));
  functions.replaceChildren(...(data.functions.length > 1 ? [el("select", {"aria-label": "function", onchange: (event) => { location.hash = encodeURIComponent(event.target.value) + "/overview"; }},
    data.functions.map((other) => el("option", {value: other.name, selected: other === fn}, other.name)))] : []));
  listKernels();
}

function listKernels() {
  const fn = app.fn, weight = (item) => (fn.measured ? item.microseconds : item.bytes), most = Math.max(1, ...fn.items.map(weight));
  const words = app.filter.toLowerCase();
  kernels.replaceChildren(...fn.items.filter((item) => (item.name + " " + linesText(item.at, 20) + " " + opsText(item.ops, 50)).toLowerCase().includes(words)).map((item) => el("button", {
    class: `kernel ${item.phase}` + (app.tab === "kernel" && app.kernel === item.index ? " on" : ""), "data-kernel": item.index, onclick: () => app.openKernel(item.index),
  }, el("span", {class: "index"}, String(item.index)), el("span", {class: "grow"}, el("span", {class: "kname"}, item.name), el("span", {class: "quiet"}, linesText(item.at) || item.source || "")),
    el("span", {class: "amount"}, fn.measured ? timeText(item.microseconds) : bytesText(item.bytes)), el("span", {class: "meter", style: `width:${100 * weight(item) / most}%`}))));
  if (!fn.items.length) kernels.append(el("p", {class: "quiet pad"}, "Nothing is launched here."));
}

function overviewView(app) {
  const fn = app.fn, items = fn.items, sum = (value) => items.reduce((total, item) => total + value(item), 0);
  const time = fn.measured ? sum((item) => item.microseconds) : 0, bytes = sum((item) => item.bytes), flops = sum((item) => item.flops);
  const edges = fn.ledger || [], fused = edges.filter((edge) => edge.fused).length;
  const weight = (item) => (fn.measured ? item.microseconds : item.bytes), whole = Math.max(1e-9, sum(weight));
  const tile = (value, label, more) => el("div", {class: "tile"}, el("b", {}, value), el("span", {}, label), more ? el("small", {}, more) : null);
  const rows = items.map((item) => el("tr", {class: "link", tabindex: 0, "data-row": item.index, onclick: () => app.openKernel(item.index), onkeydown: (event) => event.key === "Enter" && app.openKernel(item.index)},
    el("td", {class: "right quiet"}, String(item.index)), el("td", {}, el("span", {class: "dot " + item.phase}), el("b", {class: "mono"}, item.name), el("div", {class: "quiet"}, opsText(item.ops, 7))),
    el("td", {class: "quiet"}, linesText(item.at) || item.source || ""), el("td", {class: "right"}, countText(item.flops)), el("td", {class: "right"}, bytesText(item.bytes)),
    fn.measured ? el("td", {class: "right"}, timeText(item.microseconds)) : null,
    el("td", {class: "share"}, el("div", {class: "track"}, el("span", {class: "meter " + item.phase, style: `width:${Math.max(0.5, 100 * weight(item) / whole)}%`})), el("span", {class: "quiet"}, (100 * weight(item) / whole).toFixed(1) + " %"))));
  return el("div", {class: "overview"},
    el("div", {class: "tiles"},
      tile(String(sum((item) => item.parts.length)), "launches", items.length ? `${new Set(items.map((item) => item.name)).size} kernels` : null),
      fn.measured ? tile(timeText(time), "measured", `sum of medians over ${fn.measuredRuns} runs, one after another`) : null,
      tile(countText(flops), "operations", fn.measured && time ? countText(flops / time * 1e6) + " a second" : null),
      tile(bytesText(bytes), "moved", bytes ? (flops / bytes).toFixed(1) + " operations a byte" : null),
      fn.arenaBytes !== undefined ? tile(bytesText(fn.arenaBytes), "working memory", fn.boundBytes ? `${(100 * (fn.arenaBytes / fn.boundBytes - 1)).toFixed(2)} % over the bound` : null) : null,
      data.stateBytes !== undefined ? tile(bytesText(data.stateBytes), "state", countText(data.parameters) + " parameters") : null,
      edges.length ? tile(`${fused} / ${edges.length}`, "edges fused", bytesText(edges.filter((edge) => edge.fused).reduce((total, edge) => total + edge.bytes, 0)) + " stay out of memory") : null),
    items.length ? el("div", {class: "strip", role: "img", "aria-label": "share of each launch"}, items.map((item) => el("button", {
      class: item.phase, style: `flex-grow:${weight(item) / whole * 1000}`, "aria-label": item.name, onclick: () => app.openKernel(item.index),
      onmousemove: (event) => showTip(event, el("b", {}, `${item.index}  ${item.name}`), el("div", {}, fn.measured ? timeText(item.microseconds) : bytesText(item.bytes) + " moved"), el("div", {class: "quiet"}, linesText(item.at))), onmouseleave: hideTip,
    }, weight(item) / whole > 0.05 ? String(item.index) : ""))) : null,
    el("div", {class: "legend"}, phases.map((phase) => el("span", {class: phase}, phase)), el("span", {class: "grow"}), el("span", {class: "aside quiet"}, fn.measured ? "by measured time" : "by bytes moved; take a profile to see times")),
    items.length ? el("table", {class: "launches"}, el("thead", {}, el("tr", {}, ["", "kernel", "your lines", "operations", "moved", fn.measured ? "time" : null, "share"].filter((text) => text !== null).map((text) => el("th", {class: ["operations", "moved", "time"].includes(text) ? "right" : null}, text)))), el("tbody", {}, rows)) : null,
    el("div", {class: "two"}, byLine(app, weight, whole), refusals(app)));
}

/** What each of the user's lines costs: a kernel's cost is shared by the operations of each line's ops. */
function byLine(app, weight, whole) {
  const lines = new Map();
  for (const item of app.fn.items) {
    const keys = new Map(originsOf(item.at).map((origin) => [origin.text, 0]).filter(([text]) => text));
    for (const op of item.ops) {
      const own = [...new Set(originsOf(op.at).map((origin) => origin.text))].filter((text) => keys.has(text));
      for (const text of own) keys.set(text, keys.get(text) + op.flops / own.length);
    }
    const all = [...keys.values()].reduce((sum, flops) => sum + flops, 0);
    for (const [key, flops] of keys) lines.set(key, (lines.get(key) || 0) + weight(item) * (all ? flops / all : 1 / keys.size));
  }
  if (!lines.size) return null;
  const rows = [...lines].sort((a, b) => b[1] - a[1]).slice(0, 12);
  return el("section", {}, el("h3", {}, app.fn.measured ? "Time by your lines" : "Bytes by your lines"),
    el("table", {}, el("tbody", {}, rows.map(([line, cost]) => el("tr", {}, el("td", {class: "mono"}, line),
      el("td", {class: "share"}, el("div", {class: "track"}, el("span", {class: "meter", style: `width:${100 * cost / whole}%`})), el("span", {class: "quiet"}, (100 * cost / whole).toFixed(1) + " %")))))),
    el("p", {class: "quiet"}, "A kernel of several lines is shared among them by their operations."));
}
function refusals(app) {
  const codes = refusalsOf(app.fn);
  if (!codes.length) return null;
  return el("section", {}, el("h3", {}, "What was not fused"), el("table", {}, el("tbody", {}, codes.map(([code, {count, bytes}]) => el("tr", {class: "link", onclick: () => { app.ledger = {words: "", verdict: "refused", code}; app.openTab("ledger"); }},
    el("td", {}, el("span", {class: "code-chip"}, code)), el("td", {class: "right"}, `${count} edges`), el("td", {class: "right"}, bytesText(bytes)))))));
}

const main = el("main", {}), navigation = el("nav", {class: "tabs"}), functions = el("div", {class: "functions"}), kernels = el("div", {class: "kernels"});
document.body.append(
  el("header", {}, el("div", {class: "brand"}, "sinter"), functions, el("span", {class: "chip"}, data.label), el("span", {class: "chip"}, data.device), el("span", {class: "chip"}, data.precision), el("span", {class: "grow"}), navigation),
  el("div", {class: "page"}, el("aside", {class: "side"}, el("input", {type: "search", placeholder: "find a kernel, op or line", "aria-label": "find a kernel", oninput: (event) => { app.filter = event.target.value; listKernels(); }}), kernels), main),
  tip);
addEventListener("hashchange", () => { readAddress(); show(); });
readAddress();
show();
document.documentElement.dataset.ready = "yes";
