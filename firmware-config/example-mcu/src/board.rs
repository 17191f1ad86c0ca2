//! The board's hardware that is reached through memory: its UART, and how deep the stack went. The
//! one place with `unsafe`.
#![allow(unsafe_code)]

use core::ptr::{read_volatile, write_volatile};

/// UART 0 of ARM's CMSDK, as on the MPS2 boards (ARM DDI 0479, chapter 4.3).
const UART: *mut u32 = 0x4000_4000 as *mut u32;
/// Words from the base to each register.
const DATA: usize = 0;
const STATE: usize = 1;
const CONTROL: usize = 2;
const BAUD_DIVIDER: usize = 4;

/// State: the transmit buffer is full.
const TRANSMIT_FULL: u32 = 1;
/// Control: transmit.
const TRANSMIT: u32 = 1;

/// The sending side of UART 0.
pub struct Uart {
    _private: (),
}

impl Uart {
    /// Switches it on, at the clock's rate over `divider` (at least 16) in bits a second.
    pub fn start(divider: u32) -> Self {
        let mut uart = Self { _private: () };
        uart.set(BAUD_DIVIDER, divider);
        uart.set(CONTROL, TRANSMIT);
        uart
    }

    /// Sends `bytes`; returns when the last one is on its way.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.set(DATA, u32::from(*byte));
            while self.value(STATE) & TRANSMIT_FULL != 0 {}
        }
    }

    fn set(&mut self, register: usize, value: u32) {
        // SAFETY: the five words from UART on are this device's registers, which nothing else holds.
        unsafe { write_volatile(UART.add(register), value) }
    }

    fn value(&self, register: usize) -> u32 {
        // SAFETY: as above; reading the state changes nothing.
        unsafe { read_volatile(UART.add(register)) }
    }
}

unsafe extern "C" {
    /// The lowest word that the stack may reach, and the end of memory, from the linker script.
    static mut _stack_end: u32;
    static mut _stack_start: u32;
}

/// Bytes of the stack that were used so far at most, by the paint that is left.
pub fn stack_bytes() -> usize {
    let (mut word, top) = (&raw const _stack_end, &raw const _stack_start);
    // SAFETY: all words between the two are RAM of the stack's region; those below the stack pointer
    // hold what the runtime painted, the others end the loop at the latest at the top.
    while word < top && unsafe { read_volatile(word) } == cortex_m_rt::STACK_PAINT_VALUE {
        word = word.wrapping_add(1);
    }
    top as usize - word as usize
}
