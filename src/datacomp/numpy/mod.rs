//! NumPy's files: the header of an array, and where arrays lie in an archive.
//!
//! Both are what `numpy.save` and `numpy.savez` write, and little more: a parser of Python's literals
//! and a library for ZIP would be twenty packages for the two pages that follow.

mod archive;
mod header;

pub use archive::{Entry, Method, entries};
pub use header::Header;
