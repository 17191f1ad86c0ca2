//! The page of two runs in a browser.

use std::fs;

use pairgate::Verdict;
use serde_json::{Value, json};

use super::{compare, two_runs};
use crate::browser::Tab;
use crate::cli::text;
use crate::report::numbers;
use crate::support::data;

#[test]
fn the_page_shows_what_changed() {
    let Some(mut tab) = Tab::start() else { return };
    let (temp, a, b) = two_runs();
    let (pairs, page) = (text(&data("pairs")), temp.path().join("compare.html"));
    let told = compare(&[&a, &b, "--source", &pairs, "-o", &text(&page)]);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("Content-Security-Policy") && !html.contains("http://"));
    assert_eq!(numbers(&html, "data"), Value::Null);
    tab.open(&page);
    let shown = |tab: &mut Tab, id: &str| tab.text(&format!("byId('{id}').textContent"));
    assert_eq!(shown(&mut tab, "title"), "pairgate compare");
    assert_eq!(shown(&mut tab, "c-pairs"), "12");
    assert_eq!(shown(&mut tab, "c-changed"), told["changed"].to_string());
    assert_eq!(shown(&mut tab, "c-spearman"), "1.0000");
    for old in Verdict::ALL.map(Verdict::name) {
        for new in Verdict::ALL.map(Verdict::name) {
            let cell = shown(&mut tab, &format!("v-{old}-{new}"));
            assert_eq!(cell, told["verdicts"][old][new].to_string(), "{old} {new}");
        }
    }
    assert!(shown(&mut tab, "differences").contains("the threshold was -0.0618, it is 0.15"));
    // Something is drawn.
    let drawn = "['scatter', 'c-old', 'c-new'].map((id) => { const c = byId(id); \
        return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((x) => x); })";
    assert_eq!(tab.js(drawn), json!([true, true, true]));
    // Pairs that changed, with pictures: filtered, searched, sorted.
    let cards = told_cards(&html);
    let changes =
        "[...document.querySelectorAll('#changed-list .verdict')].map((v) => v.textContent)";
    assert_eq!(tab.js(changes).as_array().unwrap().len(), cards.len());
    assert!(tab.js("document.querySelectorAll('#changed-list img').length").as_u64() > Some(0));
    tab.js("{ const e = byId('changed-change'); e.value = 'kept -> rejected'; e.dispatchEvent(new Event('change')); }");
    let filtered: Vec<String> = serde_json::from_value(tab.js(changes)).unwrap();
    let wanted = cards.iter().filter(|card| card["change"]["name"] == "kept -> rejected").count();
    assert!(
        wanted > 0
            && filtered.len() == wanted
            && filtered.iter().all(|name| name == "kept -> rejected")
    );
    tab.js(
        "{ const e = byId('changed-change'); e.value = ''; e.dispatchEvent(new Event('change')); }",
    );
    let key = cards[0]["key"].as_str().unwrap();
    tab.js(&format!("{{ const e = byId('changed-search'); e.value = '{key}'; e.dispatchEvent(new Event('input')); }}"));
    assert_eq!(tab.js("document.querySelector('#changed-list .key').textContent"), key);
    // Tables are sorted by the column that is pressed.
    let reasons = "[...byId('c-reasons').querySelectorAll('tbody tr')].map((row) => row.cells[0].textContent)";
    tab.js("byId('c-reasons').querySelector('th button').click()");
    let up: Vec<String> = serde_json::from_value(tab.js(reasons)).unwrap();
    assert!(up.len() > 1 && up.is_sorted(), "{up:?}");
    tab.js("byId('c-reasons').querySelector('th button').click()");
    let down: Vec<String> = serde_json::from_value(tab.js(reasons)).unwrap();
    assert!(down.iter().rev().is_sorted(), "{down:?}");
    assert_eq!(tab.text("byId('c-reasons').querySelector('th').ariaSort"), "descending");
    tab.size(390, 900);
    tab.open(&page);
    assert_eq!(tab.js("document.documentElement.scrollWidth"), 390);
    tab.assert_well();
}

fn told_cards(html: &str) -> Vec<Value> {
    numbers(html, "compared")["cards"].as_array().unwrap().clone()
}
