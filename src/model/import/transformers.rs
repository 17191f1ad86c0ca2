//! The folders of the transformers ecosystem (`optimum`, transformers.js, `transformers_export.py`).

use std::path::Path;

use tokenizers::Tokenizer;

use super::draft::Draft;
use super::json::Json;
use super::{Sources, open_clip, preparation};

/// The file that marks such a folder.
pub(super) const CONFIG: &str = "config.json";
const PROCESSOR: &str = "processor_config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const SPECIAL_TOKENS: &str = "special_tokens_map.json";

/// Reads what the folder's files say, the graphs apart.
///
/// # Errors
/// A text that names file, key and value.
pub(super) fn read(sources: &Sources<'_>, draft: &mut Draft) -> Result<(), String> {
    let config = Json::needed(sources.folder, CONFIG)?;
    // transformers 5 keeps the image processor in its processor's file.
    let processor = Json::open(sources.folder, PROCESSOR)?;
    let preprocessor = match processor.and_then(|processor| processor.part("image_processor")) {
        Some(image_processor) => image_processor,
        None => Json::needed(sources.folder, PREPROCESSOR)?,
    };
    preparation::of_transformers(&preprocessor, draft)?;
    if let Some(export) = Json::open(sources.folder, open_clip::EXPORT)? {
        open_clip::read_export(&export, draft)?;
        if let Some(model) = export.read::<String>("model")? {
            draft.tell("name", model.replace(['/', ':'], "-"), &export.name("model"));
        }
    }
    name(&config, draft)?;
    activations(&config, draft)?;
    pooling(&config, draft)?;
    tokenizer(sources, &config, draft)?;
    // What tokenizer.json does to a text is all that these tokenizers do.
    draft.tell("text.cleaning", Vec::<String>::new(), "tokenizer.json normalizer");
    Ok(())
}

fn name(config: &Json, draft: &mut Draft) -> Result<(), String> {
    let name: Option<String> = config.read("_name_or_path")?;
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        draft.tell(
            "name",
            name.trim_matches(['/', '.']).replace('/', "-"),
            &config.name("_name_or_path"),
        );
    }
    Ok(())
}

/// What the config claims; where it says nothing, the graph does.
fn activations(config: &Json, draft: &mut Draft) -> Result<(), String> {
    for (side, path) in [("image", "vision_config.hidden_act"), ("text", "text_config.hidden_act")]
    {
        let Some(name) = config.read::<String>(path)? else { continue };
        let activation = match name.as_str() {
            "gelu" => "gelu",
            "quick_gelu" => "quick_gelu",
            "gelu_pytorch_tanh" | "gelu_new" | "gelu_fast" => "gelu_tanh",
            "relu" => "relu",
            _ => {
                return Err(format!(
                    "{} = {name:?} is not an activation that is known",
                    config.name(path)
                ));
            }
        };
        draft.tell(&format!("{side}.activation"), activation, &config.name(path));
    }
    Ok(())
}

/// transformers pools CLIP's text at the largest id where `eos_token_id` is 2 (its first configs
/// had it wrong), else at the first end of text, and SigLIP's at the last token.
fn pooling(config: &Json, draft: &mut Draft) -> Result<(), String> {
    let kind: Option<String> = config.read("model_type")?;
    let from = config.name("model_type");
    match kind.as_deref() {
        Some("clip") => {
            let path = "text_config.eos_token_id";
            match config.read::<i64>(path)? {
                Some(2) => draft.tell("text.pooling", "argmax", &config.name(path)),
                Some(_) => draft.tell("text.pooling", "eot", &config.name(path)),
                None => {
                    draft.miss("text.pooling", &format!("{} does not say it", config.name(path)))
                }
            }
        }
        Some("siglip" | "siglip2") => draft.tell("text.pooling", "last", &from),
        Some(other) => {
            draft.miss("text.pooling", &format!("{from} = {other:?} is not one that is known"))
        }
        None => draft.miss("text.pooling", &format!("{from} is missing")),
    }
    Ok(())
}

fn tokenizer(sources: &Sources<'_>, config: &Json, draft: &mut Draft) -> Result<(), String> {
    let tokenizer = sources.tokenizer()?;
    let path = "text_config.max_position_embeddings";
    let told = config.read::<i64>(path)?;
    let settings = Json::open(sources.folder, TOKENIZER_CONFIG)?;
    if let Some(length) = told {
        draft.tell("text.context_length", length, &config.name(path));
    } else if let Some(settings) = &settings {
        // A tokenizer without a limit states 10^30.
        let length = settings.read::<f64>("model_max_length")?.filter(|length| *length <= 4096.0);
        draft.tell_or_miss(
            "text.context_length",
            length.map(|l| l as i64),
            &settings.name("model_max_length"),
        );
    } else {
        draft.miss("text.context_length", &format!("{} is missing", config.name(path)));
    }
    let (sot, eot) = frame(&tokenizer)?;
    let from = "tokenizer.json post_processor";
    if let Some(sot) = sot {
        draft.tell("text.sot_id", i64::from(sot), from);
    }
    if let Some(eot) = eot {
        draft.tell("text.eot_id", i64::from(eot), from);
    }
    pad(sources, &tokenizer, settings.as_ref(), draft)
}

/// Whether the towers end in projections that an export may leave out: CLIP's do.
///
/// # Errors
/// A text that names file, key and value.
pub(super) fn has_projections(folder: &Path) -> Result<bool, String> {
    let config = Json::open(folder, CONFIG)?;
    let kind = config.map(|config| config.read::<String>("model_type")).transpose()?.flatten();
    Ok(kind.as_deref() == Some("clip"))
}

/// The ids that the tokenizer puts around a text.
fn frame(tokenizer: &Tokenizer) -> Result<(Option<u32>, Option<u32>), String> {
    let mut tokenizer = tokenizer.clone();
    tokenizer.with_padding(None);
    let encode = |special| {
        let encoding =
            tokenizer.encode("a", special).map_err(|why| format!("tokenizer.json: {why}"))?;
        Ok::<_, String>(encoding.get_ids().to_vec())
    };
    let (bare, framed) = (encode(false)?, encode(true)?);
    let at = framed.windows(bare.len().max(1)).position(|window| window == bare);
    let (before, after) = match at {
        Some(at) => (&framed[..at], &framed[at + bare.len()..]),
        None => return Err("tokenizer.json changes a text's tokens when it frames them".into()),
    };
    match (before, after) {
        ([] | [_], [] | [_]) => Ok((before.first().copied(), after.first().copied())),
        _ => Err(format!(
            "tokenizer.json puts {before:?} and {after:?} around a text: one id each is supported"
        )),
    }
}

/// The id of the padding token, by its name in the tokenizer's settings.
fn pad(
    sources: &Sources<'_>,
    tokenizer: &Tokenizer,
    settings: Option<&Json>,
    draft: &mut Draft,
) -> Result<(), String> {
    if let Some(padding) = tokenizer.get_padding() {
        draft.tell("text.pad_id", i64::from(padding.pad_id), "tokenizer.json padding");
    }
    let map = Json::open(sources.folder, SPECIAL_TOKENS)?;
    for file in settings.into_iter().chain(map.as_ref()) {
        // The token is a text, or a table that holds it.
        let path =
            if file.at("pad_token.content").is_some() { "pad_token.content" } else { "pad_token" };
        let Some(token) = file.read::<String>(path)? else { continue };
        let id = tokenizer.token_to_id(&token);
        let id =
            id.ok_or_else(|| format!("{} = {token:?} is not in tokenizer.json", file.name(path)))?;
        draft.tell("text.pad_id", i64::from(id), &file.name(path));
    }
    draft.miss("text.pad_id", "no pad_token in tokenizer_config.json or special_tokens_map.json");
    Ok(())
}
