// Plots on canvases, in the page's colours.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

// A pen for a canvas at its size on the screen; `height` is what is above the axis.
function prepare(canvas, room = 20) {
  const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "12px system-ui, sans-serif";
  return { pen, width: box.width, height: Math.max(1, box.height - room) };
}

// Round numbers between two, at most so many.
function ticks(from, to, most) {
  const raw = (to - from) / Math.max(1, most), power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 5, 10].map((times) => times * power).find((step) => step >= raw) || raw;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let at = Math.ceil(from / step - 1e-9) * step; at <= to + step * 1e-9; at += step) {
    found.push({ at, text: (Math.abs(at) < step / 2 ? 0 : at).toFixed(digits) });
  }
  return found;
}

function axis({ pen, width, height }, from, to) {
  pen.fillStyle = colour("line");
  pen.fillRect(0, height, width, 1);
  pen.fillStyle = colour("soft");
  pen.textAlign = "center";
  for (const tick of ticks(from, to, width / 64)) {
    const half = pen.measureText(tick.text).width / 2;
    const x = Math.min(Math.max((tick.at - from) / (to - from) * width, half), width - half);
    pen.fillText(tick.text, x, height + 15);
  }
  pen.textAlign = "left";
}

function upright({ pen, height }, x) {
  pen.fillStyle = colour("ink");
  pen.fillRect(Math.round(x) - 1, 0, 2, height);
}

// Bars over [from, to], each of layers from below upwards: [colour, how many in each bar].
function drawLayers(canvas, layers, from, to, threshold) {
  const plot = prepare(canvas), { pen, width, height } = plot, count = layers[0][1].length;
  const sums = Array.from({ length: count }, (_, place) => layers.map(([, bars]) => bars[place]));
  const most = Math.max(1, ...sums.map((parts) => parts.reduce((sum, one) => sum + one, 0))), wide = width / count;
  sums.forEach((parts, place) => {
    // The whole bar first, and before it what is below its uppermost layer, and so on.
    for (let upper = parts.length - 1; upper >= 0; upper -= 1) {
      if (!parts[upper]) continue;
      const sum = parts.slice(0, upper + 1).reduce((sum, one) => sum + one, 0);
      const tall = Math.max(1.5, sum / most * (height - 8));
      pen.fillStyle = colour(layers[upper][0]);
      pen.fillRect(place * wide, height - tall, Math.max(1, wide - 1), tall);
    }
  });
  axis(plot, from, to);
  if (threshold !== null && threshold >= from && threshold <= to) {
    upright(plot, (threshold - from) / (to - from) * width);
  }
}

// Bars that are counted already; those from the threshold on are of what is kept.
function drawBars(canvas, bars, from, to, threshold) {
  const step = (to - from) / bars.length;
  const isKept = (place) => threshold === null || from + (place + 0.5) * step >= threshold;
  const those = (kept) => bars.map((count, place) => isKept(place) === kept ? count : 0);
  drawLayers(canvas, [["kept", those(true)], ["rejected", those(false)]], from, to, threshold);
}

// So many equal steps, and how many of the numbers are in each.
function binned(numbers, from, to, count) {
  const bars = new Array(count).fill(0);
  for (const at of numbers) {
    bars[Math.min(count - 1, Math.max(0, Math.floor((at - from) / (to - from) * count)))] += 1;
  }
  return bars;
}

// Shares from 0 to 1 up the left side.
function shares({ pen, width, height }) {
  [0, 0.5, 1].forEach((share) => {
    const y = 6 + (1 - share) * (height - 6);
    pen.fillStyle = colour("line");
    pen.fillRect(0, y, width, 1);
    pen.fillStyle = colour("soft");
    pen.fillText(percent(share, 0), 2, share === 1 ? y + 13 : y - 4);
  });
}

// A line, and its band where the points have one: { x, y, low, high }, the latter three 0 to 1.
function drawShare({ pen, height }, points, name, dash = []) {
  const y = (share) => 6 + (1 - share) * (height - 6);
  pen.strokeStyle = colour(name);
  pen.fillStyle = colour(name);
  if (points.some((point) => point.low !== undefined)) {
    pen.globalAlpha = 0.16;
    pen.beginPath();
    points.forEach((point) => pen.lineTo(point.x, y(point.high)));
    [...points].reverse().forEach((point) => pen.lineTo(point.x, y(point.low)));
    pen.fill();
    pen.globalAlpha = 1;
  }
  pen.lineWidth = 2;
  pen.setLineDash(dash);
  pen.beginPath();
  points.forEach((point) => pen.lineTo(point.x, y(point.y)));
  pen.stroke();
  pen.setLineDash([]);
}
