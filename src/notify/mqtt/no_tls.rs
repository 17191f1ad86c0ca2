//! What stands in for `tls` in a program without it: there is none.

use std::path::Path;

use rumqttc::Transport;

/// None can be made.
#[derive(Debug, Clone)]
pub enum Tls {}

impl Tls {
    /// Fails.
    ///
    /// # Errors
    /// Always.
    pub fn load(_: Option<&Path>) -> Result<Self, String> {
        Err("this pairgate is built without the feature `mqtts`".into())
    }

    pub(super) fn transport(&self) -> Transport {
        match *self {}
    }
}
