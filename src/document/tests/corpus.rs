//! Inputs that cost other parsers minutes: each ends, and ends soon. (The seeds of the fuzzer are replayed by `tests/cli`.)

use super::*;

/// Runs one input in each place: 128 KiB in the body, as much as may be in the front matter. A parser that
/// takes the square of that would take hours.
fn endures(part: &str) {
    let long = part.repeat(128 * 1024 / part.len());
    let capped = part.repeat((63 * 1024) / part.len());
    for file in [
        format!("---\npage_id: abc\n---\n{long}"),
        format!("---\npage_id: abc\n---\n# {capped}"),
        format!("---\npage_id: abc\n{long}\n---\n"),
        format!("---\npage_id: abc\nx: {capped}\n---\n"),
        format!("---\npage_id: abc\n{capped}\n---\n"),
        format!("---\npage_id: abc\n{long}"),
        long,
    ] {
        let parsed = parse(file.as_bytes(), &RULES);
        let named = parsed.reading.page_id().map(ToString::to_string);
        assert!(named.is_none_or(|id| id == "abc"), "{part:?}");
    }
}

#[test]
fn inputs_made_to_be_slow_are_read_all_the_same() {
    for part in [
        "[",
        "{",
        "- ",
        "? ",
        "a: ",
        "\"",
        "'",
        "&a ",
        "*a ",
        "!",
        "#",
        "# ",
        "`",
        "*",
        "_",
        "<",
        "> ",
        "![",
        "](",
        "[[",
        "<!--",
        "|\n",
        "\n",
        "\r",
        "\r\n",
        "\t",
        "x",
        "é",
        "<<<<<<< a\n",
        "<<<<<<< a\n=======\n",
        "```\n",
        "~~~\n<<<<<<< a\n",
        "---\n",
        "--- \t",
        "title: x\n",
        "staus: x\n",
        "title: [\n",
        "skills: [[a]]\n",
        ", [a]",
        "x: &a [*a]\n",
        "\u{feff}",
        "\u{0}",
        "a:\n ",
        "<<: *a\n",
        "[a]: b\n",
        "# T\n\n",
        "T\n=\n",
        "|a|b\n|-|-\n",
    ] {
        endures(part);
    }
}
