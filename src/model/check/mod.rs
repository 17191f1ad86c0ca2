//! What a model says, held against the software that it comes from; and what a bundle is made of.

pub mod golden;
pub mod inspect;
pub(super) mod own;
pub(super) mod selfcheck;
pub mod verify;
pub(super) mod witness;
