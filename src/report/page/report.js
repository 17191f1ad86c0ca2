// The report of one run: a slider, and all that moves with it.
let recorded = null, left = -1, right = 1, digits = 4;

// Counts under the slider's threshold. Where the page holds every score they are exact.
function counts(row) {
  const points = row.scores.length;
  const share = points ? 1 - below(row.scores, threshold) / points : 0;
  const passed = Math.round(share * row.scored);
  const kept = passed + row.kept_otherwise;
  return { share, passed, kept, failed: row.failed, rejected: row.pairs - row.failed - kept };
}

// All pairs, as a row of a grouping is.
function whole() {
  const otherwise = data.reasons.filter((row) => row.verdict === "kept" && row.reason !== "passed")
    .reduce((sum, row) => sum + row.count, 0);
  return { pairs: data.pairs, failed: data.failed, kept_otherwise: otherwise, scored: data.scored, scores: data.scores };
}

function showHead() {
  const { head } = data;
  byId("about").textContent = [
    `${number(data.pairs)} pairs`, `${number(data.scored)} scored`,
    head.model || `model ${head.model_digest.slice(0, 12)}`, head.written,
  ].filter(Boolean).join(" · ");
  const lines = (names, more) => {
    const list = make("ul");
    list.append(...names.map((name) => make("li", "", name)));
    if (more) list.append(make("li", "", `and ${number(more)} more`));
    return names.length ? list : "";
  };
  const rules = head.settings.filter((setting) => !setting.startsWith("policy.threshold="));
  const known = head.calibration;
  const by = head.follows ? ` at the end; it follows the scores, to keep ${percent(head.follows)}` : "";
  facts(byId("facts"), [
    ["Model", head.model || "not named"],
    ["Its digest", head.model_digest],
    ["Threshold", recorded === null ? "none: pairs were scored alone" : recorded + by],
    ["Rules and settings", rules.length ? lines(rules) : "all as by default"],
    ["Calibration", known && known.recommended !== null
      ? `the model recommends ${known.recommended}` + (known.quantiles.length ? `, which keeps ${percent(1 - quantile(known.quantiles, known.recommended))} of its calibration's pairs` : "")
      : "not known for this model"],
    ["Program", head.program && "pairgate " + head.program],
    ["Inputs", lines(head.inputs, head.more_inputs)],
    ["Journal", lines(head.journals)],
    ["Written last", head.written && head.written + " (UTC)"],
    ["Its records", head.digest],
  ]);
  byId("terms").hidden = false;
}

// The share of a calibration's scores below `score`, from its quantiles.
function quantile(quantiles, score) {
  const last = quantiles.length - 1, at = below(quantiles, score);
  if (at === 0 || at > last) return at === 0 ? 0 : 1;
  const [low, high] = [quantiles[at - 1], quantiles[at]];
  return (at - 1 + (high > low ? (score - low) / (high - low) : 1)) / last;
}

function showTiles(now) {
  const known = data.head.calibration;
  byId("now").textContent = `${threshold.toFixed(digits)}` + (threshold === recorded ? " (as recorded)" : "") +
    ` keeps ${percent(now.share)} of the scored pairs` +
    (known && known.quantiles.length ? `; the model's calibration: ${percent(1 - quantile(known.quantiles, threshold))}` : "");
  byId("reset").hidden = recorded === null || threshold === recorded;
  const tiles = byId("tiles").children;
  [data.pairs, now.kept, now.rejected, now.failed].forEach((value, place) => {
    tiles[place].firstChild.textContent = number(value);
  });
}

function bar(row, parts, most) {
  const strip = make("div", "bar");
  for (const [kind, count] of parts) {
    if (!count) continue;
    const piece = make("div", kind);
    piece.style.width = `${100 * count / most}%`;
    piece.title = `${kind}: ${number(count)}`;
    strip.append(piece);
  }
  const name = make("div", "name", row.short || row.name);
  name.title = row.name;
  return [name, strip, make("div", "count", row.text)];
}

function showReasons(now) {
  const moving = [["kept", "passed", now.passed], ["rejected", "low_similarity", data.scored - now.passed]];
  const fixed = data.reasons.filter((row) => row.reason !== "passed" && row.reason !== "low_similarity")
    .map((row) => [row.verdict, row.reason, row.count]);
  const rows = (data.scored ? moving : []).concat(fixed);
  const most = Math.max(1, ...rows.map(([, , count]) => count));
  byId("reasons").replaceChildren(...rows.flatMap(([verdict, reason, count]) =>
    bar({ name: wording(reason), text: number(count) }, [[verdict, count]], most)));
}

// The rows of what pairs are grouped by, with names as short as tells them apart.
function grouping() {
  const { by, rows } = data.groupings[Number(byId("by").value) || 0];
  const short = shortened(rows.map((row) => row.name));
  return { by, rows: rows.map((row) => ({ ...row, short: short.get(row.name) })) };
}

function showGroups() {
  const { rows, by } = grouping(), most = Math.max(1, ...rows.map((row) => row.pairs));
  byId("h-groups").textContent = "By " + by;
  byId("groups").replaceChildren(...rows.flatMap((row) => {
    const now = counts(row);
    const text = `${number(now.kept)} of ${number(row.pairs)}`;
    return bar({ ...row, text }, ["kept", "rejected", "failed"].map((kind) => [kind, now[kind]]), most);
  }));
}

// A small histogram of each group, all over one range.
function buildSpread() {
  const { rows, by } = grouping();
  byId("h-spread").textContent = "Scores by " + by;
  byId("spread").replaceChildren(...rows.filter((row) => row.scored).map((row) => {
    const box = make("div", "group"), canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Histogram of the scores of " + row.name);
    const name = make("div", "name", row.short);
    name.title = row.name;
    box.append(name, make("div", "small"), canvas);
    box.row = row;
    return box;
  }));
}

function showSpread() {
  for (const box of byId("spread").children) {
    const { row } = box, [, told, canvas] = box.children;
    told.textContent = `${number(row.scored)} scored, ${percent(counts(row).share)} kept`;
    drawBars(canvas, binned(row.scores, left, right, 48), left, right, threshold);
  }
}

function showCurve() {
  const plot = prepare(byId("curve")), { width } = plot;
  shares(plot);
  const points = [];
  for (let x = 0; x <= width; x += 2) {
    const at = left + x / width * (right - left);
    points.push({ x, y: data.scores.length ? 1 - below(data.scores, at) / data.scores.length : 0 });
  }
  drawShare(plot, points, "kept");
  axis(plot, left, right);
  upright(plot, (threshold - left) / (right - left) * width);
}

let onScale = [];

function showBorder() {
  const at = onScale.findIndex((card) => card.score >= threshold);
  const split = at < 0 ? onScale.length : at;
  const strip = (id, cards) => byId(id).replaceChildren(...cards.length
    ? cards.map((card) => figure(card, () => cards)) : [make("p", "hint", "none")]);
  strip("below", onScale.slice(Math.max(0, split - 8), split).reverse());
  strip("above", onScale.slice(split, split + 8));
}

function showCommands() {
  byId("command-list").replaceChildren(...data.head.commands.map(({ what, line }) => {
    const exact = threshold === recorded ? String(recorded) : threshold.toFixed(digits);
    const box = make("div", "command"), text = line.replaceAll("{threshold}", exact);
    const code = make("code", "", text), copies = button("Copy", "", () => copy(text, copies));
    box.append(make("span", "small", what), code, copies);
    return box;
  }));
}

function showReport() {
  const now = counts(whole());
  showTiles(now);
  const canvas = byId("histogram"), wide = canvas.getBoundingClientRect().width;
  const bars = Math.max(24, Math.min(140, Math.floor(wide / 7)));
  drawBars(canvas, binned(data.scores, left, right, bars), left, right, threshold);
  showCurve();
  showReasons(now);
  showGroups();
  showSpread();
  showBorder();
  showCommands();
  showMarks(threshold, left, right);
  refreshCards();
}

function startReport() {
  const { scores, head } = data, slider = byId("threshold");
  const lowest = scores.length ? scores[0] : -1, highest = scores.length ? scores[scores.length - 1] : 1;
  const span = Math.max(highest - lowest, 1e-6);
  [left, right] = [lowest - span * 0.02, highest + span * 0.02];
  digits = Math.max(4, Math.ceil(-Math.log10(span / 1000)));
  recorded = isNumber(head.threshold) ? head.threshold : null;
  // Until it is moved, it stands for the threshold itself and not for its nearest step.
  threshold = recorded === null ? lowest : recorded;
  [slider.min, slider.max, slider.step] = [left, right, span / 1000];
  slider.value = threshold;
  loadMarks();
  showHead();
  byId("tiles").append(...["pairs", "kept", "rejected", "failed"].map((name) => tile("", name, "n-" + name)));
  byId("by").append(...data.groupings.map(({ by }, place) => {
    const option = make("option", "", by);
    option.value = String(place);
    return option;
  }));
  byId("by-choice").hidden = data.groupings.length < 2;
  onScale = data.cards.filter(isPooled).sort((a, b) => a.score - b.score);
  let waits = false;
  const soon = () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { waits = false; showReport(); });
  };
  // The text of a command has the digits that are shown, so the slider stands for no others.
  slider.addEventListener("input", () => { threshold = Number(Number(slider.value).toFixed(digits)); soon(); });
  byId("reset").addEventListener("click", () => { threshold = recorded; slider.value = recorded; showReport(); });
  byId("by").addEventListener("change", () => { buildSpread(); showReport(); });
  const sources = shortened(data.cards.map((card) => card.shard));
  const marked = (card) => (marks.get(card.uid) || { mark: "none" }).mark;
  browse(byId("pairs"), "pairs", data.cards, [
    ["highest score", by((card) => card.score, true)],
    ["lowest score", by((card) => card.score)],
    ["nearest the threshold", by((card) => isPooled(card) ? Math.abs(card.score - threshold) : null)],
    ["to mark", toMark],
    ["key", by((card) => card.key)],
    ["longest caption", by((card) => card.length, true)],
    ["shortest caption", by((card) => card.length)],
    ["source", by((card) => card.shard)],
  ], [
    ["Source", (card) => card.shard, (name) => sources.get(name)],
    ["Reason", (card) => card.reason, wording],
    ["Marks", marked, null, [["good", "good"], ["bad", "bad"], ["none", "none"]]],
  ]);
  startMarks();
  marksChanged.push(() => { showMarks(threshold, left, right); refreshCards(); });
  byId("spread").parentElement.hidden = !data.scored;
  byId("report").hidden = false;
  buildSpread();
  showReport();
  return showReport;
}
