//! The items of a file: which one is the picture, where its bytes lie, and what is said of it.

use std::borrow::Cow;
use std::ops::Deref;

use image::metadata::Orientation;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;

use super::boxes::{Box4, Fields, boxes};
use super::tables::{Info, associated, location, primary, table};

const ALPHA: [&[u8]; 2] =
    [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"];

/// The boxes that say what items there are.
pub(super) struct Container<'a> {
    bytes: &'a [u8],
    primary: Option<u64>,
    locations: &'a [u8],
    infos: &'a [u8],
    references: &'a [u8],
    properties: Vec<Box4<'a>>,
    associations: Vec<&'a [u8]>,
    inner: &'a [u8],
    /// A box at the top is said to be longer than the file.
    cut: bool,
}

/// An item, and its properties.
#[derive(Debug, Clone, Default)]
pub(super) struct Item {
    id: u64,
    pub kind: [u8; 4],
    pub size: Option<Size>,
    pub colours: Option<Stated>,
    /// Whether samples are wider than 8 bits, and halves of one that a pixel has.
    pub samples: Option<(bool, u8)>,
    rotation: Option<u8>,
    mirror: Option<u8>,
    is_alpha: bool,
}

/// What a colour box says: matrix, whether all levels are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stated {
    pub primaries: u64,
    pub matrix: u64,
    pub full_range: bool,
}

/// An item's bytes.
pub(super) struct Data<'a> {
    bytes: Cow<'a, [u8]>,
    /// Some lie past the file's end.
    pub is_cut: bool,
}

impl Deref for Data<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<'a> Container<'a> {
    /// # Errors
    /// [`Reason::ImageTruncated`] where the file ends before its tables do,
    /// [`Reason::UnsupportedFormat`] for a film without a still picture, [`Reason::Undecodable`]
    /// where there are no tables.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Reason> {
        let mut cut = false;
        let mut meta = None;
        let mut is_film = false;
        for part in boxes(bytes) {
            cut |= part.cut;
            match &part.kind {
                b"meta" if meta.is_none() => meta = Some(part),
                b"moov" => is_film = true,
                _ => {}
            }
        }
        match meta {
            Some(Box4 { cut: true, .. }) => Err(Reason::ImageTruncated),
            Some(Box4 { data, .. }) => {
                Self::of_tables(bytes, data.get(4..).unwrap_or_default(), cut)
            }
            None if is_film => {
                log::warn!("a picture is an AVIF film without a still picture, which is not read");
                Err(Reason::UnsupportedFormat)
            }
            // What is missing may be the tables.
            None => Err(Reason::ImageTruncated),
        }
    }

    fn of_tables(bytes: &'a [u8], meta: &'a [u8], cut: bool) -> Result<Self, Reason> {
        let mut file = Self {
            bytes,
            primary: None,
            locations: &[],
            infos: &[],
            references: &[],
            properties: Vec::new(),
            associations: Vec::new(),
            inner: &[],
            cut,
        };
        for part in boxes(meta) {
            match &part.kind {
                b"pitm" => file.primary = primary(part.data),
                b"iloc" => file.locations = table(part)?,
                b"iinf" => file.infos = table(part)?,
                b"iref" => file.references = table(part)?,
                b"idat" => file.inner = part.data,
                b"iprp" => file.add_properties(part.data)?,
                _ => {}
            }
        }
        Ok(file)
    }

    fn add_properties(&mut self, data: &'a [u8]) -> Result<(), Reason> {
        for part in boxes(data) {
            match &part.kind {
                // As many as an index has numbers.
                b"ipco" => self.properties = boxes(part.data).take(0x7fff).collect(),
                b"ipma" => self.associations.push(table(part)?),
                _ => {}
            }
        }
        if self.associations.len() > 4 { Err(Reason::Undecodable) } else { Ok(()) }
    }

    /// The item that is the picture.
    ///
    /// # Errors
    /// [`Reason::Undecodable`] where there is none.
    pub fn primary(&self) -> Result<Item, Reason> {
        self.item(self.primary.ok_or(Reason::Undecodable)?).ok_or(Reason::Undecodable)
    }

    /// The item that is the opacity of another.
    pub fn alpha_of(&self, item: &Item) -> Option<Item> {
        let of = self.referring(b"auxl", item.id);
        of.iter().filter_map(|id| self.item(*id)).find(|item| item.is_alpha)
    }

    /// Whether the colours are multiplied by the opacity already.
    pub fn is_multiplied(&self, item: &Item, alpha: &Item) -> bool {
        self.referring(b"prem", alpha.id).contains(&item.id)
    }

    /// The items of which a grid is made, in order.
    ///
    /// # Errors
    /// [`Reason::Undecodable`] where one is not there, [`Reason::ImageTooLarge`] for more than
    /// `most`.
    pub fn cells(&self, grid: &Item, most: usize) -> Result<Vec<Item>, Reason> {
        let mut cells = Vec::new();
        self.each_reference(|kind, from, to| {
            if kind == *b"dimg" && from == grid.id && cells.len() <= most {
                cells.extend_from_slice(to);
            }
        });
        if cells.len() > most {
            return Err(Reason::ImageTooLarge);
        }
        cells.into_iter().map(|id| self.item(id).ok_or(Reason::Undecodable)).collect()
    }

    /// The bytes of an item of the kind that describes another; of `mime`, those that are XMP.
    pub fn described(&self, item: &Item, kind: &[u8; 4]) -> Option<Vec<u8>> {
        let found = self.referring(b"cdsc", item.id).into_iter().find_map(|id| {
            let info = self.info(id).filter(|info| info.kind == *kind)?;
            (kind != b"mime" || info.is_xmp).then_some(id)
        })?;
        self.data_of(found).ok().map(|data| data.to_vec())
    }

    /// An item's bytes.
    ///
    /// # Errors
    /// [`Reason::Undecodable`] where it has none, [`Reason::ImageTruncated`] where all of them lie
    /// past the file's end.
    pub fn data(&self, item: &Item) -> Result<Data<'a>, Reason> {
        self.data_of(item.id)
    }

    fn item(&self, id: u64) -> Option<Item> {
        let mut item = Item { id, kind: self.info(id)?.kind, ..Item::default() };
        for index in self.indices(id) {
            if let Some(property) = index.checked_sub(1).and_then(|i| self.properties.get(i)) {
                item.add(property);
            }
        }
        Some(item)
    }

    /// The places of an item's properties, from 1.
    fn indices(&self, id: u64) -> Vec<usize> {
        self.associations.iter().find_map(|table| associated(table, id)).unwrap_or_default()
    }

    fn info(&self, id: u64) -> Option<Info> {
        let mut fields = Fields(self.infos);
        let (version, _) = fields.version()?;
        fields.number(if version == 0 { 2 } else { 4 })?;
        boxes(fields.0).filter_map(|entry| Info::read(entry.data)).find(|info| info.id == id)
    }

    /// The items that refer to `id` in this way.
    fn referring(&self, kind: &[u8; 4], id: u64) -> Vec<u64> {
        let mut found = Vec::new();
        self.each_reference(|other, from, to| {
            if other == *kind && to.contains(&id) {
                found.push(from);
            }
        });
        found
    }

    fn each_reference(&self, mut tell: impl FnMut([u8; 4], u64, &[u64])) {
        let mut fields = Fields(self.references);
        let Some((version, _)) = fields.version() else { return };
        let width = if version == 0 { 2 } else { 4 };
        for reference in boxes(fields.0) {
            let mut fields = Fields(reference.data);
            let (Some(from), Some(count)) = (fields.number(width), fields.number(2)) else {
                return;
            };
            let to: Vec<u64> = (0..count).map_while(|_| fields.number(width)).collect();
            tell(reference.kind, from, &to);
        }
    }

    fn data_of(&self, id: u64) -> Result<Data<'a>, Reason> {
        let location = location(self.locations, id).ok_or(Reason::Undecodable)?;
        let source = match location.construction {
            0 => self.bytes,
            1 => self.inner,
            _ => return Err(Reason::Undecodable),
        };
        let mut parts = Vec::new();
        let mut is_cut = false;
        for (offset, length) in location.extents {
            let rest = usize::try_from(offset).ok().and_then(|offset| source.get(offset..));
            let rest = rest.unwrap_or_default();
            // A length of 0 is the rest.
            let wanted = usize::try_from(length).unwrap_or(usize::MAX);
            let wanted = if length == 0 { rest.len() } else { wanted };
            is_cut |= wanted > rest.len() || rest.is_empty();
            parts.push(&rest[..wanted.min(rest.len())]);
        }
        if parts.iter().all(|part| part.is_empty()) {
            return Err(if is_cut || self.cut {
                Reason::ImageTruncated
            } else {
                Reason::Undecodable
            });
        }
        // Parts that repeat each other would make more bytes than the file has.
        if parts.iter().map(|part| part.len()).sum::<usize>() > self.bytes.len() {
            return Err(Reason::Undecodable);
        }
        let bytes = match parts[..] {
            [part] => Cow::Borrowed(part),
            _ => Cow::Owned(parts.concat()),
        };
        Ok(Data { bytes, is_cut })
    }
}

impl Item {
    pub fn is_grid(&self) -> bool {
        self.kind == *b"grid"
    }

    fn add(&mut self, property: &Box4<'_>) {
        let mut fields = Fields(property.data);
        match &property.kind {
            b"ispe" => self.size = size(fields),
            b"irot" => self.rotation = property.data.first().map(|angle| angle & 3),
            b"imir" => self.mirror = property.data.first().map(|axis| axis & 1),
            b"av1C" => self.samples = samples(property.data),
            b"auxC" => self.is_alpha = fields.version().is_some() && is_alpha(fields.0),
            b"colr" if fields.bytes(4) == Some(b"nclx") => self.colours = stated(fields),
            _ => {}
        }
    }

    /// How `irot` and `imir` together turn the picture, as Pillow puts them in EXIF's terms;
    /// `None` where they do not.
    pub fn turned(&self) -> Option<Orientation> {
        let value = match (self.rotation.unwrap_or(0), self.mirror) {
            (0, None) => return None,
            (0, Some(0)) => 4,
            (0, Some(_)) => 2,
            (1, None) => 8,
            (1, Some(0)) => 5,
            (1, Some(_)) => 7,
            (2, None) => 3,
            (2, Some(0)) => 2,
            (2, Some(_)) => 4,
            (_, None) => 6,
            (_, Some(0)) => 7,
            (_, Some(_)) => 5,
        };
        Orientation::from_exif(value)
    }
}

fn size(mut fields: Fields<'_>) -> Option<Size> {
    fields.version()?;
    Some(Size::new(fields.number(4)? as u32, fields.number(4)? as u32))
}

/// Of the decoder's configuration, depth and subsampling.
fn samples(data: &[u8]) -> Option<(bool, u8)> {
    let bits = data.get(2)?;
    let halves = match (bits & 0x10 != 0, bits & 0x08 != 0, bits & 0x04 != 0) {
        (true, ..) => 2,
        (_, true, true) => 3,
        (_, true, false) => 4,
        _ => 6,
    };
    Some((bits & 0x40 != 0, halves))
}

fn is_alpha(kind: &[u8]) -> bool {
    let end = kind.iter().position(|&byte| byte == 0).unwrap_or(kind.len());
    ALPHA.contains(&&kind[..end])
}

fn stated(mut fields: Fields<'_>) -> Option<Stated> {
    let primaries = fields.number(2)?;
    fields.number(2)?;
    let matrix = fields.number(2)?;
    Some(Stated { primaries, matrix, full_range: fields.number(1)? & 0x80 != 0 })
}

/// A picture that is made of others, side by side.
pub(super) struct Grid {
    pub columns: usize,
    pub rows: usize,
    pub size: Size,
}

impl Grid {
    /// # Errors
    /// [`Reason::Undecodable`] where it cannot be read.
    pub fn read(data: &[u8]) -> Result<Self, Reason> {
        Self::parse(data).ok_or(Reason::Undecodable)
    }

    /// Whether cells of this size cover the grid, none of them for nothing.
    pub fn fits(&self, cell: Option<Size>) -> bool {
        let covers = |cell: u32, count: usize, side: u32| {
            let (cell, count) = (u64::from(cell), count as u64);
            cell * count >= u64::from(side) && cell * (count - 1) < u64::from(side)
        };
        cell.is_some_and(|cell| {
            covers(cell.width, self.columns, self.size.width)
                && covers(cell.height, self.rows, self.size.height)
        })
    }

    fn parse(data: &[u8]) -> Option<Self> {
        let mut fields = Fields(data);
        if fields.number(1)? != 0 {
            return None;
        }
        let width = if fields.number(1)? & 1 == 0 { 2 } else { 4 };
        let (rows, columns) = (fields.number(1)? as usize + 1, fields.number(1)? as usize + 1);
        let size = Size::new(fields.number(width)? as u32, fields.number(width)? as u32);
        Some(Self { columns, rows, size })
    }
}
