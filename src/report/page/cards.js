// Pairs with their pictures: cards, a list to search, sort and filter, and one of them large.

// What the slider says of a pair; the recorded verdict where no score decides.
let threshold = null;
const SELECTION = new Set(["not_selected", "over_quota", "near_duplicate", "not_drawn", "unsafe_concept"]);
const isUnselected = (card) => SELECTION.has(card.reason);
const isPooled = (card) => isNumber(card.score) &&
  (card.reason === "passed" || card.reason === "low_similarity" || isUnselected(card));
// Whether a state selected among what the threshold let pass.
const selected = Boolean(data && (data.head.state || data.unselected));

// Kept, rejected or failed; in a run that a state selected also "not selected", and "not asked" where the
// recorded threshold kept the pair from the state and the slider would not.
function standing(card) {
  if (threshold === null || card.change || !isPooled(card)) return card.verdict;
  if (card.score < threshold) return "rejected";
  if (isUnselected(card)) return "not selected";
  return selected && card.reason === "low_similarity" ? "not asked" : "kept";
}
// Its colour.
const kindOf = (standing) => ({ "not selected": "unselected", "not asked": "unasked" })[standing] || standing;

// The name of a pair's cluster, and how it is told.
const NO_GROUP = "in none";
const clusterOf = (card) => isNumber(card.cluster) ? String(card.cluster) : NO_GROUP;
const clusterTold = (name) => name === NO_GROUP ? `in no ${clusterWord}` : /^\d+$/.test(name) ? `${clusterWord} ${name}` : name;
const clustered = Boolean(data && data.groupings.length > 1);
const clusterWord = clustered ? data.groupings[1].by : "";

// Cards on the page, so that marks and the slider reach them.
const alive = new Set();

function refreshCards() {
  for (const refresh of alive) if (!refresh()) alive.delete(refresh);
}

function scoreText(card) {
  if (!card.change) return isNumber(card.score) ? card.score.toFixed(4) : wording(card.reason);
  const one = (side) => isNumber(side.score) ? side.score.toFixed(4) : wording(side.reason);
  return `${one(card.change.old)} → ${one(card.change.new)}`;
}

function rankText(card) {
  const { old, new: now } = card.change;
  return isNumber(old.rank) && isNumber(now.rank)
    ? `rank ${percent(old.rank)} → ${percent(now.rank)}`
    : `${wording(old.reason)} → ${wording(now.reason)}`;
}

function markButtons(card) {
  return ["good", "bad"].map((what) => {
    const press = button(what, "mark " + what, () => mark(card, what));
    press.tabIndex = -1;
    return press;
  });
}

function showPressed(buttons, card) {
  const now = (marks.get(card.uid) || {}).mark;
  buttons.forEach((press) => { press.ariaPressed = String(press.classList.contains(now)); });
}

// A card. `others` gives the list that it is shown in.
function figure(card, others) {
  const box = make("figure", "card");
  box.tabIndex = 0;
  box.dataset.uid = card.uid;
  box.setAttribute("aria-keyshortcuts", "g b Enter");
  const picture = button("", "picture", () => zoom(card, others()));
  picture.tabIndex = -1;
  picture.setAttribute("aria-label", "Enlarge");
  if (card.thumbnail) {
    const image = make("img");
    image.src = card.thumbnail;
    image.alt = "";
    image.loading = "lazy";
    picture.append(image);
  } else {
    picture.append(make("span", "none", "no picture"));
  }
  const words = make("figcaption"), line = make("div", "line"), verdict = make("span", "verdict");
  line.append(make("span", "score", scoreText(card)), verdict);
  words.append(line);
  if (card.change) words.append(make("div", "small", rankText(card)));
  if (card.caption) {
    const caption = button(card.caption, "caption", () => {
      const open = caption.classList.toggle("open");
      caption.ariaExpanded = String(open);
    });
    caption.tabIndex = -1;
    caption.ariaExpanded = "false";
    words.append(caption);
  }
  const key = make("div", "small key", card.key);
  key.title = `${card.key} in ${card.shard}`;
  words.append(key);
  const buttons = data ? markButtons(card) : [];
  if (buttons.length) {
    const row = make("div", "marks");
    row.append(...buttons);
    words.append(row);
  }
  box.append(picture, words);
  box.addEventListener("keydown", (event) => onKey(event, box, card, others));
  const refresh = () => {
    const now = standing(card), name = card.change ? card.change.name : now;
    verdict.textContent = name;
    for (const kind of ["kept", "unselected", "unasked"]) box.classList.toggle("is-" + kind, kindOf(now) === kind);
    showPressed(buttons, card);
    const told = (marks.get(card.uid) || {}).mark;
    box.setAttribute("aria-label", `${name}, ${scoreText(card)}${told ? ", marked " + told : ""}: ${card.caption || card.key}`);
    return box.isConnected;
  };
  refresh();
  alive.add(refresh);
  return box;
}

function onKey(event, box, card, others) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[event.key];
  if (event.key === "g" || event.key === "b") mark(card, event.key === "g" ? "good" : "bad");
  else if (event.key === "Enter" && event.target === box) zoom(card, others());
  else if (step && box[step]) box[step].focus();
  else return;
  event.preventDefault();
}

let zoomed = null;

// Shows one pair large; the arrows go on through the list.
function zoom(card, list) {
  zoomed = { card, list };
  const dialog = byId("zoom"), place = byId("zoom-picture");
  if (card.thumbnail) {
    const image = make("img");
    image.src = card.thumbnail;
    image.alt = card.caption || card.key;
    place.replaceChildren(image);
  } else {
    place.replaceChildren(make("span", "none", "no picture"));
  }
  byId("zoom-title").textContent = scoreText(card);
  byId("zoom-caption").textContent = card.caption || "";
  const size = card.width ? `${card.width} x ${card.height} px` : "";
  const both = card.change ? rankText(card) : "";
  const rank = !card.change && isPooled(card) && data && data.scored
    ? `above ${percent(below(data.scores, card.score) / data.scores.length)} of the scored pairs` : "";
  facts(byId("zoom-facts"), [
    ["Now", card.change ? card.change.name : standing(card)],
    ["Recorded", `${card.verdict}, ${wording(card.reason)}`], ["Scores", both], ["Rank", rank],
    ["Key", card.key], ["Source", card.shard],
    [capital(clusterWord), clustered && !card.change ? clusterOf(card) : ""], ["Picture", size],
    ["Caption", card.length ? `${number(card.length)} characters` : ""], ["uid", card.uid],
  ]);
  const buttons = data ? markButtons(card) : [];
  byId("zoom-marks").replaceChildren(...buttons);
  showPressed(buttons, card);
  byId("zoom-marks").hidden = !buttons.length;
  byId("zoom-back").disabled = !beyond(-1);
  byId("zoom-on").disabled = !beyond(1);
  if (!dialog.open) dialog.showModal();
}

// The card so many places on in the list.
const beyond = (step) => zoomed.list[zoomed.list.indexOf(zoomed.card) + step];

function move(step) {
  if (zoomed && beyond(step)) zoom(beyond(step), zoomed.list);
}

function startZoom() {
  const dialog = byId("zoom");
  byId("zoom-back").addEventListener("click", () => move(-1));
  byId("zoom-on").addEventListener("click", () => move(1));
  marksChanged.push(() => { if (zoomed && dialog.open) showPressed([...byId("zoom-marks").children], zoomed.card); });
  dialog.addEventListener("keydown", (event) => {
    if (!zoomed || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "g" || event.key === "b") mark(zoomed.card, event.key === "g" ? "good" : "bad");
    else if (step) move(step);
    else return;
    event.preventDefault();
  });
  byId("zoom-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    // Back to where the reader is now.
    const at = zoomed && document.querySelector(`.list [data-uid="${CSS.escape(zoomed.card.uid)}"]`);
    zoomed = null;
    if (at) at.focus();
  });
}

// The even sample first, in an order of which any first part is spread over all scores, marked ones last.
function toMark(cards) {
  const golden = (Math.sqrt(5) - 1) / 2, rank = new Map();
  cards.filter((card) => card.even).sort((a, b) => a.score - b.score)
    .forEach((card, place) => rank.set(card, (place * golden) % 1));
  const order = (card) => (marks.has(card.uid) ? 4 : 0) + (rank.has(card) ? rank.get(card) : 2);
  return [...cards].sort((a, b) => order(a) - order(b));
}

// A list of cards with its controls, in `host`; ids begin with `name`.
// `sorts`: name, and what puts cards in order; `filters`: name, a card's value, how it is told, and the
// values if they are not those of the cards.
function browse(host, name, cards, sorts, filters) {
  const STEP = 48;
  let most = STEP, found = [];
  const controls = make("div", "controls"), count = make("p", "hint"), grid = make("div", "list");
  const search = make("input");
  search.type = "search";
  search.id = name + "-search";
  search.placeholder = "Search caption, key, reason";
  search.setAttribute("aria-label", "Search caption, key, reason");
  count.id = name + "-count";
  count.setAttribute("role", "status");
  grid.id = name + "-list";
  function choice(label, options) {
    const box = make("label", "", label), select = make("select");
    select.id = `${name}-${label.toLowerCase().replaceAll(" ", "-")}`;
    select.append(...options.map(([value, text]) => {
      const option = make("option", "", text);
      option.value = value;
      return option;
    }));
    select.addEventListener("change", begin);
    box.append(select);
    controls.append(box);
    return select;
  }
  controls.append(search);
  const sort = choice("Sort", sorts.map(([text], place) => [String(place), text]));
  const chosen = filters.map(([label, value, told, all]) => {
    const counted = new Map();
    cards.forEach((card) => counted.set(value(card), (counted.get(value(card)) || 0) + 1));
    const options = all || [...counted].sort((a, b) => b[1] - a[1]).map(([text, times]) => [text, `${told(text)} (${times})`]);
    return { value, select: choice(label, [["", "all"], ...options]) };
  });
  const texts = new Map(cards.map((card) =>
    [card, [card.caption || "", card.key, card.shard, card.uid, wording(card.reason), card.reason,
      clustered && !card.change ? clusterTold(clusterOf(card)) : ""].join("\n").toLowerCase()]));
  const more = button("", "", () => { most += STEP; show(); });
  more.id = name + "-more";

  function begin() { most = STEP; show(); }

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = cards.filter((card) => words.every((word) => texts.get(card).includes(word)) &&
      chosen.every(({ value, select }) => !select.value || value(card) === select.value));
    found = sorts[Number(sort.value)][1](found);
    count.textContent = `${number(found.length)} of ${number(cards.length)} shown pairs`;
    grid.replaceChildren(...found.slice(0, most).map((card) => figure(card, () => found)));
    more.hidden = found.length <= most;
    more.textContent = `Show ${number(Math.min(STEP, found.length - most))} more`;
  }
  search.addEventListener("input", begin);
  host.replaceChildren(controls, count, grid, more);
  show();
}

// Sorts by a number or text; what has none comes last.
const by = (value, down) => (cards) => [...cards].sort((a, b) => {
  const [x, y] = [value(a), value(b)];
  if (x === null || y === null) return (x === null) - (y === null);
  const order = typeof x === "string" ? x.localeCompare(y) : x - y;
  return down ? -order : order;
});
