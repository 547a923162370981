//! The formats as others can read them: a program that has nothing of ours opens the published vectors.

use std::process::Command;

use crate::binaries::root;
use crate::program::{python, say, succeed};

#[test]
fn an_independent_reader_opens_both_formats_and_refuses_every_change() {
    let reader = root().join("tests/interop/peers/open_formats.py");
    let counts = succeed(Command::new(python("requirements.txt")).arg("-B").arg(reader));
    say(&counts);
    for (word, line) in ["opened", "refused"].into_iter().zip(counts.lines()) {
        let (done, all) = line.strip_prefix(word).and_then(|line| line.split_once(" of ")).expect("N of M");
        assert!(done.trim() == all.trim() && all.trim() != "0", "{counts}");
    }
}
