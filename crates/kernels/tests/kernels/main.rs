//! The kernels, by themselves: every instruction set against plain Rust, and that against arithmetic that
//! cannot be wrong.

mod arch;
mod float;
mod integer;
mod pinned;
