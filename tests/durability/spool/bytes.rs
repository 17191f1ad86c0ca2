//! The bytes on disk, as docs/formats.md has them.

use std::fs;

use pairgate::source::{Member, Sample};
use pairgate::spool::frame::{Header, write};
use pairgate::spool::{read_pair, write_pair};
use pairgate_core::decision::Reason;
use proptest::prelude::*;

use super::{names, open, push_all};
use crate::disk::quick::scratch;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sample() -> Sample {
    let member =
        |extension: &str, data: &[u8]| Member { extension: extension.into(), data: data.into() };
    let members = vec![member("jpg", b"\xff\xd8"), member("txt", b"a dog")];
    Sample { shard: "cam".into(), key: "k1".into(), members, fault: Some(Reason::Undecodable) }
}

#[test]
fn the_bytes_of_a_frame_are_these() {
    let mut frame = Vec::new();
    write(&mut frame, Header { spool: 0x0102_0304, sequence: 7 }, b"pair");
    let expected = "50475350\
                    0100\
                    0000\
                    04030201\
                    04000000\
                    0700000000000000";
    assert!(hex(&frame).starts_with(expected), "{}", hex(&frame));
    assert_eq!(hex(&frame[24..]), FRAME_END);
}

/// Checksum of the payload, checksum of the header, payload.
const FRAME_END: &str = "160269c09359bd0c70616972";

#[test]
fn the_bytes_of_a_pair_are_these() {
    let bytes = write_pair(&sample(), b"n");
    assert_eq!(hex(&bytes), PAIR);
    assert_eq!(read_pair(&bytes), Some((sample(), b"n".to_vec())));
}

/// Shard, key, fault, two members' extensions and lengths, note, then the members' bytes.
const PAIR: &str = "0363616d026b31010c02036a7067020374787405016effd86120646f67";

#[test]
fn segments_are_called_by_their_first_number() {
    let folder = scratch();
    let mut spool = open(folder.path());
    push_all(&mut spool, 0..9);
    let found = names(folder.path());
    assert_eq!(found[0], "00000000000000000000.spool");
    assert!(found.len() > 1);
    spool.acknowledge(9);
    push_all(&mut spool, 9..20);
    spool.acknowledge(20);
    let ledger = fs::read(folder.path().join("ledger")).unwrap();
    assert_eq!((&ledger[..8], ledger.len()), (&b"PGSL\x01\0\0\0"[..], 32));
}

proptest! {
    /// Bytes of a stranger are a pair or none, never more.
    #[test]
    fn what_is_no_pair_is_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some((sample, note)) = read_pair(&bytes) {
            prop_assert!(sample.bytes() as usize + note.len() <= bytes.len());
        }
    }

    #[test]
    fn a_cut_pair_is_none(cut in 0usize..100, flip in any::<u8>(), at in 0usize..100) {
        let whole = write_pair(&sample(), b"note");
        prop_assert!(read_pair(&whole[..cut % whole.len()]).is_none());
        let mut damaged = whole.clone();
        let at = at % whole.len();
        damaged[at] ^= flip;
        // No panic; what comes of it the frame's checksum prevents.
        let _ = read_pair(&damaged);
    }
}
