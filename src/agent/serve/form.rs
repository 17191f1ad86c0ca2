//! A pair as a form: `multipart/form-data` with the picture, the caption and what is said of them.

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use axum::http::StatusCode;
use pairgate_core::config::SampleLimits;
use pairgate_core::pair::Uid;
use serde_json::{Value, json};

use super::SHARD;
use super::budget::Held;
use crate::agent::http::is_body_timeout;
use crate::source::{Member, Sample, json_object, spliced};

/// Bytes that a form may have beside its picture and texts.
pub const FORM_BYTES: u64 = 64 << 10;
/// Bytes of a key, a uid or a flag.
const MAX_NAME: usize = 4096;

/// Why a form is not taken.
#[derive(Debug)]
pub struct Misfit {
    pub status: StatusCode,
    pub why: String,
}

impl Misfit {
    fn bad(why: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, why: why.into() }
    }
}

/// A form that was read whole.
#[derive(Debug)]
pub struct Form {
    /// The pair.
    pub sample: Sample,
    /// Whether it is stored where it is good; else it is judged only.
    pub stores: bool,
}

/// The fields as they come.
#[derive(Default)]
struct Fields {
    image: Option<Vec<u8>>,
    caption: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    uid: Option<Vec<u8>>,
    metadata: Option<Vec<u8>>,
    headers: Option<Vec<u8>>,
    store: Option<Vec<u8>>,
}

impl Fields {
    /// Where the field of this name goes, and how many bytes it may have.
    fn place(&mut self, name: &str, limits: &SampleLimits) -> Option<(&mut Option<Vec<u8>>, u64)> {
        let most = limits.max_sample_bytes;
        let short = MAX_NAME as u64;
        Some(match name {
            "image" => (&mut self.image, most),
            "caption" => (&mut self.caption, most),
            "metadata" => (&mut self.metadata, most),
            "headers" => (&mut self.headers, most),
            "key" => (&mut self.key, short),
            "uid" => (&mut self.uid, short),
            "store" => (&mut self.store, short),
            _ => return None,
        })
    }
}

/// Reads a form, whose bytes `held` counts.
///
/// # Errors
/// [`Misfit`] for what is no such form, is too large, or finds no room.
pub async fn read(
    mut form: Multipart,
    limits: &SampleLimits,
    held: &mut Held,
) -> Result<Form, Misfit> {
    let fields = fields(&mut form, limits, held).await;
    if fields.is_err() {
        discard(form, limits.max_sample_bytes.saturating_add(FORM_BYTES)).await;
    }
    fields?.form(limits)
}

/// Reads what is left of a form that is refused, and holds nothing of it: a client that is still sending
/// would not see why.
async fn discard(mut form: Multipart, most: u64) {
    let mut bytes = 0;
    while let Ok(Some(mut field)) = form.next_field().await {
        while let Ok(Some(piece)) = field.chunk().await {
            bytes += piece.len() as u64;
            if bytes > most {
                return;
            }
        }
    }
}

async fn fields(
    form: &mut Multipart,
    limits: &SampleLimits,
    held: &mut Held,
) -> Result<Fields, Misfit> {
    let mut fields = Fields::default();
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        let Some((place, most)) = fields.place(&name, limits) else {
            let known = "image, caption, key, uid, metadata, headers and store";
            return Err(Misfit::bad(format!("a field {name:?} is not known; there are {known}")));
        };
        if place.is_some() {
            return Err(Misfit::bad(format!("the field {name:?} is there twice")));
        }
        *place = Some(bytes(field, &name, most, limits, held).await?);
    }
    Ok(fields)
}

async fn bytes(
    mut field: Field<'_>,
    name: &str,
    most: u64,
    limits: &SampleLimits,
    held: &mut Held,
) -> Result<Vec<u8>, Misfit> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(|error| broken(&error))? {
        if !held.take(piece.len()) {
            let why = "no room is left for bodies (serve.max_bytes); ask again later";
            return Err(Misfit { status: StatusCode::TOO_MANY_REQUESTS, why: why.to_owned() });
        }
        bytes.extend_from_slice(&piece);
        let all = limits.max_sample_bytes.saturating_add(FORM_BYTES);
        if bytes.len() as u64 > most || held.bytes() > all {
            let why = format!("{name} is too large: more than {} bytes", most.min(all));
            return Err(Misfit { status: StatusCode::PAYLOAD_TOO_LARGE, why });
        }
    }
    Ok(bytes)
}

fn broken(error: &MultipartError) -> Misfit {
    if is_body_timeout(error) {
        let why = "no further piece of the body came in time".to_owned();
        return Misfit { status: StatusCode::REQUEST_TIMEOUT, why };
    }
    // A body that broke off is the client's doing, whatever the parser calls it.
    let is_ours = error.status().is_server_error();
    let status = if is_ours { StatusCode::BAD_REQUEST } else { error.status() };
    Misfit { status, why: error.body_text() }
}

impl Fields {
    fn form(self, limits: &SampleLimits) -> Result<Form, Misfit> {
        let Self { image, caption, key, uid, metadata, headers, store } = self;
        let image = image.ok_or_else(|| Misfit::bad("the field \"image\" is missing"))?;
        let stores = store.map_or(Ok(true), |store| flag(&store))?;
        let uid = uid.map(|uid| parsed_uid(&uid)).transpose()?;
        let json = about(metadata, uid, headers)?;
        let key = key.map_or(Ok(String::new()), |key| text(key, "key"))?;
        let key = match uid {
            Some(uid) if key.is_empty() => uid.to_string(),
            _ => key,
        };
        let member = |extension: &str, data| Member { extension: extension.to_owned(), data };
        let mut members = vec![member(extension(&image), image)];
        members.extend(caption.map(|caption| member("txt", caption)));
        members.extend(json.map(|json| member("json", json)));
        let sample = Sample { shard: SHARD.into(), key, members, fault: None };
        if sample.bytes() > limits.max_sample_bytes {
            let why = format!("the pair has more than {} bytes", limits.max_sample_bytes);
            return Err(Misfit { status: StatusCode::PAYLOAD_TOO_LARGE, why });
        }
        Ok(Form { sample, stores })
    }
}

fn text(bytes: Vec<u8>, name: &str) -> Result<String, Misfit> {
    String::from_utf8(bytes).map_err(|_| Misfit::bad(format!("{name} is not UTF-8")))
}

fn flag(bytes: &[u8]) -> Result<bool, Misfit> {
    match bytes {
        b"1" => Ok(true),
        b"0" => Ok(false),
        _ => Err(Misfit::bad("store is 1 or 0")),
    }
}

fn parsed_uid(bytes: &[u8]) -> Result<Uid, Misfit> {
    let parsed = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok());
    parsed.ok_or_else(|| Misfit::bad("uid is 32 hex digits"))
}

/// The pair's `.json` member: the metadata, and in them the uid and the response's headers.
fn about(
    metadata: Option<Vec<u8>>,
    uid: Option<Uid>,
    headers: Option<Vec<u8>>,
) -> Result<Option<Vec<u8>>, Misfit> {
    let object = |bytes: &[u8], name: &str| {
        json_object(bytes).ok_or_else(|| Misfit::bad(format!("{name} is not a JSON object")))
    };
    if let Some(metadata) = &metadata {
        object(metadata, "metadata")?;
    }
    let mut members = Vec::new();
    if let Some(headers) = &headers {
        members.push(format!("\"headers\":{}", Value::Object(object(headers, "headers")?)));
    }
    if let Some(uid) = uid {
        members.push(format!("\"uid\":{}", json!(uid.to_string())));
    }
    if members.is_empty() {
        return Ok(metadata);
    }
    let metadata = metadata.unwrap_or_else(|| b"{}".to_vec());
    let spliced = spliced(&metadata, &members.join(","));
    spliced.map(Some).ok_or_else(|| Misfit::bad("metadata is not a JSON object"))
}

/// What a stored picture is called: by its first bytes, because that is what it is.
fn extension(image: &[u8]) -> &'static str {
    match image {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        [b'B', b'M', ..] => "bmp",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "tiff",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', _, ..] => "avif",
        // What is no picture at all is found out by whoever decodes it.
        _ => "jpg",
    }
}
