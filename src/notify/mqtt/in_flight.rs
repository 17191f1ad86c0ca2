//! What was handed to the connection and is not acknowledged.

use std::collections::VecDeque;

/// Messages on their way, in the order in which they were handed over. Those that are no pair's
/// are remembered without their bytes: after a lost connection newer ones take their place.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    messages: VecDeque<Message>,
}

#[derive(Debug)]
struct Message {
    /// The packet's number, once it is on the wire.
    packet: Option<u16>,
    kept: Option<Vec<u8>>,
}

impl InFlight {
    /// A message was handed over; `kept` is a pair's.
    pub(super) fn hand_over(&mut self, kept: Option<Vec<u8>>) {
        self.messages.push_back(Message { packet: None, kept });
    }

    /// The first message that was not on the wire is there now, as `packet`.
    pub(super) fn sent(&mut self, packet: u16) {
        if let Some(message) = self.messages.iter_mut().find(|message| message.packet.is_none()) {
            message.packet = Some(packet);
        }
    }

    /// The broker has `packet`; gives whether it was a pair's message.
    pub(super) fn acknowledged(&mut self, packet: u16) -> bool {
        let place = self.messages.iter().position(|message| message.packet == Some(packet));
        let message = place.and_then(|place| self.messages.remove(place));
        message.is_some_and(|message| message.kept.is_some())
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Gives the pairs' messages, oldest first, and forgets all.
    pub(super) fn take(&mut self) -> Vec<Vec<u8>> {
        self.messages.drain(..).filter_map(|message| message.kept).collect()
    }
}
