//! Cancellation that spreads from a context to all that was derived from it.
//!
//! As Go's `context`, without values. The contexts derived from one root are a [`Tree`] under one lock: cancelling a context
//! and all below it is one critical section, so nobody sees a part of it, and a child made meanwhile is cancelled with them
//! or made of a cancelled parent. A deadline needs no task: who waits sleeps until then, and whoever first finds it past
//! cancels.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use pin_project::{pin_project, pinned_drop};

use crate::backend::{Effect, RawLock};
use crate::lock::Lock;
use crate::object::{Label, Object};
use crate::said::say;
use crate::task::{Op, blocked};
use crate::time::{Instant, Sleep, sleep_until};
use crate::wait::{Wait, WaitQueue, Wakers};

/// Why a context is cancelled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// By [`Context::cancel`], or by a [`CancelGuard`].
    Cancelled,
    /// By [`Context::cancel_because`], with this reason.
    Because(Cow<'static, str>),
    /// Its deadline, or that of an ancestor, is past.
    DeadlineExceeded,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Cancelled => f.write_str("cancelled"),
            Cause::Because(reason) => write!(f, "cancelled: {reason}"),
            Cause::DeadlineExceeded => f.write_str("deadline exceeded"),
        }
    }
}

impl std::error::Error for Cause {}

/// Tells everything that was started under it to stop.
///
/// Clones are handles of the same context. Cancelling a context cancels its [`child`](Self::child)ren and theirs, all at
/// once and with the same [`Cause`]; never its parent. The first cause stays. Dropping handles cancels nothing:
/// see [`guard`](Self::guard).
///
/// ```
/// use windtunnel::sync::{Cause, Context};
/// use windtunnel::{select, spawn, time};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let server = Context::named("server");
/// let request = server.child_with_timeout(time::secs(30));
/// let answer = spawn(async move {
///     select! {
///         cause = request.cancelled() => Err(cause),
///         () = time::sleep(time::secs(60)) => Ok("an answer"),
///     }
/// });
/// server.cancel_because("shutting down");
/// assert_eq!(answer.await.unwrap(), Err(Cause::Because("shutting down".into())));
/// # });
/// ```
///
/// # Deadlines in a model
/// Time does not move there: whether a deadline is past is explored, by those who wait for it in
/// [`cancelled`](Self::cancelled) or [`run`](Self::run). The other methods find it past once one of those has.
#[derive(Clone)]
#[must_use = "a context does nothing unless somebody waits for it or cancels it"]
pub struct Context {
    node: Arc<Node>,
}

/// A context, for as long as there are handles.
struct Node {
    object: Object,
    deadline: Option<Instant>,
    tree: Arc<Lock<Tree>>,
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl Context {
    /// A context without parent and deadline.
    pub fn new() -> Self {
        Self::root(None)
    }

    /// [`new`](Self::new), with a name that reports and traces show, for it and for all that are derived from it.
    pub fn named(name: &'static str) -> Self {
        Self::root(Some(name))
    }

    fn root(name: Option<&'static str>) -> Self {
        let object = Object::new(name);
        let mut tree = Tree::default();
        tree.add(object.label().id, None, None);
        Self { node: Arc::new(Node { object, deadline: None, tree: Arc::new(Lock::new(tree)) }) }
    }

    /// A context that is cancelled when this one is, or by itself before.
    pub fn child(&self) -> Self {
        self.derive(None)
    }

    /// [`child`](Self::child), cancelled at the latest when `limit` has passed.
    pub fn child_with_timeout(&self, limit: Duration) -> Self {
        self.derive(Some(Instant::now() + limit))
    }

    /// [`child`](Self::child), cancelled at `deadline` at the latest.
    pub fn child_with_deadline(&self, deadline: Instant) -> Self {
        self.derive(Some(deadline))
    }

    fn derive(&self, deadline: Option<Instant>) -> Self {
        let object = Object::new(self.node.label().name);
        let deadline = self.node.deadline.into_iter().chain(deadline).min();
        self.node.change(|tree, _| tree.add(object.label().id, Some(self.node.id()), deadline));
        Self { node: Arc::new(Node { object, deadline, tree: Arc::clone(&self.node.tree) }) }
    }

    /// Cancels this context and all that are derived from it, unless they already are. [`Cause::Cancelled`].
    pub fn cancel(&self) {
        self.cancel_with(&Cause::Cancelled);
    }

    /// [`cancel`](Self::cancel), with a reason for those who ask. [`Cause::Because`].
    pub fn cancel_because(&self, reason: impl Into<Cow<'static, str>>) {
        self.cancel_with(&Cause::Because(reason.into()));
    }

    fn cancel_with(&self, cause: &Cause) {
        say!("sync", "cancels context ({}): {cause}", self.node.label());
        self.node.change(|tree, wakers| tree.cancel(self.node.id(), cause, &Now::new(Instant::now), wakers));
    }

    /// Waits until the context is cancelled, and tells why. Holds a handle of its own; cancel safe.
    ///
    /// # Panics
    /// When awaited outside the run that created the context.
    #[track_caller]
    pub fn cancelled(&self) -> impl Future<Output = Cause> + Send + use<> {
        self.waiting()
    }

    #[track_caller]
    fn waiting(&self) -> Cancelled {
        Cancelled { node: Arc::clone(&self.node), wait: None, sleep: None, at: Location::caller() }
    }

    /// Awaits `future` until the context is cancelled; a result that is ready wins.
    ///
    /// # Errors
    /// Why the context is cancelled; `future` is dropped then.
    ///
    /// # Cancel safety
    /// As `future`.
    ///
    /// # Panics
    /// As [`cancelled`](Self::cancelled).
    #[track_caller]
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = Result<F::Output, Cause>> + use<F> {
        let cancelled = self.waiting();
        async move {
            let (mut future, mut cancelled) = (pin!(future), pin!(cancelled));
            poll_fn(|cx| match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Ok(output)),
                // Where this task waits is what the future said.
                Poll::Pending => cancelled.as_mut().poll_unnoted(cx).map(Err),
            })
            .await
        }
    }

    /// Whether the context is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cause().is_some()
    }

    /// Why the context is cancelled, if it is.
    pub fn cause(&self) -> Option<Cause> {
        self.node.change(|tree, wakers| tree.cause(self.node.id(), &Now::new(Instant::now), wakers))
    }

    /// The earliest deadline of the context and its ancestors.
    pub fn deadline(&self) -> Option<Instant> {
        self.node.deadline
    }

    /// Cancels the context when dropped, on whichever way out.
    pub fn guard(&self) -> CancelGuard {
        CancelGuard { context: Some(self.clone()) }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({})", self.node.label())
    }
}

impl Node {
    fn label(&self) -> Label {
        self.object.label()
    }

    fn id(&self) -> u64 {
        self.label().id
    }

    /// Changes the tree by `change`, then wakes whom it let go on.
    ///
    /// # Panics
    /// If the context belongs to another run.
    fn change<T>(&self, change: impl FnOnce(&mut Tree, &mut Wakers) -> T) -> T {
        self.object.check();
        let mut wakers = Wakers::new();
        let result = self.tree.lock().change(self.tree.raw(), |tree| change(tree, &mut wakers));
        wakers.wake();
        result
    }

    /// As [`change`](Self::change), for use in `Drop`: does nothing once the run has failed or ended.
    fn change_in_drop(&self, change: impl FnOnce(&mut Tree, &mut Wakers)) {
        let Some(mut tree) = self.tree.lock_in_drop() else { return };
        let mut wakers = Wakers::new();
        tree.change(self.tree.raw(), |tree| change(tree, &mut wakers));
        drop(tree);
        wakers.wake();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.change_in_drop(|tree, _| tree.remove(self.id()));
    }
}

/// The contexts that descend from one root and have handles, by number.
#[derive(Default)]
struct Tree {
    members: BTreeMap<u64, Member>,
    /// Members that have been cancelled so far.
    cancelled: usize,
}

/// The present moment, if it matters: it does to those who have a deadline.
type Now = LazyCell<Instant>;

/// A context. A cancelled one has neither parent nor children any more: nothing can happen to it.
struct Member {
    parent: Option<u64>,
    /// In order of creation, in which they are woken.
    children: BTreeSet<u64>,
    /// The earliest of its own and its ancestors'.
    deadline: Option<Instant>,
    cause: Option<Cause>,
    waiting: WaitQueue<Cause>,
}

impl Member {
    fn is_past_deadline(&self, now: &Now) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= **now)
    }
}

impl Tree {
    /// Changes the tree, which `lock` guards, by `change`. Nobody but who cancels sees who waits, or what was derived from what.
    fn change<T>(&mut self, lock: &RawLock, change: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.cancelled;
        let result = change(self);
        lock.effect(|| if self.cancelled == before { Effect::Looked } else { Effect::Changed });
        result
    }

    fn member(&mut self, id: u64) -> &mut Member {
        self.members.get_mut(&id).expect("a context with a handle is in its tree")
    }

    fn add(&mut self, id: u64, parent: Option<u64>, deadline: Option<Instant>) {
        let cause = parent.and_then(|parent| self.member(parent).cause.clone());
        let parent = parent.filter(|_| cause.is_none());
        if let Some(parent) = parent {
            self.member(parent).children.insert(id);
        }
        let member = Member { parent, children: BTreeSet::new(), deadline, cause, waiting: WaitQueue::new() };
        self.members.insert(id, member);
    }

    /// Forgets a context that has no handles. Its children become its parent's.
    fn remove(&mut self, id: u64) {
        let Some(Member { parent, children, .. }) = self.members.remove(&id) else { return };
        for child in &children {
            self.member(*child).parent = parent;
        }
        if let Some(parent) = parent {
            let siblings = &mut self.member(parent).children;
            siblings.remove(&id);
            siblings.extend(children);
        }
    }

    /// Cancels `id` and all below it, those whose deadline is past because of that.
    fn cancel(&mut self, id: u64, cause: &Cause, now: &Now, wakers: &mut Wakers) {
        if let Some(parent) = self.member(id).parent {
            self.member(parent).children.remove(&id);
        }
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let member = self.member(id);
            if member.cause.is_some() {
                continue;
            }
            let cause = if member.is_past_deadline(now) { Cause::DeadlineExceeded } else { cause.clone() };
            while let Some(waiting) = member.waiting.claim() {
                wakers.push(waiting.put(cause.clone()));
            }
            member.cause = Some(cause);
            member.parent = None;
            open.extend(mem::take(&mut member.children).into_iter().rev());
            self.cancelled += 1;
        }
    }

    /// The deadline of `id` is past, and so it is for every ancestor that has the same.
    fn expire(&mut self, id: u64, now: &Now, wakers: &mut Wakers) {
        let deadline = self.member(id).deadline;
        let mut highest = id;
        while let Some(parent) = self.member(highest).parent
            && self.member(parent).deadline == deadline
        {
            highest = parent;
        }
        self.cancel(highest, &Cause::DeadlineExceeded, now, wakers);
    }

    /// Why `id` is cancelled, if it is by `now`.
    fn cause(&mut self, id: u64, now: &Now, wakers: &mut Wakers) -> Option<Cause> {
        if self.member(id).is_past_deadline(now) {
            self.expire(id, now, wakers);
        }
        self.member(id).cause.clone()
    }
}

/// See [`Context::cancelled`].
#[pin_project(PinnedDrop)]
struct Cancelled {
    node: Arc<Node>,
    /// While it is in the queue.
    #[pin]
    wait: Option<Wait<Cause>>,
    /// Until the deadline.
    #[pin]
    sleep: Option<Sleep>,
    at: &'static Location<'static>,
}

impl Cancelled {
    /// Polls it without a note of where the task waits.
    fn poll_unnoted(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Cause> {
        let now = Now::new(Instant::now);
        let cause = match self.as_ref().project_ref().wait.as_pin_ref() {
            Some(wait) => match wait.poll(&self.node.tree, cx) {
                Poll::Ready(_) => wait.take(),
                Poll::Pending => None,
            },
            None => self.as_mut().enter(&now, cx),
        };
        let Some(cause) = cause.or_else(|| self.as_mut().poll_deadline(&now, cx)) else { return Poll::Pending };
        self.project().wait.set(None);
        Poll::Ready(cause)
    }

    /// The cause, if there is one already; else waits for it.
    fn enter(self: Pin<&mut Self>, now: &Now, cx: &task::Context<'_>) -> Option<Cause> {
        let mut this = self.project();
        let id = this.node.id();
        this.sleep.set(this.node.deadline.map(|deadline| sleep_until(deadline)));
        this.node.change(|tree, wakers| {
            let cause = tree.cause(id, now, wakers);
            if cause.is_none() {
                this.wait.set(Some(Wait::new(None)));
                let wait = this.wait.as_ref().as_pin_ref().expect("just set");
                wait.enqueue(&mut tree.member(id).waiting, cx);
            }
            cause
        })
    }

    /// Cancels the context if its deadline is past, unless somebody was faster; tells the cause.
    fn poll_deadline(self: Pin<&mut Self>, now: &Now, cx: &mut task::Context<'_>) -> Option<Cause> {
        let this = self.project();
        if this.sleep.as_pin_mut()?.poll_unnoted(cx).is_pending() {
            return None;
        }
        let (id, wait) = (this.node.id(), this.wait.as_ref().as_pin_ref().expect("it has entered"));
        this.node.change(|tree, wakers| {
            // Out of the queue first: it need not wake itself.
            wait.withdraw(&mut tree.member(id).waiting);
            tree.expire(id, now, wakers);
            tree.member(id).cause.clone()
        })
    }
}

impl Future for Cancelled {
    type Output = Cause;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Cause> {
        let poll = self.as_mut().poll_unnoted(cx);
        let label = self.node.object.check();
        match &poll {
            Poll::Ready(cause) => say!("sync", "context ({label}) is {cause}"),
            Poll::Pending => blocked(Op::Context, Some(label), self.at),
        }
        poll
    }
}

#[pinned_drop]
impl PinnedDrop for Cancelled {
    fn drop(self: Pin<&mut Self>) {
        if let Some(wait) = &self.wait {
            self.node.change_in_drop(|tree, _| {
                wait.withdraw(&mut tree.member(self.node.id()).waiting);
            });
        }
    }
}

/// Cancels a context when dropped. See [`Context::guard`].
#[must_use = "the context is cancelled when the guard is dropped"]
#[derive(Debug)]
pub struct CancelGuard {
    context: Option<Context>,
}

impl CancelGuard {
    /// Gives the context back, which is not cancelled by this guard any more.
    pub fn disarm(mut self) -> Context {
        self.context.take().expect("there until it is disarmed")
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        let Some(Context { node }) = &self.context else { return };
        node.change_in_drop(|tree, wakers| {
            tree.cancel(node.id(), &Cause::Cancelled, &Now::new(Instant::now), wakers);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(context: &Context) -> Vec<u64> {
        context.node.tree.lock().members.keys().copied().collect()
    }

    #[test]
    fn a_parent_does_not_collect_its_dropped_children() {
        let root = Context::new();
        for _ in 0..100_000 {
            drop(root.child().child());
        }
        assert_eq!(members(&root), [root.node.id()]);
        assert!(root.node.tree.lock().member(root.node.id()).children.is_empty());
    }

    #[test]
    fn a_chain_of_which_only_the_ends_have_handles_is_short() {
        let root = Context::new();
        let mut last = root.child();
        for _ in 0..100_000 {
            last = last.child();
        }
        assert_eq!(members(&root), [root.node.id(), last.node.id()]);
        root.cancel();
        assert!(last.is_cancelled());
    }

    #[test]
    fn a_cancelled_context_does_not_collect_its_children() {
        let root = Context::new();
        let kept = root.child();
        root.cancel();
        (0..1000).for_each(|_| drop(root.child()));
        assert_eq!(members(&root), [root.node.id(), kept.node.id()]);
        assert!(root.node.tree.lock().member(root.node.id()).children.is_empty());
    }
}
