//! Files in one scan, which nearly all photos are: units of blocks, decoded in their order, row by row.

use pairgate_kernels::arch::Arch;
use pairgate_kernels::{Isa, Task};

use super::bits::Bits;
use super::blocks::{Block, Decoder};
use super::header::Header;
use super::huffman::Skips;
use super::markers::END_OF_IMAGE;
use super::planes::Planes;

/// Decodes what `planes` want to the rows of `pixels`. `None` for a file that is not quite as it should
/// be.
pub(super) fn decode<'p>(
    header: &Header<'_>,
    planes: Planes,
    pixels: impl Iterator<Item = &'p mut [u8]>,
) -> Option<()> {
    let all = planes.columns.length() == header.units().0;
    let coded = header.scan.coded.iter().zip(&header.components);
    let decoders = coded.enumerate().map(|(index, (coded, component))| {
        let (dc, ac) = (coded.dc.as_deref()?, coded.ac.as_deref()?);
        let skips = (planes.side(index) == 1 || !all).then(|| Skips::new(ac));
        let decoder = Decoder { dc, ac, skips, level: 0 };
        Some(Coded { decoder, across: component.across, down: component.down })
    });
    let coded = decoders.collect::<Option<_>>()?;
    Isa::chosen().run(Run { scan: Scan { header, coded, planes }, pixels })
}

/// The decoding of a scan to rows of pixels: plain Rust, for each instruction set as it does best.
struct Run<'a, Rows> {
    scan: Scan<'a>,
    pixels: Rows,
}

impl<'p, Rows: Iterator<Item = &'p mut [u8]>> Task for Run<'_, Rows> {
    type Output = Option<()>;

    #[inline(always)]
    fn run<A: Arch>(mut self, _: A) -> Option<()> {
        self.scan.run(self.pixels)
    }
}

struct Scan<'a> {
    header: &'a Header<'a>,
    coded: Vec<Coded<'a>>,
    planes: Planes,
}

/// A component's decoder, and its blocks of a unit.
struct Coded<'a> {
    decoder: Decoder<'a>,
    across: usize,
    down: usize,
}

impl Scan<'_> {
    #[inline(always)]
    fn run<'p>(&mut self, mut pixels: impl Iterator<Item = &'p mut [u8]>) -> Option<()> {
        let mut bits = Bits::new(self.header.scan.data);
        let mut restarts = Restarts::new(self.header.scan.restart_interval);
        let units = self.header.units();
        for row in 0..units.1 {
            let shown = self.planes.rows.contains(row);
            if shown {
                self.planes.begin_row();
            }
            for column in 0..units.0 {
                if restarts.is_due(&mut bits)? {
                    self.coded.iter_mut().for_each(|coded| coded.decoder.level = 0);
                }
                bits.prepare_unit();
                let transformed = shown && self.planes.columns.contains(column);
                self.read_unit(&mut bits, transformed.then_some(column))?;
            }
            if shown {
                self.planes.end_row(row, &mut pixels);
            }
        }
        let complete = bits.finish() && marker(bits.rest())?.0 == END_OF_IMAGE;
        complete.then_some(())
    }

    /// Reads the blocks of a unit, and puts them where the unit's column is given.
    #[inline(always)]
    fn read_unit(&mut self, bits: &mut Bits<'_>, column: Option<usize>) -> Option<()> {
        let (kernels, planes) = self.planes.parts();
        for (Coded { decoder, across, down }, plane) in self.coded.iter_mut().zip(planes) {
            for y in 0..*down {
                for x in 0..*across {
                    let Some(column) = column else {
                        decoder.skip(bits)?;
                        continue;
                    };
                    let mut block: Block = [0; 65];
                    let places = if plane.side() == 1 {
                        decoder.skip(bits)?;
                        block[0] = decoder.level as i16;
                        1
                    } else {
                        decoder.read(bits, &mut block)?
                    };
                    let place = (column * *across + x, y);
                    plane.put(kernels, place, block.first_chunk()?, places);
                }
            }
        }
        Some(())
    }
}

/// Markers between units, after each of which the decoding of bits starts anew.
pub(super) struct Restarts {
    interval: usize,
    left: usize,
    number: u8,
}

impl Restarts {
    /// Markers after each `interval` units; none where it is 0.
    pub fn new(interval: usize) -> Self {
        Self { interval, left: interval, number: 0 }
    }

    /// Whether a marker stands before the next unit, which is passed over; `None` where it is not the
    /// next in turn, or something is before it.
    #[inline(always)]
    pub fn is_due(&mut self, bits: &mut Bits<'_>) -> Option<bool> {
        if self.interval == 0 {
            return Some(false);
        }
        let is_due = self.left == 0;
        if is_due {
            bits.finish().then_some(())?;
            let (found, rest) = marker(bits.rest())?;
            (found == 0xd0 + self.number % 8).then(|| bits.restart(rest))?;
            self.number = self.number.wrapping_add(1);
            self.left = self.interval;
        }
        self.left -= 1;
        Some(is_due)
    }
}

/// A marker, fill bytes before it, and what follows.
fn marker(rest: &[u8]) -> Option<(u8, &[u8])> {
    let [0xff, rest @ ..] = rest else { return None };
    let fill = rest.iter().take_while(|&&byte| byte == 0xff).count();
    rest[fill..].split_first().map(|(&marker, rest)| (marker, rest))
}
