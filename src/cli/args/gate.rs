//! How a gate judges: rules and arithmetic.

use clap::ValueEnum;
use pairgate_core::config::DecodeMode;

use crate::model::Arithmetic;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ArithmeticArg {
    /// In 8-bit integers, on our own kernels: fast.
    Int8,
    /// In 32-bit floats, as the graphs say: the reference.
    Float,
}

impl From<ArithmeticArg> for Arithmetic {
    fn from(arg: ArithmeticArg) -> Self {
        match arg {
            ArithmeticArg::Int8 => Self::int8(),
            ArithmeticArg::Float => Self::Float,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RulesArg {
    /// DataComp's basic filter without language: 3 words, 6 characters, 200 px, aspect 3.
    Basic,
    /// No rule: every pair goes to the model.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DecodeArg {
    /// At their own resolution.
    Exact,
    /// Large JPEGs at a half, a quarter or an eighth: faster, and scores move a little.
    Scaled,
}

impl From<DecodeArg> for DecodeMode {
    fn from(arg: DecodeArg) -> Self {
        match arg {
            DecodeArg::Exact => Self::Exact,
            DecodeArg::Scaled => Self::Scaled,
        }
    }
}
