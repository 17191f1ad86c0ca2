// The report of one run: a slider, and all that moves with it.
let recorded = null, left = -1, right = 1, digits = 4;

// Counts under the slider's threshold. Where the page holds every score they are exact.
function counts(row) {
  const from = (scores, many, limit) => scores.length ? Math.round((1 - below(scores, limit) / scores.length) * many) : 0;
  // What comes to the state, where one selects; what it was not asked of; what it left out.
  const reaching = from(row.scores, row.scored, threshold);
  const unasked = selected && recorded !== null && threshold < recorded
    ? reaching - from(row.scores, row.scored, recorded) : 0;
  const unselected = Math.min(reaching - unasked, from(row.unselected_scores, row.unselected, threshold));
  const passed = reaching - unasked - unselected, kept = passed + row.kept_otherwise;
  const rejected = row.pairs - row.failed - kept - unasked - unselected;
  const share = row.scored ? passed / row.scored : 0;
  return { share, reaching, passed, kept, unselected, unasked, rejected, failed: row.failed };
}
// What bars are made of, from left to right.
const KINDS = ["kept", "unselected", "unasked", "rejected", "failed"];

// The scores of a row in so many bars, by what became of them.
function layers(row, count) {
  const bars = (scores) => binned(scores, left, right, count);
  const at = below(row.scores, threshold);
  const asked = selected && recorded !== null ? Math.max(at, below(row.scores, recorded)) : at;
  const lost = row.unselected_scores, points = row.scores.length / Math.max(1, row.scored);
  // In the points that all scores are counted in.
  const scale = lost.length ? row.unselected / lost.length * points : 0;
  const reaching = bars(row.scores.slice(asked));
  const unselected = bars(lost.slice(below(lost, threshold))).map((one, place) => Math.min(reaching[place], one * scale));
  return [
    ["kept", reaching.map((one, place) => one - unselected[place])], ["unselected", unselected],
    ["unasked", bars(row.scores.slice(at, asked))], ["rejected", bars(row.scores.slice(0, at))],
  ];
}

// All pairs, as a row of a grouping is.
function whole() {
  const otherwise = data.reasons.filter((row) => row.verdict === "kept" && row.reason !== "passed")
    .reduce((sum, row) => sum + row.count, 0);
  return {
    pairs: data.pairs, failed: data.failed, kept_otherwise: otherwise, scored: data.scored,
    scores: data.scores, unselected: data.unselected, unselected_scores: data.unselected_scores,
  };
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
    ["Threshold", head.by ? `each group's own, by ${head.by}; the slider is one for all`
      : recorded === null ? "none: pairs were scored alone" : recorded + by],
    ["Selected by", head.state && `the state ${head.state.slice(0, 12)}, among what the threshold let pass`],
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
  const told = selected ? ` lets ${percent(data.scored ? now.reaching / data.scored : 0)} of the scored pairs pass, the state keeps ${percent(now.share)}` +
    (now.unasked ? `; it was not asked about ${number(now.unasked)} of them, which the recorded threshold rejected` : "")
    : ` keeps ${percent(now.share)} of the scored pairs`;
  byId("now").textContent = `${threshold.toFixed(digits)}` + (threshold === recorded && !data.head.by ? " (as recorded)" : "") + told +
    (known && known.quantiles.length ? `; the model's calibration: ${percent(1 - quantile(known.quantiles, threshold))}` : "");
  byId("reset").hidden = recorded === null || threshold === recorded;
  const tiles = byId("tiles").children;
  [data.pairs, now.kept, now.rejected + now.unselected, now.failed].forEach((value, place) => {
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
  const moving = [["kept", "passed", now.passed], ["rejected", "low_similarity", data.scored - now.reaching]];
  if (now.unasked) moving.push(["unasked", "the state was not asked", now.unasked]);
  const left = ({ scores, count }) => Math.round((1 - below(scores, threshold) / scores.length) * count);
  const others = data.reasons.filter((row) => row.reason !== "passed" && row.reason !== "low_similarity")
    .map((row) => row.scores ? ["unselected", row.reason, left(row)] : [row.verdict, row.reason, row.count]);
  const rows = (data.scored ? moving : []).concat(others);
  const most = Math.max(1, ...rows.map(([, , count]) => count));
  byId("reasons").replaceChildren(...rows.flatMap(([verdict, reason, count]) =>
    bar({ name: wording(reason), text: number(count) }, [[verdict, count]], most)));
}

// The rows of what pairs are grouped by, with names as short as tells them apart.
function grouping() {
  const { by, rows } = data.groupings[Number(byId("by").value) || 0];
  const short = shortened(rows.map((row) => row.name));
  return { by, rows: rows.map((row) => ({ ...row, short: by === "source" ? short.get(row.name) : clusterTold(row.name) })) };
}

function showGroups() {
  const { rows, by } = grouping();
  // Pairs in none may be most of all: a bar of theirs would leave none to the others.
  const most = Math.max(1, ...rows.filter((row) => row.name !== NO_GROUP).map((row) => row.pairs));
  byId("h-groups").textContent = "By " + by;
  byId("groups").replaceChildren(...rows.flatMap((row) => {
    const now = counts(row);
    const text = `${number(now.kept)} of ${number(row.pairs)}`;
    return bar({ ...row, text }, row.name === NO_GROUP ? [] : KINDS.map((kind) => [kind, now[kind]]), most);
  }));
}

// Some pictures of a group, small, from the best to the worst; a click shows one large.
function pictures(row, by) {
  const MOST = 6, strip = make("div", "thumbs");
  const cards = data.cards.filter((card) => card.thumbnail && (by === "source" ? card.shard : clusterOf(card)) === row.name);
  const score = (card) => isNumber(card.score) ? card.score : -2;
  cards.sort((a, b) => score(b) - score(a));
  const shown = cards.length <= MOST ? cards
    : Array.from({ length: MOST }, (_, place) => cards[Math.round(place * (cards.length - 1) / (MOST - 1))]);
  strip.append(...shown.map((card) => {
    const press = button("", "thumb", () => zoom(card, shown)), image = make("img");
    image.src = card.thumbnail;
    image.alt = "";
    image.loading = "lazy";
    press.append(image);
    const refresh = () => {
      const now = standing(card);
      press.className = "thumb is-" + kindOf(now);
      press.title = `${now}, ${scoreText(card)}: ${card.caption || card.key}`;
      press.setAttribute("aria-label", press.title);
      return press.isConnected;
    };
    refresh();
    alive.add(refresh);
    return press;
  }));
  return strip;
}

// A small histogram of each group, all over one range.
const FIRST_GROUPS = 12;
function buildSpread(all = false) {
  const { rows, by } = grouping();
  byId("h-spread").textContent = "Scores by " + by;
  const scored = rows.filter((row) => row.scored), more = byId("spread-more");
  more.hidden = all || scored.length <= FIRST_GROUPS;
  more.textContent = `Show ${number(scored.length - FIRST_GROUPS)} more`;
  byId("spread").replaceChildren(...scored.slice(0, all ? scored.length : FIRST_GROUPS).map((row) => {
    const box = make("div", "group"), canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Histogram of the scores of " + row.short);
    const name = make("div", "name", row.short);
    name.title = row.name;
    box.append(name, make("div", "small"), canvas, pictures(row, by));
    box.row = row;
    return box;
  }));
}

function showSpread() {
  for (const box of byId("spread").children) {
    const { row } = box, [, told, canvas] = box.children;
    told.textContent = `${number(row.scored)} scored, ${percent(counts(row).share)} kept`;
    drawLayers(canvas, layers(row, 48), left, right, threshold);
  }
}

function showCurve() {
  const plot = prepare(byId("curve")), { width } = plot;
  shares(plot);
  const points = [], passing = [];
  for (let x = 0; x <= width; x += 2) {
    const at = left + x / width * (right - left);
    const share = (scores, many) => scores.length ? (1 - below(scores, at) / scores.length) * many / Math.max(1, data.scored) : 0;
    const y = share(data.scores, data.scored);
    passing.push({ x, y });
    // Below the recorded threshold nobody knows what the state would keep.
    if (!selected) points.push({ x, y });
    else if (recorded === null || at >= recorded) points.push({ x, y: Math.max(0, y - share(data.unselected_scores, data.unselected)) });
  }
  if (selected) drawShare(plot, passing, "rejected", [5, 4]);
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
  drawLayers(canvas, layers(whole(), bars), left, right, threshold);
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
  for (const id of ["by", "spread-by"]) byId(id).append(...data.groupings.map(({ by }, place) => {
    const option = make("option", "", by);
    option.value = String(place);
    return option;
  }));
  byId("by-choice").hidden = byId("spread-choice").hidden = !clustered;
  document.querySelectorAll(".of-state").forEach((one) => { one.hidden = !selected; });
  if (selected) byId("h-above").textContent = "Just let pass";
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
  const regroup = ({ target }) => {
    for (const id of ["by", "spread-by"]) byId(id).value = target.value;
    buildSpread();
    showReport();
  };
  byId("spread-more").addEventListener("click", () => { buildSpread(true); showReport(); });
  byId("by").addEventListener("change", regroup);
  byId("spread-by").addEventListener("change", regroup);
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
    ...clustered ? [[clusterWord, by((card) => isNumber(card.cluster) ? card.cluster : null)]] : [],
  ], [
    ["Source", (card) => card.shard, (name) => sources.get(name)],
    ...clustered ? [[capital(clusterWord), clusterOf, clusterTold]] : [],
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
