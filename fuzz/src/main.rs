//! libFuzzer on the target that `FUZZ_TARGET` names. One program for all targets: it is linked once.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    use std::sync::LazyLock;
    static TARGET: LazyLock<fuzz::Target> = LazyLock::new(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        fuzz::target(&name)
            .unwrap_or_else(|| panic!("FUZZ_TARGET: {name}: must be the name of a folder of fuzz/corpus"))
    });
    (TARGET.check)(input)
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("This program is compiled without its fuzzer; run `make fuzz`.");
}
