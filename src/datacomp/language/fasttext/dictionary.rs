//! Words, their n-grams, and labels: from a text to rows of the input matrix.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::ops::Range;

use super::reader::Reader;
use super::{Arguments, Scratch};
use crate::datacomp::wrong;

/// The word that stands for the end of a line.
const END: &[u8] = b"</s>";
/// How labels begin.
const LABEL: &[u8] = b"__label__";
/// An empty place of the table.
const FREE: u32 = u32::MAX;
/// Rows of n-grams that are held, 16 MiB of them.
const MOST_KNOWN: usize = 4 << 20;
/// Steps past taken places of the table that no words come near by chance.
const MOST_STEPS: usize = 4096;

/// Words and labels of a model.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// All words and labels, one after the other.
    letters: Vec<u8>,
    /// Where each lies in `letters`: first the words, then the labels.
    entries: Vec<Range<u32>>,
    words: u32,
    label_counts: Vec<i64>,
    /// Open addressing by hash; places of `entries`.
    table: Vec<u32>,
    buckets: Buckets,
    bucket: u32,
    word_ngrams: usize,
    min_n: usize,
    max_n: usize,
    /// The rows of the n-grams of the first words, which are the most frequent ones, and where those of
    /// each end: what would be hashed again for most words of a text.
    known_rows: Vec<u32>,
    known_ends: Vec<u32>,
}

/// The rows that n-grams have behind those of the words.
#[derive(Debug)]
enum Buckets {
    /// One for each bucket.
    All,
    /// One for some buckets.
    Some(HashMap<u32, u32, BuildHasherDefault<BucketHasher>>),
    /// None at all.
    None,
}

impl Dictionary {
    pub fn read(reader: &mut Reader<impl io::Read>, arguments: &Arguments) -> io::Result<Self> {
        let (size, words, labels) = (reader.i32()?, reader.i32()?, reader.i32()?);
        let _tokens = reader.i64()?;
        let pruned = reader.i64()?;
        if words < 0 || labels < 1 || words.checked_add(labels) != Some(size) {
            return Err(wrong(format!("a dictionary of {size}: {words} words, {labels} labels")));
        }
        // A zero, a count and a type are the least that an entry has.
        reader.room_for(size as u64, 10)?;
        let mut letters = Vec::new();
        let mut entries = Vec::with_capacity(size as usize);
        let mut label_counts = Vec::with_capacity(labels as usize);
        for place in 0..size {
            let start = letters.len() as u32;
            reader.word(&mut letters)?;
            let end = u32::try_from(letters.len()).map_err(|_| wrong("too many letters"))?;
            entries.push(start..end);
            let (count, kind) = (reader.i64()?, reader.u8()?);
            if kind != u8::from(place >= words) {
                return Err(wrong("labels do not follow words: the file is damaged"));
            }
            label_counts.extend((kind == 1).then_some(count));
        }
        let table = table_of(&letters, &entries)?;
        let mut dictionary = Self {
            letters,
            entries,
            words: words as u32,
            label_counts,
            table,
            buckets: Buckets::read(reader, pruned)?,
            bucket: arguments.bucket,
            word_ngrams: arguments.word_ngrams,
            min_n: arguments.min_n,
            max_n: arguments.max_n,
            known_rows: Vec::new(),
            known_ends: Vec::new(),
        };
        dictionary.learn_words();
        Ok(dictionary)
    }

    /// Finds the n-grams of words beforehand, as long as there is room.
    fn learn_words(&mut self) {
        let mut word = Vec::new();
        for place in 0..self.words {
            let longest = self.max_n * (self.entry(place).len() + 2);
            if self.known_rows.len() + longest > MOST_KNOWN {
                break;
            }
            let mut rows = std::mem::take(&mut self.known_rows);
            self.add_ngrams(self.entry(place), &mut word, &mut rows);
            self.known_rows = rows;
            self.known_ends.push(self.known_rows.len() as u32);
        }
    }

    /// The rows of the n-grams of a word, where they are held.
    fn known(&self, place: u32) -> Option<&[u32]> {
        let place = place as usize;
        let end = *self.known_ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.known_ends[before]);
        Some(&self.known_rows[start as usize..end as usize])
    }

    /// Rows that the input matrix must have.
    pub fn rows(&self) -> u64 {
        let buckets = match &self.buckets {
            Buckets::All => u64::from(self.bucket),
            Buckets::Some(rows) => rows.len() as u64,
            Buckets::None => 0,
        };
        u64::from(self.words) + buckets
    }

    /// Whether only some buckets have rows.
    pub fn is_pruned(&self) -> bool {
        !matches!(self.buckets, Buckets::All)
    }

    pub fn labels(&self) -> usize {
        self.label_counts.len()
    }

    /// How often each label was seen in training.
    pub fn label_counts(&self) -> &[i64] {
        &self.label_counts
    }

    pub fn label(&self, place: usize) -> &[u8] {
        self.entry(self.words + place as u32)
    }

    fn entry(&self, place: u32) -> &[u8] {
        let Range { start, end } = self.entries[place as usize];
        &self.letters[start as usize..end as usize]
    }

    fn find(&self, word: &[u8], hash: u32) -> Option<u32> {
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.table[slot] {
                FREE => return None,
                place if self.entry(place) == word => return Some(place),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// Fills `scratch.rows` with the rows of a line: those of its words, of their n-grams, of the
    /// line's end, and of n-grams of words.
    pub fn rows_of(&self, text: &str, scratch: &mut Scratch) {
        scratch.rows.clear();
        scratch.hashes.clear();
        let words = text.as_bytes().split(|byte| b" \n\r\t\x0b\x0c\0".contains(byte));
        for word in words.filter(|word| !word.is_empty()).chain([END]) {
            self.add_word(word, scratch);
            // fastText takes the word for the line's end itself.
            if word == END {
                break;
            }
        }
        self.add_word_ngrams(scratch);
    }

    fn add_word(&self, word: &[u8], scratch: &mut Scratch) {
        let hash = hash(word);
        let place = self.find(word, hash);
        let is_label = place.map_or(word.starts_with(LABEL), |place| place >= self.words);
        if is_label {
            return;
        }
        scratch.hashes.push(hash.cast_signed());
        scratch.rows.extend(place);
        match place.and_then(|place| self.known(place)) {
            Some(known) => scratch.rows.extend_from_slice(known),
            None => self.add_ngrams(word, &mut scratch.word, &mut scratch.rows),
        }
    }

    /// Adds the n-grams of a word in brackets, for which there is room in `bracketed`. They are of whole
    /// characters, by their bytes; a bracket alone is none, and the end of a line has none.
    fn add_ngrams(&self, word: &[u8], bracketed: &mut Vec<u8>, rows: &mut Vec<u32>) {
        if word == END || self.max_n == 0 {
            return;
        }
        bracketed.clear();
        bracketed.push(b'<');
        bracketed.extend(word);
        bracketed.push(b'>');
        let word = bracketed.as_slice();
        for start in (0..word.len()).filter(|&at| starts_character(word[at])) {
            let (mut end, mut hash) = (start, SEED);
            for n in 1..=self.max_n {
                if end == word.len() {
                    break;
                }
                hash = hash_byte(hash, word[end]);
                end += 1;
                while end < word.len() && !starts_character(word[end]) {
                    hash = hash_byte(hash, word[end]);
                    end += 1;
                }
                let is_bracket = n == 1 && (start == 0 || end == word.len());
                if n >= self.min_n && !is_bracket {
                    self.add_bucket(u64::from(hash), rows);
                }
            }
        }
    }

    fn add_word_ngrams(&self, scratch: &mut Scratch) {
        let hashes = &scratch.hashes;
        for (first, &hash) in hashes.iter().enumerate() {
            let mut sum = i64::from(hash).cast_unsigned();
            for &next in hashes.iter().skip(first + 1).take(self.word_ngrams.saturating_sub(1)) {
                let next = i64::from(next).cast_unsigned();
                sum = sum.wrapping_mul(116_049_371).wrapping_add(next);
                self.add_bucket(sum, &mut scratch.rows);
            }
        }
    }

    #[inline]
    fn add_bucket(&self, hash: u64, rows: &mut Vec<u32>) {
        if self.bucket == 0 {
            return;
        }
        let bucket = match u32::try_from(hash) {
            Ok(hash) => hash % self.bucket,
            Err(_) => (hash % u64::from(self.bucket)) as u32,
        };
        match &self.buckets {
            Buckets::All => rows.push(self.words + bucket),
            Buckets::Some(kept) => rows.extend(kept.get(&bucket).map(|row| self.words + row)),
            Buckets::None => {}
        }
    }
}

/// Buckets are hashes already: they are only spread over all bits.
#[derive(Debug, Default)]
struct BucketHasher(u64);

impl Hasher for BucketHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(byte.into()));
    }

    fn write_u32(&mut self, number: u32) {
        let spread = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ spread >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Buckets {
    fn read(reader: &mut Reader<impl io::Read>, pruned: i64) -> io::Result<Self> {
        let Ok(pruned) = u64::try_from(pruned) else {
            return Ok(Self::All);
        };
        if pruned == 0 {
            return Ok(Self::None);
        }
        reader.room_for(pruned, 8)?;
        let mut rows = HashMap::with_capacity_and_hasher(pruned as usize, Default::default());
        for _ in 0..pruned {
            let (bucket, row) = (reader.i32()?, reader.i32()?);
            let row = u32::try_from(row).ok().filter(|&row| u64::from(row) < pruned);
            match (u32::try_from(bucket), row) {
                (Ok(bucket), Some(row)) if rows.insert(bucket, row).is_none() => {}
                _ => return Err(wrong(format!("a bucket is {bucket}, of {pruned}: damaged"))),
            }
        }
        Ok(Self::Some(rows))
    }
}

/// A table in which at least half of the places are free. Of equal words the first is found.
fn table_of(letters: &[u8], entries: &[Range<u32>]) -> io::Result<Vec<u32>> {
    let mut table = vec![FREE; (2 * entries.len() + 2).next_power_of_two()];
    let mask = table.len() - 1;
    for (place, Range { start, end }) in entries.iter().enumerate() {
        let mut slot = hash(&letters[*start as usize..*end as usize]) as usize & mask;
        let first = slot;
        while table[slot] != FREE {
            slot = (slot + 1) & mask;
        }
        if slot.wrapping_sub(first) & mask > MOST_STEPS {
            return Err(wrong("words are made to have one hash"));
        }
        table[slot] = place as u32;
    }
    Ok(table)
}

/// Where FNV-1a begins.
const SEED: u32 = 2_166_136_261;

/// One step of FNV-1a as fastText has it: bytes are signed.
#[inline]
fn hash_byte(hash: u32, byte: u8) -> u32 {
    let byte = i32::from(byte.cast_signed()).cast_unsigned();
    (hash ^ byte).wrapping_mul(16_777_619)
}

fn hash(word: &[u8]) -> u32 {
    word.iter().fold(SEED, |hash, &byte| hash_byte(hash, byte))
}

/// Whether a byte of UTF-8 starts a character.
fn starts_character(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}
