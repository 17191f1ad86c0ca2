//! The header of an array: a Python dictionary as text, such as
//! `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 512), }`.

use std::io::{self, Read};

use super::wrong;

/// Longest header that is read, in bytes; NumPy's own have 118.
const MAX_LENGTH: usize = 1 << 16;
/// What every array starts with; two bytes with its format's version follow.
const MAGIC: &[u8] = b"\x93NUMPY";

/// What an array is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type of its values, such as `<f4`; what is not plain is named `a structure`.
    pub kind: String,
    /// Its sides. Their product is a number of values that 64 bits hold.
    pub shape: Vec<u64>,
}

impl Header {
    /// Reads a header up to the first value.
    ///
    /// # Errors
    /// Where it is damaged, absurdly long, or that of an array in Fortran's order.
    pub fn read(file: &mut impl Read) -> io::Result<Self> {
        let mut start = [0; 10];
        file.read_exact(&mut start)?;
        if !start.starts_with(MAGIC) {
            return Err(wrong("not a NumPy array"));
        }
        let [major, low, high] = [start[6], start[8], start[9]];
        let mut upper = [0; 2];
        if major > 1 {
            file.read_exact(&mut upper)?;
        }
        let length = u32::from_le_bytes([low, high, upper[0], upper[1]]) as usize;
        if length > MAX_LENGTH {
            return Err(wrong(format!("its header has {length} bytes")));
        }
        let mut text = vec![0; length];
        file.read_exact(&mut text)?;
        let text = str::from_utf8(&text).map_err(|_| wrong("its header is not text"))?;
        Self::parse(text)
    }

    /// The header's bytes as NumPy writes them: the values begin at a multiple of 64 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sides: Vec<String> = self.shape.iter().map(u64::to_string).collect();
        let one = if sides.len() == 1 { "," } else { "" };
        let (kind, sides) = (&self.kind, sides.join(", "));
        let mut text =
            format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sides}{one}), }}");
        let before = MAGIC.len() + 4;
        let whole = (before + text.len() + 1).next_multiple_of(64);
        text += &" ".repeat(whole - before - text.len() - 1);
        text.push('\n');
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    /// Reads the dictionary.
    fn parse(text: &str) -> io::Result<Self> {
        let mut literal = Literal { rest: text };
        let (mut kind, mut fortran, mut shape) = (None, None, None);
        literal.expect("{")?;
        while !literal.takes("}") {
            let key = literal.text()?;
            literal.expect(":")?;
            match key {
                "descr" => kind = Some(literal.kind()?),
                "fortran_order" => fortran = Some(literal.truth()?),
                "shape" => shape = Some(literal.numbers()?),
                other => return Err(wrong(format!("its header has a field {other:?}"))),
            }
            if !literal.takes(",") {
                literal.expect("}")?;
                break;
            }
        }
        if !literal.rest.trim_start().is_empty() {
            return Err(literal.unexpected());
        }
        let (Some(kind), Some(fortran), Some(shape)) = (kind, fortran, shape) else {
            return Err(wrong("its header lacks descr, fortran_order or shape"));
        };
        if fortran {
            return Err(wrong("it is in Fortran's order: save np.ascontiguousarray of it"));
        }
        let header = Self { kind: kind.to_owned(), shape };
        header.checked_values().ok_or_else(|| wrong("its shape is larger than any array"))?;
        Ok(header)
    }

    /// Number of values.
    pub fn values(&self) -> u64 {
        self.checked_values().unwrap_or(u64::MAX)
    }

    fn checked_values(&self) -> Option<u64> {
        self.shape.iter().try_fold(1, |product: u64, &side| product.checked_mul(side))
    }
}

/// What is left to read of a literal. No value that is read nests, so no depth can harm.
struct Literal<'a> {
    rest: &'a str,
}

impl<'a> Literal<'a> {
    /// Passes over `token` and the blanks before it, if it comes next.
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let after = rest.strip_prefix(token);
        self.rest = after.unwrap_or(rest);
        after.is_some()
    }

    fn expect(&mut self, token: &str) -> io::Result<()> {
        if self.takes(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// A string in either kind of quotes. NumPy's have no escapes.
    fn text(&mut self) -> io::Result<&'a str> {
        let quote = if self.takes("'") {
            '\''
        } else if self.takes("\"") {
            '"'
        } else {
            return Err(self.unexpected());
        };
        let (text, rest) = self.rest.split_once(quote).ok_or_else(|| self.unexpected())?;
        self.rest = rest;
        Ok(text)
    }

    /// The type of the values; one that is a list has fields, and is passed over.
    fn kind(&mut self) -> io::Result<&'a str> {
        if !self.takes("[") {
            return self.text();
        }
        let mut depth = 1;
        while depth > 0 {
            let at = self.rest.find(['[', ']']).ok_or_else(|| self.unexpected())?;
            depth = if self.rest[at..].starts_with('[') { depth + 1 } else { depth - 1 };
            self.rest = &self.rest[at + 1..];
        }
        Ok("a structure")
    }

    fn truth(&mut self) -> io::Result<bool> {
        let yes = self.takes("True");
        if yes || self.takes("False") { Ok(yes) } else { Err(self.unexpected()) }
    }

    /// A tuple of numbers, which Python 2 wrote with an `L` after each.
    fn numbers(&mut self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        self.expect("(")?;
        while !self.takes(")") {
            let rest = self.rest;
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            numbers.push(rest[..digits].parse().map_err(|_| self.unexpected())?);
            self.rest = &rest[digits..];
            self.takes("L");
            if !self.takes(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(numbers)
    }

    fn unexpected(&self) -> io::Error {
        let next: String = self.rest.chars().take(20).collect();
        wrong(format!("its header cannot be read at {next:?}"))
    }
}
