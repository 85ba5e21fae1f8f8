/* Sliders under a figure: the same curves with other numbers, drawn in the browser.
   The figure of the build stays in its place until a slider moves, comes back at the
   press of a button, and is what is printed and what stands there without scripts.
   Laws are computed here; bills, faults and supplies are rows of the build's own table. */
(() => {
  "use strict";
  const EXP = "#0072B2", LIN = "#D55E00", PURPLE = "#CC79A7", GREEN = "#009E73"; // as in figures.py
  const RING = { fill: "none", stroke: "currentColor", "stroke-width": 1.5, class: "measured" };
  const NS = "http://www.w3.org/2000/svg";

  // The laws, theta = 1; one line each, as in lindecay.decay
  const shrink = (v, lam) => Math.sign(v) * Math.max(Math.abs(v) - lam, 0);
  const floor = (v, lam) => Math.max(v - lam, 0);
  const exponential = (v, beta) => beta * v;
  const matched = (beta) => (1 - beta) / (1 + beta);
  const horizon = (v, lam) => Math.ceil(Math.abs(v) / lam - 1e-12);
  const rateLinear = (i, lam) => Math.min(Math.max(i - lam, 0), 1);
  const rateExponential = (i, beta) => {
    const ratio = (1 - beta) / Math.max(i, 1e-300);
    if (ratio >= 1) return 0;
    return 1 / (Math.floor(Math.log1p(-ratio) / Math.log(beta) + 1e-9) + 1);
  };
  const path = (law, v, p, steps) => {
    const found = [v];
    for (let k = 0; k < steps; k++) found.push((v = law(v, p)));
    return found;
  };
  // decay, integrate, fire, reset: U of every step and the number of spikes
  const neuron = (law, p, i, steps, zero) => {
    let v = 0, spikes = 0;
    const u = [];
    for (let k = 0; k < steps; k++) {
      const now = law(v, p) + i;
      u.push(now);
      if (now > 1) spikes++;
      v = now > 1 ? (zero ? 0 : now - 1) : now;
    }
    return { u, spikes };
  };

  // Student's t from the normal's quantile z: Fisher and Cornish, four terms
  const student = (z, nu) => {
    const z2 = z * z;
    return z + z * ((z2 + 1) / 4 / nu + ((5 * z2 + 16) * z2 + 3) / 96 / nu ** 2 +
      (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384 / nu ** 3 +
      ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160 / nu ** 4);
  };
  const reach = (n, spread) => (student(1.959964, n - 1) * spread) / Math.sqrt(n);
  const found = (n, spread) =>
    reach(n, spread) + (student(0.841621, n - 1) * spread) / Math.sqrt(n);
  const enough = (drop, spread, most = 999) => {
    for (let n = 3; n <= most; n++) if (found(n, spread) <= drop) return n;
    return 0;
  };
  // Straight lines between the points of the build's figure; x rises
  const between = (x, y, at) => {
    if (at <= x[0]) return y[0];
    const k = x.findIndex((v) => v >= at);
    if (k < 0) return y[y.length - 1];
    return y[k - 1] + ((y[k] - y[k - 1]) * (at - x[k - 1])) / (x[k] - x[k - 1]);
  };

  const count = (n) => Array.from({ length: n }, (_, k) => k);
  const say = (x, digits = 3) =>
    String(+x.toFixed(digits)).replace("-", "\u2212");

  const little = (x) =>
    x && Math.abs(x) < 0.001 ? "less than " + say(Math.sign(x) * 0.001) : say(x);

  // A table of the build: columns, those of words as [words, places]
  const rowsOf = (table) => {
    const names = Object.keys(table);
    const cells = names.map((k) => {
      const [words, at] = table[k];
      return Array.isArray(words) ? at.map((j) => words[j]) : table[k];
    });
    return (cells[0] || []).map((_, j) => Object.fromEntries(names.map((k, c) => [k, cells[c][j]])));
  };
  const values = (rows, name) => [...new Set(rows.map((r) => r[name]))];
  const short = (x) => (x >= 1000 ? Math.round(x).toLocaleString("en") : String(+x.toPrecision(3)));

  const LAWS = { vlif: ["v-LIF", EXP], ldlif: ["LD-LIF", LIN, "7 3"], shift: ["shift", "#56B4E9", "2 3"], if: ["IF", GREEN, "1 2"] };
  // parts of a clip: what the update takes (with what leaks meanwhile), then the rest
  const PARTS = [["update", "update", LIN], ["leakage in updates", "its leakage", LIN, true],
    ["accumulation", "the rest", GREEN], ["leakage in the rest", "its leakage", GREEN, true]];

  const KINDS = {
    decay: {
      label: "membrane",
      sliders: {
        beta: ["β (exponential)", 0.5, 0.99, 0.01],
        lam: ["λ (linear), in θ", 0.005, 0.35, 0.005],
        input: ["kick, in θ", -1.5, 1.5, 0.1],
      },
      start: ([beta, lam]) => ({ beta, lam, input: 1 }),
      match: true,
      draw({ beta, lam, input }) {
        const steps = 40, x = count(steps + 1);
        const curves = [
          { name: "exponential", colour: EXP, y: path(exponential, input, beta, steps) },
          { name: "linear", colour: LIN, dash: "7 3", y: path(shrink, input, lam, steps) },
          { name: "floor", colour: PURPLE, dash: "2 3", y: path(floor, input, lam, steps) },
        ];
        // as in the figure of the build: the other side of rest, 0.6 times as far
        const other = -0.6 * input;
        const [e, l, f] = curves;
        curves.push(
          { ...e, again: true, y: path(exponential, other, beta, steps) },
          { ...l, again: true, y: path(shrink, other, lam, steps) },
          { ...f, again: true, y: path(floor, other, lam, steps) },
        );
        const low = Math.min(0, input, other) - 0.05, high = Math.max(0, input, other) + 0.05;
        return [{ x, curves, xlabel: "step", ylabel: "membrane / θ", low, high, zero: 1 }];
      },
      tell({ beta, lam, input }) {
        const h = horizon(input, lam), left = input * beta ** h;
        if (!h) return "No kick, nothing to forget.";
        return `The linear membrane is at rest after ${h} step${h > 1 ? "s" : ""}; ` +
          `of the exponential one ${little(left)} θ is left then. ` +
          `Least squares would match β = ${say(beta, 2)} with λ = ${say(matched(beta), 4)} θ.`;
      },
    },
    rates: {
      label: "rate",
      sliders: {
        beta: ["β (exponential)", 0.5, 0.99, 0.01],
        lam: ["λ (linear), in θ", 0.005, 0.35, 0.005],
        input: ["current, in θ", 0.01, 0.6, 0.01],
      },
      start: ([beta, lam]) => ({ beta, lam, input: 0.2 }),
      match: true,
      draw({ beta, lam, input }) {
        const x = count(237).map((k) => 0.01 + k * 0.0025), steps = 60;
        const rates = [
          { name: "exponential", colour: EXP, y: x.map((i) => rateExponential(i, beta)) },
          { name: "linear", colour: LIN, dash: "7 3", y: x.map((i) => rateLinear(i, lam)) },
        ];
        const at = [
          [input, rateExponential(input, beta), EXP],
          [input, rateLinear(input, lam), LIN],
        ];
        const u = [
          { name: "exponential", colour: EXP, y: neuron(exponential, beta, input, steps, true).u },
          { name: "linear", colour: LIN, dash: "7 3", y: neuron(shrink, lam, input, steps).u },
        ];
        return [
          { x, curves: rates, at, xlabel: "current / θ", ylabel: "spikes per step", low: 0, high: 0.65 },
          { x: count(steps), curves: u, xlabel: "step", ylabel: "membrane / θ", low: 0, high: 1.65, mark: 1 },
        ];
      },
      tell({ beta, lam, input }) {
        const n = 2000;
        const e = neuron(exponential, beta, input, n, true).spikes / n;
        const l = neuron(shrink, lam, input, n).spikes / n;
        const deaf = input <= lam ? " A steady current below λ is not heard at all." : "";
        return `Over ${n} steps the exponential neuron, reset to zero, fires ${say(e)} times a ` +
          `step, the linear one, reset by subtraction, ${say(l)}.${deaf}`;
      },
    },
    seeds: {
      label: "what so many seeds can find",
      sliders: {
        n: ["pairs of networks", 3, 60, 1],
        spread: ["spread of a pair, points", 0.1, 4, 0.05],
        drop: ["true drop, points", 0, 5, 0.05],
      },
      start: ([n, spread, drop], rows) =>
        ({ n, spread, drop, measured: rows.filter((r) => /against/.test(r.what)) }),
      draw({ n, spread, drop, measured }) {
        const x = count(58).map((k) => k + 3);
        const curves = [
          { name: "interval, \u00b1", colour: LIN, y: x.map((m) => reach(m, spread)) },
          { name: "found 4 in 5", colour: EXP, dash: "7 3", y: x.map((m) => found(m, spread)) },
        ];
        const at = [[n, reach(n, spread), LIN], [n, found(n, spread), EXP]];
        for (const one of measured) at.push([one.pairs, one.points, ""]);
        return [{ x, curves, at, xlabel: "pairs of networks", ylabel: "points", low: 0, high: 7, mark: drop }];
      },
      tell({ n, spread, drop, measured }) {
        const least = found(n, spread), need = enough(drop, spread);
        const more = drop <= 0 ? "" : need
          ? ` A drop of ${say(drop, 2)} takes ${need} pairs.`
          : ` A drop of ${say(drop, 2)} takes more pairs than anybody trains.`;
        return `${n} pairs tell a drop to \u00b1${say(reach(n, spread), 2)} points and find one of ` +
          `${say(least, 2)} four times in five.${more}` + (measured.length ? " Open rings, measured: " : "") +
          measured.map((one) => `${one.what} ${say(one.points, 2)}`).join(", ") + (measured.length ? "." : "");
      },
    },
    supply: {
      label: "accuracy at a supply",
      // as far as the points of the figure reach, on the slider's steps
      span: (rows) => {
        const all = rows.map((r) => +r.volts);
        return [Math.ceil(Math.min(...all) * 1000) / 1000, Math.floor(Math.max(...all) * 1000) / 1000];
      },
      sliders(rows) { return { volts: ["supply, V", ...this.span(rows), 0.001] }; },
      start: ([nominal], rows) => ({ nominal, rows, volts: 0.55 }),
      of(rows, arm) {
        const mine = rows.filter((r) => r.arm === arm).sort((a, b) => a.volts - b.volts);
        return [mine.map((r) => +r.volts), mine.map((r) => +r.accuracy)];
      },
      draw({ rows, volts, nominal }) {
        const [low, high] = this.span(rows), curves = [], at = [];
        const x = count(Math.round((high - low) * 1000) + 1).map((k) => low + k / 1000);
        for (const [arm, [name, colour, dash]] of Object.entries(LAWS)) {
          const told = this.of(rows, arm);
          if (!told[0].length) continue;
          curves.push({ name, colour, dash, y: x.map((v) => between(...told, v)) });
          at.push([volts, between(...told, volts), colour]);
        }
        const joules = (v) => (v / nominal) ** 2;
        const energy = [{ name: "energy", colour: EXP, y: x.map(joules) }];
        return [
          { x, curves, at, xlabel: "supply (V)", ylabel: "accuracy (%)", low: 0, high: 100 },
          { x, curves: energy, at: [[volts, joules(volts), EXP]], xlabel: "supply (V)", ylabel: "energy / nominal", low: 0, high: Math.ceil(joules(high) * 10) / 10 },
        ];
      },
      tell({ rows, volts, nominal }) {
        const each = Object.entries(LAWS).map(([arm, [name]]) => {
          const [x, y] = this.of(rows, arm), now = between(x, y, volts);
          return `${name} ${say(now, 1)} % (${say(Math.max(...y) - now, 1)} lost)`;
        });
        return `At ${say(volts)} V a step takes ${say((volts / nominal) ** 2)} of its nominal energy: ${each.join(", ")}.`;
      },
    },
    bill: {
      label: "the bill of a clip",
      choices: (rows) => ({
        layout: ["layout", values(rows, "layout")],
        design: ["update", values(rows, "design")],
        constants: ["constants", values(rows, "constants")],
        leakage: ["leakage", values(rows, "leakage")],
      }),
      // only activities that the build computed: the knob stops at each, and nowhere else
      sliders: (rows) => {
        const all = values(rows, "spikes");
        return { busy: ["spikes a step", 0, all.length - 1, 1, all.map((x) => say(x, 1))] };
      },
      start: ([spikes, printed], rows) => {
        const { layout, design, constants, leakage } = rows[0], all = values(rows, "spikes");
        const near = all.map((x) => Math.abs(x - spikes));
        const busy = near.indexOf(Math.min(...near));
        return { rows, all, printed, layout, design, constants, leakage, busy, begun: { layout, design, constants, leakage, busy } };
      },
      of: (now, other) => {
        const at = { ...now, ...other }, spikes = at.all[at.busy];
        return at.rows.find((r) => r.spikes === spikes && ["layout", "design", "constants", "leakage"].every((k) => r[k] === at[k]));
      },
      draw(now) {
        const { rows, all, busy } = now, x = count(all.length);
        const designs = values(rows, "design"), line = x.map((k) => this.of(now, { busy: k }));
        const bars = designs.map((design) => ({
          name: design, chosen: design === now.design,
          parts: PARTS.map(([k, , colour, hatch]) => [this.of(now, { design })[k], colour, hatch]),
        }));
        // one scale for every update and leakage, so that a bar is seen to shrink
        const high = Math.max(...designs.flatMap((design) => values(rows, "leakage").map((leakage) => this.of(now, { design, leakage }).clip)));
        const curves = [
          { name: "energy", colour: LIN, y: line.map((r) => r.energy) },
          { name: "time", colour: EXP, dash: "7 3", y: line.map((r) => r.time) },
        ];
        const band = { colour: LIN, low: line.map((r) => r.low), high: line.map((r) => r.high) };
        const at = [[busy, line[busy].energy, LIN], [busy, line[busy].time, EXP]];
        return [
          { bars, high, legend: PARTS, xlabel: "a clip (\u00b5J)", least: 290 },
          { x, curves, at, band, above: true, xticks: all.map((v) => say(v, 0)), xlabel: "input spikes a step", ylabel: "share of the update (%)", low: 0, high: 100, mark: 50 },
        ];
      },
      verdict(now, name, what) {
        const here = this.of(now)[name], before = this.of(now, now.begun)[name];
        if (!here) return "";
        const moved = before && before !== here ? ` (${before} where the knobs began)` : "";
        return ` ${what}: ${here}${moved}.`;
      },
      tell(now) {
        const r = this.of(now), range = `${short(r.low)} to ${short(r.high)}`;
        const waiting = r.waiting ? ` Waiting in real time would leak ${short(r.waiting)} \u00b5J more.` : "";
        const ratio = now.design === values(now.rows, "design")[0] ? "" :
          ` An update of v-LIF word by word takes ${short(r.ratio)} times as much (${short(r["ratio low"])} to ${short(r["ratio high"])}).`;
        return `Layout ${r.layout}, ${r.design}: ${short(r.sop)} pJ a synaptic operation, ${short(r.clip)} \u00b5J and ` +
          `${short(r.us)} \u00b5s a clip, ${short(r["an update"])} pJ an update.${waiting} The update takes ${short(r.time)} % of the time and ` +
          `${short(r.energy)} % of the energy (${range}).` + this.verdict(now, "bottleneck", "Verdict on the bottleneck") + ratio +
          this.verdict(now, "module-ratio-65nm", `Verdict on the printed ${now.printed} times`);
      },
    },
    faults: {
      label: "accuracy with bits that flip",
      choices: (rows) => ({ cells: ["cells", values(rows, "cells")] }),
      sliders: (rows) => {
        const all = values(rows, "rate");
        return { rate: ["bits that flip", 0, all.length - 1, 1, all] };
      },
      start: (_, rows) => {
        const all = values(rows, "rate"), rate = all.indexOf("1 in 1,000");
        return { rows, all, cells: rows[0].cells, rate: Math.max(rate, 0) };
      },
      of: ({ rows, cells }, arm) => rows.filter((r) => r.arm === arm && r.cells === cells),
      draw(now) {
        const curves = [], at = [], bars = [];
        for (const [arm, [name, colour, dash]] of Object.entries(LAWS)) {
          const mine = this.of(now, arm);
          if (!mine.length) continue;
          curves.push({ name, colour, dash, y: mine.map((r) => r.accuracy) });
          at.push([mine[now.rate].power, mine[now.rate].accuracy, colour]);
          bars.push({ name: `${name}: ${say(mine[now.rate].lost, 1)}`, parts: [[Math.max(mine[now.rate].lost, 0), colour]] });
        }
        const high = Math.max(1, ...now.rows.filter((r) => r.cells === now.cells).map((r) => r.lost));
        const x = this.of(now, "ldlif").map((r) => r.power);
        return [
          { x, curves, at, above: true, xlabel: "bits that flip (share, power of ten)", ylabel: "accuracy (%)", low: 0, high: 100 },
          { bars, high, xlabel: "points lost", least: 220 },
        ];
      },
      tell(now) {
        const each = Object.entries(LAWS).map(([arm, [name]]) => [name, this.of(now, arm)[now.rate]]).filter(([, r]) => r);
        const said = each.map(([name, r]) => `${name} ${say(r.lost, 1)}`).join(", ");
        return `${now.all[now.rate]} bits flip (${now.cells}). Points lost: ${said}. ` +
          `By the error rates of 28 nm cells that many cells fail at ${say(each[0][1].volts)} V.`;
      },
    },
  };

  const make = (name, attributes, parent, text) => {
    const node = document.createElementNS(NS, name);
    for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  };

  // Round steps that give about `most` ticks
  const ticks = (low, high, most) => {
    const raw = (high - low) / most, ten = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * ten).find((s) => s >= raw);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) found.push(k * step);
    return found;
  };

  const panel = (svg, told, start, width, height, top, legend) => {
    const foot = top + height;
    if (told.above) top += 22; // the legend stands there
    const left = start + 46, right = start + width - 8, bottom = foot - 40;
    const { x, curves, low, high } = told, first = x[0], last = x[x.length - 1];
    const X = (v) => left + ((v - first) / (last - first)) * (right - left);
    const Y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top - 8);
    const inside = (v) => Math.min(Math.max(v, low), high);
    const ink = { stroke: "currentColor", "stroke-width": 0.8, opacity: 0.35 };
    for (const v of ticks(low, high, 5)) {
      make("line", { x1: left, x2: right, y1: Y(v), y2: Y(v), ...ink, opacity: 0.15 }, svg);
      make("text", { x: left - 6, y: Y(v) + 4, "text-anchor": "end" }, svg, say(v, 2));
    }
    const marks = told.xticks ? told.xticks.map((text, k) => [k, text])
      : ticks(first, last, width < 420 ? 4 : 8).map((v) => [v, say(v, 2)]);
    for (const [v, text] of marks)
      make("text", { x: X(v), y: bottom + 16, "text-anchor": "middle" }, svg, text);
    make("line", { x1: left, x2: right, y1: bottom, y2: bottom, ...ink, opacity: 0.8 }, svg);
    make("line", { x1: left, x2: left, y1: top, y2: bottom, ...ink, opacity: 0.8 }, svg);
    for (const v of [told.zero && 0, told.mark].filter((v) => v !== undefined && v !== false))
      make("line", { x1: left, x2: right, y1: Y(v), y2: Y(v), ...ink, opacity: 0.7 }, svg);
    make("text", { x: (left + right) / 2, y: bottom + 34, "text-anchor": "middle" }, svg, told.xlabel);
    const side = { x: start + 12, y: (top + bottom) / 2, "text-anchor": "middle" };
    side.transform = `rotate(-90 ${side.x} ${side.y})`;
    make("text", side, svg, told.ylabel);
    if (told.band) {
      const edge = (y, k) => `${X(x[k]).toFixed(1)},${Y(inside(y[k])).toFixed(1)}`;
      const points = [...x.keys()].map((k) => edge(told.band.low, k)).concat([...x.keys()].reverse().map((k) => edge(told.band.high, k)));
      make("polygon", { points: points.join(" "), fill: told.band.colour, opacity: 0.2 }, svg);
    }
    let next = left;
    curves.forEach(({ y, colour, dash, name }, k) => {
      const points = y.map((v, j) => `${X(x[j]).toFixed(1)},${Y(inside(v)).toFixed(1)}`);
      const look = { fill: "none", stroke: colour, "stroke-width": 2, "data-curve": name };
      if (dash) look["stroke-dasharray"] = dash;
      make("polyline", { points: points.join(" "), ...look }, svg);
      if (!(legend || told.above) || curves[k].again) return; // each name once, in one panel
      const lx = told.above ? next : right - 118, ly = told.above ? top - 12 : top + 8 + 17 * k;
      next += 44 + 7.5 * name.length;
      make("line", { ...look, x1: lx, x2: lx + 24, y1: ly, y2: ly }, svg);
      make("text", { x: lx + 30, y: ly + 4 }, svg, name);
    });
    for (const [px, py, colour] of told.at || [])
      make("circle", { cx: X(px), cy: Y(inside(py)), r: 5, ...(colour ? { fill: colour } : RING) }, svg);
  };

  // Hatches of this page's colours, as the figures have them for leakage
  const hatched = (svg, colour) => {
    const id = `hatch-${colour.slice(1)}`, defs = svg.querySelector("defs") || make("defs", {}, svg);
    if (!svg.querySelector(`#${id}`)) {
      const tile = make("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, defs);
      make("rect", { width: 6, height: 6, fill: colour, opacity: 0.3 }, tile);
      make("rect", { width: 2.5, height: 6, fill: colour }, tile);
    }
    return `url(#${id})`;
  };

  // Bars that lie, each under its name; `parts` are [value, colour, hatched]
  const stack = (svg, told, start, width, height, top) => {
    const left = start + (start ? 26 : 8), right = start + width - 22, bottom = top + height - 40;
    const lines = told.legend ? 40 : 0, each = (bottom - top - lines) / told.bars.length;
    const X = (v) => left + (v / told.high) * (right - left);
    const ink = (colour, hatch) => (hatch ? hatched(svg, colour) : colour);
    (told.legend || []).forEach(([, text, colour, hatch], k) => {
      const x = left + (k % 2) * 110, y = top + 18 * Math.floor(k / 2);
      make("rect", { x, y: y - 2, width: 14, height: 11, fill: ink(colour, hatch) }, svg);
      make("text", { x: x + 20, y: y + 8 }, svg, text);
    });
    for (const v of ticks(0, told.high, width < 420 ? 4 : 6)) {
      make("line", { x1: X(v), x2: X(v), y1: top + lines, y2: bottom, stroke: "currentColor", "stroke-width": 0.8, opacity: 0.15 }, svg);
      make("text", { x: X(v), y: bottom + 16, "text-anchor": "middle" }, svg, say(v, 2));
    }
    make("text", { x: (left + right) / 2, y: bottom + 34, "text-anchor": "middle" }, svg, told.xlabel);
    told.bars.forEach(({ name, parts, chosen }, k) => {
      const y = top + lines + k * each, thick = Math.min(each - 19, 16);
      make("text", { x: left, y: y + 12, ...(chosen ? { "font-weight": 700 } : {}) }, svg, (chosen ? "\u25b8 " : "") + name);
      let sum = 0;
      for (const [value, colour, hatch] of parts) {
        make("rect", { x: X(sum), y: y + 16, width: Math.max(X(sum + value) - X(sum), 0), height: thick, fill: ink(colour, hatch), "data-bar": name }, svg);
        sum += value;
      }
    });
  };

  // Panels stand side by side where they fit, as high as the figure that they replace
  const draw = (svg, panels, width, high) => {
    const n = panels.length, beside = n > 1 && width >= 520;
    const wide = beside ? width / n : width, lines = beside ? 1 : n;
    const each = Math.max(Math.round((high - 8) / lines), 180, ...panels.map((told) => told.least || 0));
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${each * lines + 8}`);
    panels.forEach((told, k) => {
      const top = 8 + (beside ? 0 : k * each);
      (told.bars ? stack : panel)(svg, told, beside ? k * wide : 0, wide, each, top, k === 0);
    });
  };

  const start = (box) => {
    const kind = KINDS[box.dataset.explore];
    const still = box.parentElement.querySelector("svg.drawing");
    const given = box.dataset.given.split(" ").map(Number);
    const rows = rowsOf(JSON.parse(box.dataset.rows || "{}")), first = kind.start(given, rows);
    const sliders = typeof kind.sliders === "function" ? kind.sliders(rows) : kind.sliders;
    let now = { ...first }, live = null;
    const group = document.createElement("fieldset");
    group.innerHTML = "<legend>Turn the knobs</legend>";
    const inputs = {}, faces = {}, picks = {};
    for (const [name, [label, all]] of Object.entries(kind.choices ? kind.choices(rows) : {})) {
      const row = document.createElement("label"), text = document.createElement("span");
      const pick = (picks[name] = document.createElement("select"));
      pick.setAttribute("aria-label", label); // not the words of every choice as well
      pick.append(...all.map((one) => new Option(one, one)));
      pick.addEventListener("change", () => { now = { ...now, [name]: pick.value }; show(); });
      text.append(label);
      row.append(text, pick);
      group.append(row);
    }
    for (const [name, [label, min, max, step]] of Object.entries(sliders)) {
      const row = document.createElement("label"), text = document.createElement("span");
      const face = (faces[name] = document.createElement("b"));
      const input = (inputs[name] = document.createElement("input"));
      Object.assign(input, { type: "range", min, max, step: "any" });
      input.addEventListener("input", () => {
        const v = min + Math.round((+input.value - min) / step) * step;
        now = { ...now, [name]: +v.toFixed(4) };
        show();
      });
      // the arrow keys of step="any" are the browser's own: give them ours
      input.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
        if (!by) return;
        event.preventDefault();
        now = { ...now, [name]: +Math.min(Math.max(now[name] + by * step, min), max).toFixed(4) };
        show();
      });
      text.append(label + " ", face);
      row.append(text, input);
      group.append(row);
    }
    const hint = "Move a knob: the figure is drawn anew, here in your browser.";
    const told = document.createElement("p"), buttons = document.createElement("p");
    told.setAttribute("aria-live", "polite");
    told.className = "told";
    told.textContent = hint;
    const button = (words, act) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = words;
      made.addEventListener("click", act);
      buttons.append(made);
      return made;
    };
    if (kind.match)
      button("Match λ to β", () => { now = { ...now, lam: matched(now.beta) }; show(); });
    button("Back to the figure of this build", () => {
      now = { ...first };
      if (live) live.remove();
      live = null;
      still.classList.remove("replaced");
      set();
      told.textContent = hint;
    });
    group.append(buttons, told);
    box.append(group);
    box.hidden = false;
    const set = () => {
      for (const name of Object.keys(picks)) picks[name].value = now[name];
      for (const name of Object.keys(inputs)) {
        inputs[name].value = now[name];
        const [, , , , said] = sliders[name];
        const face = said ? said[now[name]] : say(now[name], name === "lam" ? 4 : name === "volts" ? 3 : 2);
        faces[name].textContent = face;
        inputs[name].setAttribute("aria-valuetext", face);
      }
    };
    let high = 0; // of the figure that stood there
    const redraw = () => live && draw(live, kind.draw(now), Math.max(box.clientWidth, 240), high);
    const show = () => {
      const before = group.getBoundingClientRect().top;
      if (!live) {
        const drawn = [...box.parentElement.querySelectorAll("svg.drawing")]; // one is hidden
        high = Math.max(...drawn.map((one) => one.getBoundingClientRect().height));
        live = make("svg", { class: "drawing live", role: "img" });
        still.after(live);
        still.classList.add("replaced");
      }
      set();
      told.textContent = kind.tell(now);
      live.setAttribute("aria-label", `Drawn in your browser, ${kind.label}: ${told.textContent}`);
      redraw();
      // a taller picture (a phone) must not push the slider away from the finger
      scrollBy({ top: group.getBoundingClientRect().top - before, behavior: "instant" });
    };
    set();
    new ResizeObserver(redraw).observe(box);
  };

  window.lindecayExplore = { shrink, floor, exponential, matched, horizon, rateLinear, rateExponential, path, neuron, student, reach, found, enough, between, rowsOf };
  document.querySelectorAll("[data-explore]").forEach(start);
})();
