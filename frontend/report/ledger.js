// Every edge between two ops: fused into a kernel, or refused and why.

function baseLine(line) { return (line || "").replace(/^.*[\\/]/, ""); }

function ledgerTable(app, edges) {
  const kernels = new Map(app.fn.items.map((item) => [item.name, item.index]));
  const op = (name, line) => el("td", {}, el("b", {}, name), " ", el("span", {class: "quiet"}, baseLine(line)));
  return el("table", {class: "ledger"}, el("thead", {}, el("tr", {}, ["producer", "consumer", "bytes", "verdict", "why"].map((text) => el("th", {class: text === "bytes" ? "right" : null}, text)))),
    el("tbody", {}, edges.map((edge) => el("tr", {},
      op(edge.producer, edge.producer_line), op(edge.consumer, edge.consumer_line), el("td", {class: "right"}, bytesText(edge.bytes)),
      el("td", {}, edge.fused
        ? kernels.has(edge.fused) ? el("button", {class: "link", onclick: () => app.openKernel(kernels.get(edge.fused))}, edge.fused) : edge.fused
        : el("span", {class: "code-chip"}, edge.refused)),
      el("td", {class: "quiet"}, edge.detail || "")))));
}

function refusalsOf(fn) {
  const codes = new Map();
  for (const edge of fn.ledger || [])
    if (edge.refused) {
      const entry = codes.get(edge.refused) || {count: 0, bytes: 0};
      entry.count++;
      entry.bytes += edge.bytes;
      codes.set(edge.refused, entry);
    }
  return [...codes].sort((a, b) => b[1].bytes - a[1].bytes);
}

function ledgerView(app) {
  const fn = app.fn, all = fn.ledger || [];
  if (!all.length) return el("p", {class: "quiet pad"}, "No value passes between two ops of this function, or fusion did not run.");
  const state = app.ledger = app.ledger || {words: "", verdict: "refused", code: null};
  const results = el("div", {});
  let limit = 200;
  const update = () => {
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((edge) => {
      if (state.verdict === "refused" && !edge.refused || state.verdict === "fused" && !edge.fused) return false;
      if (state.code && edge.refused !== state.code) return false;
      const text = [edge.producer, edge.producer_line, edge.consumer, edge.consumer_line, edge.fused, edge.refused, edge.detail].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    results.replaceChildren(
      el("p", {class: "quiet", "data-found": found.length}, `${found.length} of ${all.length} edges, ${bytesText(found.reduce((sum, edge) => sum + edge.bytes, 0))}`),
      ledgerTable(app, found.slice(0, limit)),
      found.length > limit ? el("button", {class: "primary", onclick: () => { limit += 500; update(); }}, `show more of ${found.length}`) : "");
  };
  const choice = (value, name) => el("button", {
    class: state.verdict === value ? "on" : "", onclick: () => { state.verdict = value; if (value === "fused") state.code = null; app.show(); },
  }, name);
  const page = el("div", {class: "ledgerpage"},
    el("div", {class: "bar"},
      el("input", {type: "search", placeholder: "op, line, kernel or reason", "aria-label": "search the ledger", value: state.words, oninput: (event) => { state.words = event.target.value; update(); }}),
      el("div", {class: "segments"}, choice("refused", `refused ${all.filter((edge) => edge.refused).length}`), choice("fused", `fused ${all.filter((edge) => edge.fused).length}`), choice("all", "all")),
      el("div", {class: "chips"}, refusalsOf(fn).map(([code, {count}]) => el("button", {
        class: "code-chip" + (state.code === code ? " on" : ""), onclick: () => { state.code = state.code === code ? null : code; if (state.code) state.verdict = "refused"; app.show(); },
      }, `${code} ${count}`)))),
    results);
  update();
  return page;
}
