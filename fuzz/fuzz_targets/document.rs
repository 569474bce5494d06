//! Any bytes are read: no panic, every span lies in the file, and the body is the one whose marks are remembered.
#![no_main]

use hubsync::document::{self, Parsed, Reading};
use hubsync::page::{BodyPrint, Status};
use hubsync::policy::{Rules, TitleHeading};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let rules = Rules { default_status: Status::Draft, title_heading: TitleHeading::Strip };
    let Parsed { reading, diagnostics } = document::parse(bytes, &rules);
    for found in &diagnostics {
        assert!(found.span.start <= found.span.end && found.span.end <= bytes.len());
        assert!(found.line >= 1 && found.column >= 1);
    }
    let body = document::body(bytes, &rules);
    match reading {
        Reading::Document { authored, .. } => {
            assert_eq!(body.map(|body| BodyPrint::of(&body)), Some(authored.body));
        }
        Reading::Blocked { .. } => assert!(body.is_none() && diagnostics.iter().any(|d| d.reason().is_some())),
        Reading::Off { .. } | Reading::Plain => assert!(body.is_none() && diagnostics.is_empty()),
    }
});
