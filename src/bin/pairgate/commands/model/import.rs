//! `pairgate model import`: a bundle from a folder that people have.

use std::error::Error;
use std::process::ExitCode;

use pairgate::model::import::{Import, Imported, import};
use serde_json::{Map, Value, json};

use crate::args::ImportArgs;

/// Runs the command.
pub fn run(args: &ImportArgs) -> Result<ExitCode, Box<dyn Error>> {
    let wanted = Import {
        folder: args.folder.clone(),
        variant: args.variant.clone(),
        settings: args.settings.clone(),
        golden: args.golden.clone(),
    };
    let imported = import(&wanted, &args.output, &mut |step| log::info!("{step}"))?;
    if args.json {
        println!("{:#}", as_json(&imported));
    } else {
        print(args, &imported);
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(imported: &Imported) -> Value {
    let value = |told: &pairgate::model::import::Told| {
        (told.key.clone(), json!({"value": told.value, "from": told.from}))
    };
    let told: Map<String, Value> = imported.told.iter().map(value).collect();
    json!({
        "digest": imported.model.digest().to_string(),
        "checked_against": imported.checked_against,
        "manifest": told,
    })
}

fn print(args: &ImportArgs, imported: &Imported) {
    for told in &imported.told {
        // One line a value: what it is, then where it comes from.
        println!("{:<24} {:<34} {}", told.key, shortened(&told.value.to_string()), told.from);
    }
    let output = args.output.display();
    match &imported.checked_against {
        Some(golden) => println!("\n{output} agrees with {golden}"),
        None => println!(
            "\nnothing to check {output} against: no golden file. models/export/golden_of.py makes\n\
             one of an ONNX folder; then: pairgate model verify {output} --golden FILE"
        ),
    }
    println!("use it: pairgate filter IN --model {output} --keep 15% -o kept");
}

fn shortened(text: &str) -> String {
    const WIDTH: usize = 34;
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 3).chain("...".chars()).collect()
}
