//! HTML's character references: what Python's `html.unescape` says.

use pairgate::text::clean::{Step, clean};

#[test]
fn references_are_read_as_python_reads_them() {
    for (text, expected) in [
        ("&amp;&lt;&gt;&quot;&apos;&nbsp;", "&<>\"'\u{a0}"),
        ("&notit; &notin; &notinva; &not", "\u{ac}it; \u{2209} \u{2209} \u{ac}"),
        ("&amp;amp;amp;", "&amp;amp;"),
        ("&AMP &Amp; &amp", "& &Amp; &"),
        ("&CounterClockwiseContourIntegral;", "\u{2233}"),
        ("&CounterClockwiseContourIntegral", "&CounterClockwiseContourIntegral"),
        ("&nGg; &nLl;", "\u{22d9}\u{338} \u{22d8}\u{338}"),
        ("&#38;#38;", "&#38;"),
        ("&#x26;&#X26&#38", "&&&"),
        ("&#;&#x;&#xg;&#&", "&#;&#x;&#xg;&#&"),
        ("&#0;&#00;&#x0;", "\u{fffd}\u{fffd}\u{fffd}"),
        ("&#1;&#x1f;&#127;&#11;a", "a"),
        ("&#13;&#9;&#10;", "\r\t\n"),
        ("&#128;&#x80;&#x81;&#159;", "\u{20ac}\u{20ac}\u{81}\u{178}"),
        ("&#xd800;&#xDFFF;&#x110000;", "\u{fffd}\u{fffd}\u{fffd}"),
        ("&#xfdd0;&#xfffe;&#x1ffff;&#x10ffff;", ""),
        ("&#99999999999999999999;", "\u{fffd}"),
        ("&&&amp;&;& ;", "&&&&;& ;"),
        ("&a;&ab;&abc", "&a;&ab;&abc"),
        ("&eacute\u{e9};&eacut\u{e9};", "\u{e9}\u{e9};&eacut\u{e9};"),
        ("\u{e9}&\u{e9}&amp\u{e9}", "\u{e9}&\u{e9}&\u{e9}"),
        ("&Tab;&NewLine;", "\t\n"),
        (
            "&xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;",
            "&xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;",
        ),
        ("&ampampampampampampampampampampamp", "&ampampampampampampampampampamp"),
        ("&lt&gt<&amp>", "<><&>"),
        ("&hearts;&hearts", "\u{2665}&hearts"),
        ("&frac14;&frac149", "\u{bc}\u{bc}9"),
        ("&\u{c}amp;&\tamp;", "&\u{c}amp;&\tamp;"),
    ] {
        assert_eq!(clean(text, &[Step::HtmlUnescape]), expected, "{text}");
    }
}
