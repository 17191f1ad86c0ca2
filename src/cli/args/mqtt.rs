//! An MQTT broker that is told of a run.

#[cfg(feature = "mqtts")]
use std::path::PathBuf;

use clap::Args as ClapArgs;

#[cfg(feature = "mqtt")]
use crate::cli::args::headings::MQTT;

/// An MQTT broker that is told of a run; nothing of it in a binary without the feature `mqtt`.
#[derive(Debug, Clone, ClapArgs)]
pub struct MqttArgs {
    /// Tell an MQTT broker of the run.
    ///
    /// It is told of status, counters, and each kept pair once its shard is on disk, without its
    /// image. The URL is mqtt://[user[:password]@]host[:port][/prefix], or mqtts:// for TLS; the port
    /// is 1883, for TLS 8883, and the prefix of topics pairgate where they are not said, and
    /// PAIRGATE_MQTT_PASSWORD may hold the password. Such as: pairgate filter shards/ -o kept --mqtt mqtt://user@broker/farm
    /// --mqtt-node barn
    #[cfg(feature = "mqtt")]
    #[arg(long, value_name = "URL", help_heading = MQTT)]
    pub mqtt: Option<String>,
    /// The node's name in the topics.
    ///
    /// The topics are PREFIX/NODE/status, counters and kept; one run at a time may have the name.
    /// Default: the host's name.
    #[cfg(feature = "mqtt")]
    #[arg(long, value_name = "NAME", requires = "mqtt", help_heading = MQTT)]
    pub mqtt_node: Option<String>,
    /// Certificates that a broker over TLS is checked by.
    ///
    /// A file in PEM. Default: those that the system trusts.
    #[cfg(feature = "mqtts")]
    #[arg(long, value_name = "FILE", requires = "mqtt", help_heading = MQTT)]
    pub mqtt_ca: Option<PathBuf>,
}
