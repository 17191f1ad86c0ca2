//! Damage: inputs made of seeds. An input is a function of the run's seed, the target's name and the
//! input's number, so that any of them can be made again.

/// A generator of numbers: SplitMix64, by Steele, Lea and Flood.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of input `number` of a target.
    pub fn of(seed: u64, target: &str, number: u64) -> Self {
        let name = target.bytes().fold(seed, |hash, byte| mix(hash ^ u64::from(byte)));
        Self(mix(name ^ mix(number)))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.draw() % end as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Bytes of an input at most.
const MOST: usize = 1 << 20;
/// Numbers at which lengths and offsets turn over.
const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_fff0,
    u64::MAX,
];
/// What a number written in digits, or a text, becomes.
const TEXTS: &[&str] = &[
    "0",
    "-1",
    "1e999",
    "-0.0",
    "NaN",
    "255",
    "256",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551616",
    "99999999999999999999999999",
    "\"",
    "\\",
    "\\ud800",
    "\u{feff}",
    "\u{202e}",
    "\u{0}",
    "../",
    "/",
    "[[",
    "{",
    "null",
    "&#x0;",
    "&amp;amp;",
    "\u{c3}\u{a9}",
    "\r\n",
];

/// Input `number` of a target: the seeds themselves first, then what damage makes of them.
pub fn input(seeds: &[Vec<u8>], seed: u64, target: &str, number: u64) -> Vec<u8> {
    if let Some(whole) = usize::try_from(number).ok().and_then(|number| seeds.get(number)) {
        return whole.clone();
    }
    let mut rng = Rng::of(seed, target, number);
    let mut bytes = rng.pick(seeds).clone();
    // Mostly little: much damage seldom comes past the first check.
    for _ in 0..1_usize << rng.below(5) {
        damage(&mut bytes, seeds, &mut rng);
        bytes.truncate(MOST);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut Rng) {
    if bytes.is_empty() {
        bytes.extend((0..1 + rng.below(64)).map(|_| rng.draw() as u8));
        return;
    }
    let at = rng.below(bytes.len());
    match rng.below(14) {
        0 | 1 => bytes[at] ^= 1 << rng.below(8),
        2 => bytes[at] = rng.draw() as u8,
        3 => bytes[at] = bytes[at].wrapping_add_signed(1 - 2 * (rng.below(2) as i8)),
        4 | 5 => write_number(bytes, at, rng),
        6 => bytes.truncate(at),
        7 => {
            let end = at + block(bytes.len() - at, rng);
            bytes.drain(at..end);
        }
        8 => {
            let copy = bytes[at..at + block(bytes.len() - at, rng)].to_vec();
            let to = rng.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        9 => {
            // The rest of another seed, or a piece of it.
            let other = rng.pick(seeds);
            let from = rng.below(other.len() + 1);
            let piece = &other[from..];
            let rest = rng.below(2) == 0;
            let piece = if rest { piece } else { &piece[..block(piece.len(), rng)] };
            let end = if rest { bytes.len() } else { (at + piece.len()).min(bytes.len()) };
            bytes.splice(at..end, piece.iter().copied());
        }
        10 => {
            let length = block(bytes.len() - at, rng);
            let fill = *rng.pick(&[0, 0xff, b' ', b'A', b'[']);
            bytes[at..at + length].fill(fill);
        }
        11 => {
            let more = block(1 << 12, rng);
            let byte = rng.draw() as u8;
            bytes.splice(at..at, std::iter::repeat_n(byte, more));
        }
        12 => write_text(bytes, at, rng),
        _ => {
            let length = block(bytes.len() - at, rng);
            let to = rng.below(bytes.len() - length + 1);
            bytes.copy_within(at..at + length, to);
        }
    }
}

/// Length of a block of at most `most` bytes, mostly a short one or one of a tar's.
fn block(most: usize, rng: &mut Rng) -> usize {
    let wanted = match rng.below(4) {
        0 => 512 * (1 + rng.below(4)),
        1 => rng.below(most.max(1)),
        _ => 1 + rng.below(32),
    };
    wanted.min(most)
}

/// Writes a number of 1 to 8 bytes in either order, or moves the one that is there a little.
fn write_number(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    let width = (1 << rng.below(4)).min(bytes.len() - at);
    let field = &mut bytes[at..at + width];
    let is_big = rng.below(2) == 0;
    let mut number = *rng.pick(NUMBERS);
    if rng.below(3) == 0 {
        let mut there = [0; 8];
        there[..width].copy_from_slice(field);
        if is_big {
            there[..width].reverse();
        }
        number = u64::from_le_bytes(there).wrapping_add(rng.below(33) as u64).wrapping_sub(16);
    }
    field.copy_from_slice(&number.to_le_bytes()[..width]);
    if is_big {
        field.reverse();
    }
}

/// Puts a text in, in place of the digits from `at` on where there are some.
fn write_text(bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let first = bytes[at..].iter().position(u8::is_ascii_digit).map_or(at, |after| at + after);
    let digits = bytes[first..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (from, end) = if rng.below(2) == 0 { (first, first + digits) } else { (at, at) };
    bytes.splice(from..end, rng.pick(TEXTS).bytes());
}
