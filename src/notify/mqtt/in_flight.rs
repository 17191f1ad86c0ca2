//! What was handed to the connection and is not acknowledged.

use std::collections::VecDeque;

/// The message of a kept pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// Connections that ended while it was on its way.
    pub(super) losses: u32,
}

impl Message {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, losses: 0 }
    }

    /// Whether it may be what the broker ends connections for.
    pub(super) fn is_suspect(&self) -> bool {
        self.losses > 0
    }
}

/// What may be on its way. What is no pair's is not remembered by its bytes: after a lost connection
/// newer ones take their place.
#[derive(Debug)]
pub(super) enum Payload {
    Status,
    Counters,
    Kept(Message),
}

/// Messages on their way, in the order in which they were handed over.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    messages: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    /// The packet's number, once it is on the wire.
    packet: Option<u16>,
    payload: Payload,
}

impl InFlight {
    /// A message was handed over.
    pub(super) fn hand_over(&mut self, payload: Payload) {
        self.messages.push_back(Sent { packet: None, payload });
    }

    /// The first message that was not on the wire is there now, as `packet`.
    pub(super) fn sent(&mut self, packet: u16) {
        if let Some(message) = self.messages.iter_mut().find(|message| message.packet.is_none()) {
            message.packet = Some(packet);
        }
    }

    /// The broker has `packet`; gives what it was.
    pub(super) fn acknowledged(&mut self, packet: u16) -> Option<Payload> {
        let place = self.messages.iter().position(|message| message.packet == Some(packet))?;
        self.messages.remove(place).map(|message| message.payload)
    }

    /// Whether one of them is so.
    pub(super) fn any(&self, is_so: impl Fn(&Payload) -> bool) -> bool {
        self.messages.iter().any(|message| is_so(&message.payload))
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Gives all of them, oldest first, and forgets them.
    pub(super) fn take(&mut self) -> Vec<Payload> {
        self.messages.drain(..).map(|message| message.payload).collect()
    }
}
