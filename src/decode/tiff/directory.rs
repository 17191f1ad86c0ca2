//! The tags of the first page that say what its pixels are.

use pairgate_core::decision::Reason;

use crate::decode::tags::{Entry, Tagged};

const XMP: u16 = 700;

/// Tags of one page; of a tag's repetitions the last counts. What is a list stays in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory<'a> {
    pub big_endian: bool,
    pub width: u32,
    pub height: u32,
    pub compression: u64,
    pub photometric: Option<u64>,
    pub fill_order: u64,
    pub samples: Option<u64>,
    pub rows_per_strip: Option<u64>,
    pub planar: u64,
    pub group3_options: u64,
    pub predictor: u64,
    pub tile: Option<(u64, u64)>,
    pub bits: List<'a>,
    pub sample_format: List<'a>,
    pub extra_samples: List<'a>,
    pub strip_offsets: List<'a>,
    pub strip_counts: List<'a>,
    pub tile_offsets: List<'a>,
    pub tile_counts: List<'a>,
    pub palette: List<'a>,
    pub ycbcr_coefficients: List<'a>,
    pub ycbcr_subsampling: List<'a>,
    pub reference_black_white: List<'a>,
    pub jpeg_tables: List<'a>,
    pub old_jpeg: OldJpeg<'a>,
    pub xmp: List<'a>,
}

/// The tags of JPEG as TIFF 6.0 had it first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OldJpeg<'a> {
    pub stream: List<'a>,
    pub stream_length: List<'a>,
    pub restart_interval: List<'a>,
    pub quantisation: List<'a>,
    pub dc: List<'a>,
    pub ac: List<'a>,
}

/// Values that stay in the file, if they are there.
pub(super) type List<'a> = Option<Entry<'a>>;

/// Value `index` of a list, as a whole number.
pub(super) fn whole(list: List<'_>, index: usize) -> Option<u64> {
    list?.whole(index)
}

impl<'a> Directory<'a> {
    /// # Errors
    /// [`Reason::ImageTruncated`] where the directory, or values that the pixels need, lie past the
    /// file's end; [`Reason::Undecodable`] where there are no sides.
    pub fn read(file: &Tagged<'a>, offset: u64) -> Result<Self, Reason> {
        let mut entries = file.entries(offset);
        let mut lists = Lists::default();
        for entry in &mut entries {
            lists.add(entry);
        }
        // Of what is lost with the file's end, nobody knows what it said of the pixels.
        if entries.is_cut() || lists.is_cut {
            return Err(Reason::ImageTruncated);
        }
        let missing = Reason::Undecodable;
        let side = |list: List<'_>| whole(list, 0).and_then(|side| u32::try_from(side).ok());
        let one = |list: List<'_>, default: u64| whole(list, 0).unwrap_or(default);
        let (width, height) =
            (side(lists.width).ok_or(missing)?, side(lists.height).ok_or(missing)?);
        let (tile_width, tile_height) = (whole(lists.tile_width, 0), whole(lists.tile_height, 0));
        Ok(Self {
            big_endian: file.big_endian(),
            width,
            height,
            compression: one(lists.compression, 1),
            photometric: whole(lists.photometric, 0),
            fill_order: one(lists.fill_order, 1),
            samples: whole(lists.samples, 0),
            rows_per_strip: whole(lists.rows_per_strip, 0),
            planar: one(lists.planar, 1),
            group3_options: one(lists.group3_options, 0),
            predictor: one(lists.predictor, 1),
            tile: tile_width.zip(tile_height),
            ..lists.rest
        })
    }
}

/// Tags as they are found.
#[derive(Default)]
struct Lists<'a> {
    width: List<'a>,
    height: List<'a>,
    compression: List<'a>,
    photometric: List<'a>,
    fill_order: List<'a>,
    samples: List<'a>,
    rows_per_strip: List<'a>,
    planar: List<'a>,
    group3_options: List<'a>,
    predictor: List<'a>,
    tile_width: List<'a>,
    tile_height: List<'a>,
    rest: Directory<'a>,
    /// Values that count lie past the file's end.
    is_cut: bool,
}

impl Default for Directory<'_> {
    fn default() -> Self {
        Self {
            big_endian: false,
            width: 0,
            height: 0,
            compression: 1,
            photometric: None,
            fill_order: 1,
            samples: None,
            rows_per_strip: None,
            planar: 1,
            group3_options: 0,
            predictor: 1,
            tile: None,
            bits: None,
            sample_format: None,
            extra_samples: None,
            strip_offsets: None,
            strip_counts: None,
            tile_offsets: None,
            tile_counts: None,
            palette: None,
            ycbcr_coefficients: None,
            ycbcr_subsampling: None,
            reference_black_white: None,
            jpeg_tables: None,
            old_jpeg: OldJpeg::default(),
            xmp: None,
        }
    }
}

impl<'a> Lists<'a> {
    fn add(&mut self, entry: Entry<'a>) {
        let rest = &mut self.rest;
        let place = match entry.tag {
            256 => &mut self.width,
            257 => &mut self.height,
            258 => &mut rest.bits,
            259 => &mut self.compression,
            262 => &mut self.photometric,
            266 => &mut self.fill_order,
            273 => &mut rest.strip_offsets,
            277 => &mut self.samples,
            278 => &mut self.rows_per_strip,
            279 => &mut rest.strip_counts,
            284 => &mut self.planar,
            292 => &mut self.group3_options,
            317 => &mut self.predictor,
            320 => &mut rest.palette,
            322 => &mut self.tile_width,
            323 => &mut self.tile_height,
            324 => &mut rest.tile_offsets,
            325 => &mut rest.tile_counts,
            338 => &mut rest.extra_samples,
            339 => &mut rest.sample_format,
            347 => &mut rest.jpeg_tables,
            513 => &mut rest.old_jpeg.stream,
            514 => &mut rest.old_jpeg.stream_length,
            515 => &mut rest.old_jpeg.restart_interval,
            519 => &mut rest.old_jpeg.quantisation,
            520 => &mut rest.old_jpeg.dc,
            521 => &mut rest.old_jpeg.ac,
            529 => &mut rest.ycbcr_coefficients,
            530 => &mut rest.ycbcr_subsampling,
            532 => &mut rest.reference_black_white,
            XMP => &mut rest.xmp,
            _ => return,
        };
        *place = Some(entry);
        self.is_cut |= entry.tag != XMP && entry.data.is_none();
    }
}
