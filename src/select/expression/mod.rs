//! The small language in which methods are combined.
//!
//! ```text
//! expression = all(expression, ...) | any(expression, ...) | ranks(sum) cut [flag] | atom
//! atom       = METHOD [KEY VALUE]... [cut] [flag]
//! sum        = [WEIGHT *] SCORER [KEY VALUE]... [+ ...]
//! cut        = keep SHARE | >= X | <= X | within LOW HIGH
//! ```
//! `all` goes from left to right: each method is fitted on what those before it let through, and `keep` is a
//! share of that. Of `any`, each is fitted on all that comes in. `flag` notes what speaks against a pair,
//! and drops nothing.

mod methods;
mod parse;
mod token;

use std::fmt;

pub use methods::{METHODS, MethodKind, ParameterKind, Spec, spec_of};
pub use parse::ParseError;

/// Deepest nesting of `all` and `any`.
const DEEPEST: usize = 16;
/// Most methods of an expression.
const MOST_ATOMS: usize = 64;

/// Methods, combined.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A pair must pass every one.
    All(Vec<Expression>),
    /// A pair must pass one of them.
    Any(Vec<Expression>),
    /// A weighted sum of ranks, cut.
    Ranks(Vec<(f64, Atom)>, Ending),
    /// One method.
    Atom(Atom, Ending),
}

/// A method with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Atom {
    /// Its name in [`METHODS`].
    pub method: &'static str,
    /// What was said, in that order.
    pub parameters: Vec<(&'static str, Value)>,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number; `15%` is 0.15.
    Number(f64),
    /// A word, such as a field's name.
    Word(String),
}

/// Where a method cuts, and what that does.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ending {
    /// `None` where the method has no value to cut.
    pub cut: Option<Cut>,
    /// Whether it flags in place of dropping.
    pub flags: bool,
}

/// Which values pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// The best share of what comes in, above 0, at most 1.
    Keep(f64),
    /// Those at or above.
    AtLeast(f64),
    /// Those at or below.
    AtMost(f64),
    /// Those from a low percentile to a high one, as shares of what comes in at the fit.
    Within(f64, f64),
}

impl Atom {
    /// The number of a parameter: what was said, else the method's default.
    pub fn number(&self, name: &str) -> f64 {
        let said = self.parameters.iter().find(|(said, _)| *said == name);
        match said {
            Some((_, Value::Number(value))) => *value,
            _ => spec_of(self.method).and_then(|spec| spec.default_of(name)).unwrap_or(f64::NAN),
        }
    }

    /// The number of a parameter that has no default; `None` where nothing was said.
    pub fn said_number(&self, name: &str) -> Option<f64> {
        self.parameters.iter().find_map(|(said, value)| match value {
            Value::Number(value) if *said == name => Some(*value),
            _ => None,
        })
    }

    /// The word of a parameter, where one was said.
    pub fn word(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find_map(|(said, value)| match value {
            Value::Word(word) if *said == name => Some(word.as_str()),
            _ => None,
        })
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`ParseError`], which points at the place.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::expression(text)
    }

    /// Every method in it, in the order of evaluation, those of ranks among them.
    pub fn atoms(&self) -> Vec<&Atom> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::atoms).collect(),
            Self::Ranks(sum, _) => sum.iter().map(|(_, atom)| atom).collect(),
            Self::Atom(atom, _) => vec![atom],
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, name: &str, parts: &[Self]| -> fmt::Result {
            write!(f, "{name}(")?;
            for (place, part) in parts.iter().enumerate() {
                write!(f, "{}{part}", if place > 0 { ", " } else { "" })?;
            }
            f.write_str(")")
        };
        match self {
            Self::All(parts) => list(f, "all", parts),
            Self::Any(parts) => list(f, "any", parts),
            Self::Ranks(sum, ending) => {
                f.write_str("ranks(")?;
                for (place, (weight, atom)) in sum.iter().enumerate() {
                    write!(f, "{}{weight} * {atom}", if place > 0 { " + " } else { "" })?;
                }
                write!(f, "){ending}")
            }
            Self::Atom(atom, ending) => write!(f, "{atom}{ending}"),
        }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method)?;
        self.parameters.iter().try_for_each(|(name, value)| match value {
            Value::Number(number) => write!(f, " {name} {number}"),
            Value::Word(word) => write!(f, " {name} {word}"),
        })
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cut {
            None => {}
            Some(Cut::Keep(share)) => write!(f, " keep {share}")?,
            Some(Cut::AtLeast(value)) => write!(f, " >= {value}")?,
            Some(Cut::AtMost(value)) => write!(f, " <= {value}")?,
            Some(Cut::Within(low, high)) => write!(f, " within {low} {high}")?,
        }
        f.write_str(if self.flags { " flag" } else { "" })
    }
}
