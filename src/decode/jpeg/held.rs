//! Files in several scans, progressive ones among them: coefficients are held until the last scan, and
//! then go the way of all blocks.

use pairgate_kernels::arch::Arch;
use pairgate_kernels::{Isa, Task};

use super::MAX_SCANS;
use super::band::{self, Band};
use super::bits::Bits;
use super::blocks::{Block, Decoder};
use super::header::{Coded, Component, Header, Scan};
use super::planes::Planes;
use super::scan::Restarts;

/// Decodes what `planes` want to the rows of `pixels`. `None` for a file that is not quite as it should
/// be, or that lacks bits of a coefficient: what is missing there, libjpeg guesses from other blocks.
pub(super) fn decode<'p, 'a>(
    bytes: &'a [u8],
    mut header: Header<'a>,
    planes: Planes,
    pixels: impl Iterator<Item = &'p mut [u8]>,
) -> Option<()> {
    let held = (0..header.components.len()).map(|index| Held::new(&header, index)).collect();
    let mut image = Image { units: header.units(), held };
    for _ in 0..MAX_SCANS {
        let needed = image.note(&header, &planes)?;
        let rest = if needed {
            Isa::chosen().run(ReadScan { image: &mut image, header: &header })?
        } else {
            header.scan.data
        };
        match header.next_scan(bytes, rest, needed)? {
            Some(scan) => header.scan = scan,
            None => {
                let is_complete = image.held.iter().all(|held| held.missing == [0; 64]);
                is_complete.then_some(())?;
                Isa::chosen().run(Show { image: &image, planes, pixels });
                return Some(());
            }
        }
    }
    None
}

/// The coefficients of all components.
struct Image {
    units: (usize, usize),
    held: Vec<Held>,
}

/// The coefficients of a component.
struct Held {
    /// Blocks of a unit across and down.
    across: usize,
    down: usize,
    /// Blocks across and down, without those that fill up the last units: what a scan of this component
    /// alone has.
    own: (usize, usize),
    /// Blocks of a row, with those.
    stride: usize,
    /// In natural order.
    blocks: Vec<[i16; 64]>,
    /// For each block, how many places of the zigzag may hold something else than zero.
    places: Vec<u8>,
    /// For each place of the zigzag, bits that no scan has given yet; before the first one, all.
    missing: [u32; 64],
}

/// No scan has given anything.
const ALL: u32 = u32::MAX;

impl Held {
    fn new(header: &Header<'_>, index: usize) -> Self {
        let Component { across, down, .. } = header.components[index];
        let (most_across, most_down) = header.factors();
        let own = (
            (header.width * across).div_ceil(8 * most_across),
            (header.height * down).div_ceil(8 * most_down),
        );
        let units = header.units();
        let stride = units.0 * across;
        let count = stride * units.1 * down;
        let (blocks, places) = (vec![[0; 64]; count], vec![1; count]);
        Self { across, down, own, stride, blocks, places, missing: [ALL; 64] }
    }
}

impl Image {
    /// Takes a scan's header into account. Says whether its coefficients are needed: where one sample is
    /// left of each block, only means are. `None` where the scan does not follow on those before it.
    fn note(&mut self, header: &Header<'_>, planes: &Planes) -> Option<bool> {
        let Scan { coded, places: (first, last), missing: (before, after), .. } = &header.scan;
        let mut is_needed = *first == 0;
        for coded in coded {
            let held = &mut self.held[coded.component];
            for missing in &mut held.missing[*first..=*last] {
                let follows = match *before {
                    0 => *missing == ALL,
                    before => *missing == before && *after + 1 == before,
                };
                follows.then_some(())?;
                *missing = *after;
            }
            // Means come first.
            (*first == 0 || held.missing[0] != ALL).then_some(())?;
            is_needed |= planes.side(coded.component) > 1;
        }
        Some(is_needed)
    }

    /// Reads a scan's coefficients; gives what follows its data.
    #[inline(always)]
    fn read<'a>(&mut self, header: &Header<'a>) -> Option<&'a [u8]> {
        match (header.scan.places, header.scan.missing) {
            _ if !header.is_progressive => self.each_block(header, whole),
            ((0, _), (0, _)) => self.each_block(header, level),
            ((0, _), _) => self.each_block(header, level_bit),
            (_, (0, _)) => self.each_block(header, band),
            (_, _) => self.each_block(header, band_bit),
        }
    }

    /// Has each block of a scan read; gives what follows the scan's data.
    #[inline(always)]
    fn each_block<'a>(
        &mut self,
        header: &Header<'a>,
        read: impl Fn(At<'_, 'a>) -> Option<()>,
    ) -> Option<&'a [u8]> {
        let scan = &header.scan;
        let mut bits = Bits::new(scan.data);
        let mut restarts = Restarts::new(scan.restart_interval);
        let mut reading = scan.coded.iter().map(|_| Reading::default()).collect::<Vec<_>>();
        let alone = scan.coded.len() == 1;
        let (across, down) =
            if alone { self.held[scan.coded[0].component].own } else { self.units };
        for row in 0..down {
            for column in 0..across {
                if restarts.is_due(&mut bits)? {
                    reading.fill(Reading::default());
                }
                bits.prepare_unit();
                for (coded, reading) in scan.coded.iter().zip(&mut reading) {
                    let held = &mut self.held[coded.component];
                    let (wide, high) = if alone { (1, 1) } else { (held.across, held.down) };
                    for y in row * high..(row + 1) * high {
                        let first = y * held.stride + column * wide;
                        let blocks = held.blocks[first..first + wide].iter_mut();
                        for (block, places) in blocks.zip(&mut held.places[first..first + wide]) {
                            read(At { bits: &mut bits, scan, coded, reading, block, places })?;
                        }
                    }
                }
            }
        }
        (bits.finish() && reading.iter().all(|reading| reading.band.run == 0)).then(|| bits.rest())
    }
}

/// A block that is read, and what its reading goes on from.
struct At<'s, 'a> {
    bits: &'s mut Bits<'a>,
    scan: &'s Scan<'a>,
    coded: &'s Coded,
    reading: &'s mut Reading,
    block: &'s mut [i16; 64],
    /// How many places of the zigzag may hold something else than zero.
    places: &'s mut u8,
}

/// What is kept of a component from one block to the next.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    level: i32,
    band: Band,
}

/// Reads all of a block.
#[inline(always)]
fn whole(At { bits, coded, reading, block, places, .. }: At<'_, '_>) -> Option<()> {
    let (dc, ac) = (coded.dc.as_deref()?, coded.ac.as_deref()?);
    let mut decoder = Decoder { dc, ac, skips: None, level: reading.level };
    let mut read: Block = [0; 65];
    *places = decoder.read(bits, &mut read)? as u8;
    reading.level = decoder.level;
    *block = *read.first_chunk()?;
    Some(())
}

#[inline(always)]
fn level(At { bits, scan, coded, reading, block, .. }: At<'_, '_>) -> Option<()> {
    let dc = coded.dc.as_deref()?;
    block[0] = band::read_level(bits, dc, &mut reading.level, scan.missing.1)?;
    Some(())
}

#[inline(always)]
fn level_bit(At { bits, scan, block, .. }: At<'_, '_>) -> Option<()> {
    block[0] |= i16::from(bits.bit()) << scan.missing.1;
    Some(())
}

#[inline(always)]
fn band(At { bits, scan, coded, reading, block, places }: At<'_, '_>) -> Option<()> {
    let ac = coded.ac.as_deref()?;
    let end = reading.band.read(bits, ac, scan.places, scan.missing.1, block)?;
    *places = end.max(usize::from(*places)) as u8;
    Some(())
}

#[inline(always)]
fn band_bit(At { bits, scan, coded, reading, block, places }: At<'_, '_>) -> Option<()> {
    let (ac, held) = (coded.ac.as_deref()?, (block, usize::from(*places)));
    *places = reading.band.refine(bits, ac, scan.places, scan.missing.1, held)? as u8;
    Some(())
}

/// The reading of a scan: plain Rust, for each instruction set as it does best.
struct ReadScan<'s, 'h, 'a> {
    image: &'s mut Image,
    header: &'h Header<'a>,
}

impl<'a> Task for ReadScan<'_, '_, 'a> {
    type Output = Option<&'a [u8]>;

    #[inline(always)]
    fn run<A: Arch>(self, _: A) -> Self::Output {
        self.image.read(self.header)
    }
}

/// The way of held blocks to pixels.
struct Show<'s, Rows> {
    image: &'s Image,
    planes: Planes,
    pixels: Rows,
}

impl<'p, Rows: Iterator<Item = &'p mut [u8]>> Task for Show<'_, Rows> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(mut self, _: A) {
        let rows = self.planes.rows;
        for row in rows.start..rows.end {
            self.planes.begin_row();
            let columns = self.planes.columns;
            let (kernels, planes) = self.planes.parts();
            for (held, plane) in self.image.held.iter().zip(planes) {
                let columns = columns.times(held.across);
                for y in 0..held.down {
                    let line = (row * held.down + y) * held.stride;
                    for x in columns.start..columns.end {
                        let (block, places) = (&held.blocks[line + x], held.places[line + x]);
                        plane.put(kernels, (x, y), block, places.into());
                    }
                }
            }
            self.planes.end_row(row, &mut self.pixels);
        }
    }
}
