//! The words and signs of an expression, with their places.

/// A word, a number or a sign.
#[derive(Debug, Clone, PartialEq)]
pub enum Token<'a> {
    /// A name.
    Word(&'a str),
    /// A number; `15%` is 0.15.
    Number(f64),
    /// `( ) , + * >= <=`
    Sign(&'a str),
}

/// The tokens of `text`, each with the byte at which it begins.
///
/// # Errors
/// The place of what is no token.
pub fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        if next.is_whitespace() {
            at += next.len_utf8();
            continue;
        }
        let (token, length) = token(&text[at..]).ok_or(at)?;
        found.push((at, token));
        at += length;
    }
    Ok(found)
}

/// The token that `rest` begins with, and its length in bytes.
fn token(rest: &str) -> Option<(Token<'_>, usize)> {
    for sign in [">=", "<=", "(", ")", ",", "+", "*"] {
        if rest.starts_with(sign) {
            return Some((Token::Sign(&rest[..sign.len()]), sign.len()));
        }
    }
    let is_of_number = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '%');
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':' | '/');
    let first = rest.chars().next()?;
    if first.is_ascii_digit() || first == '.' || first == '-' {
        let length = rest.find(|c| !is_of_number(c)).unwrap_or(rest.len());
        return Some((Token::Number(number(&rest[..length])?), length));
    }
    let length = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
    (length > 0).then(|| (Token::Word(&rest[..length]), length))
}

fn number(text: &str) -> Option<f64> {
    let value = match text.strip_suffix('%') {
        // The decimal point moves in the text: dividing would round twice.
        Some(percent) if percent.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            format!("{percent}e-2").parse().ok()
        }
        Some(_) => None,
        None => text.parse::<f64>().ok(),
    };
    value.filter(|value| value.is_finite())
}
