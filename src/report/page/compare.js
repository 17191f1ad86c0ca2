// Two runs side by side.
const CLASSES = ["neither", "both", "lost", "won"];

function runBox(name, run) {
  const box = make("div", "run"), list = make("dl");
  facts(list, [
    ["Model", run.model ? `${run.model} (${run.model_digest.slice(0, 12)})` : run.model_digest ? run.model_digest.slice(0, 12) : "not told"],
    ["Threshold", isNumber(run.threshold) ? String(run.threshold) : run.is_decided ? "not told" : "none: scored alone"],
    ["Pairs", number(run.pairs)],
    ["Kept", `${number(run.kept)}, ${percent(run.pairs ? run.kept / run.pairs : 0)}`],
    ["Only here", run.only ? `${number(run.only)}, ${number(run.only_kept)} of them kept` : ""],
    ["Program", run.program && "pairgate " + run.program],
  ]);
  box.append(make("h3", "", name), make("p", "path", run.path), list);
  return box;
}

function showDifferences() {
  const { differences } = compared, place = byId("differences");
  if (!differences) {
    place.append(make("p", "hint", "A file of scores does not tell by which terms it was made."));
  } else if (!differences.length) {
    place.append(make("p", "hint", "Their terms are the same."));
  } else {
    const list = make("ul", "differences");
    list.append(...differences.map((line) => make("li", "", line)));
    place.append(make("h3", "", "What differs"), list);
  }
}

function showMatrix() {
  const names = ["kept", "rejected", "failed"], table = byId("verdicts"), head = make("tr");
  head.append(make("td"), ...names.map((name) => {
    const cell = make("th", "number", name);
    cell.scope = "col";
    return cell;
  }));
  const rows = compared.verdicts.map((row, old) => {
    const line = make("tr"), name = make("th", "", names[old]);
    name.scope = "row";
    line.append(name, ...row.map((count, now) => {
      const cell = make("td", "number" + (old === now ? " same" : count ? " differs" : " nothing"), number(count));
      cell.id = `v-${names[old]}-${names[now]}`;
      return cell;
    }));
    return line;
  });
  const body = make("tbody"), top = make("thead");
  top.append(head);
  body.append(...rows);
  table.append(top, body);
}

function showTables() {
  const kept = (side) => (row) => row.pairs ? row.kept[side] / row.pairs : 0;
  const share = (side) => ({ name: side ? "New kept" : "Old kept", value: kept(side), text: (row) => percent(kept(side)(row)), isNumber: true });
  const count = (name, field) => ({ name, value: (row) => row[field], text: (row) => number(row[field]), isNumber: true });
  const changed = (row) => row.pairs ? row.changed / row.pairs : 0;
  const short = shortened(compared.sources.map((row) => row.name));
  sortable(byId("c-sources"), [
    { name: "Source", value: (row) => row.name, text: (row) => short.get(row.name) },
    count("Pairs", "pairs"), share(0), share(1),
    { name: "Changed", value: changed, text: (row) => `${number(row.changed)}, ${percent(changed(row))}`, isNumber: true },
  ], compared.sources);
  for (const [id, more] of [["c-sources", compared.more_sources], ["c-reasons", compared.more_reasons]]) {
    if (more) byId(id).parentElement.after(make("p", "hint", `and ${number(more)} more`));
  }
  if (compared.reasons.length) {
    sortable(byId("c-reasons"), [
      { name: "Old", value: (row) => row.old, text: (row) => wording(row.old) },
      { name: "New", value: (row) => row.new, text: (row) => wording(row.new) },
      count("Pairs", "pairs"),
    ], compared.reasons);
  } else {
    byId("c-reasons").replaceWith(make("p", "hint", "No reason changed."));
  }
}

function drawScatter() {
  const canvas = byId("scatter"), { scatter, histograms: [old, now] } = compared;
  const plot = prepare(canvas), { pen, width, height } = plot;
  const x = (score) => (score - old.from) / (old.to - old.from) * width;
  const y = (score) => height - (score - now.from) / (now.to - now.from) * height;
  const fills = CLASSES.map((name) => colour(name));
  if (scatter.points.length) {
    const size = scatter.points.length > 1000 ? 2 : 3;
    pen.globalAlpha = 0.75;
    for (const [a, b, kind] of scatter.points) {
      pen.fillStyle = fills[kind];
      pen.fillRect(x(a) - size / 2, y(b) - size / 2, size, size);
    }
  } else {
    const wide = width / scatter.across, tall = height / scatter.across;
    const most = Math.max(1, ...scatter.fields.map(([, , counts]) => counts.reduce((sum, one) => sum + one, 0)));
    for (const [column, row, counts] of scatter.fields) {
      const all = counts.reduce((sum, one) => sum + one, 0);
      // A field has the colour of what changed there, if anything did.
      const changed = counts[2] + counts[3];
      const kind = changed ? (counts[3] > counts[2] ? 3 : 2) : counts[1] > counts[0] ? 1 : 0;
      pen.globalAlpha = 0.2 + 0.8 * Math.log1p(all) / Math.log1p(most);
      pen.fillStyle = fills[kind];
      // From edge to edge, so that no seam is drawn twice.
      const edge = (place, step) => Math.round(place * step);
      const [x0, y0] = [edge(column, wide), edge(scatter.across - row - 1, tall)];
      pen.fillRect(x0, y0, edge(column + 1, wide) - x0, edge(scatter.across - row, tall) - y0);
    }
  }
  pen.globalAlpha = 1;
  pen.fillStyle = colour("ink");
  if (isNumber(compared.old.threshold)) pen.fillRect(x(compared.old.threshold), 0, 1, height);
  if (isNumber(compared.new.threshold)) pen.fillRect(0, y(compared.new.threshold), width, 1);
  axis(plot, old.from, old.to);
  pen.fillStyle = colour("soft");
  for (const tick of ticks(now.from, now.to, height / 64)) {
    if (y(tick.at) > 14 && y(tick.at) < height - 14) pen.fillText(tick.text, 4, y(tick.at) + 4);
  }
}

function showComparison() {
  if (!compared.scored) return;
  drawScatter();
  const [old, now] = compared.histograms;
  const limit = (run) => isNumber(run.threshold) ? run.threshold : null;
  drawBars(byId("c-old"), old.bars, old.from, old.to, limit(compared.old));
  drawBars(byId("c-new"), now.bars, now.from, now.to, limit(compared.new));
}

function startComparison() {
  const told = (value) => isNumber(value) ? value.toFixed(4) : "-";
  byId("runs").append(runBox("Old", compared.old), runBox("New", compared.new));
  showDifferences();
  byId("c-tiles").append(
    tile(number(compared.pairs), "pairs in both", "c-pairs"),
    tile(number(compared.changed), `verdicts changed, ${percent(compared.pairs ? compared.changed / compared.pairs : 0)}`, "c-changed"),
    tile(told(compared.spearman), "Spearman's rank correlation", "c-spearman"),
    tile(told(compared.kendall), "Kendall's tau", "c-kendall"));
  showMatrix();
  showTables();
  byId("scatter-note").textContent = compared.held < compared.scored
    ? `From ${number(compared.held)} of ${number(compared.scored)} pairs, by chance.`
    : `${number(compared.scored)} pairs that both runs scored. Lines: the thresholds.`;
  const shift = (card) => {
    const { old, new: now } = card.change;
    return isNumber(old.rank) && isNumber(now.rank) ? now.rank - old.rank : null;
  };
  const size = (card) => shift(card) === null ? null : Math.abs(shift(card));
  const isSame = (card) => Number(card.change.old.verdict === card.change.new.verdict);
  const { cards } = compared, sources = shortened(cards.map((card) => card.shard));
  browse(byId("changed"), "changed", cards, [
    ["verdict changed, then most", (cards) => [...by(size, true)(cards)].sort((a, b) => isSame(a) - isSame(b))],
    ["changed most", by(size, true)],
    ["rose most", by(shift, true)],
    ["fell most", by(shift)],
    ["highest old score", by((card) => card.change.old.score, true)],
    ["highest new score", by((card) => card.change.new.score, true)],
    ["key", by((card) => card.key)],
    ["source", by((card) => card.shard)],
  ], [
    ["Change", (card) => card.change.name, (name) => name],
    ["Source", (card) => card.shard, (name) => sources.get(name)],
  ]);
  byId("comparison").hidden = false;
  showComparison();
  return showComparison;
}
