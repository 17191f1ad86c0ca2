//! What stands in for `mqtt` in a binary without it: nobody is told of anything.

use std::error::Error;

use pairgate::error::RunError;
use pairgate::pipeline::Outcome;
use pairgate::sink::Sink;
use pairgate::store::ShardObserver;

use crate::args::MqttArgs;

pub struct Plan;

impl Plan {
    pub fn of(_: &MqttArgs) -> Result<Self, Box<dyn Error>> {
        Ok(Self)
    }

    pub fn queue_bytes(&self) -> u64 {
        0
    }

    pub fn open(self) -> Result<Listener, RunError> {
        Ok(Listener)
    }
}

pub struct Listener;

impl Listener {
    pub fn add_to(&self, _: &mut Vec<Box<dyn Sink>>) {}

    pub fn observer(&self, _: Option<f32>) -> Option<Box<dyn ShardObserver>> {
        None
    }

    pub fn close(self, _: &Outcome) {}
}
