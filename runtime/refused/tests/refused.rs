//! Known bugs that no checker has to find: safe Rust refuses the program, and takes its mended twin.

use std::fs;

use trybuild::TestCases;

/// What the compiler says of `ID.rs` is in `ID.stderr`, which the catalogue of known bugs shows. `TRYBUILD=overwrite` writes it.
#[test]
fn the_compiler_refuses_each_program_and_takes_its_mended_twin() {
    let cases = TestCases::new();
    for entry in fs::read_dir("programs").expect("a test runs in its package") {
        let path = entry.expect("a readable folder").path();
        let name = path.to_string_lossy();
        if name.ends_with("-mended.rs") {
            cases.pass(&path);
        } else if name.ends_with(".rs") {
            cases.compile_fail(&path);
        }
    }
}
