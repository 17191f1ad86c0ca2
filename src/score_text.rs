//! Scores as text: the same digits wherever they are written.

use serde_json::Value;

/// A score, or a threshold, as JSON: the fewest digits that give the same 32-bit float again. Null
/// where it is no finite number.
///
/// `json!` by itself takes a 32-bit float for a 64-bit one, and writes digits that mean nothing:
/// 0.27340000867843628 for 0.2734.
pub fn shortest(score: f32) -> Value {
    // 9 digits at most, which a 64-bit float holds: it prints the same ones.
    let nearest = score.to_string().parse::<f64>();
    nearest.map_or(Value::Null, |nearest| serde_json::Number::from_f64(nearest).into())
}
