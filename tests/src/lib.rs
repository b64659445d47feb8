//! The catalogue: every scenario, model and known bug of the project. The command line lists and runs what is here; the
//! tests of the whole are beside it, in `it/`.

pub mod bugs;
pub mod models;
pub mod scenarios;
pub mod worker;
