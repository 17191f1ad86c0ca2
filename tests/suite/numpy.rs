//! NumPy's headers and archives, as its versions and other programs write them.

use std::io::Cursor;

use pairgate::datacomp::numpy::{Entry, Header, Method, entries};

fn header(version: u8, text: &str) -> Result<Header, String> {
    let length = (text.len() as u32).to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length[..] };
    let bytes = [b"\x93NUMPY", &[version, 0][..], length, text.as_bytes()].concat();
    Header::read(&mut &bytes[..]).map_err(|why| why.to_string())
}

#[test]
fn headers_of_all_versions_are_read() {
    let of = |kind: &str, shape: &[u64]| Header { kind: kind.into(), shape: shape.into() };
    for (version, text, expected) in [
        (
            1,
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 512), }   \n",
            of("<f4", &[3, 512]),
        ),
        (2, "{'descr': '<f2', 'fortran_order': False, 'shape': (7,), }\n", of("<f2", &[7])),
        (3, "{'shape': (), 'fortran_order': False, 'descr': '|b1'}", of("|b1", &[])),
        // Python 2 wrote its long numbers so.
        (1, "{\"descr\":\"<i8\",\"fortran_order\":False,\"shape\":(3L, 4L)}\n", of("<i8", &[3, 4])),
        (
            1,
            "{'descr': [('f0', '<u8'), ('f1', [('x', '<u8')], (2,))], 'fortran_order': False, 'shape': (0,), }\n",
            of("a structure", &[0]),
        ),
    ] {
        assert_eq!(header(version, text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_header_is_refused() {
    let shaped = |shape: &str| {
        header(1, &format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n"))
    };
    for (text, expected) in [
        ("", "cannot be read"),
        ("{}", "lacks"),
        ("{'descr': '<f4'}", "lacks"),
        ("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }", "Fortran"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } x", "cannot be read at \" x\""),
        ("{'descr': '<f4', 'fortran_order': None, 'shape': (3,), }", "None"),
        ("{'descr': '<f4, 'fortran_order': False}", "cannot be read"),
        ("{'descr': [[[[", "cannot be read"),
        ("{'colour': 'red'}", "colour"),
    ] {
        let error = header(1, text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    for shape in ["(-1,)", "(3", "3", "(3.0,)", "(1 2)", "(,)", "(99999999999999999999,)"] {
        assert!(shaped(shape).is_err(), "{shape}");
    }
    assert!(shaped("(4294967296, 4294967296)").unwrap_err().contains("larger"));
    assert_eq!(shaped("(4294967296, 4294967295)").unwrap().values(), u64::MAX - 0xffff_ffff);
}

/// A member as it stands in an archive.
struct Packed<'a> {
    name: &'a str,
    method: u16,
    data: &'a [u8],
    /// Whether its numbers are in ZIP64's extra field.
    is_large: bool,
}

/// An archive of the members; `before` stands in front of it, and its places do not count that.
fn archive(members: &[Packed<'_>], before: &[u8], has_end64: bool) -> Vec<u8> {
    let (mut bytes, mut directory) = (before.to_vec(), Vec::new());
    for Packed { name, method, data, is_large } in members {
        let offset = (bytes.len() - before.len()) as u64;
        let size = data.len() as u64;
        let fixed = |number: u64| if *is_large { [0xff; 4] } else { (number as u32).to_le_bytes() };
        let extra = if *is_large {
            let field = [size, size, offset].map(u64::to_le_bytes).concat();
            // Another program's field stands before it.
            [&[0x55, 0x54, 1, 0, 9, 1, 0, 24, 0][..], &field].concat()
        } else {
            Vec::new()
        };
        let lengths =
            [(name.len() as u16).to_le_bytes(), (extra.len() as u16).to_le_bytes()].concat();
        bytes.extend([b"PK\x03\x04\x14\0\0\0", &method.to_le_bytes()[..], &[0; 8]].concat());
        bytes.extend([&fixed(size)[..], &fixed(size), &lengths, name.as_bytes(), &extra].concat());
        bytes.extend_from_slice(data);
        directory
            .extend([b"PK\x01\x02\x14\0\x14\0\0\0", &method.to_le_bytes()[..], &[0; 8]].concat());
        directory.extend([&fixed(size)[..], &fixed(size), &lengths, &[2, 0], &[0; 8]].concat());
        directory.extend([&fixed(offset)[..], name.as_bytes(), &extra, b"no"].concat());
    }
    let (start, size) = ((bytes.len() - before.len()) as u64, directory.len() as u64);
    bytes.extend(&directory);
    let count = (members.len() as u16).to_le_bytes();
    if has_end64 {
        bytes.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
        bytes.extend(
            [members.len() as u64, members.len() as u64, size, start]
                .map(u64::to_le_bytes)
                .concat(),
        );
        bytes.extend([b"PK\x06\x07\0\0\0\0", &[0; 8][..], &1_u32.to_le_bytes()].concat());
    }
    let fixed = |number: u64| if has_end64 { [0xff; 4] } else { (number as u32).to_le_bytes() };
    bytes.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &fixed(size), &fixed(start)].concat());
    bytes.extend(b"\x05\0PK\x05\x06!");
    bytes
}

#[test]
fn members_are_found_in_archives_of_all_forms() {
    for (before, is_large, has_end64) in [
        (&b""[..], false, false),
        (b"", true, false),
        (b"", true, true),
        (b"#!/usr/bin/env python3\n", false, false),
        (b"#!/usr/bin/env python3\n", true, true),
    ] {
        let members = [
            Packed { name: "a.npy", method: 0, data: b"first", is_large },
            Packed { name: "b.npy", method: 8, data: b"second", is_large: false },
            Packed { name: "c.npy", method: 14, data: b"", is_large },
        ];
        let bytes = archive(&members, before, has_end64);
        let mut file = Cursor::new(&bytes);
        let found = entries(&mut file).unwrap();
        let methods = [Method::Stored, Method::Deflated, Method::Other(14)];
        assert_eq!(found.len(), members.len());
        for ((entry, member), method) in found.iter().zip(&members).zip(methods) {
            let Entry { name, method: found, packed, .. } = entry;
            assert_eq!((&**name, *found), (member.name, method));
            let start = entry.start(&mut file).unwrap() as usize;
            assert_eq!(&bytes[start..start + *packed as usize], member.data);
        }
    }
}

/// Every cut of an archive, and every byte of it that is changed, is an error or gives members.
#[test]
fn damaged_archives_are_errors() {
    let members = [Packed { name: "a.npy", method: 0, data: &[7; 40], is_large: true }];
    let whole = archive(&members, b"", true);
    for length in 0..whole.len() - 5 {
        let cut = &whole[..length];
        assert!(entries(&mut Cursor::new(cut)).is_err(), "cut to {length}");
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            let mut file = Cursor::new(&damaged);
            for entry in entries(&mut file).unwrap_or_default() {
                let _ = entry.start(&mut file);
            }
        }
    }
}
