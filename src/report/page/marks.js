// "good" and "bad" on pairs, kept in this browser under the digest of the journal's records.
const marks = new Map();
const marksName = data && "pairgate marks " + data.head.digest;
const marksChanged = [];

function loadMarks() {
  if (!data) return;
  try {
    takeMarks(localStorage.getItem(marksName) || "");
  } catch { /* No storage here: they last as long as the page. */ }
}

function keepMarks() {
  try {
    if (marks.size) localStorage.setItem(marksName, marksText()); else localStorage.removeItem(marksName);
  } catch { /* The same. */ }
  marksChanged.forEach((tell) => tell());
}

// Sets a mark, or takes it away where it is that already.
function mark(card, what) {
  if (!data) return;
  const { uid, key, shard, score } = card;
  if ((marks.get(uid) || {}).mark === what) marks.delete(uid);
  else marks.set(uid, { uid, key, shard, mark: what, score });
  keepMarks();
}

function marksText() {
  const line = ({ uid, key, shard, mark, score }) => JSON.stringify({ uid, key, shard, mark, score });
  return [...marks.values()].map((one) => line(one) + "\n").join("");
}

// Takes lines of marks; gives how many lines are none.
function takeMarks(text) {
  let wrong = 0;
  for (const line of text.split("\n")) {
    if (!line.trim()) continue;
    try {
      const { uid, key, shard, mark, score } = JSON.parse(line);
      if (!/^[0-9a-f]{32}$/.test(uid) || (mark !== "good" && mark !== "bad")) throw new Error("no mark");
      marks.set(uid, {
        uid, key: String(key ?? ""), shard: String(shard ?? ""), mark, score: isNumber(score) ? score : null,
      });
    } catch {
      wrong += 1;
    }
  }
  return wrong;
}

// Wilson's interval of a share at 95 %: honest where there is little to count.
function wilson(hits, count) {
  if (!count) return [0, 1];
  const z = 1.959964, share = hits / count, square = z * z / count;
  const middle = (share + square / 2) / (1 + square);
  const half = z * Math.sqrt((share * (1 - share) + square / 4) / count) / (1 + square);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

// Marked pairs with a score, as { score, good, left: not selected by a state }, ascending.
function markedScores() {
  const scored = [...marks.values()].filter((one) => isNumber(one.score));
  const left = new Set(data.cards.filter(isUnselected).map((card) => card.uid));
  return scored.map((one) => ({ score: one.score, good: one.mark === "good", left: left.has(one.uid) })).sort((a, b) => a.score - b.score);
}

// Precision and recall of a threshold on marked pairs: { hits, count } each.
function judged(scored, threshold) {
  const kept = scored.filter((one) => one.score >= threshold && !one.left);
  const hits = kept.filter((one) => one.good).length;
  return {
    precision: { hits, count: kept.length },
    recall: { hits, count: scored.filter((one) => one.good).length },
  };
}

function estimate(name, { hits, count }, of) {
  const box = make("div", "tile");
  const value = make("b", "", count ? percent(hits / count, 0) : "-");
  value.id = "marks-" + name;
  const [low, high] = wilson(hits, count);
  const range = count ? `${percent(low, 0)} to ${percent(high, 0)}` : "nothing marked yet";
  box.append(value, make("span", "", `${name}: ${hits} of ${count} ${of}`), make("span", "", range));
  return box;
}

function showMarks(threshold, from, to) {
  const scored = markedScores(), now = judged(scored, threshold);
  const good = [...marks.values()].filter((one) => one.mark === "good").length;
  byId("marks-now").textContent = marks.size
    ? `${number(good)} good, ${number(marks.size - good)} bad. At the slider:`
    : "Mark shown pairs as good or bad, with the buttons or with g and b: this gives precision and recall at each threshold.";
  byId("estimates").replaceChildren(...marks.size ? [
    estimate("precision", now.precision, "marked pairs that are kept"),
    estimate("recall", now.recall, "good ones"),
  ] : []);
  const even = new Set(data.cards.filter((card) => card.even).map((card) => card.uid));
  const fair = [...marks.keys()].filter((uid) => even.has(uid)).length;
  byId("marks-told").textContent = marks.size && fair < marks.size
    ? `Shares of the marked pairs: of the run too where they are marked as they come. ${number(fair)} of ${number(marks.size)} are of the even sample (sort “to mark”).` : "";
  byId("marks-export").disabled = byId("marks-clear").disabled = !marks.size;
  const plot = prepare(byId("marks-plot")), { width } = plot;
  shares(plot);
  for (const [name, dash] of [["precision", []], ["recall", [5, 4]]]) {
    const points = [];
    for (let x = 0; x <= width; x += 3) {
      const { hits, count } = judged(scored, from + x / width * (to - from))[name];
      if (!count) continue;
      const [low, high] = wilson(hits, count);
      points.push({ x, y: hits / count, low, high });
    }
    drawShare(plot, points, name, dash);
  }
  axis(plot, from, to);
  upright(plot, (threshold - from) / (to - from) * width);
}

function exportMarks() {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([marksText()], { type: "application/jsonl" }));
  link.download = "marks.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function importMarks(file) {
  const before = marks.size, wrong = takeMarks(await file.text());
  keepMarks();
  byId("marks-told").textContent = `${number(marks.size - before)} marks more` +
    (wrong ? `; ${number(wrong)} lines are no marks` : "");
}

function startMarks() {
  byId("marks-export").addEventListener("click", exportMarks);
  byId("marks-import").addEventListener("click", () => byId("marks-file").click());
  byId("marks-file").addEventListener("change", ({ target }) => {
    if (target.files.length) importMarks(target.files[0]);
    target.value = "";
  });
  let asked = false;
  byId("marks-clear").addEventListener("click", ({ target }) => {
    if (asked) { marks.clear(); keepMarks(); }
    asked = !asked;
    target.textContent = asked ? "Clear all of them?" : "Clear";
  });
  byId("marks-clear").addEventListener("blur", ({ target }) => { asked = false; target.textContent = "Clear"; });
}
