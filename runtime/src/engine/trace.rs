//! What the runtime, the patterns and the user's code say in a run, as lines.

use std::cell::RefCell;
use std::fmt;
use std::sync::LazyLock;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// Takes the lines of a run. Time, node and task are the run's to ask: see [`now`](super::now) and
/// [`with_current_task`](super::with_current_task).
pub trait Sink {
    /// One event; displayed, it is one line.
    fn line(&mut self, text: &dyn fmt::Display);
}

/// Calls `f` with every tracing event of this thread going to `sink`, whatever subscriber there is elsewhere.
///
/// The events of madsim and loom themselves are left out.
pub fn traced<R>(sink: Box<dyn Sink>, f: impl FnOnce() -> R) -> R {
    // For the whole process, since each new dispatcher rebuilds the interest of every call site. Two of them, since with
    // one tracing asks the current thread's subscriber alone when it meets a call site for the first time, and remembers
    // for all threads that it is disabled if that thread has none.
    static DISPATCH: LazyLock<[Dispatch; 2]> = LazyLock::new(|| [Dispatch::new(Lines), Dispatch::new(Lines)]);
    let previous = SINK.replace(Some(sink));
    let result = tracing::dispatcher::with_default(&DISPATCH[0], f);
    SINK.replace(previous);
    result
}

thread_local! {
    static SINK: RefCell<Option<Box<dyn Sink>>> = const { RefCell::new(None) };
}

struct Lines;

fn wanted(metadata: &Metadata<'_>) -> bool {
    let krate = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_event() && !matches!(krate, "madsim" | "loom" | "generator" | "tokio" | "mio")
}

impl Subscriber for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if wanted(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        wanted(metadata)
    }

    fn event(&self, event: &Event<'_>) {
        SINK.with(|sink| {
            // Already borrowed: a value's own formatting emits events.
            if let Ok(mut sink) = sink.try_borrow_mut()
                && let Some(sink) = sink.as_mut()
            {
                sink.line(&Text(event));
            }
        });
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// An event as text: the message, then the fields.
struct Text<'a>(&'a Event<'a>);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = Fields { f, result: Ok(()), first: true };
        self.0.record(&mut fields);
        fields.result
    }
}

struct Fields<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    result: fmt::Result,
    first: bool,
}

impl Visit for Fields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let first = std::mem::replace(&mut self.first, false);
        let space = if first { Ok(()) } else { self.f.write_str(" ") };
        let write = match field.name() {
            "message" => value.fmt(self.f),
            name => write!(self.f, "{name}={value:?}"),
        };
        self.result = self.result.and(space).and(write);
    }
}
