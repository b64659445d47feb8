//! How the runtime speaks.

/// An event of the runtime's own, at the level TRACE: a target, then what `format!` takes.
///
/// In a simulation it goes straight to the run's trace. The line is the same by way of tracing's dispatcher, which takes a
/// twelfth of the instructions of a simulated round trip (callgrind: 2,200 of 25,500).
macro_rules! say {
    ($target:literal, $($text:tt)+) => {
        if tracing::level_filters::LevelFilter::current() >= tracing::Level::TRACE
            && !$crate::said::straight(concat!("windtunnel::", $target), format_args!($($text)+))
        {
            tracing::trace!(target: concat!("windtunnel::", $target), $($text)+);
        }
    };
}

pub(crate) use say;

#[cfg(any(feature = "sim", feature = "model"))]
pub(crate) use crate::engine::straight;

/// Whether a run's trace took the line: there is none outside simulations and models.
#[cfg(not(any(feature = "sim", feature = "model")))]
pub(crate) fn straight(_: &str, _: std::fmt::Arguments<'_>) -> bool {
    false
}
