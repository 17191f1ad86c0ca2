//! A Linux video device (V4L2): a USB camera, or a board's own.

use std::io::{self, Cursor};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use moq_v4l::buffer::Type;
use moq_v4l::capability::Flags;
use moq_v4l::io::traits::CaptureStream;
use moq_v4l::video::Capture;
use moq_v4l::{Device, Format, FourCC};
use pairgate_core::config::SampleLimits;
use pairgate_core::pair::Size;

use super::mjpeg::MjpegSource;
use super::yuyv;
use crate::disk::IoError;
use crate::source::{Sample, Source};

/// Longest time between two frames; a camera that takes longer has stopped.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames that the kernel holds.
const BUFFERS: u32 = 4;

/// Reads frames of a video device. It gives JPEG pictures where it can, as they are; else YUYV
/// frames, which become JPEG here.
pub struct CameraSource {
    stream: moq_v4l::io::mmap::Stream<'static>,
    coding: Coding,
    from: Arc<str>,
    limits: SampleLimits,
}

/// How a frame's bytes are to be read.
enum Coding {
    Jpeg,
    /// Size, and bytes a row.
    Yuyv(Size, usize),
}

impl CameraSource {
    /// Opens a device and agrees on a format, of `size` where the camera has it, else of the size
    /// that is nearest by its driver's judgement; pictures above `limits` are counted as such.
    ///
    /// # Errors
    /// [`IoError::Read`] if it is no camera, is taken, or gives neither JPEG nor YUYV.
    pub fn open(path: &Path, size: Option<Size>, limits: SampleLimits) -> Result<Self, IoError> {
        let from = path.display().to_string();
        match agree(path, size) {
            Ok((stream, coding)) => Ok(Self { stream, coding, from: from.into(), limits }),
            Err(why) => Err(IoError::Read { from, why }),
        }
    }

    fn frame(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.stream.next() {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) if why.kind() == io::ErrorKind::TimedOut => {
                    let text = format!("no frame in {} s", PATIENCE.as_secs());
                    return Err(io::Error::new(why.kind(), text));
                }
                Err(why) => return Err(why),
                Ok((buffer, about)) => {
                    let used = (about.bytesused as usize).min(buffer.len());
                    return match self.coding {
                        Coding::Jpeg => Ok(buffer[..used].to_vec()),
                        Coding::Yuyv(size, stride) => yuyv::to_jpeg(&buffer[..used], size, stride),
                    };
                }
            }
        }
    }
}

impl Source for CameraSource {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        loop {
            let frame = self.frame();
            let frame = frame.map_err(|why| IoError::Read { from: self.from.to_string(), why })?;
            // A driver's buffer may hold less or more than a picture; an empty one is no frame.
            let picture = MjpegSource::new(Cursor::new(frame), &self.from, self.limits).next();
            match picture {
                Ok(None) => {}
                Err(why) => log::debug!("a frame is passed over: {why}"),
                sample => return sample,
            }
        }
    }
}

fn agree(
    path: &Path,
    size: Option<Size>,
) -> io::Result<(moq_v4l::io::mmap::Stream<'static>, Coding)> {
    let device = Device::with_path(path)?;
    let able = device.query_caps()?.capabilities;
    if !able.contains(Flags::VIDEO_CAPTURE | Flags::STREAMING) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "it captures no video"));
    }
    let coding = coding_of(&device, size)?;
    let mut stream = moq_v4l::io::mmap::Stream::with_buffers(&device, Type::VideoCapture, BUFFERS)?;
    stream.set_timeout(PATIENCE);
    Ok((stream, coding))
}

fn coding_of(device: &Device, size: Option<Size>) -> io::Result<Coding> {
    let now = device.format()?;
    let size = size.unwrap_or(Size::new(now.width, now.height));
    for code in [b"MJPG", b"JPEG", b"YUYV"] {
        let got = device.set_format(&Format::new(size.width, size.height, FourCC::new(code)))?;
        if got.fourcc == FourCC::new(code) {
            log::info!("camera: {}x{} {}", got.width, got.height, got.fourcc);
            return Ok(match code {
                b"YUYV" => Coding::Yuyv(Size::new(got.width, got.height), got.stride as usize),
                _ => Coding::Jpeg,
            });
        }
    }
    let offered = device.enum_formats()?;
    let names: Vec<String> = offered.iter().map(|format| format.fourcc.to_string()).collect();
    let why = format!("it offers {}; MJPG, JPEG or YUYV is needed", names.join(", "));
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}
