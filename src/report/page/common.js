// What all parts of the page use. Keys, captions and names come from strangers: they are set as text
// (`textContent`, attributes of text), never as markup.
const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);
const data = read("data");
const compared = read("compared");
const wording = (name) => name.replaceAll("_", " ");
const number = (value) => value.toLocaleString("en");
const percent = (share, digits = 1) => (100 * share).toFixed(digits) + " %";
const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function button(text, className, act) {
  const element = make("button", className, text);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

function tile(value, text, id) {
  const box = make("div", "tile");
  const strong = make("b", "", value);
  if (id) strong.id = id;
  box.append(strong, make("span", "", text));
  return box;
}

// Terms and what they are, in a list; an empty one is left out.
function facts(list, rows) {
  list.replaceChildren(...rows.filter(([, value]) => value !== "" && value !== null).flatMap(([name, value]) => {
    const told = make("dd");
    told.append(value);
    return [make("dt", "", name), told];
  }));
}

// How many of ascending numbers are below `limit`.
function below(sorted, limit) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < limit) low = middle + 1; else high = middle;
  }
  return low;
}

// A table whose rows are sorted by the column that is asked for.
// Columns: { name, value: what it is sorted by, text, isNumber }.
function sortable(table, columns, rows) {
  let by = null, down = true;
  const body = make("tbody"), line = make("tr"), head = make("thead");
  const heads = columns.map((column) => {
    const cell = make("th", column.isNumber ? "number" : "");
    cell.scope = "col";
    cell.append(button(column.name, "", () => {
      down = by === column ? !down : Boolean(column.isNumber);
      by = column;
      show();
    }));
    return cell;
  });
  function show() {
    const sorted = by === null ? rows : [...rows].sort((a, b) => {
      const [x, y] = [by.value(a), by.value(b)];
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return down ? -order : order;
    });
    heads.forEach((cell, place) => {
      cell.ariaSort = columns[place] !== by ? "none" : down ? "descending" : "ascending";
    });
    body.replaceChildren(...sorted.map((row) => {
      const line = make("tr");
      line.append(...columns.map((column) => make("td", column.isNumber ? "number" : "", column.text(row))));
      return line;
    }));
  }
  line.append(...heads);
  head.append(line);
  table.replaceChildren(head, body);
  show();
}

// Names without the folders that all of them begin with.
function shortened(names) {
  const all = [...new Set(names)], first = all.length > 1 ? all[0].split("/") : [];
  let shared = 0;
  while (shared < first.length - 1 && all.every((name) => name.split("/").length > shared + 1 &&
    name.split("/")[shared] === first[shared])) shared += 1;
  return new Map(all.map((name) => [name, name.split("/").slice(shared).join("/") || name]));
}

async function copy(text, told) {
  try {
    await navigator.clipboard.writeText(text);
    told.textContent = "Copied";
  } catch {
    // Without the right to the clipboard there is still the text to select.
    const area = make("textarea", "hidden", text);
    document.body.append(area);
    area.select();
    told.textContent = document.execCommand("copy") ? "Copied" : "Select it and copy";
    area.remove();
  }
  setTimeout(() => { told.textContent = "Copy"; }, 2000);
}
