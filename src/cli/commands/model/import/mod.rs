//! `pairgate model import`: a bundle from a folder that people have.

mod args;

use std::error::Error;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::cli::terminal::print;
use crate::model::import::{Import, Imported, import};

pub use args::ImportArgs;

/// Runs the command.
pub fn run(args: &ImportArgs) -> Result<ExitCode, Box<dyn Error>> {
    let wanted = Import {
        folder: args.folder.clone(),
        variant: args.variant.clone(),
        settings: args.settings.clone(),
        golden: args.golden.clone(),
    };
    let imported = import(&wanted, &args.output, &mut |step| log::info!("{step}"))?;
    let text =
        if args.json { format!("{:#}\n", as_json(&imported)) } else { table(args, &imported) };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(imported: &Imported) -> Value {
    let value = |told: &crate::model::import::Finding| {
        (told.key.clone(), json!({"value": told.value, "from": told.from}))
    };
    let told: Map<String, Value> = imported.told.iter().map(value).collect();
    json!({
        "digest": imported.model.digest().to_string(),
        "checked_against": imported.checked_against,
        "manifest": told,
    })
}

fn table(args: &ImportArgs, imported: &Imported) -> String {
    let mut text = String::new();
    for told in &imported.told {
        // One line a value, of 80 columns: what it is, then where it comes from.
        let value = shortened(&told.value.to_string(), 23);
        text += &format!("{:<20} {value:<23} {}\n", told.key, shortened(&nearest(&told.from), 35));
    }
    let output = args.output.display();
    match &imported.checked_against {
        Some(golden) => text += &format!("\n{output} agrees with {golden}\n"),
        None => {
            text += &format!(
                "\nnothing to check {output} against: no golden file. models/export/golden_of.py makes\n\
                 one of an ONNX folder; then: pairgate model verify {output} --golden FILE\n"
            );
        }
    }
    text + &format!("use it: pairgate filter IN --model {output} --keep 15% -o kept\n")
}

/// A file and key with the tables around the key left out.
fn nearest(from: &str) -> String {
    match from.split_once(".json ") {
        Some((file, key)) => {
            format!("{file}.json {}", key.rsplit('.').next().unwrap_or(key))
        }
        None => from.to_owned(),
    }
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 3).chain("...".chars()).collect()
}
