//! Tasks that do not outlive their owner.

use std::future::Future;

use windtunnel::task::{self, AbortHandle, JoinHandle};

/// Tasks whose results nobody joins, because they report by other means. Dropping it aborts those that have not ended.
#[derive(Debug, Default)]
pub(crate) struct OwnedTasks(Vec<AbortHandle>);

impl OwnedTasks {
    /// Starts a task, named by `kind` and its number.
    #[track_caller]
    pub(crate) fn spawn(&mut self, kind: &str, task: impl Future<Output = ()> + Send + 'static) {
        let name = format!("{kind} {}", self.0.len() + 1);
        self.0.push(task::spawn_named(name, task).abort_handle());
    }

    /// Has those that have not ended dropped where they wait next.
    pub(crate) fn abort(&self) {
        self.0.iter().for_each(AbortHandle::abort);
    }

    /// Lets them go: they have done what they were started for, and end by themselves.
    pub(crate) fn detach(&mut self) {
        self.0.clear();
    }
}

impl Drop for OwnedTasks {
    fn drop(&mut self) {
        self.abort();
    }
}

/// A task of which there are too many for names and lists. Dropping it aborts it if it has not ended.
#[derive(Debug)]
pub(crate) struct OwnedTask(Option<JoinHandle<()>>);

impl OwnedTask {
    #[track_caller]
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(windtunnel::spawn(task)))
    }

    /// Waits for its end, whatever that is. Dropped, it aborts the task.
    pub(crate) async fn ended(mut self) {
        if let Some(task) = &mut self.0 {
            drop(task.await);
        }
        self.0 = None;
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for OwnedTask {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
