//! The core that a microcontroller's firmware shares with the gate: what a pair and a decision are,
//! the cheap rules, the policy, settings, the bytes of journals and frames, and the capture ring.
//!
//! It needs neither `std` nor an allocator; inference is in `pairgate`.
//!
//! | module | holds |
//! |---|---|
//! | [`pair`] | a pair, its digest, its picture's size |
//! | [`decision`] | verdicts, reasons and the facts that they rest on |
//! | [`language`] | languages that captions may be in |
//! | [`rules`] | the cheap rules that answer before a network is asked |
//! | [`policy`] | what passes, from the facts |
//! | [`config`] | everything that can be set, its ranges, and the packed form for firmware |
//! | [`wire`] | the bytes of journals, and of pairs on their way to a host |
//! | [`ring`] | the lock-free ring between a camera's interrupt and what takes its frames |
//! | [`stats`] | counts of a run |
//! | [`error`] | settings and bytes that cannot be used |

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

pub mod config;
pub mod decision;
pub mod error;
pub mod language;
pub mod pair;
pub mod policy;
pub mod ring;
pub mod rules;
pub mod stats;
pub mod wire;
