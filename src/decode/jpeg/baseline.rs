//! The header of a baseline JPEG with all components in one scan: what nearly all photos are.

use std::rc::Rc;

use super::blocks::natural_order;
use super::huffman::{Kind, Table};
use super::markers::{Markers, START_OF_SCAN};
use super::transform::Steps;

/// A file whose entropy-coded data are read here.
pub(super) struct Baseline<'a> {
    pub width: usize,
    pub height: usize,
    /// Luma, or luma and two chromas.
    pub components: Vec<Component>,
    /// Units between two restart markers; 0 where there are none.
    pub restart_interval: usize,
    pub data: &'a [u8],
}

/// A component of the frame.
pub(super) struct Component {
    /// Blocks of a unit across and down.
    pub across: usize,
    pub down: usize,
    pub steps: Steps,
    pub dc: Rc<Table>,
    pub ac: Rc<Table>,
}

/// A component as the frame header has it.
struct Declared {
    id: u8,
    across: usize,
    down: usize,
    steps: usize,
}

/// What the segments before the scan have said.
#[derive(Default)]
struct Segments {
    size: Option<(usize, usize)>,
    declared: Vec<Declared>,
    steps: [Option<Steps>; 4],
    dc: [Option<Rc<Table>>; 4],
    ac: [Option<Rc<Table>>; 4],
    restart_interval: usize,
    is_jfif: bool,
    adobe_transform: Option<u8>,
}

impl<'a> Baseline<'a> {
    /// Reads the header; `None` for any file that is of another kind, or that is not quite as it
    /// should be.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut markers = Markers::new(bytes);
        let mut segments = Segments::default();
        loop {
            let (marker, segment) = markers.next()?;
            match marker {
                0xc0 | 0xc1 if segments.size.is_none() => segments.read_frame(segment)?,
                0xc4 => segments.read_tables(segment)?,
                0xdb => segments.read_steps(segment)?,
                0xdd => {
                    segments.restart_interval =
                        usize::from(u16::from_be_bytes(segment.try_into().ok()?));
                }
                0xe0 => segments.is_jfif |= segment.starts_with(b"JFIF\0") && segment.len() >= 14,
                0xee => segments.read_adobe(segment),
                START_OF_SCAN => return segments.finish(segment, markers.rest()),
                0xe1..=0xef | 0xfe => {}
                _ => return None,
            }
        }
    }
}

impl Segments {
    fn read_frame(&mut self, segment: &[u8]) -> Option<()> {
        let [8, h1, h0, w1, w0, count, components @ ..] = segment else { return None };
        let side = |high, low| usize::from(u16::from_be_bytes([high, low]));
        let size = (side(*w1, *w0), side(*h1, *h0));
        let (components, []) = components.as_chunks::<3>() else { return None };
        if size.0 == 0 || size.1 == 0 || components.len() != usize::from(*count) {
            return None;
        }
        self.size = Some(size);
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
            let (tables, kind) = match class >> 4 {
                0 => (&mut self.dc, Kind::Dc),
                1 => (&mut self.ac, Kind::Ac),
                _ => return None,
            };
            *tables.get_mut(usize::from(class & 15))? =
                Some(Rc::new(Table::new(counts, symbols, kind)?));
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

    fn finish<'a>(&self, scan: &[u8], data: &'a [u8]) -> Option<Baseline<'a>> {
        let (width, height) = self.size?;
        self.has_known_colours().then_some(())?;
        let [count, scan @ ..] = scan else { return None };
        let (choices, spectrum) = scan.split_at_checked(2 * self.declared.len())?;
        if usize::from(*count) != self.declared.len() || spectrum != [0, 63, 0] {
            return None;
        }
        let components = self.declared.iter().zip(choices.as_chunks::<2>().0);
        let components = components.map(|(declared, choice)| self.component(declared, *choice));
        let components = components.collect::<Option<Vec<_>>>()?;
        let restart_interval = self.restart_interval;
        Some(Baseline { width, height, components, restart_interval, data })
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

    fn component(&self, declared: &Declared, [id, tables]: [u8; 2]) -> Option<Component> {
        // A lone component has units of one block, whatever its factors.
        let alone = self.declared.len() == 1;
        let Declared { across, down, .. } = *declared;
        let (across, down) = if alone { (1, 1) } else { (across, down) };
        (id == declared.id).then_some(())?;
        Some(Component {
            across,
            down,
            steps: *self.steps.get(declared.steps)?.as_ref()?,
            dc: self.dc.get(usize::from(tables >> 4))?.clone()?,
            ac: self.ac.get(usize::from(tables & 15))?.clone()?,
        })
    }
}
