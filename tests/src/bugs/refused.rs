//! Bugs that safe Rust refuses. The programs are those of the package `windtunnel-refused`, whose test holds that each is refused so.

use super::{Bug, Check};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&COPY_IGNORED, &SAFEMAP_ESCAPE, &LOOP_VARIABLE];

/// The program of an id, and what the compiler says of it.
macro_rules! refused {
    ($id:literal) => {
        Check::Compiler {
            program: include_str!(concat!("../../../runtime/refused/programs/", $id, ".rs")),
            refusal: include_str!(concat!("../../../runtime/refused/programs/", $id, ".stderr")),
        }
    };
}

static COPY_IGNORED: Bug = Bug {
    id: "sched-copy-ignored",
    source: "002:1403-1410",
    summary: "The loop makes a copy of its variable for the task, and the task reads the variable.",
    mend: "Give the copy the name of the variable, so that it hides it: `task := task`.",
    check: refused!("sched-copy-ignored"),
};

static SAFEMAP_ESCAPE: Bug = Bug {
    id: "safemap-escape",
    source: "004:284-308",
    summary: "A command keeps the map that its owner lends it for one turn: memory is shared again, with nothing to order it.",
    mend: "Take a copy of what is in the map.",
    check: refused!("safemap-escape"),
};

static LOOP_VARIABLE: Bug = Bug {
    id: "loop-variable",
    source: "002:1143, 001:161",
    summary: "A task borrows the variable of the loop that goes on to change it.",
    mend: "Move a copy of the variable into the task.",
    check: refused!("loop-variable"),
};
