//! What the segments of a JPEG say before its pixels can be read: size, components, tables.

use std::rc::Rc;

use super::blocks::natural_order;
use super::huffman::{Kind, Table};
use super::markers::{END_OF_IMAGE, Markers, START_OF_SCAN};
use super::transform::Steps;

/// A file whose entropy-coded data are read here, up to its first scan.
pub(super) struct Header<'a> {
    pub width: usize,
    pub height: usize,
    pub is_progressive: bool,
    /// Luma, or luma and two chromas.
    pub components: Vec<Component>,
    /// The first scan.
    pub scan: Scan<'a>,
    segments: Segments,
}

/// A component of the frame.
#[derive(Clone)]
pub(super) struct Component {
    /// Blocks of a unit across and down.
    pub across: usize,
    pub down: usize,
    pub steps: Steps,
}

/// A scan's header, and its data.
pub(super) struct Scan<'a> {
    pub coded: Vec<Coded>,
    /// Places of the zigzag, first and last.
    pub places: (usize, usize),
    /// The coefficients' bits that an earlier scan has not given, and those that are left after this one.
    pub missing: (u32, u32),
    /// Units between two restart markers; 0 where there are none.
    pub restart_interval: usize,
    /// From the first byte of data to the file's end.
    pub data: &'a [u8],
}

/// A component in a scan. A table is there where the scan needs it.
pub(super) struct Coded {
    /// Which of the frame's components.
    pub component: usize,
    pub dc: Option<Rc<Table>>,
    pub ac: Option<Rc<Table>>,
}

/// A component as the frame header has it.
struct Declared {
    id: u8,
    across: usize,
    down: usize,
    steps: usize,
}

/// A DHT segment's table: counts of codes by their length, and their symbols.
#[derive(Clone)]
struct Codes {
    counts: [u8; 16],
    symbols: Vec<u8>,
}

/// What the segments have said so far.
#[derive(Default)]
struct Segments {
    size: Option<(usize, usize)>,
    is_progressive: bool,
    declared: Vec<Declared>,
    steps: [Option<Steps>; 4],
    dc: [Option<Codes>; 4],
    ac: [Option<Codes>; 4],
    restart_interval: usize,
    is_jfif: bool,
    adobe_transform: Option<u8>,
}

impl<'a> Header<'a> {
    /// Reads the segments up to the first scan; `None` for any file that is of another kind, or that is
    /// not quite as it should be.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut markers = Markers::new(bytes);
        let mut segments = Segments::default();
        loop {
            match markers.next()? {
                (START_OF_SCAN, segment) => return segments.finish(segment, markers.rest()),
                (marker, segment) => segments.read(marker, segment)?,
            }
        }
    }

    /// The next scan, of what is left of the file behind another one, whose data were read or are passed
    /// over; `None` in its place at the image's end.
    pub fn next_scan(
        &mut self,
        bytes: &'a [u8],
        rest: &'a [u8],
        was_read: bool,
    ) -> Option<Option<Scan<'a>>> {
        // Data that were read end at a marker.
        (!was_read || rest.first() == Some(&0xff)).then_some(())?;
        let mut markers = Markers::at(bytes, bytes.len() - rest.len());
        loop {
            match markers.next()? {
                (START_OF_SCAN, segment) => {
                    return self.segments.scan(segment, markers.rest()).map(Some);
                }
                (END_OF_IMAGE, _) => return Some(None),
                // Of steps that change on the way libjpeg takes those of a component's first scan.
                (0xdb, _) => return None,
                (marker, segment) => self.segments.read(marker, segment)?,
            }
        }
    }

    /// The largest factors of all components, across and down.
    pub fn factors(&self) -> (usize, usize) {
        let most = |factor: fn(&Component) -> usize| self.components.iter().map(factor).max();
        (most(|c| c.across).unwrap_or(1), most(|c| c.down).unwrap_or(1))
    }

    /// Units of the image across and down.
    pub fn units(&self) -> (usize, usize) {
        let (across, down) = self.factors();
        (self.width.div_ceil(8 * across), self.height.div_ceil(8 * down))
    }
}

impl Segments {
    fn read(&mut self, marker: u8, segment: &[u8]) -> Option<()> {
        match marker {
            0xc0..=0xc2 if self.size.is_none() => self.read_frame(marker, segment),
            0xc4 => self.read_tables(segment),
            0xdb => self.read_steps(segment),
            0xdd => {
                let interval = u16::from_be_bytes(segment.try_into().ok()?);
                self.restart_interval = interval.into();
                Some(())
            }
            0xe0 => {
                self.is_jfif |= segment.starts_with(b"JFIF\0") && segment.len() >= 14;
                Some(())
            }
            0xee => {
                self.read_adobe(segment);
                Some(())
            }
            0xe1..=0xef | 0xfe => Some(()),
            _ => None,
        }
    }

    fn read_frame(&mut self, marker: u8, segment: &[u8]) -> Option<()> {
        let [8, h1, h0, w1, w0, count, components @ ..] = segment else { return None };
        let side = |high, low| usize::from(u16::from_be_bytes([high, low]));
        let size = (side(*w1, *w0), side(*h1, *h0));
        let (components, []) = components.as_chunks::<3>() else { return None };
        if size.0 == 0 || size.1 == 0 || components.len() != usize::from(*count) {
            return None;
        }
        self.size = Some(size);
        self.is_progressive = marker == 0xc2;
        let declared = components.iter().map(|&[id, factors, steps]| Declared {
            id,
            across: usize::from(factors >> 4),
            down: usize::from(factors & 15),
            steps: usize::from(steps),
        });
        self.declared = declared.collect();
        Some(())
    }

    fn read_tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&[class, ref counts @ ..], rest)) = segment.split_first_chunk::<17>() {
            let length = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(length)?;
            let tables = match class >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return None,
            };
            let codes = Codes { counts: *counts, symbols: symbols.to_vec() };
            *tables.get_mut(usize::from(class & 15))? = Some(codes);
            segment = rest;
        }
        segment.is_empty().then_some(())
    }

    fn read_steps(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&kind, rest)) = segment.split_first() {
            let width = if kind >> 4 == 0 { 1 } else { 2 };
            let (values, rest) = rest.split_at_checked(64 * width)?;
            let mut steps = [0; 64];
            for (value, place) in values.chunks_exact(width).zip(natural_order()) {
                steps[place] = value.iter().fold(0, |step, &byte| step << 8 | u16::from(byte));
            }
            *self.steps.get_mut(usize::from(kind & 15))? = Some(Steps::new(steps));
            segment = rest;
        }
        Some(())
    }

    fn read_adobe(&mut self, segment: &[u8]) {
        if segment.len() >= 12 && segment.starts_with(b"Adobe") {
            self.adobe_transform = Some(segment[11]);
        }
    }

    fn finish<'a>(self, scan: &[u8], data: &'a [u8]) -> Option<Header<'a>> {
        let (width, height) = self.size?;
        self.has_known_colours().then_some(())?;
        let components = self.declared.iter().map(|declared| self.component(declared));
        let components = components.collect::<Option<Vec<_>>>()?;
        let scan = self.scan(scan, data)?;
        let is_progressive = self.is_progressive;
        Some(Header { width, height, is_progressive, components, scan, segments: self })
    }

    /// Whether the components are grey, or luma and chroma at a sampling that is read here.
    /// libjpeg's rules for their colours: a JFIF segment, else Adobe's, else the components' names.
    fn has_known_colours(&self) -> bool {
        let [luma, chromas @ ..] = &self.declared[..] else { return false };
        if chromas.is_empty() {
            return true;
        }
        let names: Vec<u8> = self.declared.iter().map(|component| component.id).collect();
        let is_rgb = self.adobe_transform.map_or(names == *b"RGB", |transform| transform == 0);
        (self.is_jfif || !is_rgb)
            && chromas.len() == 2
            && chromas.iter().all(|chroma| (chroma.across, chroma.down) == (1, 1))
            && matches!((luma.across, luma.down), (1 | 2, 1 | 2))
    }

    fn component(&self, declared: &Declared) -> Option<Component> {
        // A lone component has units of one block, whatever its factors.
        let alone = self.declared.len() == 1;
        let Declared { across, down, steps, .. } = *declared;
        let (across, down) = if alone { (1, 1) } else { (across, down) };
        Some(Component { across, down, steps: *self.steps.get(steps)?.as_ref()? })
    }

    fn scan<'a>(&self, segment: &[u8], data: &'a [u8]) -> Option<Scan<'a>> {
        let [count, segment @ ..] = segment else { return None };
        let (choices, &[first, last, bits]) = segment.split_last_chunk::<3>()?;
        let (choices, []) = choices.as_chunks::<2>() else { return None };
        let places = (usize::from(first), usize::from(last));
        let missing = (u32::from(bits >> 4), u32::from(bits & 15));
        let is_whole = places == (0, 63) && missing == (0, 0);
        let is_band = places.0 <= places.1 && places.1 < 64;
        let is_band = is_band && if places.0 > 0 { *count == 1 } else { places.1 == 0 };
        let fits = if self.is_progressive { is_band && missing.1 <= 13 } else { is_whole };
        (fits && choices.len() == usize::from(*count) && !choices.is_empty()).then_some(())?;
        let kind = if self.is_progressive { Kind::Band } else { Kind::Ac };
        let (mut dc, mut ac) = (Tables::new(&self.dc, Kind::Dc), Tables::new(&self.ac, kind));
        let mut coded: Vec<Coded> = Vec::new();
        for &[id, tables] in choices {
            let component = self.declared.iter().position(|declared| declared.id == id)?;
            // In the frame's order, and each of them once.
            coded.last().is_none_or(|last| last.component < component).then_some(())?;
            let dc = if places.0 == 0 && missing.0 == 0 { dc.get(tables >> 4)? } else { None };
            let ac = if places.1 > 0 { ac.get(tables & 15)? } else { None };
            coded.push(Coded { component, dc, ac });
        }
        Some(Scan { coded, places, missing, restart_interval: self.restart_interval, data })
    }
}

/// The tables of a scan, each made once.
struct Tables<'a> {
    codes: &'a [Option<Codes>; 4],
    kind: Kind,
    made: [Option<Rc<Table>>; 4],
}

impl<'a> Tables<'a> {
    fn new(codes: &'a [Option<Codes>; 4], kind: Kind) -> Self {
        Self { codes, kind, made: Default::default() }
    }

    /// A table; `None` where there is none of this number, or one that is no code.
    fn get(&mut self, number: u8) -> Option<Option<Rc<Table>>> {
        let made = self.made.get_mut(usize::from(number))?;
        if made.is_none() {
            let Codes { counts, symbols } = self.codes[usize::from(number)].as_ref()?;
            *made = Some(Rc::new(Table::new(counts, symbols, self.kind)?));
        }
        Some(made.clone())
    }
}
