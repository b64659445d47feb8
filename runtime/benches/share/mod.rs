//! Work divided among tasks.

/// `n` things divided among `parts`.
pub fn share(n: u64, parts: u64) -> impl Iterator<Item = u64> {
    (0..parts).map(move |part| n / parts + u64::from(part < n % parts))
}
