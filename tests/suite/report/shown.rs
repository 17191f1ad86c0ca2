//! The page in a browser: what moves, what is found, what is marked.

use std::fs;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{Reported, numbers};
use crate::browser::Tab;
use crate::cli::{pairgate, run, text};
use crate::support::data;

/// What the page holds of strangers: markup that would load, run and restyle.
const HOSTILE: &str = "</script><script>document.title='taken'</script>\
    <img src=nowhere onerror=\"document.title='taken'\"><style>*{display:none}</style> & a \"door\"";

fn shown(tab: &mut Tab, id: &str) -> u64 {
    let text = tab.text(&format!("document.getElementById('{id}').textContent"));
    text.replace(',', "").parse().unwrap()
}

/// Moves the slider as a hand does, and waits until all has followed.
fn slide(tab: &mut Tab, to: &str) {
    tab.js(&format!(
        "{{ const s = document.getElementById('threshold'); s.value = {to}; \
           s.dispatchEvent(new Event('input')); }} \
         new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))"
    ));
}

#[test]
fn the_slider_moves_everything() {
    let Some(mut tab) = Tab::start() else { return };
    let pairs = text(&data("pairs"));
    let reported = Reported::of_samples(&["--source", &pairs]);
    tab.open(&reported.page);
    for (id, key) in
        [("n-pairs", "in"), ("n-kept", "kept"), ("n-rejected", "rejected"), ("n-failed", "failed")]
    {
        assert_eq!(shown(&mut tab, id), reported.count(key), "{id}");
    }
    assert!(tab.text("byId('now').textContent").contains("(as recorded)"));
    let recorded = reported.count("kept");
    // What a reader sees of each part, and how much of the histogram has the colour of what is kept.
    let seen = "[byId('reasons').innerText, byId('groups').innerText, byId('spread').innerText, \
        byId('command-list').textContent, byId('below').children.length + ' ' + byId('above').children.length, \
        [...document.querySelectorAll('#pairs-list .verdict')].map((v) => v.textContent).join(' '), \
        (() => { const c = byId('histogram'), p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
          const wanted = colour('kept').match(/[0-9a-f]{2}/g).map((x) => parseInt(x, 16)); let n = 0; \
          for (let i = 0; i < p.length; i += 4) n += wanted.every((x, j) => p[i + j] === x); return n; })()]";
    let mut look = |to: &str| {
        slide(&mut tab, to);
        let kept = (shown(&mut tab, "n-kept"), shown(&mut tab, "n-rejected"));
        (kept, tab.js(seen))
    };
    let all = reported.count("in");
    let (low, high) = (look("s.min"), look("s.max"));
    assert_eq!((low.0, high.0), ((9, all - 9), (0, all)));
    for (part, (low, high)) in
        low.1.as_array().unwrap().iter().zip(high.1.as_array().unwrap()).enumerate()
    {
        assert_ne!(low, high, "part {part} stays");
    }
    let (low, high) = (&low.1, &high.1);
    assert!(low[0].as_str().unwrap().contains("passed") && low[6].as_u64() > Some(0));
    assert!(high[1].as_str().unwrap().contains("0 of 12"), "{high}");
    assert_eq!(high[6], 0, "nothing is kept, and nothing has its colour");
    tab.js("byId('reset').click()");
    assert_eq!(shown(&mut tab, "n-kept"), recorded);
    tab.assert_well();
}

#[test]
fn pairs_are_searched_sorted_and_filtered() {
    let Some(mut tab) = Tab::start() else { return };
    let pairs = text(&data("pairs"));
    let reported = Reported::of_samples(&["--source", &pairs]);
    tab.open(&reported.page);
    let keys = "[...document.querySelectorAll('#pairs-list .key')].map((key) => key.textContent)";
    let set = |tab: &mut Tab, id: &str, value: &str, event: &str| {
        tab.js(&format!(
            "{{ const e = byId('{id}'); e.value = {value}; e.dispatchEvent(new Event('{event}')); }}"
        ));
    };
    assert_eq!(tab.js(keys).as_array().unwrap().len(), 12);
    set(&mut tab, "pairs-search", "'SUN ocean'", "input");
    assert_eq!(tab.js(keys), json!(["sunset"]), "words of caption and key, in any case");
    assert_eq!(tab.text("byId('pairs-count').textContent"), "1 of 12 shown pairs");
    set(&mut tab, "pairs-search", "'image too small'", "input");
    assert_eq!(tab.js(keys), json!(["thumbnail"]), "the reason");
    set(&mut tab, "pairs-search", "''", "input");
    set(&mut tab, "pairs-reason", "'low_similarity'", "change");
    assert_eq!(
        tab.js("byId('pairs-list').children.length"),
        reported.summary["rejected_reasons"]["low_similarity"]
    );
    set(&mut tab, "pairs-reason", "''", "change");
    set(&mut tab, "pairs-source", "byId('pairs-source').options[1].value", "change");
    assert_eq!(tab.js("byId('pairs-list').children.length"), 12);
    let sort = |tab: &mut Tab, name: &str| {
        let script = format!(
            "[...byId('pairs-sort').options].find((option) => option.textContent === '{name}').value"
        );
        set(tab, "pairs-sort", &script, "change");
    };
    sort(&mut tab, "key");
    let by_key = tab.js(keys);
    let mut sorted: Vec<String> = serde_json::from_value(by_key.clone()).unwrap();
    sorted.sort();
    assert_eq!(by_key, json!(sorted));
    let scores = "[...document.querySelectorAll('#pairs-list .score')].map((s) => Number(s.textContent)).filter((s) => !isNaN(s))";
    for (name, order) in [("highest score", -1.0), ("lowest score", 1.0)] {
        sort(&mut tab, name);
        let scores: Vec<f64> = serde_json::from_value(tab.js(scores)).unwrap();
        assert_eq!(scores.len(), 9);
        assert!(
            scores.windows(2).all(|two| (two[1] - two[0]) * order >= 0.0),
            "{name}: {scores:?}"
        );
    }
    sort(&mut tab, "longest caption");
    let lengths = "data.cards.map((card) => card.length).sort((a, b) => b - a)[0] === \
        data.cards.find((card) => card.key === document.querySelector('#pairs-list .key').textContent).length";
    assert_eq!(tab.js(lengths), true);
    tab.assert_well();
}

#[test]
fn marks_give_precision_and_recall_and_are_kept_given_and_taken() {
    let Some(mut tab) = Tab::start() else { return };
    let pairs = text(&data("pairs"));
    let reported = Reported::of_samples(&["--source", &pairs]);
    tab.open(&reported.page);
    // The four best: good, bad, good, good; the worst: good. By hand and by keys.
    tab.js("document.querySelectorAll('#pairs-list .card')[0].focus()");
    for key in ["g", "ArrowRight", "b", "ArrowRight", "g"] {
        tab.press(key);
    }
    tab.js("document.querySelectorAll('#pairs-list .mark.good')[3].click(); \
            mark(data.cards.filter(isPooled).sort((a, b) => a.score - b.score)[0], 'good')");
    assert_eq!(
        tab.js("[...marks.values()].map((one) => one.mark)"),
        json!(["good", "bad", "good", "good", "good"])
    );
    // At the fourth best score.
    slide(&mut tab, "(data.scores[4] + data.scores[5]) / 2");
    assert_eq!(tab.text("byId('marks-precision').textContent"), "75 %");
    assert_eq!(tab.text("byId('marks-recall').textContent"), "75 %");
    let told = tab.text("byId('estimates').textContent");
    // Wilson's interval of 3 in 4 is 30.1 to 95.4 %.
    assert!(told.contains("3 of 4") && told.contains("30 % to 95 %"), "{told}");
    slide(&mut tab, "s.min");
    assert_eq!(tab.text("byId('marks-precision').textContent"), "80 %");
    assert_eq!(tab.text("byId('marks-recall').textContent"), "100 %");
    assert_eq!(tab.js("wilson(0, 0)"), json!([0, 1]));
    // They are kept by the browser.
    tab.open(&reported.page);
    assert_eq!(tab.js("marks.size"), 5);
    assert_eq!(
        tab.js("document.querySelectorAll('#pairs-list .mark[aria-pressed=true]').length"),
        5
    );
    // What export hands over.
    let lines = tab.text(
        "new Promise((done) => { const make = URL.createObjectURL; \
           URL.createObjectURL = (blob) => { blob.text().then(done); return make(blob); }; \
           byId('marks-export').click(); })",
    );
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    let data = numbers(&reported.html(), "data");
    for line in &lines {
        let fields: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted = ["uid", "key", "shard", "mark", "score"];
        wanted.sort_unstable();
        assert_eq!(fields, wanted);
        let same = |card: &&Value| card["uid"] == line["uid"];
        let card = data["cards"].as_array().unwrap().iter().find(same).unwrap();
        for field in ["key", "shard", "score"] {
            assert_eq!(card[field], line[field]);
        }
    }
    // Marks of a colleague, of a pair that is not shown too, and lines that are none.
    let others = [
        json!({ "uid": "0".repeat(32), "key": "else", "shard": "s", "mark": "bad", "score": 0.5 })
            .to_string(),
        json!({ "uid": lines[0]["uid"], "key": "k", "shard": "s", "mark": "bad", "score": 0.5 })
            .to_string(),
        json!({ "uid": "short", "mark": "good" }).to_string(),
        json!({ "uid": "1".repeat(32), "mark": "fine" }).to_string(),
        "no JSON".to_owned(),
    ];
    tab.js(&format!(
        "{{ const file = new DataTransfer(); file.items.add(new File([{}], 'marks.jsonl')); \
           byId('marks-file').files = file.files; byId('marks-file').dispatchEvent(new Event('change')); }}",
        json!(others.join("\n"))
    ));
    tab.wait("byId('marks-told').textContent.startsWith('1 marks more; 3 lines are no marks')");
    assert_eq!(tab.js("[...marks.values()].filter((one) => one.mark === 'bad').length"), 3);
    // A second press takes a mark away; all are cleared after a question.
    tab.js("byId('marks-clear').click(); byId('marks-clear').click()");
    assert_eq!(tab.js("[marks.size, byId('marks-export').disabled]"), json!([0, true]));
    tab.js("document.querySelector('#pairs-list .mark.bad').click()");
    assert_eq!(tab.js("marks.size"), 1);
    tab.js("document.querySelector('#pairs-list .mark.bad').click()");
    assert_eq!(tab.js("marks.size"), 0);
    tab.open(&reported.page);
    assert_eq!(tab.js("marks.size"), 0);
    tab.assert_well();
}

#[test]
fn a_picture_is_enlarged_and_a_caption_opened() {
    let Some(mut tab) = Tab::start() else { return };
    let pairs = text(&data("pairs"));
    let reported = Reported::of_samples(&["--source", &pairs]);
    tab.open(&reported.page);
    let titles =
        "[...document.querySelectorAll('#pairs-list .score')].map((score) => score.textContent)";
    let titles: Vec<String> = serde_json::from_value(tab.js(titles)).unwrap();
    let title = "byId('zoom-title').textContent";
    tab.js("document.querySelector('#pairs-list .picture').click()");
    assert_eq!((tab.js("byId('zoom').open"), tab.text(title)), (json!(true), titles[0].clone()));
    tab.press("ArrowRight");
    tab.press("ArrowRight");
    tab.press("ArrowLeft");
    assert_eq!(tab.text(title), titles[1]);
    tab.press("b");
    assert_eq!(tab.js("[...marks.values()].map((one) => one.mark)"), json!(["bad"]));
    assert_eq!(tab.js("document.querySelectorAll('#zoom .mark.bad[aria-pressed=true]').length"), 1);
    assert_eq!(
        tab.js("document.querySelectorAll('#pairs-list .mark.bad[aria-pressed=true]').length"),
        1
    );
    tab.press("Escape");
    tab.wait("!byId('zoom').open");
    // Back among the pairs, at the one that was looked at last.
    tab.wait("document.activeElement.matches('#pairs-list .card:nth-child(2)')");
    tab.press("Enter");
    assert_eq!((tab.js("byId('zoom').open"), tab.text(title)), (json!(true), titles[1].clone()));
    tab.js("byId('zoom-close').click()");
    // A long caption shows some lines, and all of them when it is pressed.
    let caption = "document.querySelector('#pairs-list .caption')";
    tab.js(&format!("{caption}.textContent = 'word '.repeat(60)"));
    let height = format!("{caption}.offsetHeight");
    let closed = tab.js(&height).as_u64().unwrap();
    tab.js(&format!("{caption}.click()"));
    assert_eq!(tab.js(&format!("{caption}.ariaExpanded")), "true");
    let open = tab.js(&height).as_u64().unwrap();
    assert!(open > 2 * closed, "{open} {closed}");
    tab.js(&format!("{caption}.click()"));
    assert_eq!(tab.js(&height), closed);
    tab.assert_well();
}

/// Keys, captions and inputs' names are text, wherever they are shown.
#[test]
fn what_strangers_wrote_stays_text() {
    let Some(mut tab) = Tab::start() else { return };
    let temp = tempdir().unwrap();
    let folder = temp.path().join("<img src=nowhere onerror=document.title=1>");
    fs::create_dir(&folder).unwrap();
    let stem = "<b onmouseover=document.title=1>";
    fs::copy(data("pairs/sunset.jpg"), folder.join(format!("{stem}.jpg"))).unwrap();
    fs::write(folder.join(format!("{stem}.txt")), HOSTILE).unwrap();
    let reported = Reported::of(&folder, &[], &["--source", &text(&folder)]);
    tab.open(&reported.page);
    tab.js("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
    tab.js("document.querySelector('#pairs-list .picture').click()");
    assert_eq!(tab.text("document.title"), "pairgate report");
    assert_eq!(tab.text("document.querySelector('#pairs-list .caption').textContent"), HOSTILE);
    assert_eq!(tab.text("byId('zoom-caption').textContent"), HOSTILE);
    // No element of the page but its own: pictures are data, nothing handles events by an attribute.
    let strange = "[...document.querySelectorAll('*')].filter((one) => one.tagName === 'B' && !one.closest('.tile') || \
        one.tagName === 'IMG' && !one.src.startsWith('data:') || \
        one.getAttributeNames().some((name) => name.startsWith('on'))).length";
    assert_eq!(tab.js(strange), 0);
    assert_eq!(tab.js("document.querySelectorAll('script').length"), 3);
    assert!(tab.text("byId('facts').textContent").contains("<img src=nowhere"));
    assert!(tab.text("byId('command-list').textContent").contains("'/"), "quoted for a shell");
    tab.assert_well();
}

/// Nothing sticks out at a telephone's width, and what is not on the page is asked of nobody.
#[test]
fn the_page_fits_any_width() {
    let Some(mut tab) = Tab::start() else { return };
    let pairs = text(&data("pairs"));
    let reported = Reported::of_samples(&["--source", &pairs]);
    let (kept, both) =
        (text(&reported.temp.path().join("kept")), reported.temp.path().join("both.html"));
    let other = text(&reported.temp.path().join("other"));
    run(pairgate(["filter", &pairs, "-o", &other, "--threshold", "0.15"]), 0);
    run(pairgate(["report", &kept, &other, "--source", &pairs, "-o", &text(&both)]), 0);
    for page in [&reported.page, &both] {
        for width in [390, 768, 1280] {
            tab.size(width, 900);
            tab.open(page);
            tab.js("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
            let fits = format!(
                "{{ const page = document.documentElement; \
                   page.scrollWidth <= page.clientWidth && page.clientWidth <= {width}; }}"
            );
            assert_eq!(tab.js(&fits), true, "{} at {width}", page.display());
            tab.assert_well();
        }
    }
}
