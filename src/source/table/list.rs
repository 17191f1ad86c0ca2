//! JSON lists of objects, one pair an object.

use std::io::{self, Read};

use pairgate_core::config::SampleLimits;

use super::row::{Fault, Item, Rows};
use super::scan::{Scanner, Text, damaged};
use super::{Names, object};

/// The elements of a list.
#[derive(Debug)]
pub(in crate::source) struct ListRows<R> {
    text: Scanner<R>,
    names: Names,
    max_bytes: u64,
    number: u64,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Within,
    Ended,
}

impl<R: Read> ListRows<R> {
    /// The elements of the list that `reader` gives.
    pub fn new(reader: R, names: Names, limits: SampleLimits) -> Self {
        let (text, max_bytes) = (Scanner::new(reader), limits.max_sample_bytes);
        Self { text, names, max_bytes, number: 0, state: State::Fresh }
    }

    /// Whether another element follows.
    fn goes_on(&mut self) -> io::Result<bool> {
        let is_first = self.state == State::Fresh;
        if is_first && !self.text.take(b'[')? {
            return Err(damaged("it is no list"));
        }
        self.state = State::Within;
        if self.text.take(b']')? {
            self.state = State::Ended;
            return match self.text.peek()? {
                None => Ok(false),
                Some(_) => Err(damaged("text follows the list's end")),
            };
        }
        if !is_first && !self.text.take(b',')? {
            return Err(damaged("its list breaks off"));
        }
        Ok(true)
    }
}

impl<R: Read + Send> Rows for ListRows<R> {
    fn next(&mut self) -> io::Result<Option<Item>> {
        if self.state == State::Ended || !self.goes_on()? {
            return Ok(None);
        }
        let number = self.number;
        self.number += 1;
        Ok(Some(match self.text.value(self.max_bytes)? {
            Text::Whole(text) => object::row(text, number, &self.names),
            Text::TooLong => Item::Bad(Fault::too_large(number)),
        }))
    }
}
