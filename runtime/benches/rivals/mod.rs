//! The channels that are compared, under one trait.

use std::future::Future;
use std::iter::repeat_n;

/// A channel of `u64`, many to one or many to many.
pub trait Channel: 'static {
    const NAME: &'static str;
    /// Whether a capacity of 0 exists.
    const RENDEZVOUS: bool = true;
    /// Whether there can be several consumers.
    const CONSUMERS: bool = true;
    type Sender: Clone + Send + Sync + 'static;
    type Receiver: Send + 'static;

    fn open(capacity: usize, consumers: u64) -> (Self::Sender, Vec<Self::Receiver>);

    fn send(sender: &Self::Sender, message: u64) -> impl Future<Output = ()> + Send;

    fn recv(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;

    /// Starts a task the way a user of this channel would, so that windtunnel pays for its own bookkeeping.
    fn spawn(task: impl Future<Output = u64> + Send + 'static) -> impl Future<Output = u64> + Send {
        let task = tokio::spawn(task);
        async { task.await.expect("a bench does not panic") }
    }
}

fn clones<R: Clone>(receiver: R, consumers: u64) -> Vec<R> {
    repeat_n(receiver, usize::try_from(consumers).expect("few")).collect()
}

pub enum Windtunnel {}

impl Channel for Windtunnel {
    const NAME: &'static str = "windtunnel";
    type Sender = windtunnel::Sender<u64>;
    type Receiver = windtunnel::Receiver<u64>;

    fn open(capacity: usize, consumers: u64) -> (Self::Sender, Vec<Self::Receiver>) {
        let (sender, receiver) = windtunnel::channel(capacity);
        (sender, clones(receiver, consumers))
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).await.expect("a receiver is left");
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await
    }

    fn spawn(task: impl Future<Output = u64> + Send + 'static) -> impl Future<Output = u64> + Send {
        let task = windtunnel::spawn(task);
        async { task.await.expect("a bench does not panic") }
    }
}

pub enum Kanal {}

impl Channel for Kanal {
    const NAME: &'static str = "kanal";
    type Sender = kanal::AsyncSender<u64>;
    type Receiver = kanal::AsyncReceiver<u64>;

    fn open(capacity: usize, consumers: u64) -> (Self::Sender, Vec<Self::Receiver>) {
        let (sender, receiver) = kanal::bounded_async(capacity);
        (sender, clones(receiver, consumers))
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).await.expect("a receiver is left");
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await.ok()
    }
}

pub enum Flume {}

impl Channel for Flume {
    const NAME: &'static str = "flume";
    type Sender = flume::Sender<u64>;
    type Receiver = flume::Receiver<u64>;

    fn open(capacity: usize, consumers: u64) -> (Self::Sender, Vec<Self::Receiver>) {
        let (sender, receiver) = flume::bounded(capacity);
        (sender, clones(receiver, consumers))
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send_async(message).await.expect("a receiver is left");
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv_async().await.ok()
    }
}

pub enum AsyncChannel {}

impl Channel for AsyncChannel {
    const NAME: &'static str = "async-channel";
    const RENDEZVOUS: bool = false;
    type Sender = async_channel::Sender<u64>;
    type Receiver = async_channel::Receiver<u64>;

    fn open(capacity: usize, consumers: u64) -> (Self::Sender, Vec<Self::Receiver>) {
        let (sender, receiver) = async_channel::bounded(capacity);
        (sender, clones(receiver, consumers))
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).await.expect("a receiver is left");
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await.ok()
    }
}

pub enum Tokio {}

impl Channel for Tokio {
    const NAME: &'static str = "tokio";
    const RENDEZVOUS: bool = false;
    const CONSUMERS: bool = false;
    type Sender = tokio::sync::mpsc::Sender<u64>;
    type Receiver = tokio::sync::mpsc::Receiver<u64>;

    fn open(capacity: usize, _consumers: u64) -> (Self::Sender, Vec<Self::Receiver>) {
        let (sender, receiver) = tokio::sync::mpsc::channel(capacity);
        (sender, vec![receiver])
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).await.expect("a receiver is left");
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await
    }
}
