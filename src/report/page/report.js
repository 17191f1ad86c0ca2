"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const scores = data.scores;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const number = (value) => value.toLocaleString("en");
  const percent = (share) => (100 * share).toFixed(1) + " %";

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // How many of the shown scores are below `threshold`.
  function below(threshold) {
    let low = 0, high = scores.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (scores[middle] < threshold) low = middle + 1; else high = middle;
    }
    return low;
  }

  // Counts under a threshold. Where the page holds every score they are exact.
  function counts(threshold) {
    const share = scores.length ? 1 - below(threshold) / scores.length : 0;
    const kept = Math.round(share * data.scored);
    // Kept for another reason than its score: a pair that could not be judged, where the policy says so.
    const other = data.reasons.filter((r) => r.verdict === "kept" && r.reason !== "passed")
      .reduce((sum, r) => sum + r.count, 0);
    return { share, kept: kept + other, rejected: data.pairs - data.failed - kept - other, failed: data.failed };
  }

  const slider = byId("threshold");
  const lowest = scores.length ? scores[0] : -1, highest = scores.length ? scores[scores.length - 1] : 1;
  const span = Math.max(highest - lowest, 1e-6);
  slider.min = lowest - span * 0.02;
  slider.max = highest + span * 0.02;
  slider.step = span / 1000;
  const recorded = data.threshold === null || data.threshold === undefined ? null : data.threshold;
  // Until it is moved, it stands for the threshold itself and not for its nearest step.
  let threshold = recorded === null ? lowest : recorded;
  slider.value = threshold;

  function prepare(canvas) {
    const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "12px system-ui, sans-serif";
    return { pen, width: box.width, height: box.height - 18 };
  }

  const left = lowest - span * 0.02, right = highest + span * 0.02;
  const place = (score, width) => (score - left) / (right - left) * width;

  function axis(pen, width, height) {
    pen.fillStyle = colour("soft");
    const step = Math.pow(10, Math.floor(Math.log10((right - left) / 3)));
    const wide = (right - left) / step > 12 ? 5 * step : (right - left) / step > 6 ? 2 * step : step;
    for (let tick = Math.ceil(left / wide) * wide; tick < right; tick += wide) {
      const text = tick.toFixed(Math.max(0, -Math.floor(Math.log10(wide))));
      const x = Math.min(Math.max(place(tick, width) - 10, 0), width - 28);
      pen.fillText(text, x, height + 14);
    }
  }

  function line(pen, x, height) {
    pen.strokeStyle = colour("mark");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x, 0);
    pen.lineTo(x, height);
    pen.stroke();
  }

  function drawHistogram() {
    const { pen, width, height } = prepare(byId("histogram"));
    const bins = new Array(Math.max(20, Math.min(120, Math.floor(width / 7)))).fill(0);
    for (const score of scores) {
      bins[Math.min(bins.length - 1, Math.floor((score - left) / (right - left) * bins.length))] += 1;
    }
    const most = Math.max(1, ...bins), wide = width / bins.length;
    bins.forEach((count, bin) => {
      const middle = left + (bin + 0.5) / bins.length * (right - left);
      pen.fillStyle = colour(middle >= threshold ? "kept" : "rejected");
      const tall = count / most * (height - 4);
      pen.fillRect(bin * wide, height - tall, Math.max(1, wide - 1), tall);
    });
    axis(pen, width, height);
    line(pen, place(threshold, width), height);
  }

  function drawCurve() {
    const { pen, width, height } = prepare(byId("curve"));
    pen.strokeStyle = colour("line");
    pen.fillStyle = colour("soft");
    [0, 0.25, 0.5, 0.75, 1].forEach((share) => {
      const y = 6 + (1 - share) * (height - 8);
      pen.beginPath(); pen.moveTo(0, y); pen.lineTo(width, y); pen.stroke();
      pen.fillText(percent(share), 2, y + (share === 1 ? 12 : -3));
    });
    pen.strokeStyle = colour("kept");
    pen.lineWidth = 2;
    pen.beginPath();
    for (let x = 0; x <= width; x += 2) {
      const y = 6 + (1 - counts(left + x / width * (right - left)).share) * (height - 8);
      if (x === 0) pen.moveTo(x, y); else pen.lineTo(x, y);
    }
    pen.stroke();
    axis(pen, width, height);
    line(pen, place(threshold, width), height);
  }

  function card(pair) {
    const figure = make("figure");
    if (pair.thumbnail) {
      const image = make("img");
      image.src = pair.thumbnail;
      image.alt = pair.caption || pair.key;
      image.loading = "lazy";
      figure.append(image);
    } else {
      figure.append(make("div", "none", "no picture"));
    }
    const caption = make("figcaption");
    const score = pair.score === null ? pair.reason : pair.score.toFixed(4);
    caption.append(make("span", "score", score), " ", make("span", "", pair.caption || ""));
    caption.append(make("span", "key", pair.key + (pair.width ? `, ${pair.width} x ${pair.height}` : "")));
    caption.title = `${pair.key} in ${pair.shard}: ${pair.verdict}, ${pair.reason}`;
    figure.append(caption);
    return figure;
  }

  const named = new Map(data.sheets.map((sheet) => [sheet.name, sheet.pairs]));
  const seen = new Set();
  const scale = (named.get("scale") || []).filter((pair) => {
    const name = pair.shard + "/" + pair.key;
    return !seen.has(name) && seen.add(name);
  }).sort((a, b) => a.score - b.score);

  function drawBorder() {
    const at = scale.findIndex((pair) => pair.score >= threshold);
    const split = at < 0 ? scale.length : at;
    byId("below").replaceChildren(...scale.slice(Math.max(0, split - 6), split).reverse().map(card));
    byId("above").replaceChildren(...scale.slice(split, split + 6).map(card));
  }

  function tile(value, text, id) {
    const box = make("div", "tile");
    const strong = make("b", "", value);
    strong.id = id;
    box.append(strong, make("span", "", text));
    return box;
  }

  function show() {
    const now = counts(threshold);
    const moved = recorded === null || threshold !== recorded ? "" : " (as recorded)";
    byId("now").textContent = `threshold ${threshold.toFixed(4)}${moved}: keeps ${percent(now.share)} of the scored pairs`;
    byId("tiles").replaceChildren(
      tile(number(data.pairs), "pairs", "n-pairs"), tile(number(now.kept), "kept", "n-kept"),
      tile(number(now.rejected), "rejected", "n-rejected"), tile(number(now.failed), "failed", "n-failed"));
    drawHistogram();
    drawCurve();
    drawBorder();
  }

  function bar(name, parts, most) {
    const strip = make("div", "bar");
    const total = parts.reduce((sum, part) => sum + part.count, 0);
    parts.forEach((part) => {
      const piece = make("div", part.kind);
      piece.style.width = `${100 * part.count / most}%`;
      piece.title = `${part.kind}: ${number(part.count)}`;
      strip.append(piece);
    });
    return [make("div", "name", name), strip, make("div", "count", number(total))];
  }

  function showBars() {
    const most = Math.max(1, ...data.reasons.map((row) => row.count));
    byId("reasons").append(...data.reasons.flatMap((row) =>
      bar(row.reason, [{ kind: row.verdict, count: row.count }], most)));
    const largest = Math.max(1, ...data.sources.map((row) => row.kept + row.rejected + row.failed));
    byId("sources").append(...data.sources.flatMap((row) => bar(row.name,
      ["kept", "rejected", "failed"].map((kind) => ({ kind, count: row[kind] })), largest)));
  }

  function showSheets() {
    const titles = { best: "Best scores", worst: "Worst scores" };
    for (const sheet of data.sheets) {
      if (sheet.name === "scale") continue;
      const grid = make("div", "sheet");
      grid.append(...sheet.pairs.map(card));
      byId("sheets").append(make("h2", "", titles[sheet.name] || sheet.name), grid);
    }
  }

  byId("about").textContent = `${data.journals.join(", ")}; model ${data.model.slice(0, 12)}; ` +
    `${number(data.pairs)} pairs, ${number(data.scored)} of them scored` +
    (scores.length < data.scored ? `; counts are from ${number(scores.length)} points of the scores` : "");
  slider.addEventListener("input", () => { threshold = Number(slider.value); show(); });
  window.addEventListener("resize", show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  showBars();
  showSheets();
  show();
})();
