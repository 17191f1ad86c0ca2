//! Captions as COCO has them: one object with a list of `images` and one of `annotations`, which
//! name their image by its id. In Karpathy's form of it the captions are the images' `sentences`.
//!
//! Either list may come first, so both are held until the file has been read; that is bounded.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;
use std::vec::IntoIter;

use serde_json::{Map, Value};

use super::row::{Item, Picture, Row, Rows, with_captions};
use super::scan::{Scanner, Text, damaged};
use crate::source::json::from_python;
use crate::source::key_from_stem;

/// Bytes of names and captions that are held at most. The largest of COCO's own have 60 MB.
const MAX_HELD_BYTES: usize = 512 << 20;
/// Bytes of an image's or an annotation's entry at most.
const MAX_ENTRY_BYTES: u64 = 1 << 20;
/// Bytes that an entry takes beside its text, about.
const ENTRY_BYTES: usize = 100;

/// The images of a COCO file with their captions.
#[derive(Debug)]
pub(in crate::source) struct CocoRows<R> {
    text: Option<Scanner<R>>,
    images: IntoIter<Image>,
    captions: HashMap<String, Vec<String>>,
    number: u64,
    held: usize,
}

#[derive(Debug)]
struct Image {
    id: String,
    file_name: String,
    /// Those of the image's own entry.
    captions: Vec<String>,
    /// Its entry, as it is written.
    entry: Vec<u8>,
}

impl<R: Read> CocoRows<R> {
    /// The images of the file that `reader` gives.
    pub fn new(reader: R) -> Self {
        let (images, captions) = (Vec::new().into_iter(), HashMap::new());
        Self { text: Some(Scanner::new(reader)), images, captions, number: 0, held: 0 }
    }

    /// Reads the whole file.
    fn load(&mut self, mut text: Scanner<R>) -> io::Result<Option<Item>> {
        let mut images = Vec::new();
        if !text.take(b'{')? {
            return Err(damaged("it is no object"));
        }
        let mut is_first = true;
        while !text.take(b'}')? {
            if !is_first && !text.take(b',')? {
                return Err(damaged("its object breaks off"));
            }
            is_first = false;
            let name = text.value(MAX_ENTRY_BYTES)?;
            if !text.take(b':')? {
                return Err(damaged("its object breaks off"));
            }
            match name {
                Text::Whole(name) if name == b"\"images\"" => {
                    each(&mut text, |entry| self.image(entry, &mut images))?;
                }
                Text::Whole(name) if name == b"\"annotations\"" => {
                    each(&mut text, |entry| self.annotation(entry))?;
                }
                _ => drop(text.value(0)?),
            }
        }
        let has_own = images.iter().any(|image| !image.captions.is_empty());
        self.images = images.into_iter();
        let none = self.captions.is_empty() && !has_own && self.images.len() > 0;
        Ok(none.then(|| Item::Note("no caption: its annotations have no `caption`".into())))
    }

    fn image(&mut self, entry: Text, images: &mut Vec<Image>) -> io::Result<()> {
        let Text::Whole(entry) = entry else {
            return Err(damaged("an image's entry is longer than 1 MiB"));
        };
        let known = object(&entry, "an image's entry is no object")?;
        let name = text(&known, "file_name").or_else(|| text(&known, "filename"));
        let name = name.unwrap_or_default();
        let file_name = match text(&known, "filepath") {
            Some(folder) if !name.is_empty() => format!("{folder}/{name}"),
            _ => name.to_owned(),
        };
        let sentences = known.get("sentences").and_then(Value::as_array).into_iter().flatten();
        let raw = |sentence: &Value| sentence.get("raw")?.as_str().map(str::to_owned);
        let captions: Vec<String> = sentences.filter_map(raw).collect();
        let sentences: usize = captions.iter().map(|caption| caption.len() + ENTRY_BYTES).sum();
        self.hold(entry.len() + file_name.len() + sentences)?;
        images.push(Image { id: id(known.get("id")), file_name, captions, entry });
        Ok(())
    }

    fn annotation(&mut self, entry: Text) -> io::Result<()> {
        // Outlines of things may be long; captions are not.
        let Text::Whole(entry) = entry else { return Ok(()) };
        let known = object(&entry, "an annotation is no object")?;
        if let Some(caption) = text(&known, "caption") {
            self.hold(caption.len())?;
            let captions = self.captions.entry(id(known.get("image_id"))).or_default();
            captions.push(caption.to_owned());
        }
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> io::Result<()> {
        self.held = self.held.saturating_add(bytes).saturating_add(ENTRY_BYTES);
        if self.held > MAX_HELD_BYTES {
            return Err(damaged("its names and captions are more than 512 MiB: split it"));
        }
        Ok(())
    }

    fn row(&mut self, image: Image) -> Row {
        let number = self.number;
        self.number += 1;
        let told = self.captions.get(&image.id).map(Vec::as_slice).unwrap_or_default();
        let captions = if image.captions.is_empty() { told } else { &image.captions };
        let json = with_captions(&image.entry, captions);
        let stem = Path::new(&image.file_name).with_extension("");
        let key = key_from_stem(&stem.to_string_lossy());
        let caption = captions.first().map(|caption| caption.clone().into_bytes());
        let picture = match image.file_name {
            name if name.is_empty() => Picture::Missing,
            name => Picture::Path(name),
        };
        Row { number, key: Some(key), picture, caption, json: Some(json) }
    }
}

impl<R: Read + Send> Rows for CocoRows<R> {
    fn next(&mut self) -> io::Result<Option<Item>> {
        if let Some(text) = self.text.take()
            && let Some(note) = self.load(text)?
        {
            return Ok(Some(note));
        }
        let image = self.images.next();
        Ok(image.map(|image| Item::Row(self.row(image))))
    }
}

/// Gives each element of a list to `take`.
fn each<R: Read>(
    text: &mut Scanner<R>,
    mut take: impl FnMut(Text) -> io::Result<()>,
) -> io::Result<()> {
    if !text.take(b'[')? {
        return text.value(0).map(drop);
    }
    let mut is_first = true;
    while !text.take(b']')? {
        if !is_first && !text.take(b',')? {
            return Err(damaged("its list breaks off"));
        }
        is_first = false;
        take(text.value(MAX_ENTRY_BYTES)?)?;
    }
    Ok(())
}

fn object(entry: &[u8], otherwise: &str) -> io::Result<Map<String, Value>> {
    from_python(entry).ok_or_else(|| damaged(otherwise))
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

/// An id as text: whole numbers and strings are the same where they look the same.
fn id(value: Option<&Value>) -> String {
    value.map_or_else(String::new, |value| {
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    })
}
