//! Which columns of a table are the picture, the caption and the key.

/// What a picture's column is called, the preferred name first, in lower case. A picture's bytes go
/// before its path.
const IMAGES: &[&str] = &[
    "image",
    "jpg",
    "jpeg",
    "png",
    "webp",
    "image_bytes",
    "img_bytes",
    "image_base64",
    "image_path",
    "image_file",
    "img_path",
    "img",
    "filepath",
    "file_path",
    "file_name",
    "filename",
    "path",
    "picture",
    "photo",
    "image_name",
    "img_name",
    "image_filename",
    "image_file_name",
    "file",
    "images",
];

/// The same of a caption.
const CAPTIONS: &[&str] = &[
    "caption",
    "text",
    "captions",
    "title",
    "alt",
    "alt_text",
    "alttext",
    "sentence",
    "sentences",
    "description",
    "image_caption",
    "txt",
    "comment",
    "prompt",
];

/// The same of a key.
const KEYS: &[&str] = &["key", "__key__"];

/// The same of what is only on the web.
const URLS: &[&str] = &["url", "image_url", "img_url", "imageurl", "link", "uri", "coco_url"];

/// What is said of pairs that are only on the web.
pub(super) const NOTHING_IS_DOWNLOADED: &str = "nothing is downloaded: img2dataset fetches the \
                                                pictures, and what it writes is read here";

/// Names of the columns that are wanted.
#[derive(Debug, Clone, Default)]
pub(in crate::source) struct Names {
    /// Those of the user, in lower case; empty: the usual ones.
    images: Vec<String>,
    captions: Vec<String>,
}

/// The places of the columns that are wanted, the preferred one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub images: Vec<usize>,
    pub captions: Vec<usize>,
    pub key: Option<usize>,
}

impl Names {
    /// The names that the user gives, which take the place of the usual ones.
    pub fn new(images: &[String], captions: &[String]) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect();
        Self { images: lower(images), captions: lower(captions) }
    }

    /// Whether a field is called so, whatever the user's names are.
    pub(super) fn is_usual(name: &str) -> bool {
        let lower = name.to_lowercase();
        let known = [IMAGES, CAPTIONS, KEYS, URLS];
        known.iter().any(|names| names.contains(&lower.as_str()))
    }

    /// The picture's, the caption's and the key's columns among these.
    ///
    /// # Errors
    /// What is missing and what to do, where no column is a picture's.
    pub(super) fn choose(&self, columns: &[String]) -> Result<Columns, String> {
        let lower: Vec<String> = columns.iter().map(|name| name.trim().to_lowercase()).collect();
        let images = places(&lower, &self.images, IMAGES);
        if images.is_empty() {
            return Err(self.missing("image", columns));
        }
        let captions = places(&lower, &self.captions, CAPTIONS);
        Ok(Columns { images, captions, key: places(&lower, &[], KEYS).first().copied() })
    }

    /// Says that no column is the image's or the caption's.
    pub(super) fn missing(&self, what: &str, columns: &[String]) -> String {
        let is_url = |name: &&String| URLS.contains(&name.trim().to_lowercase().as_str());
        let url = columns.iter().find(is_url);
        let wanted = if what == "image" { &self.images } else { &self.captions };
        let asked = match wanted.as_slice() {
            [] => String::new(),
            names => format!(" called {}", names.join(" or ")),
        };
        match url {
            Some(url) if what == "image" && wanted.is_empty() => {
                format!("no image, only {url:?}: {NOTHING_IS_DOWNLOADED}")
            }
            _ => format!(
                "no {what} column{asked}: the columns are {}; --{what}-key names one",
                listed(columns)
            ),
        }
    }
}

/// Places of the columns that are called so, in the order of the names.
fn places(columns: &[String], wanted: &[String], usual: &[&str]) -> Vec<usize> {
    let place = |name: &str| columns.iter().position(|column| column == name);
    match wanted {
        [] => usual.iter().copied().filter_map(place).collect(),
        wanted => wanted.iter().filter_map(|name| place(name)).collect(),
    }
}

/// The first names, quoted where they are odd.
fn listed(columns: &[String]) -> String {
    const MOST: usize = 16;
    let shown = |name: &String| {
        let short: String = name.chars().take(40).collect();
        let plain = short.chars().all(|c| c.is_alphanumeric() || "_-. ".contains(c));
        if plain && !short.is_empty() { short } else { format!("{short:?}") }
    };
    let names: Vec<_> = columns.iter().take(MOST).map(shown).collect();
    let more = columns.len().saturating_sub(MOST);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.join(", ") + &rest
}
