//! What every primitive carries: the run it belongs to, and the name it has in reports.

use std::fmt;

use crate::run::{self, Tag};

/// A primitive's number in its run and, if it was given one, its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Label {
    pub(crate) id: u64,
    pub(crate) name: Option<&'static str>,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name),
            None => {
                f.write_str("#")?;
                Number(self.id).fmt(f)
            }
        }
    }
}

/// A number in a trace line. A formatter of the standard library looks for a sign and for padding first, which takes it longer
/// than the digits do; and a simulation writes some numbers for each packet.
pub(crate) struct Number<N>(pub(crate) N);

impl<N: itoa::Integer + Copy> fmt::Display for Number<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(itoa::Buffer::new().format(self.0))
    }
}

/// The identity of a primitive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    tag: Tag,
    label: Label,
}

impl Object {
    pub(crate) fn new(name: Option<&'static str>) -> Self {
        run::with(|run| Self { tag: run.tag(), label: Label { id: run.next_object(), name } })
    }

    /// # Panics
    /// If the object was created in another run than the current one.
    #[inline]
    pub(crate) fn check(&self) -> Label {
        self.tag.check(&self.label);
        self.label
    }

    /// Whether the object was created in the current run.
    #[cfg(feature = "sim")]
    pub(crate) fn is_current(&self) -> bool {
        self.tag.is_current()
    }

    /// The label, without the check: for `Drop` and for lock order.
    pub(crate) fn label(&self) -> Label {
        self.label
    }
}
