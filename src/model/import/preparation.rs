//! Image preparation, from the configs of open_clip and transformers.

use serde_json::Value;

use super::draft::Draft;
use super::json::Json;
use crate::prepare::Interpolation;

/// Reads `preprocess_cfg` of an `open_clip_config.json`.
///
/// # Errors
/// A text that names file, key and value.
pub(super) fn of_open_clip(config: &Json, draft: &mut Draft) -> Result<(), String> {
    let at = |key: &str| format!("preprocess_cfg.{key}");
    tell_size(config, &at("size"), draft)?;
    let path = at("resize_mode");
    draft.tell_or_miss("image.resize", config.read::<String>(&path)?, &config.name(&path));
    let from = config.name(&at("interpolation"));
    let kernel = config.read::<String>(&at("interpolation"))?.map(|name| {
        let kernel = Interpolation::from_open_clip(&name);
        kernel.ok_or_else(|| format!("{from} = {name:?}: bicubic, bilinear and random are known"))
    });
    tell_kernel(kernel.transpose()?, &from, draft)?;
    for key in ["mean", "std"] {
        let values = config.read_three(&at(key))?;
        draft.tell_or_miss(&format!("image.{key}"), values, &config.name(&at(key)));
    }
    // One level of grey, or one for each channel; only `longest` pads.
    let fill = match config.at(&at("fill_color")) {
        None => None,
        Some(Value::Number(_)) => {
            config.read::<i64>(&at("fill_color"))?.map(|level| vec![level; 3])
        }
        Some(_) => config.read::<Vec<i64>>(&at("fill_color"))?,
    };
    if let Some(fill) = fill {
        draft.tell("image.fill", fill, &config.name(&at("fill_color")));
    }
    Ok(())
}

/// Reads a `preprocessor_config.json`.
///
/// # Errors
/// A text that names file, key and value.
pub(super) fn of_transformers(config: &Json, draft: &mut Draft) -> Result<(), String> {
    let done = |key: &str| config.read::<bool>(key);
    for key in ["do_pad", "crop_pct", "rescale_offset"] {
        let harmless = |value: &Value| matches!(value, Value::Bool(false));
        if let Some(value) = config.at(key).filter(|value| !harmless(value)) {
            return Err(format!("{} = {value} is not supported", config.name(key)));
        }
    }
    resize(config, draft, done("do_resize")?, done("do_center_crop")?)?;
    draft.tell("image.crop", "floor", "transformers, which rounds down");
    let from = config.name("resample");
    let kernel = config.read::<u8>("resample")?.map(|number| {
        let kernel = Interpolation::from_pil(number);
        kernel.ok_or_else(|| format!("{from} = {number}: 0 to 5 are known"))
    });
    tell_kernel(kernel.transpose()?, &from, draft)?;
    match done("do_rescale")? {
        Some(false) => draft.tell("image.rescale", 1.0, &config.name("do_rescale")),
        _ => {
            if let Some(factor) = config.read::<f64>("rescale_factor")? {
                draft.tell("image.rescale", factor, &config.name("rescale_factor"));
            }
        }
    }
    for (key, path, plain) in [("image.mean", "image_mean", 0.0), ("image.std", "image_std", 1.0)] {
        match done("do_normalize")? {
            Some(false) => draft.tell(key, vec![plain; 3], &config.name("do_normalize")),
            _ => draft.tell_or_miss(key, config.read_three(path)?, &config.name(path)),
        }
    }
    Ok(())
}

/// How an image becomes a square: `size` says what sides are scaled to, `crop_size` what is then
/// cut out.
fn resize(
    config: &Json,
    draft: &mut Draft,
    resized: Option<bool>,
    cropped: Option<bool>,
) -> Result<(), String> {
    let crops = cropped.unwrap_or(config.at("crop_size").is_some());
    let shortest = config.at("size.shortest_edge").is_some();
    if crops {
        tell_size(config, "crop_size", draft)?;
    } else if shortest {
        return Err(format!(
            "{} without a crop: pictures would not be square",
            config.name("size.shortest_edge")
        ));
    }
    if resized == Some(false) {
        draft.tell("image.resize", "keep", &config.name("do_resize"));
        return Ok(());
    }
    let path = if shortest { "size.shortest_edge" } else { "size" };
    let to = side(config, path)?;
    let Some(to) = to else {
        draft.miss("image.resize", &format!("{} does not say it", config.name("size")));
        draft.miss("image.size", &format!("{} does not say it", config.name("size")));
        return Ok(());
    };
    // The first configs gave CLIP's shortest side as a number.
    let plain_number = config.at("size").is_some_and(Value::is_number);
    if plain_number && !crops {
        return Err(format!(
            "{} = {to} without a crop: pictures would not be square",
            config.name(path)
        ));
    }
    let kind = if shortest || plain_number { "shortest" } else { "squash" };
    draft.tell("image.resize", kind, &config.name(path));
    draft.tell("image.size", to, &config.name(path));
    if draft.integer("image.size") != usize::try_from(to).ok() {
        draft.tell("image.resize_to", to, &config.name(path));
    }
    Ok(())
}

fn tell_size(config: &Json, path: &str, draft: &mut Draft) -> Result<(), String> {
    draft.tell_or_miss("image.size", side(config, path)?, &config.name(path));
    Ok(())
}

/// The side of a square: a number, `[side, side]`, or `{height, width}`.
fn side(config: &Json, path: &str) -> Result<Option<i64>, String> {
    let sides = match config.at(path) {
        None => return Ok(None),
        Some(Value::Array(_)) => config.read::<Vec<i64>>(path)?.unwrap_or_default(),
        Some(Value::Object(_)) => {
            let edge = |name: &str| config.read::<i64>(&format!("{path}.{name}"));
            [edge("height")?, edge("width")?].into_iter().flatten().collect()
        }
        Some(_) => config.read::<i64>(path)?.into_iter().collect(),
    };
    match sides[..] {
        [side] => Ok(Some(side)),
        [height, width] if height == width => Ok(Some(height)),
        _ => Err(format!("{} = {sides:?}: a square is needed", config.name(path))),
    }
}

/// Tells the kernel by the name that the manifest has for it.
fn tell_kernel(kernel: Option<Interpolation>, from: &str, draft: &mut Draft) -> Result<(), String> {
    let name = kernel.map(toml::Value::try_from).transpose().map_err(|why| why.to_string())?;
    draft.tell_or_miss("image.interpolation", name, from);
    Ok(())
}
