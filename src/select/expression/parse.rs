//! From text to an expression.

use std::fmt;

use super::methods::{METHODS, MethodKind, ParameterKind, Spec, spec_of};
use super::token::{Token, tokens};
use super::{Atom, Cut, DEEPEST, Ending, Expression, MOST_ATOMS, Value};

/// Longest expression that is read, in bytes.
const LONGEST: usize = 1 << 16;

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    text: String,
    at: usize,
    why: String,
}

impl ParseError {
    /// The byte at which it is wrong.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What is wrong there.
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl std::error::Error for ParseError {}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A window of it: the text may be long, and holds what people wrote.
        let before: String = self.text[..self.at].chars().rev().take(40).collect();
        let before: String = before.chars().rev().collect();
        let after: String = self.text[self.at..].chars().take(30).collect();
        let line = |text: &str| text.replace(char::is_control, " ");
        let (before, after) = (line(&before), line(&after));
        let blanks = " ".repeat(before.chars().count());
        write!(f, "the method: {}\n  {before}{after}\n  {blanks}^", self.why)
    }
}

pub fn expression(text: &str) -> Result<Expression, ParseError> {
    let fail = |at: usize, why: String| ParseError { text: text.to_owned(), at, why };
    if text.len() > LONGEST {
        return Err(ParseError {
            text: String::new(),
            at: 0,
            why: format!("it is longer than {LONGEST} bytes"),
        });
    }
    let found =
        tokens(text).map_err(|at| fail(at, "neither a word, a number nor a sign".into()))?;
    let mut parser = Parser { tokens: &found, next: 0, end: text.len(), atoms: 0 };
    let parsed = parser.expression(0).and_then(|expression| match parser.peek() {
        None => Ok(expression),
        Some(_) => parser.wrong("the expression has ended here"),
    });
    parsed.map_err(|(at, why)| fail(at, why))
}

/// The place, and what is wrong there.
type Wrong = (usize, String);

struct Parser<'a> {
    tokens: &'a [(usize, Token<'a>)],
    next: usize,
    end: usize,
    atoms: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn wrong<T>(&self, why: impl Into<String>) -> Result<T, Wrong> {
        Err((self.at(), why.into()))
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_next = self.peek() == Some(&Token::Sign(sign));
        self.next += usize::from(is_next);
        is_next
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_next = self.peek() == Some(&Token::Word(word));
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), Wrong> {
        if self.takes(sign) { Ok(()) } else { self.wrong(format!("here comes a `{sign}`")) }
    }

    fn number(&mut self) -> Result<f64, Wrong> {
        match self.peek() {
            Some(Token::Number(value)) => {
                let value = *value;
                self.next += 1;
                Ok(value)
            }
            _ => self.wrong("here comes a number"),
        }
    }

    fn expression(&mut self, depth: usize) -> Result<Expression, Wrong> {
        if depth > DEEPEST {
            return self.wrong(format!("it nests deeper than {DEEPEST}"));
        }
        if self.takes_word("all") {
            return Ok(Expression::All(self.list(depth)?));
        }
        if self.takes_word("any") {
            return Ok(Expression::Any(self.list(depth)?));
        }
        if self.takes_word("ranks") {
            return self.ranks();
        }
        let start = self.at();
        let (atom, spec) = self.atom()?;
        let ending = self.ending(spec.kind, start, spec.name)?;
        Ok(Expression::Atom(atom, ending))
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Expression>, Wrong> {
        self.expect("(")?;
        let mut parts = vec![self.expression(depth + 1)?];
        while self.takes(",") {
            parts.push(self.expression(depth + 1)?);
        }
        self.expect(")")?;
        Ok(parts)
    }

    fn ranks(&mut self) -> Result<Expression, Wrong> {
        let start = self.at();
        self.expect("(")?;
        let mut sum = vec![self.weighted()?];
        while self.takes("+") {
            sum.push(self.weighted()?);
        }
        self.expect(")")?;
        let ending = self.ending(MethodKind::Scorer { high_is_good: true }, start, "ranks")?;
        Ok(Expression::Ranks(sum, ending))
    }

    fn weighted(&mut self) -> Result<(f64, Atom), Wrong> {
        let mut weight = 1.0;
        if matches!(self.peek(), Some(Token::Number(_))) {
            weight = self.number()?;
            self.expect("*")?;
        }
        let at = self.at();
        let (atom, spec) = self.atom()?;
        match spec.kind {
            MethodKind::Scorer { .. } => Ok((weight, atom)),
            _ => Err((at, format!("{} gives no number that ranks could be made of", spec.name))),
        }
    }

    fn atom(&mut self) -> Result<(Atom, &'static Spec), Wrong> {
        let Some(Token::Word(name)) = self.peek() else {
            return self.wrong(format!("here comes a method: {}", names()));
        };
        let Some(spec) = spec_of(name) else {
            return self.wrong(format!("{name} is no method; there are {}", names()));
        };
        self.atoms += 1;
        if self.atoms > MOST_ATOMS {
            return self.wrong(format!("more than {MOST_ATOMS} methods"));
        }
        self.next += 1;
        let mut parameters: Vec<(&'static str, Value)> = Vec::new();
        while let Some(Token::Word(word)) = self.peek() {
            if matches!(*word, "keep" | "within" | "flag") {
                break;
            }
            let Some(parameter) = spec.parameters.iter().find(|known| known.name == *word) else {
                return self.wrong(unknown(spec, word));
            };
            if parameters.iter().any(|(name, _)| *name == parameter.name) {
                return self.wrong(format!("{} is said twice", parameter.name));
            }
            self.next += 1;
            parameters.push((parameter.name, self.value(parameter.kind)?));
        }
        Ok((Atom { method: spec.name, parameters }, spec))
    }

    fn value(&mut self, kind: ParameterKind) -> Result<Value, Wrong> {
        let (low, high, is_whole) = match (kind, self.peek()) {
            (ParameterKind::Word, Some(Token::Word(word))) => {
                let word = (*word).to_owned();
                self.next += 1;
                return Ok(Value::Word(word));
            }
            (ParameterKind::Word, _) => return self.wrong("here comes a word"),
            (ParameterKind::Number(low, high), _) => (low, high, false),
            (ParameterKind::Count(low, high), _) => (low, high, true),
        };
        let at = self.at();
        let value = self.number()?;
        if value < low || value > high || (is_whole && value.fract() != 0.0) {
            let what = if is_whole { "a whole number" } else { "a number" };
            return Err((at, format!("{value} is not {what} from {low} to {high}")));
        }
        Ok(Value::Number(value))
    }

    fn ending(&mut self, kind: MethodKind, start: usize, name: &str) -> Result<Ending, Wrong> {
        let at = self.at();
        let cut = self.cut()?;
        match (kind, cut) {
            (MethodKind::Scorer { .. }, None) => {
                let why = format!("{name} needs a cut: keep 20%, >= X, <= X or within 5% 95%");
                return Err((start, why));
            }
            (MethodKind::Pool, None) => {
                return Err((start, format!("{name} needs its share: keep 20%")));
            }
            (MethodKind::Pool, Some(Cut::Keep(_))) => {}
            (MethodKind::Pool, Some(_)) => {
                return Err((at, format!("{name} takes a share alone: keep 20%")));
            }
            (MethodKind::Whole, Some(_)) => {
                return Err((at, format!("{name} decides by itself, and takes no cut")));
            }
            _ => {}
        }
        Ok(Ending { cut, flags: self.takes_word("flag") })
    }

    fn cut(&mut self) -> Result<Option<Cut>, Wrong> {
        if self.takes_word("keep") {
            let at = self.at();
            let share = self.number()?;
            return if share > 0.0 && share <= 1.0 {
                Ok(Some(Cut::Keep(share)))
            } else {
                Err((at, format!("{share} is no share: above 0, at most 1 (100%)")))
            };
        }
        if self.takes_word("within") {
            let at = self.at();
            let (low, high) = (self.number()?, self.number()?);
            return if 0.0 <= low && low < high && high <= 1.0 {
                Ok(Some(Cut::Within(low, high)))
            } else {
                Err((at, format!("{low} to {high} is no band of shares, such as 5% 95%")))
            };
        }
        if self.takes(">=") {
            return Ok(Some(Cut::AtLeast(self.number()?)));
        }
        if self.takes("<=") {
            return Ok(Some(Cut::AtMost(self.number()?)));
        }
        Ok(None)
    }
}

fn names() -> String {
    METHODS.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ")
}

fn unknown(spec: &Spec, word: &str) -> String {
    let known: Vec<_> = spec.parameters.iter().map(|parameter| parameter.name).collect();
    match known.is_empty() {
        true => format!("{} takes no parameter {word}", spec.name),
        false => format!("{} takes no parameter {word}; it has {}", spec.name, known.join(", ")),
    }
}
