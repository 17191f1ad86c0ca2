//! NumPy's headers, as its versions and other programs write them.

use pairgate::datacomp::numpy::Header;

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
