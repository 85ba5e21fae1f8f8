/* The SRAM array in the reader's browser. It runs the listing that the library exports
   (lindecay.sram.show.playground): what a cycle does is here, programs are not. */
(() => {
  "use strict";

  // ---- the array: as lindecay.sram.serial.array, one bit a cell -------------------
  const array = (rows, N) => ({
    N, rows, cells: new Uint8Array(rows * N), bases: { V: 0, W: 0 },
    T: new Uint8Array(N), G: new Uint8Array(N), C: new Uint8Array(N),
    registers: { lam: 0, theta: 0 }, counts: {},
  });
  const poke = (m, row, values, bits) => {
    for (let k = 0; k < bits; k++)
      values.forEach((v, j) => { m.cells[(row + k) * m.N + j] = (v >> k) & 1; });
  };
  const peek = (cells, N, row, bits, j) => {
    let v = 0;
    for (let k = 0; k < bits; k++) v |= cells[(row + k) * N + j] << k;
    return v >= 1 << (bits - 1) ? v - (1 << bits) : v;
  };
  const count = (m, found) => {
    for (const [name, n] of Object.entries(found)) m.counts[name] = (m.counts[name] || 0) + n;
  };
  // One cycle of every column: read, add, write, latch. Returns what was to be seen.
  const step = (m, c) => {
    const { N, cells, T, G, C } = m, at = (row) => (row ? (m.bases[row[0]] + row[1]) * N : -1);
    const a = at(c.a), b = at(c.b), w = at(c.w), adds = c.carry !== "";
    const broadcast = c.y in m.registers ? (m.registers[c.y] >> c.bit) & 1 : 0;
    const line = () => new Uint8Array(N);
    const seen = { A: line(), B: line(), X: line(), Y: line(), carry: line(), sum: line(), selected: line() };
    let fell = 0, chosen = 0, flips = 0;
    for (let j = 0; j < N; j++) {
      const A = a < 0 ? 0 : cells[a + j], B = b < 0 ? 0 : cells[b + j], t = T[j], g = G[j];
      fell += A + B;
      const x = { 0: 0, A, G: g }[c.x];
      const raw = c.y === "B" ? B : c.y === "T" ? t : broadcast;
      const y = raw ^ { "": 0, "~": 1, "^T": t, "^~T": 1 - t }[c.invert];
      const ci = { "": 0, 0: 0, 1: 1, "~T": 1 - t, C: C[j], "~C": 1 - C[j] }[c.carry];
      const sum = x ^ y ^ ci;
      if (w >= 0 && (!c.masked || g)) {
        const value = { sum, 0: 0, T: t, "~T": 1 - t }[c.value];
        chosen++;
        flips += cells[w + j] ^ value;
        cells[w + j] = value;
        seen.selected[j] = 1;
      }
      T[j] = { hold: t, X: x, Y: raw, sum }[c.T];
      G[j] = { hold: g, X: x, sum, "~sum": 1 - sum, "sum^T": sum ^ t, "X|sum": x | sum, "G|sum": g | sum }[c.G];
      if (adds) C[j] = (x & y) | (x & ci) | (y & ci);
      seen.A[j] = A; seen.B[j] = B; seen.X[j] = x; seen.Y[j] = y; seen.carry[j] = ci; seen.sum[j] = sum;
    }
    const reads = (a >= 0) + (b >= 0), writes = +(w >= 0);
    count(m, {
      cycles: 1, read_rows: reads, columns_read: reads * N, discharges: fell, write_rows: writes,
      columns_written: writes * N, columns_selected: chosen, flips, adder_ops: adds ? N : 0,
    });
    return seen;
  };
  // Programs of a step in their order, as [name, base of its weight, cycles]
  const schedule = (listing, machine, spikes, bits, reset) => {
    const get = (name) => (machine.programs[name] || []).map((i) => ({ ...listing.defaults, ...listing.cycles[i] }));
    const W = machine.rows.W, one = (name) => [name, W, get(name)];
    const events = spikes.map((i) => ["accumulate", W + i * bits, get("accumulate"), i]);
    return [one("decay"), one("extend"), ...events, one("clamp"), one("fire"), one(reset)].filter((p) => p[2].length);
  };
  // A whole step; `each` sees the array after every cycle
  const runStep = (m, programs, B, each) => {
    for (const [name, base, cycles] of programs) {
      m.bases.W = base;
      const before = Array.from(m.T, (_, j) => peek(m.cells, m.N, 0, B, j));
      cycles.forEach((c, i) => { const seen = step(m, c); each && each(name, c, i, cycles.length, seen); });
      const tags = m.G.reduce((s, g) => s + g, 0);
      if (name === "accumulate") count(m, { queue_entries: 1 });
      if (name === "clamp") count(m, { clamped: tags });
      if (name === "fire") count(m, { fired: tags });
      if (name === "decay")
        count(m, { cleared: before.filter((v, j) => v && !peek(m.cells, m.N, 0, B, j)).length });
    }
  };
  const pj = (prices, counts) => Object.values(prices).reduce((all, price) =>
    all + Object.entries(price).reduce((s, [name, p]) => s + p * (counts[name] || 0), 0), 0);

  window.lindecayPlayground = { array, poke, peek, step, schedule, runStep, pj };
  if (typeof document === "undefined") return;

  // ---- the page --------------------------------------------------------------------
  const NAMES = { decay: "decay", extend: "sign", accumulate: "input", clamp: "clamp", fire: "fire", subtract: "reset", zero: "reset" };
  const UPDATE = new Set(["decay", "extend", "clamp", "fire", "subtract", "zero"]);
  const minus = (v) => String(v).replace("-", "\u2212");
  const many = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const html = (text) => {
    const t = document.createElement("template");
    t.innerHTML = text.trim();
    return t.content.firstElementChild;
  };
  const number = (name, label) =>
    `<label>${label} <input type="number" data-set="${name}" inputmode="numeric"></label>`;
  const select = (name, label, options) => `<label>${label} <select data-set="${name}">` +
    options.map(([v, t]) => `<option value="${v}">${t}</option>`).join("") + "</select></label>";

  const shell = (L) => `<div class="pg">
    <div class="pg-bar">
      <button type="button" data-go="first" aria-label="Back to cycle 0">|◀</button>
      <button type="button" data-go="back" aria-label="One cycle back">◀</button>
      <button type="button" data-go="play" class="pg-play">▶ Play</button>
      <button type="button" data-go="on" aria-label="One cycle on">▶</button>
      <button type="button" data-go="last" aria-label="To the end of the step">▶|</button>
      <button type="button" data-go="next">Next time step</button>
      ${select("speed", "Speed", [[2, "slow"], [6, "medium"], [24, "fast"]])}
    </div>
    <div class="pg-spikes" role="group" aria-label="Inputs that spike in this time step">Inputs that spike:
      ${Array.from({ length: L.inputs }, (_, i) => `<button type="button" data-spike="${i}" aria-pressed="false" aria-label="input ${i + 1}">${i + 1}</button>`).join("")}
      <span class="pg-hint">or keys 1 to ${L.inputs}</span></div>
    <div class="pg-time">
      <input type="range" min="0" value="0" aria-label="Cycle of the time step">
      <div class="pg-lanes"><i class="pg-now" aria-hidden="true"></i>
        <p class="pg-name"><span>In the array: <b data-out="cycles"></b></span></p><div class="pg-lane" data-lane="array" aria-hidden="true"></div>
        <p class="pg-name"><span>The same, word by word: <b data-out="words"></b></span></p><div class="pg-lane" data-lane="words" aria-hidden="true"></div>
      </div></div>
    <p class="pg-say" aria-live="polite"><b data-out="where"></b> <span data-out="say"></span></p>
    <div class="pg-views">
      <div class="pg-all"><h3>All <span data-out="N"></span> columns, one neuron each</h3>
        <canvas role="img" data-canvas="cells"></canvas>
        <p class="pg-key"><span><i class="k1"></i>1</span><span><i class="k0"></i>0</span><span><i class="kr"></i>row read</span><span><i class="kw"></i>row written</span></p>
        <h3>Membranes <small>after the last finished part</small></h3><canvas role="img" data-canvas="bars"></canvas></div>
      <div class="pg-one"><h3>One column <label>no. <input type="number" data-set="look" min="0" inputmode="numeric"></label></h3>
        <svg role="img" aria-label="One column" class="pg-column"></svg></div>
      <div class="pg-code"><h3>Microcode of <span data-out="program"></span></h3><ol tabindex="0" aria-label="Microcode, one line a cycle"></ol></div>
    </div>
    <table class="pg-bill"><thead><tr><th scope="col">so far</th><th scope="col">in the array</th><th scope="col">word by word</th></tr></thead><tbody></tbody></table>
    <p class="pg-verdict" data-out="verdict"></p>
    <details class="pg-set" open><summary>Choose law, widths and values</summary>
      <div>${select("law", "Law", Object.entries(L.laws).map(([k, [t, f]]) => [k, `${t}: ${f}`]))}
      ${select("N", "Columns", L.choices.N.map((n) => [n, n]))}
      ${select("B", "Bits of V", L.choices.B.map((n) => [n, n]))}
      ${select("bits", "Bits of a weight", L.choices.bits.map((n) => [n, n]))}
      ${select("reset", "Reset", [["subtract", "subtract θ"], ["zero", "to zero"]])}
      ${number("lam", "λ")}${number("theta", "θ")}</div>
      <div role="group" aria-label="Values of the column looked at"><b>Column <span data-out="look"></span>:</b> ${number("v", "V")}
      ${Array.from({ length: L.inputs }, (_, i) => number(`w${i}`, `w<sub>${i + 1}</sub>`)).join("")}
      <button type="button" data-go="dice">New random values</button></div></details>
    <details class="pg-ledger"><summary>Ledger: every event, counted</summary><table><thead><tr><th scope="col">event</th><th scope="col">this step</th><th scope="col">since the start</th></tr></thead><tbody></tbody></table></details>
  </div>`;

  const EVENTS = { cycles: "cycles", read_rows: "wordlines raised to read", write_rows: "wordlines raised to write",
    columns_read: "bitlines precharged and sensed", discharges: "bitlines that fell (the cell held 1)", adder_ops: "bits added",
    columns_written: "bitlines driven", columns_selected: "columns that a write meant", flips: "cells that changed",
    queue_entries: "input spikes", fired: "spikes fired", cleared: "membranes brought to rest", clamped: "membranes clamped" };

  const start = (box) => {
    const L = JSON.parse(box.querySelector("script").textContent);
    const root = box.appendChild(html(shell(L)));
    box.hidden = false;
    const $ = (q) => root.querySelector(q), $$ = (q) => [...root.querySelectorAll(q)];
    const out = (name, text) => { const e = $(`[data-out="${name}"]`); if (e.textContent !== text) e.textContent = text; };
    const range = $("input[type=range]"), calm = matchMedia("(prefers-reduced-motion: reduce)");
    const S = { law: "shrink", B: 6, bits: 3, N: 64, reset: "subtract", lam: 3, theta: 10, look: 5, speed: 6, spikes: [0, 2], seed: 7 };
    let frames = [], marks = [], now = 0, timer = 0, before = {}, machine, colours;

    // -- values --
    const dice = () => {
      let r = S.seed;
      const next = (low, high) => { r = (r * 1103515245 + 12345) % 2147483648; return low + Math.floor((r / 2147483648) * (high - low + 1)); };
      const most = 2 ** (S.B - 1), heavy = 2 ** (S.bits - 1), fit = Math.min(S.theta, most - 1);
      S.V = Array.from({ length: S.N }, () => next(-Math.ceil(fit * 0.7), Math.min(Math.ceil(fit * 1.2), most - 1)));
      S.W = Array.from({ length: L.inputs }, () => Array.from({ length: S.N }, () => next(-heavy / 2, heavy - 1)));
      before = {};
    };
    const limits = () => {
      const top = 2 ** (S.B - 1) - 1, heavy = 2 ** (S.bits - 1);
      const all = { lam: [0, top], theta: [0, top], v: [-top - 1, top], look: [0, S.N - 1] };
      for (let i = 0; i < L.inputs; i++) all[`w${i}`] = [-heavy, heavy - 1];
      return all;
    };
    const fits = (v, [low, high]) => Math.min(Math.max(Math.round(v) || 0, low), high);

    // -- one whole time step, every cycle kept --
    const compute = () => {
      machine = L.machines[`${S.law}/${S.B}/${S.bits}`];
      const { rows, A } = machine, m = array(rows.all, S.N);
      poke(m, 0, S.V, S.B);
      S.W.forEach((w, i) => poke(m, rows.W + i * S.bits, w, S.bits));
      m.registers = { lam: S.lam, theta: S.theta };
      if (before.cells) { m.cells.set(before.cells.subarray(S.B * S.N, A * S.N), S.B * S.N); for (const k of "TGC") m[k].set(before[k]); }
      const programs = schedule(L, machine, S.spikes, S.bits, S.reset);
      const keep = (more) => ({ cells: m.cells.slice(), T: m.T.slice(), G: m.G.slice(), C: m.C.slice(), counts: { ...m.counts }, ...more });
      let shown = S.V.slice(), part = 0, fired = null;
      frames = [keep({ V: shown })];
      marks = [];
      runStep(m, programs, S.B, (name, c, i, n, seen) => {
        if (!i) marks.push({ name, n, at: frames.length, input: programs[part][3], cycles: programs[part][2], base: m.bases.W });
        if (i === n - 1) {
          const wide = name === "accumulate" || name === "extend" || (S.law === "drift" && name === "decay");
          shown = shown.map((_, j) => peek(m.cells, S.N, 0, wide ? A : S.B, j));
          if (name === "fire") fired = m.G.slice();
          part++;
        }
        frames.push(keep({ name, c, i, n, seen, V: shown, fired, mark: marks.length - 1 }));
      });
      // counters of a finished program (fired, cleared, clamped, spikes) belong to its last cycle
      marks.forEach((mark, k) => {
        const own = { accumulate: ["queue_entries"], clamp: ["clamped"], fire: ["fired"], decay: ["cleared"] }[mark.name] || [];
        const from = mark.at + mark.n - 1, then = marks[k + 1] ? frames[marks[k + 1].at].counts : m.counts;
        own.forEach((name) => { frames[from].counts[name] = then[name]; });
      });
      const added = marks.filter((x) => x.name === "accumulate").reduce((s, x) => s + x.n, 0);
      S.total = frames.length - 1;
      [S.sums, S.each] = L.words[`${S.law}/${S.B}/${S.bits}/${S.N}`];
      S.added = added + S.sums; // before the word unit starts
      S.words = S.added + S.N;
      S.end = Math.max(S.total, S.words);
      range.max = S.end;
    };

    // -- drawing --
    const ink = () => {
      const s = getComputedStyle(root), get = (n) => s.getPropertyValue(n).trim();
      colours = { text: s.color, line: get("--pg-line"), one: get("--pg-one"), read: get("--pg-read"), write: get("--pg-write"), fire: get("--pg-fire"), faint: get("--pg-faint") };
    };
    const canvas = (name, height) => {
      const e = $(`[data-canvas="${name}"]`), width = e.parentElement.clientWidth, d = window.devicePixelRatio || 1;
      if (e.width !== Math.round(width * d) || e.height !== Math.round(height * d)) {
        e.width = Math.round(width * d); e.height = Math.round(height * d);
        e.style.height = `${height}px`;
      }
      const g = e.getContext("2d");
      g.setTransform(d, 0, 0, d, 0, 0);
      g.clearRect(0, 0, width, height);
      g.font = "12px system-ui, sans-serif";
      g.textBaseline = "middle";
      return { e, g, width };
    };
    const LEFT = 62;
    const names = () => {
      const list = [];
      for (let k = machine.A - 1; k >= 0; k--) list.push({ row: k, label: k === S.B - 1 ? `V${k} sign` : k >= S.B ? `V${k} guard` : `V${k}`, space: "V" });
      for (let i = 0; i < L.inputs; i++)
        for (let k = S.bits - 1; k >= 0; k--) list.push({ row: machine.rows.W + i * S.bits + k, label: k === S.bits - 1 ? `w${i + 1} bit ${k}` : `bit ${k}`, space: `W${i}` });
      return list;
    };
    const touched = (f) => {
      const at = (row) => (row ? (row[0] === "W" ? marks[f.mark].base : 0) + row[1] : -1);
      return f.c ? { a: at(f.c.a), b: at(f.c.b), w: at(f.c.w) } : { a: -1, b: -1, w: -1 };
    };
    const spread = (width) => { const each = (width - LEFT - 4) / S.N; return { each, gap: each > 5 ? 1 : 0, x: (j) => LEFT + j * each }; };
    const drawCells = (f) => {
      const h = S.B > 6 ? 12 : 13, list = names(), extra = ["sum", "C", "T", "G"];
      let y = 4, last = "V";
      const tops = list.map((r) => { if (r.space !== last) y += 5; last = r.space; const t = y; y += h; return t; });
      y += 12;
      const { e, g, width } = canvas("cells", y + extra.length * h + 6), { each, gap, x } = spread(width), t = touched(f);
      const row = (bits, top) => {
        g.fillStyle = colours.faint;
        if (gap) for (let j = 0; j < S.N; j++) g.fillRect(x(j), top, each - gap, h - 1.5);
        else g.fillRect(x(0), top, each * S.N, h - 1.5);
        g.fillStyle = colours.one;
        for (let j = 0, n; j < S.N; j += n) {
          n = 1;
          if (!bits[j]) continue;
          if (!gap) while (bits[j + n]) n++; // neighbours as one
          g.fillRect(x(j), top, each * n - gap, h - 1.5);
        }
        if (each >= 16) {
          g.textAlign = "center"; g.font = "10px system-ui, sans-serif";
          for (let j = 0; j < S.N; j++) { g.fillStyle = bits[j] ? colours.line : colours.text; g.fillText(bits[j], x(j) + each / 2, top + h / 2); }
          g.font = "12px system-ui, sans-serif";
        }
      };
      const label = (text, top, strong) => { g.textAlign = "right"; g.fillStyle = colours.text; g.font = `${strong ? "bold " : ""}11px system-ui, sans-serif`; g.fillText(text, LEFT - 6, top + h / 2); };
      const frame = (top, colour, inset) => { g.strokeStyle = colour; g.lineWidth = 2; g.strokeRect(LEFT - 3 + inset, top - 1.5 + inset, width - LEFT + 1 - 2 * inset, h + 1 - 2 * inset); };
      list.forEach((r, i) => {
        row(f.cells.subarray(r.row * S.N, (r.row + 1) * S.N), tops[i]);
        const read = r.row === t.a || r.row === t.b, write = r.row === t.w;
        label(r.label, tops[i], read || write);
        if (read) frame(tops[i], colours.read, 0);
        if (write) frame(tops[i], colours.write, read ? 2 : 0);
      });
      g.fillStyle = colours.text; g.fillRect(LEFT - 3, y - 8, width - LEFT + 1, 1);
      extra.forEach((name, i) => {
        const bits = name === "sum" ? (f.seen && f.c.carry !== "" ? f.seen.sum : new Uint8Array(S.N)) : f[name];
        row(bits, y + i * h);
        label({ sum: "sum", C: "carry C", T: "sign T", G: "tag G" }[name], y + i * h);
      });
      g.strokeStyle = colours.text; g.lineWidth = 1.5;
      g.strokeRect(x(S.look) - 1, 1, Math.max(each - gap, 2) + 2, y + extra.length * h + 2);
      const told = (n) => list.find((r) => r.row === n);
      const words = [t.a, t.b].map(told).filter(Boolean).map((r) => r.label);
      e.setAttribute("aria-label", `${list.length} rows of ${S.N} cells. ${words.length ? `Read: ${words.join(", ")}. ` : ""}${told(t.w) ? `Written: ${told(t.w).label}.` : ""}`);
    };
    const drawBars = (f) => {
      const height = 128, { e, g, width } = canvas("bars", height), { each, gap, x } = spread(width);
      const top = Math.max(S.theta + 4, ...f.V), low = Math.min(-4, ...f.V), Y = (v) => 16 + ((top - v) / (top - low)) * (height - 34);
      for (let j = 0; j < S.N; j++) {
        const v = f.V[j], fires = f.fired && f.fired[j];
        g.fillStyle = fires ? colours.fire : colours.one;
        g.fillRect(x(j), Math.min(Y(v), Y(0)), Math.max(each - gap, 1), Math.max(Math.abs(Y(v) - Y(0)), 1));
        if (fires) { g.beginPath(); const c = x(j) + each / 2; g.moveTo(c - 4, 10); g.lineTo(c + 4, 10); g.lineTo(c, 2); g.fill(); }
        if (each >= 16) { g.fillStyle = colours.text; g.textAlign = "center"; g.font = "11px system-ui, sans-serif"; g.fillText(minus(v), x(j) + each / 2, height - 7); }
      }
      const rule = (v, text, dash) => {
        g.strokeStyle = g.fillStyle = colours.text; g.lineWidth = 1; g.setLineDash(dash);
        g.beginPath(); g.moveTo(LEFT - 3, Y(v)); g.lineTo(width, Y(v)); g.stroke(); g.setLineDash([]);
        g.textAlign = "right"; g.font = "12px system-ui, sans-serif"; g.fillText(text, LEFT - 6, Y(v));
      };
      rule(0, "rest 0", []); rule(S.theta, `θ = ${S.theta}`, [5, 3]);
      if (each < 16) { g.textAlign = "left"; g.fillStyle = colours.text; g.fillText(`column ${S.look}: ${minus(f.V[S.look])}`, LEFT, height - 7); }
      const over = f.fired ? f.fired.reduce((s, v) => s + v, 0) : f.V.filter((v) => v > S.theta).length;
      e.setAttribute("aria-label", `Membranes of ${S.N} neurons, from ${minus(Math.min(...f.V))} to ${minus(Math.max(...f.V))}; θ = ${S.theta}; ${many(over, "neuron")} ${f.fired ? "fired" : "above θ"}.`);
    };
    // One column as it hangs on its wires; r read, w written
    const drawColumn = (f) => {
      const list = names(), t = touched(f), j = S.look, h = 15, parts = [], svg = $("svg.pg-column");
      const text = (x, y, s, at = "start", k = "") => parts.push(`<text x="${x}" y="${y}" text-anchor="${at}" class="${k}">${s}</text>`);
      const path = (d, k) => parts.push(`<path d="${d}" class="${k}"/>`);
      const rect = (x, y, w, hh, k) => parts.push(`<rect x="${x}" y="${y}" width="${w}" height="${hh}" class="${k}"/>`);
      let y = 20, last = "V";
      const tops = list.map((r) => { if (r.space !== last) y += 4; last = r.space; const at = y; y += h; return at; });
      const foot = y + 8, s = f.seen, c = f.c, adds = s && c.carry !== "";
      text(104, 11, "A", "middle"); text(166, 11, "B", "middle"); text(200, 11, "write", "middle");
      path(`M104 15V${foot + 8}`, t.a >= 0 ? "r" : "wire"); path(`M166 15V${foot + 8}`, t.b >= 0 ? "r" : "wire"); path(`M200 15V${foot + 30}H196`, t.w >= 0 ? "w" : "wire");
      list.forEach((r, i) => {
        const at = tops[i], mid = at + h / 2 - 0.5, bit = f.cells[r.row * S.N + j], A = r.row === t.a, B = r.row === t.b, w = r.row === t.w && s.selected[j];
        text(66, mid + 4, r.label, "end", A || B || w ? "strong" : "");
        path(`M70 ${mid}H124`, A || B ? "r" : "wire");
        rect(124, at, 24, h - 2, `cell ${bit ? "on" : ""} ${A || B ? "rr" : ""} ${w ? "ww" : ""}`);
        text(136, mid + 4, bit, "middle", bit ? "inv" : "");
        if (A) parts.push(`<circle cx="104" cy="${mid}" r="3.5" class="r"/>`);
        if (B) path(`M148 ${mid}H166`, "r");
        if (w) path(`M200 ${mid}H151M156 ${mid - 3.5}L150 ${mid}L156 ${mid + 3.5}`, "w");
      });
      rect(62, foot + 8, 134, 46, "box");
      text(129, foot + 25, "full adder", "middle", "strong");
      text(129, foot + 43, adds ? `${s.X[j]}+${s.Y[j]}+${s.carry[j]}: sum ${s.sum[j]}, carry ${f.C[j]}` : "rests", "middle");
      const from = c && c.y in { lam: 1, theta: 1 };
      if (from) { const reg = c.y === "lam" ? "λ" : "θ", v = S[c.y]; path(`M4 ${foot + 31}H61M56 ${foot + 27.5}L62 ${foot + 31}L56 ${foot + 34.5}`, "r"); text(2, foot + 24, `bit ${c.bit} of ${reg}: ${(v >> c.bit) & 1}`); }
      [["C", "carry"], ["T", "sign"], ["G", "tag"]].forEach(([n, what], i) => {
        const x = 76 + i * 40, bit = f[n][j];
        path(`M${x + 17} ${foot + 54}v8`, "wire");
        rect(x, foot + 62, 34, 20, `cell ${bit ? "on" : ""}`);
        text(x + 17, foot + 76, `${n} ${bit}`, "middle", bit ? "inv" : "");
        text(x + 17, foot + 96, what, "middle");
      });
      svg.setAttribute("viewBox", `0 0 214 ${foot + 102}`);
      svg.setAttribute("aria-label", `Column ${j}: membrane ${minus(f.V[j])}. ${adds ? `The adder takes ${s.X[j]}, ${s.Y[j]} and carry ${s.carry[j]}, sum ${s.sum[j]}. ` : ""}Latches: carry ${f.C[j]}, sign ${f.T[j]}, tag ${f.G[j]}.`);
      svg.innerHTML = parts.join("");
    };
    let listed = -1;
    const drawCode = (f) => {
      const k = f.mark === undefined ? 0 : f.mark, mark = marks[k], ol = $(".pg-code ol");
      if (!mark) return;
      out("program", NAMES[mark.name] + (mark.input === undefined ? "" : ` ${mark.input + 1}`));
      if (listed !== k) { ol.innerHTML = mark.cycles.map((c) => `<li><code>${c.line.replace(/</g, "&lt;")}</code></li>`).join(""); listed = k; }
      [...ol.children].forEach((li, i) => {
        const on = f.mark !== undefined && i === f.i;
        li.classList.toggle("on", on);
        if (on) { li.setAttribute("aria-current", "step"); ol.scrollTop = li.offsetTop - ol.clientHeight / 2; } else li.removeAttribute("aria-current");
      });
    };
    const lanes = () => {
      const share = (n) => `style="width:${(100 * n) / S.end}%"`, input = (m) => (m.input === undefined ? NAMES[m.name] : `+${m.input + 1}`);
      $("[data-lane=array]").innerHTML = marks.map((m) => `<span class="${UPDATE.has(m.name) ? "u" : "i"}" ${share(m.n)} title="${NAMES[m.name]}, ${m.n} cycles">${input(m)}</span>`).join("");
      $("[data-lane=words]").innerHTML = marks.filter((m) => m.name === "accumulate").map((m) => `<span class="i" ${share(m.n)}>${input(m)}</span>`).join("") +
        `<span class="s" ${share(S.sums)} title="sums read out, ${S.sums} cycles">sums</span><span class="u n" style="width:${(100 * S.N) / S.end}%;--each:${100 / S.N}%">${many(S.N, "neuron")}, one by one</span>`;
      for (const band of $$(".pg-lane span")) // half a word says nothing
        band.classList.toggle("cut", band.scrollWidth > band.clientWidth + 1);
    };
    // picojoules of the input spikes up to a cycle
    const inputs = (upto) => marks.filter((m) => m.name === "accumulate" && m.at <= upto).reduce((sum, m) => {
      const price = (k) => pj(L.prices[S.N], frames[k].counts);
      return sum + price(Math.min(m.at + m.n - 1, upto)) - price(m.at - 1);
    }, 0);
    const bill = (f) => {
      const price = L.prices[S.N];
      const upto = Math.min(now, S.total), added = inputs(upto);
      const done = fits(now - S.added, [0, S.N]), each = S.each;
      const full = frames[S.total].counts, say = (v) => v.toFixed(v < 100 ? 1 : 0);
      const own = pj(price, f.counts) - added, theirs = each * done;
      const rows = [["cycles of the time step", `${upto} of ${S.total}`, `${Math.min(now, S.words)} of ${S.words}`],
        ["neurons updated", upto === S.total ? `all ${S.N}` : `0, then all ${S.N}`, `${done} of ${S.N}`],
        ["picojoules of the update", say(own), say(theirs)],
        ["picojoules of the inputs", say(added), "the same"]];
      $(".pg-bill tbody").innerHTML = rows.map(([h, a, b]) => `<tr><th scope="row">${h}</th><td>${a}</td><td>${b}</td></tr>`).join("");
      const theirs_all = S.sums + S.N, ours_all = S.total - S.added + S.sums;
      out("cycles", `${S.total} cycles` + (upto === S.total ? ", done" : ""));
      out("words", `${S.words} cycles` + (now >= S.words ? ", done" : now > S.added ? `, ${done} of ${S.N} neurons` : ""));
      const whole = say(pj(price, full) - inputs(S.total)), rival = say(each * S.N);
      out("verdict", `The update takes ${ours_all} cycles in the array, for ${S.N} columns as for ${S.N === 8 ? 256 : 8}. Word by word it takes ${theirs_all}: ` +
        `${S.sums} to read the sums out, then one a neuron. ` + (theirs_all > ours_all ? `Here the array is ${(theirs_all / ours_all).toFixed(1)} times as fast.` :
        "With so few neurons the word unit is the faster one.") + ` Energy of the update: ${whole} pJ in the array, ${rival} pJ word by word. Adding the inputs costs both the same.`);
      if ($(".pg-ledger").open) $(".pg-ledger tbody").innerHTML = Object.entries(EVENTS).map(([n, t]) =>
        `<tr><th scope="row">${t}</th><td>${f.counts[n] || 0}</td><td>${(f.counts[n] || 0) + ((before.counts || {})[n] || 0)}</td></tr>`).join("") +
        `<tr><th scope="row">picojoules</th><td>${say(pj(price, f.counts))}</td><td>${say(pj(price, f.counts) + (before.pj || 0))}</td></tr>`;
    };
    const draw = () => {
      const f = frames[Math.min(now, S.total)], mark = marks[f.mark];
      range.value = now;
      const part = mark && NAMES[mark.name] + (mark.input === undefined ? "" : ` ${mark.input + 1}`);
      const where = !now ? "Cycle 0." : now > S.total ? "The array is done." : `Cycle ${now}. ${part[0].toUpperCase()}${part.slice(1)}, line ${f.i + 1} of ${f.n}.`;
      out("where", where);
      const words = now < S.total ? "" : `${many(f.counts.fired || 0, "neuron")} fired. `;
      out("say", !now ? "Nothing has run yet. Press Play: every column does the same line of microcode at once." :
        now > S.total ? `${words}${now < S.words ? `The word unit is still at neuron ${fits(now - S.added, [0, S.N])} of ${S.N}.` : "So is the word unit."}` : f.c.say);
      range.setAttribute("aria-valuetext", `${where} ${$("[data-out=say]").textContent}`);
      $(".pg-now").style.left = `${(100 * now) / S.end}%`;
      drawCells(f); drawBars(f); drawColumn(f); drawCode(f); bill(f);
      $("[data-lane=words]").style.setProperty("--done", `${(100 * Math.min(now, S.words)) / S.end}%`);
      $("[data-lane=array]").style.setProperty("--done", `${(100 * Math.min(now, S.total)) / S.end}%`);
    };

    // -- acting --
    const go = (to) => { now = fits(to, [0, S.end]); draw(); };
    const stop = () => { clearTimeout(timer); timer = 0; $(".pg-play").textContent = "▶ Play"; $(".pg-say").setAttribute("aria-live", "polite"); };
    const beat = () => {
      if (now >= S.end) return stop();
      const next = marks.map((m) => m.at + m.n - 1).find((at) => at > now);
      const late = now >= S.total; // the array waits: no need to see every neuron
      go(calm.matches ? next || S.end : now + (late && S.N > 64 ? 4 : 1));
      timer = setTimeout(beat, calm.matches ? 1500 : 1000 / (late ? 3 * S.speed : S.speed));
    };
    const play = () => {
      if (timer) return stop();
      if (now >= S.end) go(0);
      $(".pg-play").textContent = "❚❚ Pause";
      $(".pg-say").setAttribute("aria-live", "off");
      beat();
    };
    const settle = () => {
      const all = limits();
      for (const name of ["lam", "theta", "look"]) S[name] = fits(S[name], all[name]);
      S.V = S.V.map((v) => fits(v, all.v));
      S.W = S.W.map((w, i) => w.map((v) => fits(v, all[`w${i}`])));
      const value = (name) => (name === "v" ? S.V[S.look] : name[0] === "w" ? S.W[name[1]][S.look] : S[name]);
      $$("[data-set]").forEach((e) => {
        const name = e.dataset.set;
        if (all[name]) [e.min, e.max] = all[name];
        e.value = value(name);
      });
      $("[data-set=lam]").disabled = /shift|none/.test(S.law);
      $$("[data-spike]").forEach((e) => e.setAttribute("aria-pressed", S.spikes.includes(+e.dataset.spike)));
      out("look", String(S.look)); out("N", String(S.N));
    };
    const anew = (to) => { listed = -1; settle(); compute(); lanes(); go(to); };
    const next = () => {
      const end = frames[S.total], sum = {};
      for (const n of Object.keys(EVENTS)) sum[n] = (end.counts[n] || 0) + ((before.counts || {})[n] || 0);
      S.V = Array.from({ length: S.N }, (_, j) => peek(end.cells, S.N, 0, S.B, j));
      before = { cells: end.cells, T: end.T, G: end.G, C: end.C, counts: sum, pj: (before.pj || 0) + pj(L.prices[S.N], end.counts) };
      anew(0);
    };
    const spike = (i) => {
      S.spikes = S.spikes.includes(i) ? S.spikes.filter((k) => k !== i) : [...S.spikes, i].sort();
      anew(Math.min(now, S.total) > (marks[0] ? marks[0].n : 0) ? 0 : now);
    };
    const acts = { first: () => go(0), back: () => go(now - 1), on: () => go(now + 1), last: () => go(now < S.total ? S.total : S.end), play, next, dice: () => { S.seed++; dice(); anew(0); } };
    root.addEventListener("click", (event) => {
      const e = event.target.closest("[data-go], [data-spike]");
      if (!e) return;
      if (e.dataset.go !== "play") stop();
      if (e.dataset.go) acts[e.dataset.go](); else spike(+e.dataset.spike);
    });
    root.addEventListener("change", (event) => {
      const e = event.target, name = e.dataset.set;
      if (!name) return;
      const was = { ...S };
      if (name === "v") S.V[S.look] = fits(+e.value, limits().v);
      else if (name[0] === "w") S.W[name[1]][S.look] = fits(+e.value, limits()[name]);
      else S[name] = isNaN(+e.value) ? e.value : +e.value;
      if (name === "speed") return;
      if (name === "look") { settle(); return draw(); }
      stop();
      if (name === "N" || (name === "B" && S.B !== was.B) || name === "bits" || name === "law") before = {};
      if (name === "B") { S.theta = Math.max(1, Math.round(S.theta * 2 ** (S.B - was.B))); S.lam = Math.max(1, Math.round(S.lam * 2 ** (S.B - was.B))); }
      if (name === "N" || name === "B" || name === "bits") dice();
      anew(0);
    });
    range.addEventListener("input", () => { stop(); go(+range.value); });
    root.addEventListener("keydown", (event) => {
      const i = +event.key - 1;
      if (event.ctrlKey || event.metaKey || event.altKey || /^(number|select-one)$/.test(event.target.type) || !(i >= 0 && i < L.inputs)) return;
      stop(); spike(i);
    });
    $('[data-canvas="cells"]').addEventListener("click", (event) => {
      const box = event.target.getBoundingClientRect(), j = Math.floor((event.clientX - box.left - LEFT) / ((box.width - LEFT - 4) / S.N));
      S.look = fits(j, limits().look); settle(); draw();
    });
    $(".pg-ledger").addEventListener("toggle", draw);
    new ResizeObserver(() => frames.length && draw()).observe(root);
    new MutationObserver(() => { ink(); draw(); }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    $(".pg-set").open = root.clientWidth >= 600;
    dice(); ink(); anew(0);
    box.playground = { state: S, go, membranes: () => frames[S.total].V };
  };
  document.querySelectorAll("[data-playground]").forEach(start);
})();
