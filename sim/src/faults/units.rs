//! Durations as a plan's file writes them: a number and a unit.

use std::time::Duration;

const UNITS: [(&str, u128); 5] =
    [("min", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

/// In the largest unit, up to the second, that needs no fraction.
pub(super) fn write(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fits = |unit: &&(&str, u128)| nanos.is_multiple_of(unit.1);
    let (unit, size) = UNITS[1..].iter().find(fits).expect("nanoseconds need no fraction");
    format!("{}{unit}", nanos / size)
}

/// Reads what [`write()`] writes, fractions and minutes as well.
pub(super) fn read(text: &str) -> Result<Duration, String> {
    const HOW: &str = "write a number and a unit (ns, us, ms, s, min), for example \"1500ms\" or \"1.5s\"";
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..end].trim(), &text[end..]);
    if number.starts_with('-') {
        return Err(format!("`{text}` is negative: a duration is zero or more"));
    }
    let size = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size);
    let nanos = size.and_then(|size| scaled(number, size)).and_then(|nanos| u64::try_from(nanos).ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| format!("`{text}` is not a duration: {HOW}"))
}

/// `number`, a decimal fraction, times `size`.
fn scaled(number: &str, size: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits =
        |text: &str| (!text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit())).then_some(());
    digits(whole).and(digits(fraction))?;
    let part =
        fraction.parse::<u128>().ok()?.checked_mul(size)? / 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    whole.parse::<u128>().ok()?.checked_mul(size)?.checked_add(part)
}

/// For `#[serde(with)]`.
pub(super) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::faults) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::write(*duration))
    }

    pub(in crate::faults) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        super::read(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
