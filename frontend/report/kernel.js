// One kernel: the user's lines on the left, the texts it became on the right.

function placeText(param) {
  if (param.space === "arena") return `arena at ${param.offset.toLocaleString("en")}`;
  return param.space === "constant" ? "constant" : `${param.space} ${param.name}`;
}

function kernelView(app) {
  const fn = app.fn, item = fn.items[app.kernel], kernel = item && item.kernel;
  if (!item) return el("p", {class: "quiet"}, "No such kernel.");
  const at = kernel && kernel.ops.length ? [...item.at, ...kernel.ops.flatMap((op) => op.at)] : item.at;
  const page = el("div", {class: "kernelpage"});
  let marked = [];
  // Lines of both sides that belong together light up together.
  const light = (key) => {
    for (const line of marked) line.classList.remove("lit");
    marked = key ? [...page.querySelectorAll("[data-at]")].filter((line) => line.dataset.at.split(" ").includes(key)) : [];
    for (const line of marked) line.classList.add("lit");
  };

  const texts = [];
  if (kernel) texts.push(["IR", () => el("div", {class: "code"}, kernel.ir.map(([text, origins]) => {
    const keys = (origins || []).map(([file, line]) => file + ":" + line);
    return el("div", {class: "row", "data-at": keys.join(" "), onmouseenter: () => light(keys[0]), onmouseleave: () => light(null)},
      el("span", {class: "line"}, highlighted(text)), keys.length ? el("span", {class: "comment"}, "  // " + linesText(origins, 2)) : null);
  }))]);
  const names = {mlir: "Lowered", ll: "LLVM IR", cu: "CUDA C++"};
  for (const entry of kernel ? kernel.texts : [])
    texts.push([names[entry.file.split(".").pop()] || entry.file, () => entry.text === undefined
      ? el("p", {class: "quiet pad"}, "This text is ", bytesText(entry.bytes), " long and lies beside this page: ", el("a", {href: encodeURIComponent(entry.file)}, entry.file))
      : el("pre", {class: "code plain"}, entry.text)]);
  const shown = el("div", {class: "text", "data-kernel-text": item.name});
  const tabs = el("div", {class: "segments"});
  const choose = (i) => {
    app.textTab = texts[i][0];
    shown.replaceChildren(texts[i][1]());
    [...tabs.children].forEach((tab, k) => tab.classList.toggle("on", k === i));
  };
  texts.forEach(([name], i) => tabs.append(el("button", {onclick: () => choose(i)}, name)));

  const number = (label, value, about) => el("div", {class: "figure", title: about}, el("b", {}, value), el("span", {}, label));
  const total = fn.items.reduce((sum, other) => sum + (other.microseconds || 0), 0);
  page.append(
    el("div", {class: "titlebar"},
      el("div", {class: "grow"},
        el("div", {class: "quiet"}, `launch ${item.index} of ${fn.items.length} · `, el("span", {class: "phase " + item.phase}, item.phase), kernel ? ` · ${kernel.kind} kernel` : ""),
        el("h2", {class: "mono"}, item.name), el("p", {class: "quiet"}, opsText(item.ops, 30))),
      el("div", {class: "segments"},
        el("button", {disabled: item.index === 0, onclick: () => app.openKernel(item.index - 1)}, "◂ before"),
        el("button", {disabled: item.index + 1 === fn.items.length, onclick: () => app.openKernel(item.index + 1)}, "after ▸"))),
    el("div", {class: "figures"},
      item.microseconds !== undefined ? number("measured", timeText(item.microseconds), `median of ${fn.measuredRuns} runs`) : null,
      item.microseconds !== undefined && total ? number("of the step", (100 * item.microseconds / total).toFixed(1) + " %") : null,
      number("operations", countText(item.flops), "floating-point operations, each value computed once"),
      number("moved", bytesText(item.bytes), "bytes of inputs and outputs, once each"),
      item.bytes ? number("operations a byte", (item.flops / item.bytes).toFixed(1)) : null,
      item.microseconds ? number("operations a second", countText(item.flops / item.microseconds * 1e6)) : null,
      item.parts.length > 1 ? number("launches", String(item.parts.length), "parts of the sums first, then their sum") : null),
    el("div", {class: "beside"},
      el("section", {}, el("h3", {}, "Your lines"), sourceView(at, light)),
      el("section", {class: "wide"}, el("div", {class: "row"}, el("h3", {class: "grow"}, "Its text"), tabs), shown)),
    el("section", {}, el("h3", {}, "Reads and writes"), el("table", {class: "operands"}, el("thead", {}, el("tr", {}, ["", "tensor", "made by", "where", "size"].map((text) => el("th", {class: text === "size" ? "right" : null}, text)))),
      el("tbody", {}, operandRows(item, kernel)))),
    ledgerOf(app, fn, item));
  if (texts.length) choose(Math.max(0, texts.findIndex(([name]) => name === app.textTab)));
  else shown.append(el("p", {class: "quiet pad"}, item.source || "The runtime does this by itself: there is no kernel."));
  return page;
}

function operandRows(item, kernel) {
  const row = (kind, type, made, param) => el("tr", {}, el("td", {class: "quiet"}, kind), el("td", {class: "mono"}, type || ""),
    el("td", {}, made || ""), el("td", {class: "mono"}, placeText(param)), el("td", {class: "right"}, bytesText(param.bytes)));
  return [
    ...item.reads.map((param, i) => row("reads", kernel && kernel.inputs[i], "", param)),
    ...item.writes.map((param, i) => {
      const output = kernel && kernel.outputs[i];
      return row("writes", output && output.type, output && [output.op, " ", el("span", {class: "quiet"}, linesText(output.at))], param);
    }),
  ];
}

/** The ledger's lines about what this kernel is not one with. */
function ledgerOf(app, fn, item) {
  const ends = new Set(item.ops.flatMap((op) => originsOf(op.at).map((origin) => op.op + "|" + origin.text)));
  const refused = (fn.ledger || []).filter((edge) => edge.refused &&
    (ends.has(edge.producer + "|" + baseLine(edge.producer_line)) || ends.has(edge.consumer + "|" + baseLine(edge.consumer_line))));
  if (!refused.length) return null;
  return el("section", {}, el("h3", {}, "Where fusion stopped"), el("p", {class: "quiet"}, "Edges of the ledger from or to ops like those of this kernel."),
    ledgerTable(app, refused.slice(0, 40)));
}

const keywords = /(\bsinter\.[a-z_0-9]+|\b(?:tensor|array)<[^>]*>|%[A-Za-z_0-9#]+|"[^"]*")/g;
/** The text of a line of IR with its parts in colours. */
function highlighted(text) {
  return text.split(keywords).map((part, i) => {
    if (!(i % 2)) return part;
    const kind = part.startsWith("sinter") ? "op" : part.startsWith("%") ? "value" : part.startsWith('"') ? "string" : "type";
    return el("span", {class: "t-" + kind}, part);
  });
}
