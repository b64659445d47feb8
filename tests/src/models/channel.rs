//! Who comes first in a channel, under every interleaving: what the conformance tests leave open.

use std::pin::pin;

use windtunnel::{channel, spawn};

use super::begin;

/// Two sends that wait are received in the order in which they came.
#[windtunnel_model::test]
pub async fn blocked_sends_are_received_in_order() {
    let (values, input) = channel(0);
    let mut first = pin!(values.send(1));
    begin(first.as_mut()).await;
    let mut second = pin!(values.send(2));
    begin(second.as_mut()).await;
    let receiver = spawn(async move { [input.recv().await, input.recv().await] });
    assert_eq!(receiver.await, Ok([Some(1), Some(2)]));
    first.await.expect("it was received");
    second.await.expect("it was received");
}

/// A value that a dropped receive had been handed is received before those that were sent after it.
#[windtunnel_model::test]
pub async fn a_value_given_back_comes_before_later_ones() {
    let (values, input) = channel(1);
    let mut receive = Box::pin(input.recv());
    begin(receive.as_mut()).await;
    let sender = spawn(async move {
        values.send(1).await.expect("somebody receives");
        values.send(2).await.expect("somebody receives");
    });
    // At any moment: before a value came, or when it was handed over and the next one is in the buffer.
    drop(receive);
    assert_eq!([input.recv().await, input.recv().await], [Some(1), Some(2)]);
    sender.await.expect("it ends");
}

/// A send that waits for room completes when there is some, although nobody receives its value yet.
#[windtunnel_model::test]
pub async fn a_blocked_send_moves_up_into_the_room() {
    let (values, input) = channel(1);
    let sender = spawn(async move {
        values.send(1).await.expect("there is a receiver");
        values.send(2).await.expect("there is a receiver");
    });
    assert_eq!(input.recv().await, Some(1));
    sender.await.expect("it ends");
    assert_eq!(input.recv().await, Some(2));
}
