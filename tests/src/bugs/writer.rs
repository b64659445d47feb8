//! The bug of Go's `MultiWriter` (talk 000), over writers of which one fails.

use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&STOPS_AT_FIRST_ERROR];

/// A writer in memory; one that is broken takes nothing.
#[derive(Default)]
struct Writer {
    is_broken: bool,
    taken: String,
}

impl Writer {
    fn write(&mut self, text: &str) -> Result<(), &'static str> {
        if self.is_broken {
            return Err("no space left on device");
        }
        self.taken += text;
        Ok(())
    }
}

/// Three writers, the second broken, after `write` has written a word to them.
fn duplicated(write: fn(&mut [Writer])) {
    let mut writers = [false, true, false].map(|is_broken| Writer { is_broken, ..Writer::default() });
    write(&mut writers);
    for (number, writer) in writers.iter().enumerate().filter(|(_, writer)| !writer.is_broken) {
        assert_eq!(writer.taken, "word", "writer {number} is well and has it");
    }
}

static STOPS_AT_FIRST_ERROR: Bug = Bug {
    id: "multiwriter-stops-at-first-error",
    source: "000:262-266, as package io has it",
    summary: "One of three writers fails: those behind it get nothing, though they are well.",
    mend: "State what an error of one writer means for the others: here each gets the write all the same.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                // The loop of io.MultiWriter: at an error, return.
                duplicated(|writers| {
                    writers.iter_mut().try_for_each(|writer| writer.write("word")).ok();
                });
            })
        },
        mended: || {
            Box::pin(async {
                duplicated(|writers| {
                    for writer in writers {
                        writer.write("word").ok();
                    }
                });
            })
        },
        expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "writer 2 is well and has it" },
    }),
};
