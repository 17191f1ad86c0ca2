//! CSV and TSV.

use pairgate::source::InputOptions;
use pairgate_core::decision::Reason;

use super::{INVALID, caption, folder, json, lines, read, read_text, read_with};

#[test]
fn separators_marks_and_line_ends_are_those_of_the_header() {
    for text in [
        "image,caption\na.png,a dog\n",
        "image,caption\r\na.png,a dog\r\n",
        "\u{feff}image,caption\na.png,a dog",
        "image;caption\na.png;a dog\n",
        "image\tcaption\na.png\ta dog\n",
        "filepath|title\na.png|a dog\n",
        "\"image\",\"caption\"\n\"a.png\",\"a dog\"\n",
        "IMAGE , Caption\na.png,a dog\n",
        "n,image,caption\n\n1,a.png,a dog\n\n",
    ] {
        assert_eq!(lines(&read_text("t.csv", text)), ["000000000: a dog"], "{text:?}");
    }
    let tabs = "image\ttext\na.png\ta dog, and \"\"another\"\"\n";
    assert_eq!(lines(&read_text("t.tsv", tabs)), ["000000000: a dog, and \"\"another\"\""]);
}

#[test]
fn quotes_are_those_of_python() {
    let text = "image,caption\na.png,\"one \"\"two\"\", three\nfour\"\na.png,5\" tall\n";
    let samples = read_text("t.csv", text);
    let captions: Vec<_> = samples.iter().map(|sample| caption(sample).unwrap()).collect();
    assert_eq!(captions, ["one \"two\", three\nfour", "5\" tall"]);
}

#[test]
fn cells_are_typed_and_empty_ones_are_not_there() {
    let text = "image,caption,title,key,n,x,b,zip,e\na.png,,second,007,12,-1.5e3,True,0123,\n";
    let sample = &read_text("t.csv", text)[0];
    assert_eq!((sample.key.as_str(), caption(sample).unwrap().as_str()), ("007", "second"));
    let expected = serde_json::json!({
        "image": "a.png", "caption": null, "title": "second", "key": "007", "n": 12, "x": -1500.0,
        "b": true, "zip": "0123", "e": null,
    });
    assert_eq!(json(sample), expected);
}

#[test]
fn a_bad_row_is_one_bad_pair() {
    let long = "x".repeat(5000);
    let text = format!(
        "image,caption\na.png,one,two\n,no image\na.png,{long}\ngone.png,c\n../a.png,c\n\
         https://example.org/a.png,c\na.png\na.png,good\n"
    );
    let faults: Vec<_> = read_text("t.csv", &text).iter().map(|sample| sample.fault).collect();
    let (missing, large) = (Some(Reason::ImageMissing), Some(Reason::SampleTooLarge));
    let outside = Some(Reason::PathOutside);
    assert_eq!(faults, [INVALID, missing, large, missing, outside, missing, None, None]);
}

#[test]
fn a_quote_that_never_ends_is_not_kept_in_memory() {
    let text = format!("image,caption\na.png,\"{}", "x\n".repeat(1 << 20));
    assert_eq!(lines(&read_text("t.csv", &text)), ["000000000: !sample_too_large"]);
    let many = format!("image,caption\n{}\na.png,good\n", ",".repeat(1 << 20));
    let faults: Vec<_> = read_text("t.csv", &many).iter().map(|sample| sample.fault).collect();
    assert_eq!(faults, [Some(Reason::SampleTooLarge), None]);
}

#[test]
fn a_table_without_an_image_is_one_bad_pair() {
    for text in ["", "\n", "a,b\n1,2\n", "url,caption\nhttps://example.org/a.png,a dog\n"] {
        let samples = read_text("t.csv", text);
        assert_eq!(samples.iter().map(|sample| sample.fault).collect::<Vec<_>>(), [INVALID]);
    }
    let only = read_text("t.csv", "image,label\na.png,3\n");
    assert_eq!((only[0].fault, caption(&only[0])), (None, None));
}

#[test]
fn columns_are_those_that_the_user_names() {
    let folder = folder(&[("t.csv", b"image,caption,pic,what\nb.png,a dog,a.png,a cat\n")]);
    let named = |image: &str, caption: &str| {
        let list = |names: &str| {
            names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let (image_keys, caption_keys) = (list(image), list(caption));
        let options = InputOptions { image_keys, caption_keys, ..InputOptions::default() };
        lines(&read_with(options, &folder.path().join("t.csv")))
    };
    assert_eq!(named("pic", ""), ["000000000: a dog"]);
    assert_eq!(named("gone,PIC", "nothing,what"), ["000000000: a cat"]);
    assert_eq!(named("", ""), ["000000000: a dog!image_missing"]);
    assert_eq!(named("gone", ""), [": !metadata_invalid"]);
    assert_eq!(named("pic", "gone"), ["000000000: "]);
}

#[test]
fn packed_tables_are_unpacked_and_damaged_ones_end() {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let text = "image,caption\n".to_owned() + &"a.png,a dog\n".repeat(1000);
    packer.write_all(text.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let folder = folder(&[("t.csv.gz", &packed), ("cut.csv.gz", &packed[..packed.len() / 2])]);
    assert_eq!(read(&folder.path().join("t.csv.gz")).len(), 1000);
    let cut = read(&folder.path().join("cut.csv.gz"));
    assert_eq!(cut.last().unwrap().fault, Some(Reason::ArchiveTorn));
    assert!(cut.len() <= 1000);
}
