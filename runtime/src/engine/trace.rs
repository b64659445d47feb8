//! What the runtime, the patterns and the user's code say in a run, as lines.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, LazyLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

/// Takes the lines of a run. Time, node and task are the run's to ask: see [`now`](super::now) and
/// [`with_current_task`](super::with_current_task).
pub trait Sink {
    /// One event.
    fn line(&mut self, said: &Said<'_>);
}

/// One event as it comes to a [`Sink`].
pub struct Said<'a> {
    /// What part of the program says it: `windtunnel::net`.
    pub target: &'static str,
    /// How much it matters.
    pub level: Level,
    /// The spans it is said in, outermost first, each as `name{field=value}: `.
    pub spans: &'a str,
    /// The message, then the fields: one line.
    pub text: fmt::Arguments<'a>,
}

/// Who says a line: built once for each task, since it says most lines of a run.
#[derive(Debug)]
pub struct Speaker {
    /// Its node; `None` outside all nodes.
    pub node: Option<Arc<str>>,
    /// The task's label.
    pub task: String,
    /// Both, as a line begins with them.
    pub prefix: String,
}

impl Speaker {
    /// A task on a node, or outside all nodes.
    pub fn new(node: Option<Arc<str>>, task: String) -> Self {
        let prefix = format!("{} {task}: ", node.as_deref().unwrap_or("-"));
        Self { node, task, prefix }
    }
}

/// Calls `f` with every tracing event of this thread going to `sink`, whatever subscriber there is elsewhere.
///
/// The events and spans of madsim and loom themselves are left out.
pub fn traced<R>(sink: Box<dyn Sink>, f: impl FnOnce() -> R) -> R {
    // For the whole process, since each new dispatcher rebuilds the interest of every call site. Two of them, since with
    // one tracing asks the current thread's subscriber alone when it meets a call site for the first time, and remembers
    // for all threads that it is disabled if that thread has none.
    static DISPATCH: LazyLock<[Dispatch; 2]> = LazyLock::new(|| [Dispatch::new(Lines), Dispatch::new(Lines)]);
    let previous = LISTENER.replace(Some(Listener { sink, spans: Spans::default() }));
    let result = tracing::dispatcher::with_default(&DISPATCH[0], f);
    LISTENER.replace(previous);
    result
}

thread_local! {
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

struct Listener {
    sink: Box<dyn Sink>,
    spans: Spans,
}

/// Calls `f` with this thread's listener. There is none while it listens: a value's own formatting says something.
fn with_listener<R>(f: impl FnOnce(&mut Listener) -> R) -> Option<R> {
    LISTENER.with(|listener| listener.try_borrow_mut().ok()?.as_mut().map(f))
}

impl Listener {
    fn hear(&mut self, target: &'static str, level: Level, text: fmt::Arguments<'_>) {
        self.sink.line(&Said { target, level, spans: &self.spans.context, text });
    }
}

/// Takes an event of the runtime's own; false if no trace of this thread does.
pub(crate) fn straight(target: &'static str, text: fmt::Arguments<'_>) -> bool {
    with_listener(|listener| listener.hear(target, Level::TRACE, text)).is_some()
}

struct Lines;

fn wanted(metadata: &Metadata<'_>) -> bool {
    let krate = metadata.target().split("::").next().unwrap_or_default();
    !matches!(krate, "madsim" | "loom" | "generator" | "tokio" | "mio")
}

impl Subscriber for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if wanted(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        wanted(metadata)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        with_listener(|listener| listener.hear(metadata.target(), *metadata.level(), format_args!("{}", Text(event))));
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let open = |listener: &mut Listener| listener.spans.open(attributes);
        with_listener(open).unwrap_or_else(|| Id::from_u64(UNKNOWN))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        with_listener(|listener| listener.spans.record(span, values));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, span: &Id) {
        with_listener(|listener| listener.spans.enter(span));
    }

    fn exit(&self, span: &Id) {
        with_listener(|listener| listener.spans.exit(span));
    }

    fn clone_span(&self, span: &Id) -> Id {
        with_listener(|listener| listener.spans.clone(span));
        span.clone()
    }

    fn current_span(&self) -> Current {
        with_listener(|listener| listener.spans.current()).unwrap_or_else(Current::none)
    }

    fn try_close(&self, span: Id) -> bool {
        with_listener(|listener| listener.spans.close(&span)).unwrap_or(false)
    }
}

/// The number of a span that was opened where nobody listens.
const UNKNOWN: u64 = 1;

/// The spans of a run, and those that are entered.
#[derive(Default)]
struct Spans {
    opened: u64,
    open: BTreeMap<u64, Span>,
    entered: Vec<u64>,
    /// What is entered, as lines show it.
    context: String,
}

struct Span {
    metadata: &'static Metadata<'static>,
    fields: String,
    handles: usize,
}

impl Spans {
    fn open(&mut self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::new(String::new());
        attributes.record(&mut fields);
        self.opened += 1;
        let id = UNKNOWN + self.opened;
        self.open.insert(id, Span { metadata: attributes.metadata(), fields: fields.out, handles: 1 });
        Id::from_u64(id)
    }

    fn record(&mut self, span: &Id, values: &Record<'_>) {
        if let Some(span) = self.open.get_mut(&span.into_u64()) {
            let mut fields = Fields::new(std::mem::take(&mut span.fields));
            values.record(&mut fields);
            span.fields = fields.out;
        }
        self.say();
    }

    fn enter(&mut self, span: &Id) {
        self.entered.push(span.into_u64());
        self.say();
    }

    fn exit(&mut self, span: &Id) {
        if let Some(last) = self.entered.iter().rposition(|entered| *entered == span.into_u64()) {
            self.entered.remove(last);
        }
        self.say();
    }

    fn clone(&mut self, span: &Id) {
        if let Some(span) = self.open.get_mut(&span.into_u64()) {
            span.handles += 1;
        }
    }

    /// A handle is dropped; whether it was the last.
    fn close(&mut self, span: &Id) -> bool {
        let Some(known) = self.open.get_mut(&span.into_u64()) else { return false };
        known.handles -= 1;
        known.handles == 0 && self.open.remove(&span.into_u64()).is_some()
    }

    fn current(&self) -> Current {
        let innermost = self.entered.last().and_then(|id| self.open.get_key_value(id));
        innermost.map_or_else(Current::none, |(id, span)| Current::new(Id::from_u64(*id), span.metadata))
    }

    fn say(&mut self) {
        self.context.clear();
        for Span { metadata, fields, .. } in self.entered.iter().filter_map(|span| self.open.get(span)) {
            let name = metadata.name();
            let written = match &**fields {
                "" => write!(self.context, "{name}: "),
                fields => write!(self.context, "{name}{{{fields}}}: "),
            };
            written.expect("a string takes anything");
        }
    }
}

/// An event as text: the message, then the fields.
struct Text<'a>(&'a Event<'a>);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = Fields { out: f, result: Ok(()), first: true };
        self.0.record(&mut fields);
        fields.result
    }
}

/// Writes fields with a space between them.
struct Fields<W> {
    out: W,
    result: fmt::Result,
    first: bool,
}

impl Fields<String> {
    /// Goes on after `out`.
    fn new(out: String) -> Self {
        Self { result: Ok(()), first: out.is_empty(), out }
    }
}

impl<W: Write> Visit for Fields<W> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let first = std::mem::replace(&mut self.first, false);
        let space = if first { Ok(()) } else { self.out.write_str(" ") };
        let write = match field.name() {
            "message" => write!(self.out, "{value:?}"),
            name => write!(self.out, "{name}={value:?}"),
        };
        self.result = self.result.and(space).and(write);
    }
}
