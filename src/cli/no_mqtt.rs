//! What stands in for `mqtt` in a binary without it: nobody is told of anything.

use std::error::Error;
use std::io;
use std::sync::Arc;

use crate::agent::status::Status;
use crate::cli::args::MqttArgs;
use crate::pipeline::Outcome;
use crate::sink::Sink;
use crate::store::ShardObserver;

pub struct Plan;

impl Plan {
    pub fn of(_: &MqttArgs) -> Result<Self, Box<dyn Error>> {
        Ok(Self)
    }

    pub fn none() -> Self {
        Self
    }

    pub fn is_asked(&self) -> bool {
        false
    }

    pub fn queue_bytes(&self) -> u64 {
        0
    }

    pub fn open(self) -> io::Result<Listener> {
        Ok(Listener)
    }
}

pub struct Listener;

impl Listener {
    pub fn add_to(&self, _: &mut Vec<Box<dyn Sink>>) {}

    pub fn tell_of(&self, _: Option<&Arc<Status>>) {}

    pub fn observer(&self, _: Option<f32>) -> Option<Box<dyn ShardObserver>> {
        None
    }

    pub fn close(self, _: &Outcome) {}
}
