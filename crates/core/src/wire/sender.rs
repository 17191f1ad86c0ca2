//! The sending side of [`pairs`](super::pairs), for firmware: without allocation.

use super::CRC32C;
use super::cobs;
use super::pairs::{Body, HEAD, MAX_FRAME, PairCrc, Start, TAIL, VERSION};
use crate::error::SendError;

/// Bytes of a [`Body::Data`] beside the image's, at most: what it is, an offset and a length.
const DATA_OVERHEAD: usize = 1 + 5 + 3;

/// Sends pairs. It allocates nothing: frames are put together in a buffer, and go out in parts
/// through a function such as a UART's.
///
/// The longer the buffer, the longer the frames: less overhead, and more lost with a byte. A start
/// must fit it with its texts; a few hundred bytes are enough for most.
#[derive(Debug)]
pub struct Sender<'b, W> {
    buffer: &'b mut [u8],
    write: W,
    number: u32,
}

impl<'b, W: FnMut(&[u8])> Sender<'b, W> {
    /// A sender whose first pair is number 0.
    pub fn new(buffer: &'b mut [u8], write: W) -> Self {
        let length = buffer.len().min(MAX_FRAME);
        Self { buffer: &mut buffer[..length], write, number: 0 }
    }

    /// Sends a pair; gives its number.
    ///
    /// # Errors
    /// [`SendError`] if the start does not fit the buffer, or `image` is not what it says. Nothing
    /// was sent then.
    pub fn send(&mut self, start: &Start<'_>, image: &[u8]) -> Result<u32, SendError> {
        if image.len() as u64 != u64::from(start.bytes) {
            return Err(SendError::Length { bytes: start.bytes });
        }
        let mut pair = self.begin(start)?;
        pair.push(image)?;
        pair.finish()
    }

    /// Begins a pair, whose image follows in parts. One that is not finished arrives as torn.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn begin(&mut self, start: &Start<'_>) -> Result<Sending<'_, 'b, W>, SendError> {
        if !start.format.fits(start.size, start.bytes) {
            return Err(SendError::Length { bytes: start.bytes });
        }
        if self.buffer.len() <= HEAD + DATA_OVERHEAD + TAIL {
            return Err(SendError::Full { bytes: self.buffer.len() });
        }
        let number = self.number;
        let length = self.assemble(number, &Body::Start(*start))?;
        // Used up from here on, whether the pair is finished or not.
        self.number = number.wrapping_add(1);
        let crc = PairCrc::of(&self.buffer[HEAD..length - TAIL]);
        // What came over the line before, such as a boot loader's greeting, ends here.
        (self.write)(&[0]);
        self.emit(length);
        Ok(Sending { sender: self, number, crc, offset: 0, bytes: start.bytes })
    }

    /// Puts a frame together at the front of the buffer; gives its length.
    fn assemble(&mut self, number: u32, body: &Body<'_>) -> Result<usize, SendError> {
        let full = SendError::Full { bytes: self.buffer.len() };
        let (head, rest) = self.buffer.split_first_chunk_mut::<HEAD>().ok_or(full)?;
        head[0] = VERSION;
        head[1..].copy_from_slice(&number.to_le_bytes());
        let end = HEAD + postcard::to_slice(body, rest).map_err(|_| full)?.len();
        let crc = CRC32C.checksum(&self.buffer[..end]).to_le_bytes();
        self.buffer.get_mut(end..end + TAIL).ok_or(full)?.copy_from_slice(&crc);
        Ok(end + TAIL)
    }

    /// Sends the frame of `length` bytes at the front of the buffer.
    fn emit(&mut self, length: usize) {
        cobs::stuff(&self.buffer[..length], &mut self.write);
        (self.write)(&[0]);
    }
}

/// A pair that is being sent.
pub struct Sending<'s, 'b, W> {
    sender: &'s mut Sender<'b, W>,
    number: u32,
    crc: PairCrc,
    offset: u32,
    bytes: u32,
}

impl<W: FnMut(&[u8])> Sending<'_, '_, W> {
    /// Sends the image's next bytes.
    ///
    /// # Errors
    /// [`SendError::Length`] if they are more than the start said.
    pub fn push(&mut self, part: &[u8]) -> Result<(), SendError> {
        if part.len() as u64 > u64::from(self.bytes - self.offset) {
            return Err(SendError::Length { bytes: self.bytes });
        }
        self.crc.update(part);
        for bytes in part.chunks(self.sender.buffer.len() - (HEAD + DATA_OVERHEAD + TAIL)) {
            let data = Body::Data { offset: self.offset, bytes };
            let length = self.sender.assemble(self.number, &data)?;
            self.sender.emit(length);
            self.offset += bytes.len() as u32;
        }
        Ok(())
    }

    /// Ends the pair; gives its number.
    ///
    /// # Errors
    /// [`SendError::Length`] if bytes are missing.
    pub fn finish(self) -> Result<u32, SendError> {
        if self.offset != self.bytes {
            return Err(SendError::Length { bytes: self.bytes });
        }
        let length = self.sender.assemble(self.number, &Body::End { crc: self.crc.value() })?;
        self.sender.emit(length);
        Ok(self.number)
    }
}
