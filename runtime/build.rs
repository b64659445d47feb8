//! One clear error where madsim would be compiled without its simulator.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let set = |name: &str| std::env::var_os(name).is_some();
    if set("CARGO_FEATURE_SIM") && !set("CARGO_CFG_MADSIM") {
        println!(
            "cargo::error=feature `sim` of windtunnel needs `--cfg madsim`, which .cargo/config.toml sets; an environment \
             RUSTFLAGS and any `target.*.rustflags` replace it: unset them, or add `--cfg madsim` to them and to RUSTDOCFLAGS"
        );
    }
}
