//! The task of a router. There are very many: what it keeps while it waits is small.

use std::sync::{Arc, Weak};

use windtunnel::channel::RecvTimeoutError;
use windtunnel::sync::Mutex;

use super::{Calculator, Fleet, Mailbox, Message, Options};
use crate::call;
use crate::owned::OwnedTask;

/// What the tasks share. It does not keep the fleet: that goes with its owner, and takes the tasks with it.
pub(super) struct Home<C: Calculator> {
    pub(super) calculator: C,
    pub(super) options: Options,
    pub(super) fleet: Weak<Mutex<Fleet<C>>>,
}

/// The task's own.
pub(super) struct Life<C: Calculator> {
    pub(super) home: Arc<Home<C>>,
    pub(super) id: C::Id,
    pub(super) mailbox: Mailbox<C>,
}

/// Closes `mailbox`: what is in it is still taken out.
pub(super) fn close<C: Calculator>(mailbox: &Mailbox<C>) {
    // A router may be stopped while it ends by itself.
    let _ = mailbox.close();
}

impl<C: Calculator> Life<C> {
    /// From the end of the task `before` to the end of this one.
    #[expect(clippy::manual_async_fn, reason = "a function keeps its arguments beside what it moves them to")]
    pub(super) fn live(self, before: Option<OwnedTask>, first: C::Event) -> impl Future<Output = ()> + Send {
        async move {
            if let Some(before) = before {
                before.ended().await;
            }
            if call::caught(self.serve(first)).await.is_err() {
                tracing::warn!("a router's calculator panicked");
            }
            close(&self.mailbox);
            if let Some(fleet) = self.home.fleet.upgrade() {
                fleet.lock().await.forget(&self.id);
            }
        }
    }

    /// Until the mailbox is closed and empty.
    #[expect(clippy::manual_async_fn, reason = "as above")]
    fn serve(&self, first: C::Event) -> impl Future<Output = ()> + Send {
        async move {
            let calculator = &self.home.calculator;
            let mut state = calculator.begin(&self.id).await;
            calculator.event(&mut state, first).await;
            while let Some(message) = self.next().await {
                match message {
                    Message::Event(event) => calculator.event(&mut state, event).await,
                    // Who asked may have gone.
                    Message::Query(reply) => drop(reply.try_send(state.clone())),
                }
            }
            calculator.end(&self.id, state).await;
        }
    }

    /// What comes next. It closes the mailbox when nothing has come for too long.
    async fn next(&self) -> Option<Message<C>> {
        if let Some(idle) = self.home.options.idle {
            // In a box, so that those without a limit are not the larger for it: a timer is as large as all the rest.
            match Box::pin(self.mailbox.recv_timeout(idle)).await {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Closed) => return None,
                Err(RecvTimeoutError::Timeout) => close(&self.mailbox),
            }
        }
        self.mailbox.recv().await
    }
}
