//! A run: one process on tokio, one seed of a simulation, one execution of a model.
//!
//! The thread-local current run serves creation, spawn, time and randomness only; everything else asks the object.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngCore;

use crate::backend::Kind;
#[cfg(any(feature = "sim", feature = "model"))]
use crate::engine::Engine;
use crate::object::Label;
use crate::task::Registry;

/// What the objects of one run share.
pub(crate) struct Run {
    pub(crate) registry: Registry,
    next_object: AtomicU64,
    #[cfg(any(feature = "sim", feature = "model"))]
    tag: Tag,
    #[cfg(any(feature = "sim", feature = "model"))]
    engine: Option<Engine>,
}

/// The process itself, as a run on tokio.
static PROCESS: Run = Run {
    registry: Registry::new(),
    next_object: AtomicU64::new(1),
    #[cfg(any(feature = "sim", feature = "model"))]
    tag: Tag { kind: Kind::Tokio, run: 0 },
    #[cfg(any(feature = "sim", feature = "model"))]
    engine: None,
};

impl Run {
    pub(crate) fn next_object(&self) -> u64 {
        self.next_object.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(not(any(feature = "sim", feature = "model")))]
mod current {
    use super::{Kind, Label, PROCESS, Run};

    /// Which run an object belongs to. Without simulations there is only one, so this has no size.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Tag;

    impl Tag {
        #[inline]
        pub(crate) fn check(self, _label: &Label) {}

        pub(crate) fn is_current(self) -> bool {
            true
        }
    }

    impl Run {
        pub(crate) fn tag(&self) -> Tag {
            Tag
        }
    }

    #[inline]
    pub(crate) fn with<R>(f: impl FnOnce(&Run) -> R) -> R {
        f(&PROCESS)
    }

    #[inline]
    pub(crate) fn kind() -> Kind {
        Kind::Tokio
    }
}

#[cfg(any(feature = "sim", feature = "model"))]
mod current {
    use std::cell::{Cell, RefCell};
    use std::fmt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{Engine, Kind, Label, PROCESS, Registry, Run};

    /// Which run an object belongs to.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Tag {
        pub(super) kind: Kind,
        pub(super) run: u64,
    }

    impl Tag {
        /// Panics, naming both runs, if this is not the current one.
        #[inline]
        pub(crate) fn check(self, label: &Label) {
            let current = TAG.get();
            assert!(
                self == current,
                "object {label} belongs to {self} and was used in {current}: create it inside the run that uses it"
            );
        }
    }

    impl Tag {
        pub(crate) fn is_current(self) -> bool {
            TAG.get() == self
        }
    }

    impl fmt::Display for Tag {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.run {
                0 => f.write_str(self.kind.noun()),
                run => write!(f, "{} {run}", self.kind.noun()),
            }
        }
    }

    thread_local! {
        static TAG: Cell<Tag> = const { Cell::new(Tag { kind: Kind::Tokio, run: 0 }) };
        static RUN: RefCell<Option<Arc<Run>>> = const { RefCell::new(None) };
    }

    impl Run {
        pub(crate) fn new(kind: Kind, engine: Engine) -> Arc<Self> {
            Arc::new(Self {
                registry: Registry::new(),
                next_object: super::AtomicU64::new(1),
                tag: Tag { kind, run: Self::next_number() },
                engine: Some(engine),
            })
        }

        fn next_number() -> u64 {
            static NEXT: AtomicU64 = AtomicU64::new(1);
            NEXT.fetch_add(1, Ordering::Relaxed)
        }

        /// Makes of a run that is over the next one of its kind. What it allocated stays, which is most of what a new one costs.
        #[cfg(feature = "model")]
        pub(crate) fn renew(&mut self, model: crate::engine::Model) {
            self.registry.clear();
            *self.next_object.get_mut() = 1;
            self.tag.run = Self::next_number();
            if let Some(engine) = &mut self.engine {
                engine.renew(model);
            }
        }

        pub(crate) fn tag(&self) -> Tag {
            self.tag
        }

        /// [`engine`](Self::engine), or `None` on tokio.
        pub(crate) fn driven(&self) -> Option<&Engine> {
            self.engine.as_ref()
        }

        /// What the driver of this run keeps with it. Only simulations and models have a driver.
        pub(crate) fn engine(&self) -> &Engine {
            self.engine.as_ref().expect("only called in a simulation or a model")
        }
    }

    /// Makes `run` the current run of this thread and returns the one before it.
    pub(crate) fn replace(run: Option<Arc<Run>>) -> Option<Arc<Run>> {
        TAG.set(run.as_ref().map_or(PROCESS.tag, |run| run.tag));
        RUN.replace(run)
    }

    pub(crate) fn with<R>(f: impl FnOnce(&Run) -> R) -> R {
        RUN.with_borrow(|run| f(run.as_deref().unwrap_or(&PROCESS)))
    }

    #[inline]
    pub(crate) fn kind() -> Kind {
        TAG.get().kind
    }
}

pub(crate) use current::*;

/// Whether every alternative of a [`choose`] is explored.
#[inline]
pub(crate) fn explores() -> bool {
    match kind() {
        #[cfg(feature = "model")]
        Kind::Loom | Kind::Explore => true,
        _ => false,
    }
}

/// One of `0..n`: drawn from the run's own generator, and explored in a model.
///
/// # Panics
/// If `n` is zero.
pub(crate) fn choose(n: usize) -> usize {
    assert!(n > 0, "choose needs at least one alternative");
    if n == 1 {
        return 0;
    }
    match kind() {
        Kind::Tokio => index(&mut rand::rng(), n),
        #[cfg(feature = "sim")]
        Kind::Madsim => with(|run| index(&mut *run.engine().sim.choices(), n)),
        #[cfg(feature = "model")]
        Kind::Loom => with(|run| run.engine().model.explore(n)),
        #[cfg(feature = "model")]
        Kind::Explore => crate::engine::explore::World::with(|world| world.choose(n)),
    }
}

/// A number below `n` by multiplication (Lemire, "Fast random integer generation in an interval", 2019, section 3; without
/// the rejection step: the bias is below `n` / 2^64).
fn index(rng: &mut impl RngCore, n: usize) -> usize {
    let wide = u128::from(rng.next_u64()) * n as u128;
    usize::try_from(wide >> 64).expect("below n")
}
