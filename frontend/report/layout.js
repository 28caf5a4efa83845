// Layers from top to bottom, after Sugiyama: ranks by longest path, order by medians, then places as
// near to their neighbours as order and widths allow (least squares by pooling adjacent violators).

/** `nodes`: [{w, h}], `edges`: [[from, to]]. Sets x, y (centres) and gives {width, height, paths}. */
function layered(nodes, edges) {
  const gapX = 18, gapY = 34;
  const forward = acyclic(nodes.length, edges);
  const rank = ranks(nodes.length, forward);
  const cells = nodes.map((node, i) => ({node, rank: rank[i], w: node.w, h: node.h, weight: 1, up: [], down: []}));
  const chains = [];
  const spans = forward.reduce((sum, [a, b]) => sum + rank[b] - rank[a] - 1, 0);
  for (const [a, b] of forward) {
    const chain = [cells[a]];
    if (spans < 8000)
      for (let r = rank[a] + 1; r < rank[b]; ++r) {
        const bend = {rank: r, w: 6, h: 0, weight: 12, up: [], down: []};
        cells.push(bend);
        chain.push(bend);
      }
    chain.push(cells[b]);
    for (let i = 1; i < chain.length; ++i) { chain[i - 1].down.push(chain[i]); chain[i].up.push(chain[i - 1]); }
    chains.push(chain);
  }
  const layers = [];
  for (const cell of cells) (layers[cell.rank] = layers[cell.rank] || []).push(cell);
  for (let r = 0; r < layers.length; ++r) layers[r] = layers[r] || [];
  order(layers);
  place(layers, gapX);
  let y = 0;
  for (const layer of layers) {
    const height = Math.max(0, ...layer.map((cell) => cell.h));
    for (const cell of layer) cell.y = y + height / 2;
    y += height + gapY;
  }
  const left = Math.min(...cells.map((cell) => cell.x - cell.w / 2));
  for (const cell of cells) cell.x -= left;
  for (const cell of cells) if (cell.node) { cell.node.x = cell.x; cell.node.y = cell.y; }
  return {
    width: Math.max(1, ...cells.map((cell) => cell.x + cell.w / 2)),
    height: Math.max(1, y - gapY),
    paths: chains.map(pathOf),
  };
}

/** Edges with those turned around that would close a circle (folded groups can make some). */
function acyclic(count, edges) {
  const out = Array.from({length: count}, () => []);
  edges.forEach(([a, b], i) => out[a].push([b, i]));
  const state = new Uint8Array(count), turned = new Set();
  for (let start = 0; start < count; ++start) {
    if (state[start]) continue;
    const stack = [[start, 0]];
    state[start] = 1;
    while (stack.length) {
      const top = stack[stack.length - 1];
      if (top[1] === out[top[0]].length) { state[top[0]] = 2; stack.pop(); continue; }
      const [next, edge] = out[top[0]][top[1]++];
      if (state[next] === 1) turned.add(edge);
      else if (!state[next]) { state[next] = 1; stack.push([next, 0]); }
    }
  }
  return edges.map(([a, b], i) => (turned.has(i) ? [b, a] : [a, b]));
}

function ranks(count, edges) {
  const rank = new Int32Array(count), waiting = new Int32Array(count);
  const out = Array.from({length: count}, () => []), into = Array.from({length: count}, () => []);
  for (const [a, b] of edges) { out[a].push(b); into[b].push(a); waiting[b]++; }
  const queue = [];
  for (let i = 0; i < count; ++i) if (!waiting[i]) queue.push(i);
  for (let i = 0; i < queue.length; ++i)
    for (const next of out[queue[i]]) {
      rank[next] = Math.max(rank[next], rank[queue[i]] + 1);
      if (!--waiting[next]) queue.push(next);
    }
  // What only feeds others stands right above the first of them.
  for (const i of queue.slice().reverse())
    if (!into[i].length && out[i].length) rank[i] = Math.min(...out[i].map((next) => rank[next])) - 1;
  return rank;
}

function order(layers) {
  const number = (layer) => layer.forEach((cell, i) => { cell.at = i; });
  layers.forEach(number);
  const sort = (layer, side) => {
    for (const cell of layer) {
      const at = cell[side].map((other) => other.at).sort((a, b) => a - b);
      cell.key = at.length ? (at[(at.length - 1) >> 1] + at[at.length >> 1]) / 2 : cell.at;
    }
    layer.sort((a, b) => a.key - b.key || a.at - b.at);
    number(layer);
  };
  for (let sweep = 0; sweep < 12; ++sweep) {
    if (sweep % 2) for (let r = layers.length - 2; r >= 0; --r) sort(layers[r], "down");
    else for (let r = 1; r < layers.length; ++r) sort(layers[r], "up");
  }
}

function place(layers, gap) {
  for (const layer of layers) {
    let x = 0;
    for (const cell of layer) { cell.x = x + cell.w / 2; x += cell.w + gap; }
  }
  const settle = (layer, sides) => {
    const wish = layer.map((cell) => {
      const near = sides.flatMap((side) => cell[side]);
      // Bends of one long edge pull hardest, so that it runs straight.
      const pull = (other) => (cell.node || other.node ? 1 : 8);
      const all = near.reduce((sum, other) => sum + pull(other), 0);
      return all ? near.reduce((sum, other) => sum + pull(other) * other.x, 0) / all : cell.x;
    });
    // x[i] = y[i] + shift[i] with y ascending: an isotonic regression.
    const pools = [];
    let shift = 0;
    layer.forEach((cell, i) => {
      if (i) shift += (layer[i - 1].w + cell.w) / 2 + gap;
      cell.shift = shift;
      pools.push({sum: (wish[i] - shift) * cell.weight, weight: cell.weight, count: 1});
      while (pools.length > 1) {
        const last = pools[pools.length - 1], before = pools[pools.length - 2];
        if (before.sum / before.weight <= last.sum / last.weight) break;
        pools.pop();
        before.sum += last.sum; before.weight += last.weight; before.count += last.count;
      }
    });
    let i = 0;
    for (const pool of pools)
      for (let k = 0; k < pool.count; ++k, ++i) layer[i].x = pool.sum / pool.weight + layer[i].shift;
  };
  for (let round = 0; round < 24; ++round) {
    const sides = round < 18 ? (round % 2 ? ["down"] : ["up"]) : ["up", "down"];
    if (round % 2) for (let r = layers.length - 1; r >= 0; --r) settle(layers[r], sides);
    else for (const layer of layers) settle(layer, sides);
  }
}

function pathOf(chain) {
  const first = chain[0], last = chain[chain.length - 1];
  let x = first.x, y = first.y + first.h / 2, text = `M${x.toFixed(1)} ${y.toFixed(1)}`;
  for (const cell of chain.slice(1)) {
    const nextY = cell === last ? cell.y - cell.h / 2 : cell.y, middle = (y + nextY) / 2;
    text += `C${x.toFixed(1)} ${middle.toFixed(1)} ${cell.x.toFixed(1)} ${middle.toFixed(1)} ${cell.x.toFixed(1)} ${nextY.toFixed(1)}`;
    x = cell.x;
    y = nextY;
  }
  return text;
}
