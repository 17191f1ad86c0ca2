// Begins the page.
const size = new Blob([document.documentElement.outerHTML]).size;
const draws = [];
byId("title").textContent = data ? "pairgate report" : "pairgate compare";
document.title = byId("title").textContent;
startZoom();
if (compared) draws.push(startComparison());
if (data) draws.push(startReport());
if (!data && compared) {
  byId("about").textContent = `${number(compared.pairs)} pairs · ${compared.old.path} · ${compared.new.path}`;
}
const shown = (data ? data.cards.length : 0) + (compared ? compared.cards.length : 0);
byId("foot").textContent = `${number(shown)} pairs are shown` + (data ? ` of ${number(data.pairs)}` : "") +
  `. This page is ${(size / 1e6).toFixed(1)} MB and asks for nothing else.` +
  (data && data.scores.length < data.scored ? ` Counts come from ${number(data.scores.length)} points of the ${number(data.scored)} scores.` : "");
const redraw = () => draws.forEach((draw) => draw());
window.addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
