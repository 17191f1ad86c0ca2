//! The predicted errors as a picture: a line a budget over the share that is kept, the least error marked.
//! SVG made by hand, in the report's colours, for light and dark.

use std::fmt::Write as _;

use super::law::{Choice, Plan};

const STYLE: &str = include_str!("plot.css");

/// The picture's size, and the margins of the plot in it, in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 78.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 56.0;
/// Least distance of two labels.
const LINE: f64 = 17.0;

/// What the picture shows.
#[derive(Debug)]
pub struct Picture<'a> {
    /// A plan a budget.
    pub plans: &'a [Plan],
    /// Samples in the whole pool.
    pub pool_samples: f64,
    /// A line on where the constants come from.
    pub source: &'a str,
    /// Whether they are declared to be invented.
    pub illustrative: bool,
}

/// The picture as an SVG file.
pub fn svg(picture: &Picture<'_>) -> String {
    let drawn = drawing(picture);
    let stamp = stamp(picture);
    let stamp = stamp.map_or(String::new(), |text| {
        format!("<text class=\"stamp\" x=\"{LEFT}\" y=\"14\">{text}</text>")
    });
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" role=\"img\" aria-label=\"Predicted error over the share kept\">\n\
         <style>{STYLE}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n{stamp}{drawn}</svg>\n"
    )
}

/// The picture as a page, with its numbers.
pub fn html(picture: &Picture<'_>) -> String {
    let stamp =
        stamp(picture).map_or(String::new(), |text| format!("<p class=\"stamp\">{text}</p>\n"));
    let tables: String =
        picture.plans.iter().map(|plan| table(plan, picture.pool_samples)).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>How much to keep</title>\n<style>{STYLE}</style>\n<body>\n<h1>How much to keep</h1>\n\
         <p class=\"soft\">{}</p>\n{stamp}\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Predicted error over the share kept\">\n\
         {}</svg>\n<div class=\"tables\">\n{tables}</div>\n</body>\n</html>\n",
        escaped(picture.source),
        drawing(picture)
    )
}

fn stamp(picture: &Picture<'_>) -> Option<&'static str> {
    picture.illustrative.then_some("Illustrative: the constants are declared to be invented.")
}

fn table(plan: &Plan, pool_samples: f64) -> String {
    let row = |(place, choice): (usize, &Choice)| {
        let class = if place == plan.best { " class=\"best\"" } else { "" };
        format!(
            "<tr{class}><td>{}<td>{}<td>{:.1}<td>{:.4}\n",
            percent(choice.kept_samples / pool_samples),
            count(choice.kept_samples),
            choice.repeats,
            choice.error
        )
    };
    let rows: String = plan.choices.iter().enumerate().map(row).collect();
    format!(
        "<table>\n<caption>{} samples seen</caption>\n<tr><th>keep<th>samples<th>repeats<th>error\n{rows}</table>\n",
        count(plan.samples)
    )
}

/// Axes, lines and labels.
fn drawing(picture: &Picture<'_>) -> String {
    let errors =
        picture.plans.iter().flat_map(|plan| plan.choices.iter().map(|choice| choice.error));
    let (low, high) = errors.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), error| {
        (low.min(error), high.max(error))
    });
    let (low, high, step) = scale(low, high);
    let shares = picture.plans.iter().flat_map(|plan| &plan.choices);
    let most = shares.map(|choice| choice.kept_samples / picture.pool_samples).fold(0.0, f64::max);
    let frame = Frame { low, high, most, pool: picture.pool_samples };
    let mut text = String::new();
    let ticks = ((high - low) / step).round() as usize;
    for tick in 0..=ticks {
        let error = low + step * tick as f64;
        let y = frame.y(error);
        let _ = writeln!(
            text,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0,
            decimals(error, step)
        );
    }
    text += &frame.shares(picture.plans);
    let mut labels = Vec::new();
    for plan in picture.plans {
        text += &frame.line(plan);
        if let Some(last) = plan.choices.last() {
            labels.push((frame.y(last.error), count(plan.samples)));
        }
    }
    for (y, label) in apart(labels) {
        let _ = writeln!(
            text,
            "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
            WIDTH - RIGHT + 12.0,
            y + 4.0
        );
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    let _ = writeln!(
        text,
        "<text class=\"axis\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">share of the pool that is kept</text>\n\
         <text class=\"axis\" transform=\"translate(16 {:.1}) rotate(-90)\" text-anchor=\"middle\">predicted error</text>\n\
         <text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\">seen</text>",
        HEIGHT - 14.0,
        (TOP + HEIGHT - BOTTOM) / 2.0,
        WIDTH - RIGHT + 12.0,
        TOP - 12.0
    );
    text
}

/// Where values lie in the picture.
struct Frame {
    low: f64,
    high: f64,
    /// Largest share.
    most: f64,
    pool: f64,
}

impl Frame {
    fn x(&self, kept_samples: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (kept_samples / self.pool / self.most).min(1.0)
    }

    fn y(&self, error: f64) -> f64 {
        let part = (error - self.low) / (self.high - self.low);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part
    }

    /// The shares below the axis, not more than fit.
    fn shares(&self, plans: &[Plan]) -> String {
        let Some(plan) = plans.first() else { return String::new() };
        let each = plan.choices.len().div_ceil(10);
        let shown = plan.choices.iter().filter(|choice| choice.buckets % each == 0);
        let tick = |choice: &Choice| {
            let x = self.x(choice.kept_samples);
            format!(
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                HEIGHT - BOTTOM + 20.0,
                percent(choice.kept_samples / self.pool)
            )
        };
        shown.map(tick).collect()
    }

    fn line(&self, plan: &Plan) -> String {
        let point = |choice: &Choice| {
            format!("{:.1},{:.1}", self.x(choice.kept_samples), self.y(choice.error))
        };
        let points: Vec<String> = plan.choices.iter().map(point).collect();
        let mut text = format!("<polyline class=\"line\" points=\"{}\"/>\n", points.join(" "));
        for (place, choice) in plan.choices.iter().enumerate() {
            let (x, y) = (self.x(choice.kept_samples), self.y(choice.error));
            let (class, radius) = if place == plan.best { ("best", 6.0) } else { ("point", 3.0) };
            let _ = write!(
                text,
                "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"><title>keep {}, {} seen: {:.4}</title></circle>",
                percent(choice.kept_samples / self.pool),
                count(plan.samples),
                choice.error
            );
        }
        text + "\n"
    }
}

/// Ends of an axis that holds both values, and the step of its ticks: 1, 2 or 5 of a power of ten.
fn scale(low: f64, high: f64) -> (f64, f64, f64) {
    let span = (high - low).max(1e-4);
    let power = 10f64.powf((span / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    let step = step.into_iter().find(|step| span / step <= 6.0).unwrap_or(span);
    let (bottom, top) = ((low / step).floor() * step, (high / step).ceil() * step);
    (bottom, if top > bottom { top } else { bottom + step }, step)
}

/// Labels moved down until none lies on another, and up where the last would leave the picture.
fn apart(mut labels: Vec<(f64, String)>) -> Vec<(f64, String)> {
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    for place in 1..labels.len() {
        labels[place].0 = labels[place].0.max(labels[place - 1].0 + LINE);
    }
    let mut most = HEIGHT - BOTTOM;
    for label in labels.iter_mut().rev() {
        label.0 = label.0.min(most);
        most = label.0 - LINE;
    }
    labels
}

fn decimals(value: f64, step: f64) -> String {
    let places = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.places$}")
}

/// A number of samples as people say it: 12.8M.
pub fn count(samples: f64) -> String {
    let (value, unit) = match samples {
        1e9.. => (samples / 1e9, "B"),
        1e6.. => (samples / 1e6, "M"),
        1e3.. => (samples / 1e3, "k"),
        _ => (samples, ""),
    };
    let text = if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// A share in percent, with a decimal where it needs one.
pub fn percent(share: f64) -> String {
    let text = format!("{:.1}", 100.0 * share);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
