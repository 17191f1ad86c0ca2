//! Firmware of a board that takes pictures and sends those that pass pairgate's cheap rules.
//!
//! ```text
//! SysTick: camera -> [ring of filled buffers] -> main loop: rules -> frames -> UART
//!             ^                                        |
//!             +--------- [ring of empty buffers] ------+
//! ```
//! The camera never waits: where no buffer is empty, it sheds the picture, and counts it. The config
//! is what `pairgate config pack` made of `mcu.toml`.

#![no_std]
#![no_main]
#![deny(unsafe_code)] // but in `board`

mod board;
mod pattern;

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::Peripherals;
use cortex_m::interrupt::{self, Mutex};
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::singleton;
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, heprintln};
use pairgate_core::config::Config;
use pairgate_core::config::packed::unpack;
use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::error::SendError;
use pairgate_core::ring::{Capture, Intake, Ring};
use pairgate_core::rules::Rules;
use pairgate_core::stats::Counts;
use pairgate_core::wire::pairs::{Start, Time};
use pairgate_core::wire::sender::Sender;
use panic_halt as _;

use board::{Uart, stack_bytes};
use pattern::{FRAME_BYTES, SHOTS, Shot};

/// The packed config; `mcu.toml` is what it is made of.
static CONFIG: &[u8] = include_bytes!("../mcu.pgcf");
/// Ticks of the board's clock in a millisecond.
const TICKS_A_MS: u32 = 25_000;
/// The UART's clock over its speed: the fastest there is.
const BAUD_DIVIDER: u32 = 16;
/// Bytes of a frame on the wire before it is stuffed.
const WIRE_BUFFER: usize = 512;

type Buffer = &'static mut [u8; FRAME_BYTES];

/// A picture that was taken.
struct Taken {
    number: usize,
    boot_ms: u32,
    pixels: Buffer,
}

/// Takes a picture at each tick.
struct Camera {
    empty: Intake<'static, Buffer>,
    filled: Capture<'static, Taken>,
    next: usize,
    interval_ms: u32,
    now_ms: u32,
}

/// The camera on its way to the interrupt that drives it.
static CAMERA: Mutex<Cell<Option<Camera>>> = Mutex::new(Cell::new(None));
/// Pictures for which no buffer was empty.
static SHED: AtomicU32 = AtomicU32::new(0);

impl Camera {
    fn tick(&mut self) {
        self.now_ms += self.interval_ms;
        let number = self.next;
        let Some(shot) = SHOTS.get(number) else { return };
        let Some(pixels) = self.empty.pop() else {
            // A real camera's next picture is another one; this one is tried again, so that the host
            // knows which ones to expect.
            SHED.fetch_add(1, Ordering::Relaxed);
            return;
        };
        shot.draw(number as u32, pixels);
        let taken = Taken { number, boot_ms: self.now_ms, pixels };
        // The ring has a place for each buffer.
        if self.filled.push(taken).is_ok() {
            self.next += 1;
        }
    }
}

#[exception]
fn SysTick() {
    static mut DRIVEN: Option<Camera> = None;
    if DRIVEN.is_none() {
        *DRIVEN = interrupt::free(|cs| CAMERA.borrow(cs).take());
    }
    if let Some(camera) = DRIVEN {
        camera.tick();
    }
}

#[entry]
fn main() -> ! {
    let done = unpack(CONFIG).ok().and_then(|config| run(&config));
    debug::exit(if done.is_some() { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    // Without an emulator the board rests here.
    loop {
        cortex_m::asm::wfi();
    }
}

/// Takes all pictures and sends those that pass. `None` where a part of the board was taken already,
/// or a pair could not be sent.
fn run(config: &Config) -> Option<()> {
    let (mut empty, to_camera) =
        singleton!(: Ring<Buffer, 3> = Ring::new()).map(|ring| ring.split())?;
    let (from_camera, mut filled) =
        singleton!(: Ring<Taken, 3> = Ring::new()).map(|ring| ring.split())?;
    empty.push(singleton!(: [u8; FRAME_BYTES] = [0; FRAME_BYTES])?).ok()?;
    empty.push(singleton!(: [u8; FRAME_BYTES] = [0; FRAME_BYTES])?).ok()?;
    let interval_ms = config.capture.interval_ms.clamp(1, 100) as u32;
    let camera = Camera { empty: to_camera, filled: from_camera, next: 0, interval_ms, now_ms: 0 };
    interrupt::free(|cs| CAMERA.borrow(cs).set(Some(camera)));
    start_ticks(&mut Peripherals::take()?.SYST, interval_ms);

    let mut uart = Uart::start(BAUD_DIVIDER);
    let buffer = singleton!(: [u8; WIRE_BUFFER] = [0; WIRE_BUFFER])?;
    let mut sender = Sender::new(buffer, |bytes: &[u8]| uart.write(bytes));
    let mut counts = Counts::default();
    while (counts.decided() as usize) < SHOTS.len() {
        let Some(taken) = filled.pop() else {
            cortex_m::asm::wfi();
            continue;
        };
        let reason = fault(&config.rules, &SHOTS[taken.number]);
        if reason.is_none() {
            send(&mut sender, config, &taken).ok()?;
        }
        counts.add(&decision(reason));
        empty.push(taken.pixels).ok()?;
    }
    report(&counts);
    Some(())
}

fn start_ticks(timer: &mut SYST, interval_ms: u32) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(interval_ms * TICKS_A_MS - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// The rule that a picture breaks, if any.
fn fault(rules: &Rules, shot: &Shot) -> Option<Reason> {
    rules.caption_fault(shot.caption).or_else(|| rules.size_fault(shot.size))
}

fn decision(fault: Option<Reason>) -> Decision {
    let verdict = if fault.is_none() { Verdict::Kept } else { Verdict::Rejected };
    Decision { verdict, reason: fault.unwrap_or(Reason::Passed), facts: Facts::default() }
}

fn send<W: FnMut(&[u8])>(
    sender: &mut Sender<'_, W>,
    config: &Config,
    taken: &Taken,
) -> Result<u32, SendError> {
    let shot = &SHOTS[taken.number];
    let pixels = &taken.pixels[..shot.bytes()];
    let start = Start {
        node: "mcu",
        format: shot.format,
        size: shot.size,
        bytes: pixels.len() as u32,
        time: Time::SinceBoot(taken.boot_ms.into()),
        place: &config.capture.place,
        sensor: &config.capture.sensor,
        caption: Some(shot.caption),
    };
    sender.send(&start, pixels)
}

/// Tells the emulator's console how it went, in lines of a name and a number.
fn report(counts: &Counts) {
    heprintln!("taken {}", counts.decided());
    heprintln!("sent {}", counts.total(Verdict::Kept));
    for (reason, count) in counts.reasons(Verdict::Rejected) {
        heprintln!("{} {}", reason.name(), count);
    }
    heprintln!("shed {}", SHED.load(Ordering::Relaxed));
    heprintln!("stack {}", stack_bytes());
}
