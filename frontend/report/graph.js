// The graph of a function at three moments, with modules that fold.

const moments = [
  ["traced", "As written", "ops as the model's code made them"],
  ["before", "Before fusion", "primitive ops, gradients included"],
  ["after", "After fusion", "one node a kernel, in launches"],
];

/** The modules that a node lies in, outermost first: ["backward", "backward:conv1"]. */
function groupsOf(node) {
  if (node.launch === undefined && !node.at) return [];
  const origin = originsOf(node.at)[0] || {phase: "forward", path: ""};
  const groups = [origin.phase];
  let path = "";
  for (const part of origin.path ? origin.path.split(".") : []) {
    path += (path ? "." : "") + part;
    groups.push(origin.phase + ":" + path);
  }
  return groups;
}

function defaultFolds(nodes) {
  const folds = new Set(), counts = new Map();
  for (const node of nodes) for (const group of groupsOf(node)) counts.set(group, (counts.get(group) || 0) + 1);
  const visible = () => {
    const seen = new Set();
    nodes.forEach((node, i) => seen.add(groupsOf(node).find((group) => folds.has(group)) || i));
    return seen.size;
  };
  if (nodes.length <= 60) return folds;
  if ((counts.get("update") || 0) > 3) folds.add("update");
  // From the innermost modules outwards, until the picture can be taken in.
  const depth = (group) => (group.includes(":") ? group.split(".").length : 0);
  const deepest = Math.max(0, ...[...counts.keys()].map(depth));
  for (let level = deepest; level > 0 && visible() > 90; --level)
    for (const [group, count] of counts) if (depth(group) === level && count > 1) folds.add(group);
  return folds;
}

/** Nodes as they are drawn, and edges between them. */
function folded(raw, folds, fn) {
  const shown = [], place = new Map(), owner = [];
  raw.nodes.forEach((node, i) => {
    const group = groupsOf(node).find((name) => folds.has(name));
    if (group === undefined) {
      owner[i] = shown.length;
      shown.push({node, members: [i], phase: node.at ? (node.launch !== undefined ? fn.items[node.launch].phase : phaseOf(node.at)) : "border"});
    } else {
      if (!place.has(group)) {
        place.set(group, shown.length);
        shown.push({group, members: [], phase: group.split(":")[0]});
      }
      owner[i] = place.get(group);
      shown[owner[i]].members.push(i);
    }
  });
  const edges = new Map();
  for (const [a, b, type] of raw.edges) {
    if (owner[a] === owner[b]) continue;
    const key = owner[a] + ">" + owner[b];
    if (!edges.has(key)) edges.set(key, {from: owner[a], to: owner[b], types: []});
    edges.get(key).types.push(type);
  }
  return {shown, edges: [...edges.values()]};
}

function captionOf(entry, fn) {
  if (entry.group) {
    const [phase, path] = entry.group.split(":");
    return [path || phase, `${entry.members.length} ${entry.members.length === 1 ? "op" : "ops"}${path && phase !== "forward" ? ", " + phase : ""}`];
  }
  const {node} = entry;
  if (node.launch !== undefined) {
    const item = fn.items[node.launch];
    return [`${item.index}  ${item.name}`, opsText(item.ops, 5), item.microseconds === undefined
      ? `${bytesText(item.bytes)} moved` : timeText(item.microseconds)];
  }
  const path = node.at ? (originsOf(node.at)[0] || {}).path : "";
  return [node.name && !node.at ? `${node.op} ${node.name}` : node.op, node.type || "", path || null].filter((text) => text !== null);
}

function graphView(app) {
  const fn = app.fn;
  const known = moments.filter(([key]) => fn[key] && fn[key].nodes.length);
  if (!known.length) return el("p", {class: "quiet"}, "No graph was written for this function.");
  const view = app.graph = app.graph && app.graph.fn === fn ? app.graph : {fn, moment: known[known.length - 1][0], folds: {}, selected: null};
  const raw = fn[view.moment];
  const folds = view.folds[view.moment] = view.folds[view.moment] || defaultFolds(raw.nodes);
  const {shown, edges} = folded(raw, folds, fn);
  for (const entry of shown) {
    entry.caption = captionOf(entry, fn);
    entry.w = Math.max(60, ...entry.caption.map((line, i) => line.length * (i ? 6.1 : 7.3) + 26));
    entry.h = 14 + entry.caption.length * 15;
  }
  const area = layered(shown, edges.map((edge) => [edge.from, edge.to]));

  const canvas = svg("svg", {class: "graph", role: "img", "aria-label": "graph of " + fn.name});
  const stage = svg("g", {});
  canvas.append(svg("defs", {}, svg("marker", {id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto"},
    svg("path", {d: "M0 0L8 4L0 8z", class: "arrow"}))), stage);
  const lines = edges.map((edge, i) => {
    const line = svg("path", {class: "edge", d: area.paths[i], "marker-end": "url(#arrow)"});
    line.append(svg("title", {}, edge.types.join("\n")));
    stage.append(line);
    return line;
  });
  const details = el("aside", {class: "details"});
  const boxes = shown.map((entry, i) => {
    const box = svg("g", {
      class: `node ${entry.phase}` + (entry.group ? " group" : ""), tabindex: 0, transform: `translate(${entry.x - entry.w / 2} ${entry.y - entry.h / 2})`,
      "data-launch": entry.node && entry.node.launch,
      onclick: () => select(i), onkeydown: (event) => event.key === "Enter" && select(i),
      ondblclick: () => entry.group && toggle(entry.group),
      onmouseenter: () => near(i, true), onmouseleave: () => near(i, false),
    });
    if (entry.group) box.append(svg("rect", {class: "behind", x: 4, y: 4, width: entry.w, height: entry.h, rx: 7}));
    box.append(svg("rect", {class: "box", width: entry.w, height: entry.h, rx: 7}), svg("rect", {class: "stripe", width: 5, height: entry.h, rx: 2.5}));
    entry.caption.forEach((line, k) => box.append(svg("text", {x: 15, y: 20 + 15 * k, class: k ? "small" : "name"}, line)));
    stage.append(box);
    return box;
  });

  const near = (i, on) => {
    edges.forEach((edge, e) => { if (edge.from === i || edge.to === i) lines[e].classList.toggle("near", on); });
    const launches = shown[i].node && shown[i].node.op && view.moment !== "after" ? launchesWith(fn, shown[i].node) : [];
    if (launches.length)
      shown.forEach((other, o) => {
        if (other.node && other.node.at && launchesWith(fn, other.node).includes(launches[0])) boxes[o].classList.toggle("together", on);
      });
  };
  const toggle = (group) => { if (folds.has(group)) folds.delete(group); else folds.add(group); app.show(); };
  const select = (i) => {
    boxes.forEach((box, b) => box.classList.toggle("selected", b === i));
    details.replaceChildren(...detailsOf(app, fn, raw, shown[i], toggle));
  };
  details.append(el("p", {class: "quiet"}, "Click a node to see it; hover to see what it is joined with",
    view.moment === "after" ? "." : " and which ops one kernel computes. A folded module opens with a double click."));

  // Pan by dragging, zoom by the wheel.
  let zoom = 1, x = 0, y = 0, drag = null;
  const apply = () => stage.setAttribute("transform", `translate(${x} ${y}) scale(${zoom})`);
  const fit = (whole) => {
    const width = canvas.clientWidth || 900, height = canvas.clientHeight || 600;
    zoom = Math.min(1.1, (width - 40) / area.width, whole ? (height - 40) / area.height : 9);
    if (!whole) zoom = Math.max(zoom, 0.55);
    x = area.width * zoom + 40 < width ? (width - area.width * zoom) / 2 : 20;
    if (area.width * zoom > width) x = (width - area.width * zoom) / 2;
    y = 20;
    apply();
  };
  const zoomBy = (factor, cx, cy) => {
    const next = Math.min(3, Math.max(0.05, zoom * factor));
    x = cx - (cx - x) * next / zoom;
    y = cy - (cy - y) * next / zoom;
    zoom = next;
    apply();
  };
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) zoomBy(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
    else { x -= event.deltaX; y -= event.deltaY; apply(); }
  }, {passive: false});
  canvas.addEventListener("pointerdown", (event) => { drag = {x: event.clientX - x, y: event.clientY - y}; });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag || !event.buttons) return;
    x = event.clientX - drag.x;
    y = event.clientY - drag.y;
    apply();
  });
  canvas.addEventListener("pointerup", () => { drag = null; });
  requestAnimationFrame(() => fit(false));

  const middle = (factor) => () => zoomBy(factor, canvas.clientWidth / 2, canvas.clientHeight / 2);
  return el("div", {class: "graphpage"},
    el("div", {class: "bar"},
      el("div", {class: "segments"}, known.map(([key, name, about]) => el("button", {
        title: about, class: key === view.moment ? "on" : "", "data-moment": key, onclick: () => { view.moment = key; app.show(); },
      }, name))),
      el("span", {class: "quiet grow"}, `${shown.length} of ${raw.nodes.length} nodes shown`),
      el("div", {class: "legend"}, phases.map((phase) => el("span", {class: phase}, phase))),
      el("div", {class: "segments"},
        el("button", {onclick: middle(1 / 1.3), title: "smaller"}, "−"), el("button", {onclick: middle(1.3), title: "larger"}, "+"),
        el("button", {onclick: () => fit(true)}, "Fit"))),
    el("div", {class: "columns"}, modulesPanel(raw.nodes, folds, toggle, app), canvas, details));
}

/** The tree of modules with what is folded. */
function modulesPanel(nodes, folds, toggle, app) {
  const counts = new Map();
  for (const node of nodes) for (const group of groupsOf(node)) counts.set(group, (counts.get(group) || 0) + 1);
  const names = [...counts.keys()].sort((a, b) => {
    const [pa, na = ""] = a.split(":"), [pb, nb = ""] = b.split(":");
    return phases.indexOf(pa) - phases.indexOf(pb) || na.localeCompare(nb, undefined, {numeric: true});
  });
  const hidden = (group) => {
    const [phase, path = ""] = group.split(":");
    if (path && folds.has(phase)) return true;
    const parts = path.split(".");
    for (let i = 1; i < parts.length; ++i) if (folds.has(phase + ":" + parts.slice(0, i).join("."))) return true;
    return false;
  };
  return el("nav", {class: "modules"}, el("div", {class: "row head"}, el("span", {class: "grow"}, "Modules"),
      el("button", {class: "link", onclick: () => { folds.clear(); app.show(); }}, "unfold all")),
    names.filter((name) => !hidden(name)).map((name) => {
      const [phase, path] = name.split(":");
      return el("button", {
        class: "row " + phase, style: `padding-left:${10 + 14 * (path ? path.split(".").length : 0)}px`, "aria-expanded": String(!folds.has(name)),
        title: folds.has(name) ? "unfold" : "fold", onclick: () => toggle(name),
      }, el("span", {class: "mark"}, folds.has(name) ? "▸" : "▾"), el("span", {class: "grow"}, path ? path.split(".").pop() : phase), el("span", {class: "quiet"}, String(counts.get(name))));
    }));
}

function detailsOf(app, fn, raw, entry, toggle) {
  if (entry.group) {
    const ops = new Map();
    for (const i of entry.members) ops.set(raw.nodes[i].op, (ops.get(raw.nodes[i].op) || 0) + 1);
    return [el("h3", {}, captionOf(entry, fn)[0]), el("button", {class: "primary", onclick: () => toggle(entry.group)}, "Unfold"),
      el("ul", {class: "plain"}, [...ops].map(([op, count]) => el("li", {}, `${count} × ${op}`)))];
  }
  const {node} = entry;
  const launches = node.launch !== undefined ? [node.launch] : launchesWith(fn, node);
  const list = (title, names) => names && names.length ? [el("h4", {}, title), el("ul", {class: "plain"}, [...new Set(names)].map((name) => el("li", {}, name)))] : null;
  return [
    el("h3", {}, captionOf(entry, fn)[0]),
    node.type ? el("p", {class: "mono"}, node.type) : null,
    node.with ? el("p", {class: "mono quiet"}, node.with) : null,
    node.bytes ? el("p", {class: "quiet"}, bytesText(node.bytes)) : null,
    launches.length ? [el("h4", {}, node.launch !== undefined ? "Kernel" : launches.length > 1 ? `Computed in ${launches.length} kernels` : "Computed in"),
      launches.map((index) => el("button", {class: "primary", "data-open-kernel": index, onclick: () => app.openKernel(index)}, `${index}  ${fn.items[index].name}`))] : null,
    node.launch !== undefined ? el("p", {class: "quiet"}, opsText(fn.items[node.launch].ops, 40)) : null,
    list("Reads", node.reads), list("Replaces", node.writes),
    node.at ? [el("h4", {}, "Where it comes from"), sourceView(node.at)] : null,
  ].flat(Infinity).filter((part) => part !== null);
}
