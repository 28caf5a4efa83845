"use strict";
// What the compiler wrote, and what every view makes of it.
const data = JSON.parse(document.getElementById("data").textContent);
const phases = ["forward", "backward", "update"];

/** An HTML element: attributes, `on...` handlers and children (strings, elements, lists, null). */
function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}
function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function bytesText(bytes) {
  if (bytes >= 1 << 30) return (bytes / (1 << 30)).toFixed(2) + " GiB";
  if (bytes >= 1 << 20) return (bytes / (1 << 20)).toFixed(2) + " MiB";
  if (bytes >= 1 << 10) return (bytes / (1 << 10)).toFixed(1) + " KiB";
  return bytes + " B";
}
function countText(count) {
  for (const [size, name] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (count >= size) return (count / size).toFixed(count / size < 10 ? 2 : 1) + " " + name;
  return String(Math.round(count));
}
function timeText(microseconds) {
  return microseconds >= 1000 ? (microseconds / 1000).toFixed(2) + " ms" : microseconds.toFixed(1) + " µs";
}

/** The user's line behind `at`: {file, line, path, phase, text}. */
function originsOf(at) {
  return (at || []).map(([file, line, path, phase]) => {
    const known = file >= 0 ? data.files[file] : null;
    return {file, line, path, phase, text: known ? `${known.name}:${line}` : ""};
  });
}
function linesText(at, most = 3) {
  const texts = [...new Set(originsOf(at).map((origin) => origin.text).filter(Boolean))];
  return texts.slice(0, most).join(", ") + (texts.length > most ? ", …" : "");
}
function phaseOf(at) {
  const counts = {forward: 0, backward: 0, update: 0};
  for (const origin of originsOf(at)) counts[origin.phase]++;
  return phases.reduce((best, phase) => (counts[phase] > counts[best] ? phase : best), "forward");
}
function opsText(ops, most = 6) {
  const names = [];
  for (const {op} of ops) if (op !== "reshape" && op !== "broadcast" && names[names.length - 1] !== op) names.push(op);
  return names.slice(0, most).join(" · ") + (names.length > most ? ` · … ${names.length - most} more` : "");
}

/** Joins instructions of the program with launches of the IR; two-part kernels are one item. */
function launchesOf(fn) {
  const ofIr = ((fn.after || {}).nodes || []).filter((node) => node.launch !== undefined);
  const items = [];
  const list = fn.launches || [];
  for (let i = 0; i < list.length; ++i) {
    const kernel = data.kernels[list[i].kernel];
    const parts = [list[i]];
    if (kernel) {
      const inputs = kernel.inputs.length, outputs = kernel.outputs.length, next = list[i + 1];
      if (list[i].params.length === inputs + 1 && next && next.kernel === list[i].kernel &&
          next.params.length === inputs + outputs + 1)
        parts.push(list[++i]);
    }
    const params = parts[parts.length - 1].params;
    const node = kernel ? ofIr.shift() : null;
    const at = node ? node.at : [];
    const ops = kernel ? kernel.ops : [];
    const item = {
      index: items.length, name: parts[0].kernel, kernel, at, ops, parts, phase: phaseOf(ops.length ? ops.flatMap((op) => op.at) : at),
      flops: kernel ? kernel.flops : 0,
      reads: params.filter((param) => !param.written),
      writes: params.filter((param) => param.written),
      microseconds: parts.every((part) => part.microseconds !== undefined)
        ? parts.reduce((sum, part) => sum + part.microseconds, 0) : undefined,
      source: parts[0].source,
    };
    item.bytes = [...item.reads, ...item.writes].reduce((sum, param) => sum + param.bytes, 0);
    items.push(item);
  }
  return items;
}

for (const fn of data.functions) {
  fn.items = launchesOf(fn);
  fn.measured = fn.items.length > 0 && fn.items.every((item) => item.microseconds !== undefined);
  // An op of the graph before fusion is found in kernels by its name, type and lines.
  fn.kernelsOfOp = new Map();
  for (const item of fn.items)
    for (const op of item.ops) {
      const key = op.op + "|" + op.type + "|" + JSON.stringify(op.at);
      if (!fn.kernelsOfOp.has(key)) fn.kernelsOfOp.set(key, new Set());
      fn.kernelsOfOp.get(key).add(item.index);
    }
}
function launchesWith(fn, node) {
  return [...(fn.kernelsOfOp.get(node.op + "|" + node.type + "|" + JSON.stringify(node.at)) || [])];
}

/** The user's lines with some of them marked; `onHover(file, line)` when the pointer is on one. */
function sourceView(at, onHover) {
  const wanted = new Map();
  for (const origin of originsOf(at))
    if (origin.file >= 0) {
      if (!wanted.has(origin.file)) wanted.set(origin.file, new Set());
      wanted.get(origin.file).add(origin.line);
    }
  if (!wanted.size) return [el("p", {class: "quiet"}, "No line of the model is known for this.")];
  const views = [];
  for (const [file, marked] of wanted) {
    const {name, lines} = data.files[file];
    const shown = Object.keys(lines).map(Number)
      .filter((line) => [...marked].some((mark) => Math.abs(mark - line) <= 4)).sort((a, b) => a - b);
    const rows = [];
    shown.forEach((line, i) => {
      if (i && line !== shown[i - 1] + 1) rows.push(el("div", {class: "gap"}, "⋯"));
      rows.push(el("div", {
        class: "row" + (marked.has(line) ? " marked" : ""), "data-at": file + ":" + line,
        onmouseenter: () => onHover && onHover(file + ":" + line), onmouseleave: () => onHover && onHover(null),
      }, el("span", {class: "number"}, String(line)), el("span", {}, lines[line] || " ")));
    });
    if (!shown.length) rows.push(el("p", {class: "quiet"}, `line ${[...marked].join(", ")}; the file could not be read`));
    views.push(el("div", {class: "source"}, el("div", {class: "filename"}, name), el("div", {class: "code"}, rows)));
  }
  return views;
}

const tip = el("div", {class: "tip", hidden: true});
function showTip(event, ...children) {
  tip.replaceChildren(...children);
  tip.hidden = false;
  const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const y = event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18;
  tip.style.left = Math.max(4, x) + "px";
  tip.style.top = Math.max(4, y) + "px";
}
function hideTip() { tip.hidden = true; }
