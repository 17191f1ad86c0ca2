//! What selects among pairs that pass.

use heapless::String;
use serde::{Deserialize, Serialize};

/// Methods that select by more than one pair's score. It is in files alone: firmware selects nothing, and a
/// packed config holds none of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectConfig {
    /// The methods that `select fit` fits, as an expression; empty: what its option says. By itself it
    /// changes no decision.
    pub method: String<512>,
    /// Path of the frozen state that selects; empty: nothing selects. Its digest is part of what decides.
    pub state: String<256>,
}
