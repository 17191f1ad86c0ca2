//! The numeric kernels of pairgate: what the inference engine does not do well enough. The one place
//! with `unsafe`.
//!
//! Each kernel is written once, over sixteen lanes ([`arch::Lanes`]) and an integer tile
//! ([`arch::Arch`]), and compiled for each instruction set; [`Isa::run`] picks the set at run
//! time. Lanes round like IEEE 754 on every set, sums have one order, and a fused multiply-add is
//! written where one is meant, so that **the same input gives the same bits everywhere**.
//!
//! | file | idea |
//! |---|---|
//! | `isa` | instruction sets: detected, chosen, run |
//! | `arch` | lanes and integer tiles of each set |
//! | `team` | the threads that one run is split over |
//! | `pack`, `quantize` | weights in tile order; rows of activations to codes |
//! | `product`, `convolve` | int8 products and convolutions with their epilogues |
//! | `depthwise_int8` | int8 depthwise convolutions |
//! | `activation`, `norm`, `softmax`, `attention`, `matmul`, `depthwise`, `pool` | f32 kernels |

#![deny(unsafe_op_in_unsafe_fn)]
#![allow(unsafe_code)] // here alone

pub mod activation;
pub mod arch;
pub mod attention;
pub mod convolve;
pub mod depthwise;
pub mod depthwise_int8;
mod disjoint;
pub mod dots;
mod epilogue;
pub mod isa;
mod lines;
pub mod matmul;
pub mod norm;
pub mod pack;
pub mod peak;
pub mod pool;
pub mod product;
pub mod quantize;
pub mod softmax;
pub mod team;
mod tile;
mod transpose;

pub use activation::Activation;
pub use isa::{Isa, Task};
pub use pack::PackedWeights;
pub use team::Team;
