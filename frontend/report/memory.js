// The arena over the step: each tensor a box from its first to its last launch, at its bytes.

/** What lies in the arena when: [{offset, bytes, start, end, item, output}]. */
function blocksOf(fn) {
  const blocks = [];
  let live = [];
  const meets = (block, param) => block.offset < param.offset + param.bytes && param.offset < block.offset + block.bytes;
  fn.items.forEach((item, i) => {
    const inArena = (param) => param.space === "arena" && param.bytes > 0;
    for (const param of item.reads.filter(inArena))
      for (const block of live) if (meets(block, param)) block.end = i;
    item.writes.filter(inArena).forEach((param) => {
      live = live.filter((block) => !meets(block, param));
      const output = item.kernel && item.kernel.outputs[item.writes.indexOf(param)];
      const block = {offset: param.offset, bytes: param.bytes, start: i, end: i, item, output};
      blocks.push(block);
      live.push(block);
    });
    for (const part of item.parts.slice(0, -1)) {
      const param = part.params[part.params.length - 1];
      if (inArena(param)) blocks.push({offset: param.offset, bytes: param.bytes, start: i, end: i, item, output: {type: "parts of sums", op: item.name, at: item.at}});
    }
  });
  return blocks;
}

function memoryView(app) {
  const fn = app.fn, steps = fn.items.length;
  const blocks = blocksOf(fn);
  if (!blocks.length) return el("p", {class: "quiet pad"}, "This function keeps nothing in working memory.");
  const left = 78, right = 16, top = 10, high = 430, curve = 110, gap = 44;
  const width = Math.max(720, Math.min(1500, innerWidth - 380)), column = (width - left - right) / steps;
  const most = Math.max(fn.arenaBytes, fn.boundBytes, 1);
  const x = (step) => left + step * column, y = (bytes) => top + high - bytes / most * high;
  const picture = svg("svg", {class: "memory", viewBox: `0 0 ${width} ${top + high + gap + curve + 40}`, width, role: "img", "aria-label": "memory over the step"});

  const owners = [...new Set(blocks.map((block) => ownerOf(block)))];
  const hue = (owner) => (owners.indexOf(owner) < 8 ? "hue" + owners.indexOf(owner) : "hue-other");
  const live = new Float64Array(steps);
  for (const block of blocks) for (let i = block.start; i <= block.end; ++i) live[i] += block.bytes;

  for (const bytes of ticks(most)) {
    picture.append(svg("line", {class: "grid", x1: left, x2: width - right, y1: y(bytes), y2: y(bytes)}),
      svg("text", {class: "tick", x: left - 8, y: y(bytes) + 4, "text-anchor": "end"}, bytesText(bytes)));
  }
  const band = svg("rect", {class: "band", y: top, height: high + gap + curve, width: column, visibility: "hidden"});
  picture.append(band);
  for (const block of blocks) {
    picture.append(svg("rect", {
      class: "block " + hue(ownerOf(block)), x: x(block.start) + 0.5, width: Math.max(1, (block.end - block.start + 1) * column - 1),
      y: y(block.offset + block.bytes), height: Math.max(1, block.bytes / most * high), rx: 2, tabindex: 0,
      onclick: () => app.openKernel(block.item.index),
      onmousemove: (event) => showTip(event, el("b", {}, block.output ? `${block.output.type} ${block.output.op}` : "tensor"),
        el("div", {}, block.output ? originsOf(block.output.at).map((origin) => [origin.text, origin.path, origin.phase === "forward" ? "" : origin.phase].filter(Boolean).join(" ")).join(", ") : ""),
        el("div", {}, `${bytesText(block.bytes)} at ${block.offset.toLocaleString("en")}`),
        el("div", {}, block.start === block.end ? `in launch ${block.start} only` : `written by launch ${block.start}, last read by ${block.end}`),
        el("div", {class: "quiet"}, block.item.name)),
      onmouseleave: hideTip,
    }));
  }
  picture.append(svg("line", {class: "bound", x1: left, x2: width - right, y1: y(fn.boundBytes), y2: y(fn.boundBytes)}));

  const base = top + high + gap + curve, up = (bytes) => base - bytes / most * curve;
  let area = `M${left} ${base}`;
  for (let i = 0; i < steps; ++i) area += `L${x(i)} ${up(live[i])}L${x(i + 1)} ${up(live[i])}`;
  picture.append(svg("text", {class: "tick", x: left, y: top + high + gap - 12}, "bytes in use, launch by launch"),
    svg("path", {class: "live", d: area + `L${x(steps)} ${base}Z`}),
    svg("line", {class: "bound", x1: left, x2: width - right, y1: up(fn.boundBytes), y2: up(fn.boundBytes)}),
    svg("text", {class: "tick", x: left - 8, y: up(fn.boundBytes) + 4, "text-anchor": "end"}, bytesText(fn.boundBytes)));
  const every = Math.max(1, Math.ceil(22 / column));
  for (let i = 0; i < steps; ++i)
    if (i % every === 0) picture.append(svg("text", {class: "tick", x: x(i) + column / 2, y: base + 16, "text-anchor": "middle"}, String(i)));
  picture.append(svg("text", {class: "tick", x: (left + width) / 2, y: base + 34, "text-anchor": "middle"}, "launch"));
  picture.addEventListener("mousemove", (event) => {
    const box = picture.getBoundingClientRect(), step = Math.floor(((event.clientX - box.left) * width / box.width - left) / column);
    band.setAttribute("visibility", step >= 0 && step < steps ? "visible" : "hidden");
    band.setAttribute("x", x(step));
    note.textContent = step >= 0 && step < steps ? `launch ${step}: ${fn.items[step].name}, ${bytesText(live[step])} in use` : " ";
  });
  const note = el("p", {class: "quiet note"}, " ");
  const over = fn.boundBytes ? fn.arenaBytes / fn.boundBytes : 1;
  return el("div", {class: "memorypage"},
    el("div", {class: "figures"},
      figure("working memory", bytesText(fn.arenaBytes)), figure("least that any plan could do with", bytesText(fn.boundBytes)),
      figure("over that", ((over - 1) * 100).toFixed(2) + " %"), figure("tensors in it", String(blocks.length)),
      figure("bytes asked for in all", bytesText(blocks.reduce((sum, block) => sum + block.bytes, 0))), figure("state beside it", bytesText(data.stateBytes || 0))),
    el("div", {class: "legend"}, owners.slice(0, 8).map((owner) => el("span", {class: hue(owner)}, owner)), owners.length > 8 ? el("span", {class: "hue-other"}, "others") : null),
    picture, note);
}

function ownerOf(block) {
  const origin = block.output && originsOf(block.output.at)[0];
  if (!origin) return "others";
  const name = origin.path ? origin.path.split(".")[0] : origin.text || "others";
  return origin.phase === "backward" ? name + " gradient" : name;
}
function ticks(most) {
  let step = 1;
  while (most / step > 6) step *= 2;
  const list = [];
  for (let bytes = 0; bytes <= most; bytes += step) list.push(bytes);
  return list;
}
function figure(label, value) { return el("div", {class: "figure"}, el("b", {}, value), el("span", {}, label)); }
