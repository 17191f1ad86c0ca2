//! The folder that `models/export/open_clip_export.py` writes.

use serde_json::Value as Any;

use super::draft::Draft;
use super::json::Json;
use super::{Sources, preparation};

/// The file that marks such a folder.
pub(super) const CONFIG: &str = "open_clip_config.json";
/// What the exporter adds to it.
pub(super) const EXPORT: &str = "export.json";

/// Reads what the folder's files say.
///
/// # Errors
/// A text that names file, key and value.
pub(super) fn read(sources: &Sources<'_>, draft: &mut Draft) -> Result<(), String> {
    let config = Json::needed(sources.folder, CONFIG)?;
    let export = Json::needed(sources.folder, EXPORT)?;
    preparation::of_open_clip(&config, draft)?;

    let model: Option<String> = export.read("model")?;
    draft.tell_or_miss(
        "name",
        model.map(|name| name.replace(['/', ':'], "-")),
        &export.name("model"),
    );
    for side in ["image", "text"] {
        let path = format!("activation.{side}");
        if let Some(activation) = export.read::<String>(&path)? {
            draft.tell(&format!("{side}.activation"), activation, &export.name(&path));
        }
    }
    for key in ["context_length", "pad_id"] {
        let path = format!("text.{key}");
        draft.tell_or_miss(&path, export.read::<i64>(&path)?, &export.name(&path));
    }
    for key in ["sot_id", "eot_id"] {
        let path = format!("text.{key}");
        if let Some(id) = export.read::<i64>(&path)? {
            draft.tell(&path, id, &export.name(&path));
        }
    }
    for key in ["attention", "pooling"] {
        let path = format!("text.{key}");
        draft.tell_or_miss(&path, export.read::<String>(&path)?, &export.name(&path));
    }
    let cleaning: Option<Vec<String>> = export.read("text.cleaning")?;
    draft.tell_or_miss("text.cleaning", cleaning, &export.name("text.cleaning"));
    read_export(&export, draft)
}

/// What the exporters say of any folder: licence, logit scale and bias.
///
/// # Errors
/// A text that names file, key and value.
pub(super) fn read_export(export: &Json, draft: &mut Draft) -> Result<(), String> {
    if let Some(licence) = export.read::<String>("licence")? {
        draft.tell("licence", licence, &export.name("licence"));
    }
    if let Some(scale) = export.read::<f64>("logit_scale")? {
        draft.tell("logit_scale", scale, &export.name("logit_scale"));
    }
    if let Some(bias) = export.at("logit_bias").and_then(Any::as_f64) {
        draft.tell("logit_bias", bias, &export.name("logit_bias"));
    }
    Ok(())
}
