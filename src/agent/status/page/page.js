"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const number = (value) => value.toLocaleString("en");
  const percent = (share) => (100 * share).toFixed(1) + " %";
  const EVERY = 2000, PATIENCE = 10000, SHOWN = 24;

  let now = null, heard = 0, newest = 0, sheets = { kept: [], rejected: [] };

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function bytes(count) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = 0, value = count;
    while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
    return (unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)) + " " + units[unit];
  }

  function lasting(seconds) {
    const s = Math.floor(seconds);
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min";
    if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
    return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
  }

  function span(seconds) {
    if (seconds === null || seconds === undefined) return "-";
    if (seconds >= 1) return (seconds >= 10 ? seconds.toFixed(0) : seconds.toFixed(1)) + " s";
    const ms = 1000 * seconds;
    return (ms >= 10 ? ms.toFixed(0) : ms >= 1 ? ms.toFixed(1) : ms.toFixed(2)) + " ms";
  }

  function set(id, text) {
    const element = byId(id);
    if (element.textContent !== text) element.textContent = text;
    return element;
  }

  // A tile's number; one of many digits is smaller.
  function count(id, value) {
    const text = number(value);
    set(id, text).className = text.length > 10 ? "longer" : text.length > 8 ? "long" : "";
  }

  function prepare(canvas) {
    const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "12px system-ui, sans-serif";
    return { pen, width: box.width, height: box.height - 18 };
  }

  function base(pen, width, height) {
    pen.fillStyle = colour("line");
    pen.fillRect(0, height, width, 1);
    pen.fillStyle = colour("soft");
  }

  // The part of [-1, 1] that holds the scores and the threshold, with a little room.
  function reach(scores) {
    const width = 2 / scores.bins.length, ends = [];
    scores.bins.forEach((count, bin) => { if (count) ends.push(-1 + bin * width, -1 + (bin + 1) * width); });
    if (scores.threshold !== null) ends.push(scores.threshold);
    if (!ends.length) return [-0.1, 0.4];
    const low = Math.min(...ends), high = Math.max(...ends), room = Math.max((high - low) * 0.04, 0.01);
    return [low - room, high + room];
  }

  function drawHistogram(scores) {
    const { pen, width, height } = prepare(byId("histogram"));
    base(pen, width, height);
    if (!scores.count) pen.fillText("no scores yet", 0, height - 8);
    const [left, right] = reach(scores), wide = 2 / scores.bins.length;
    const place = (score) => (score - left) / (right - left) * width;
    // Neighbours go together where a bar would be thinner than a few pixels.
    const joined = Math.max(1, Math.ceil(5 / (place(left + wide) || 1)));
    const bars = [];
    for (let bin = 0; bin < scores.bins.length; bin += joined) {
      let count = 0;
      for (let i = bin; i < Math.min(bin + joined, scores.bins.length); i += 1) count += scores.bins[i];
      bars.push({ from: -1 + bin * wide, to: -1 + (bin + joined) * wide, count });
    }
    const most = Math.max(1, ...bars.map((bar) => bar.count));
    for (const bar of bars) {
      if (!bar.count) continue;
      const passes = scores.threshold === null || (bar.from + bar.to) / 2 >= scores.threshold;
      pen.fillStyle = colour(passes ? "kept" : "rejected");
      const tall = Math.max(2, bar.count / most * (height - 6)), x = place(bar.from);
      pen.fillRect(x, height - tall, Math.max(2, place(bar.to) - x - 1), tall);
    }
    pen.fillStyle = colour("soft");
    const step = Math.pow(10, Math.floor(Math.log10((right - left) / 2)));
    const tick = (right - left) / step > 12 ? 5 * step : (right - left) / step > 5 ? 2 * step : step;
    const digits = Math.max(0, -Math.floor(Math.log10(tick)));
    for (let at = Math.ceil(left / tick) * tick; at < right; at += tick) {
      const text = (Math.abs(at) < tick / 2 ? 0 : at).toFixed(digits);
      pen.fillText(text, Math.min(Math.max(place(at) - 10, 0), width - 28), height + 15);
    }
    if (scores.threshold !== null) {
      pen.fillStyle = colour("mark");
      pen.fillRect(place(scores.threshold) - 1, 0, 2, height);
    }
  }

  function showScores(scores) {
    drawHistogram(scores);
    const parts = [];
    if (scores.threshold !== null) parts.push("threshold " + scores.threshold.toFixed(4));
    const median = scores.quantiles.find(([rank]) => rank === 0.5);
    if (median) parts.push("median " + median[1].toFixed(4));
    if (scores.count) parts.push(`of the last ${number(scores.count)} scores`);
    if (scores.drift) {
      const alarm = scores.drift_alarm > 0 && scores.drift.psi > scores.drift_alarm;
      parts.push(`drift PSI ${scores.drift.psi.toFixed(3)}` + (alarm ? ": not as the model was calibrated" : ""));
    }
    set("scores", parts.join(", "));
  }

  function drawRate(seconds) {
    const { pen, width, height } = prepare(byId("rate"));
    base(pen, width, height);
    const COUNT = 120, wide = width / COUNT;
    const most = Math.max(1, ...seconds.map(([decided]) => decided));
    const first = COUNT - seconds.length;
    seconds.forEach(([decided, kept], second) => {
      const x = (first + second) * wide, bar = Math.max(1, wide - (wide > 4 ? 1 : 0));
      const tall = decided / most * (height - 18), green = kept / most * (height - 18);
      pen.fillStyle = colour("rejected");
      pen.fillRect(x, height - tall, bar, tall - green);
      pen.fillStyle = colour("kept");
      pen.fillRect(x, height - green, bar, green);
    });
    pen.fillStyle = colour("soft");
    pen.fillText(number(most) + (most === 1 ? " pair/s" : " pairs/s"), 0, 11);
    pen.fillText("2 min ago", 0, height + 15);
    const text = "now";
    pen.fillText(text, width - pen.measureText(text).width, height + 15);
  }

  function showReasons(rows) {
    const most = Math.max(1, ...rows.map((row) => row.count));
    byId("reasons").replaceChildren(...rows.flatMap((row) => {
      const strip = make("div", "bar"), piece = make("div", row.verdict);
      piece.style.width = `${100 * row.count / most}%`;
      strip.append(piece);
      strip.title = `${row.verdict}: ${number(row.count)}`;
      return [make("div", "name", row.reason.replaceAll("_", " ")), strip, make("div", "count", number(row.count))];
    }));
    if (!rows.length) byId("reasons").replaceChildren(make("p", "hint", "no pair was decided yet"));
  }

  function level(name, words, share, state) {
    const box = make("div"), line = make("div", "words");
    line.append(make("span", "", name), make("span", "", words));
    box.append(line);
    if (share !== null) {
      const track = make("div", "track"), fill = make("div", "fill " + (state || ""));
      fill.style.width = `${Math.min(100, Math.max(0, 100 * share))}%`;
      track.append(fill);
      box.append(track);
    }
    return box;
  }

  const fullness = (share) => share > 0.95 ? "hot" : share > 0.85 ? "warm" : "";

  function showMachine(all) {
    const { machine, spool } = all, rows = [];
    if (machine.used_bytes !== null) {
      const share = all.max_bytes ? machine.used_bytes / all.max_bytes : null;
      const of = all.max_bytes ? ` of ${bytes(all.max_bytes)}` : "";
      rows.push(level("shards", bytes(machine.used_bytes) + of, share));
    }
    if (machine.free_bytes !== null) {
      const share = 1 - machine.free_bytes / Math.max(1, machine.total_bytes);
      rows.push(level("disk", `${bytes(machine.free_bytes)} free of ${bytes(machine.total_bytes)}`, share, fullness(share)));
    }
    if (spool) {
      const share = spool.bytes / Math.max(1, spool.max_bytes);
      rows.push(level("spool", `${number(spool.pairs)} pairs, ${bytes(spool.bytes)} of ${bytes(spool.max_bytes)}`,
        share, spool.is_full ? "hot" : fullness(share)));
    }
    if (machine.celsius !== null) {
      const { celsius } = machine;
      const state = celsius >= all.hot_celsius ? "hot" : celsius >= all.warm_celsius ? "warm" : "";
      const words = `${celsius.toFixed(1)} \u00b0C` + (state ? `, ${state}` : "");
      rows.push(level("temperature", words, (celsius - 20) / Math.max(1, all.hot_celsius - 20), state));
    }
    if (machine.resident_bytes !== null) rows.push(level("memory of the process", bytes(machine.resident_bytes), null));
    for (const [name, pairs] of all.queues) {
      rows.push(level(name === "frames" ? "frames waiting" : "pairs waiting for a worker", number(pairs), null));
    }
    if (all.frames) {
      const { read, shed, early, backed_off: off } = all.frames;
      const left = [[shed, "shed"], [early, "within the interval"], [off, "for heat or battery"]].filter(([count]) => count);
      const words = left.map(([count, why]) => `${number(count)} ${why}`).join(", ");
      rows.push(level("frames of the camera", number(read), null));
      if (words) rows.push(level("left out", words, null));
    }
    byId("machine").replaceChildren(...rows);
  }

  function showLatencies(rows) {
    byId("latency").replaceChildren(...rows.map((row) => {
      const line = make("tr"), mean = row.count ? row.sum_seconds / row.count : null;
      const name = row.step === "pair" ? "all, with waiting" : row.step;
      const bound = (seconds) => row.count && seconds === null ? "over 10 s" : span(seconds);
      const cells = [name, number(row.count), span(mean), bound(row.median_seconds), bound(row.p99_seconds)];
      line.append(...cells.map((text) => make("td", "", text)));
      return line;
    }));
  }

  function card(pair) {
    const figure = make("figure");
    if (pair.thumbnail) {
      const image = make("img");
      image.src = pair.thumbnail;
      image.alt = "";
      figure.append(image);
    } else {
      figure.append(make("div", "none", "no picture"));
    }
    const caption = make("figcaption");
    const reason = pair.reason.replaceAll("_", " ");
    caption.append(make("span", "score", pair.score === null ? reason : pair.score.toFixed(4)));
    caption.append(make("span", "text", pair.caption));
    caption.append(make("span", "key", new Date(pair.time_ms).toLocaleTimeString()));
    const size = pair.width ? `, ${pair.width} x ${pair.height}` : "";
    caption.title = `${pair.key}: ${pair.verdict}, ${reason}${size}\n${pair.caption}`;
    figure.append(caption);
    return figure;
  }

  function showLatest(all) {
    byId("latest").hidden = all.thumbnails === 0;
    for (const pair of all.latest) {
      newest = Math.max(newest, pair.id);
      const sheet = byId(pair.verdict === "kept" ? "kept" : "rejected");
      sheet.prepend(card(pair));
      while (sheet.childElementCount > Math.min(SHOWN, all.thumbnails)) sheet.lastElementChild.remove();
    }
    for (const name of ["kept", "rejected"]) byId("no-" + name).hidden = byId(name).childElementCount > 0;
  }

  function showState(all) {
    const pill = byId("state"), well = !all.stalled;
    const state = well ? all.state : "stalled";
    set("state", state);
    pill.className = "pill " + (!well ? "bad" : all.state === "running" ? "good" : "busy");
    const trouble = byId("trouble");
    trouble.hidden = well;
    trouble.textContent = all.stalled || "";
    set("title", "pairgate " + all.command);
    document.title = `${state}, ${all.pairs_per_second.toFixed(1)}/s - pairgate ${all.command}`;
    const model = all.model ? `, model ${all.model.slice(0, 12)}` : "";
    set("about", `up ${lasting(all.uptime_seconds)}${model}, version ${all.version}`);
  }

  function show() {
    const all = now, { pairs } = all;
    // Before anything is drawn: what is hidden has no size.
    byId("main").hidden = false;
    const decided = pairs.kept + pairs.rejected + pairs.failed;
    showState(all);
    set("n-rate", all.pairs_per_second.toFixed(all.pairs_per_second < 100 ? 1 : 0));
    set("n-share", decided ? percent(pairs.kept / decided) : "-");
    for (const name of ["received", "kept", "rejected", "failed", "dropped"]) count("n-" + name, pairs[name]);
    count("n-flight", pairs.in_flight);
    byId("n-dropped").parentElement.classList.toggle("bad", pairs.dropped > 0);
    showScores(all.scores);
    drawRate(all.seconds);
    showReasons(all.reasons);
    showMachine(all);
    showLatencies(all.latencies);
    showLatest(all);
  }

  function away(why) {
    document.body.classList.add("away");
    const since = heard ? ` for ${lasting((Date.now() - heard) / 1000)}` : "";
    set("state", "no answer");
    byId("state").className = "pill bad";
    const trouble = byId("trouble");
    trouble.hidden = false;
    const last = heard ? " What is shown is the last that it said." : "";
    trouble.textContent = `The server gives no answer${since}: ${why}.${last}`;
    document.title = "no answer - pairgate";
  }

  async function ask() {
    const token = sessionStorage.getItem("token");
    const headers = token ? { Authorization: "Bearer " + token } : {};
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch("status.json?latest=" + newest, { headers, signal, cache: "no-store" });
    byId("locked").hidden = answer.status !== 401;
    if (answer.status === 401) {
      set("state", "locked").className = "pill busy";
      byId("trouble").hidden = true;
      return;
    }
    if (!answer.ok) throw new Error("status " + answer.status);
    const all = await answer.json();
    if (now && all.uptime_seconds < now.uptime_seconds) {
      // It was started anew, and counts from the beginning.
      newest = 0;
      byId("kept").replaceChildren();
      byId("rejected").replaceChildren();
    }
    now = all;
    heard = Date.now();
    document.body.classList.remove("away");
    show();
  }

  let waits = null;

  async function round() {
    clearTimeout(waits);
    waits = null;
    try {
      await ask();
    } catch (error) {
      away(error.message);
    }
    // Nobody looks at a hidden page: it asks again when it is shown.
    if (!document.hidden) waits = setTimeout(round, EVERY);
  }

  byId("unlock").addEventListener("click", () => {
    sessionStorage.setItem("token", byId("token").value.trim());
    byId("token").value = "";
    round();
  });
  byId("token").addEventListener("keydown", (event) => { if (event.key === "Enter") byId("unlock").click(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && waits === null) round(); });
  window.addEventListener("resize", () => { if (now) { drawHistogram(now.scores); drawRate(now.seconds); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (now) { drawHistogram(now.scores); drawRate(now.seconds); }
  });
  round();
})();
