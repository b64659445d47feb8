//! The forms of each operation, the same for the handles of both kinds of channel.

/// What can be sent through a handle; `$closed` says when the channel is closed.
macro_rules! sends {
    ($closed:literal) => {
        /// Sends `value`: completes when it is buffered or, in a rendezvous, when a receiver has it.
        ///
        /// # Errors
        #[doc = concat!("Gives the value back if ", $closed, ", before or while it waits.")]
        ///
        /// # Cancel safety
        /// A dropped send either happened or did not. If it did not, the value is dropped with it; a trace line says which,
        /// and so does [`cancel`](crate::channel::Operation::cancel), which gives the value back.
        #[track_caller]
        pub fn send(&self, value: T) -> $crate::channel::Send<'_, T> {
            $crate::channel::Send::new(&self.chan, Some(value), std::panic::Location::caller())
        }

        /// Sends `value` if that needs no waiting.
        ///
        /// A receiver that waits in a `select!` takes it, but not one whose `select!` is just now polling a future of another arm:
        /// for that moment nobody is there.
        ///
        /// # Errors
        /// Gives the value back, and says whether it is worth trying again.
        pub fn try_send(&self, value: T) -> Result<(), $crate::channel::TrySendError<T>> {
            self.chan.try_send(value)
        }

        /// [`send`](Self::send) for at most `limit`; a send that is complete in time wins.
        ///
        /// # Errors
        /// Gives the value back: the limit ran out, or the channel is closed.
        ///
        /// # Cancel safety
        /// As [`send`](Self::send).
        #[track_caller]
        pub fn send_timeout(&self, value: T, limit: std::time::Duration) -> $crate::channel::SendTimeout<'_, T> {
            $crate::channel::Timed::new(limit, self.send(value))
        }

        /// [`send`](Self::send), blocking the thread instead of the task.
        ///
        /// # Errors
        /// As [`send`](Self::send).
        ///
        /// # Panics
        /// In a task, unless it is one of [`spawn_blocking`](crate::task::spawn_blocking); and in a simulation, which has one
        /// thread only.
        #[track_caller]
        pub fn send_blocking(&self, value: T) -> Result<(), $crate::channel::SendError<T>> {
            $crate::task::block_on(self.send(value))
        }

        /// The sending half as a [`Sink`](futures_sink::Sink).
        pub fn into_sink(self) -> $crate::channel::SendSink<Self, T> {
            $crate::channel::SendSink::new(self)
        }
    };
}

/// What can be received through a handle.
macro_rules! receives {
    () => {
        /// Receives the next value, or `None` once the channel is closed and drained.
        ///
        /// # Cancel safety
        /// No message is lost: a dropped receive that had been handed a value gives it to the next receiver, or puts it back
        /// in front.
        #[track_caller]
        pub fn recv(&self) -> $crate::channel::Recv<'_, T> {
            $crate::channel::Recv::new(&self.chan, None, std::panic::Location::caller())
        }

        /// Receives a value if one is there.
        ///
        /// A sender that waits in a `select!` gives it, but not one whose `select!` is just now polling a future of another arm: for
        /// that moment nobody is there.
        ///
        /// # Errors
        /// Says whether it is worth trying again.
        pub fn try_recv(&self) -> Result<T, $crate::channel::TryRecvError> {
            self.chan.try_recv()
        }

        /// [`recv`](Self::recv) for at most `limit`; a value that comes in time wins.
        ///
        /// # Errors
        /// The limit ran out, or the channel is closed and drained.
        ///
        /// # Cancel safety
        /// As [`recv`](Self::recv).
        #[track_caller]
        pub fn recv_timeout(&self, limit: std::time::Duration) -> $crate::channel::RecvTimeout<'_, T> {
            $crate::channel::Timed::new(limit, self.recv())
        }

        /// [`recv`](Self::recv), blocking the thread instead of the task.
        ///
        /// # Panics
        /// In a task, unless it is one of [`spawn_blocking`](crate::task::spawn_blocking); and in a simulation, which has one
        /// thread only.
        #[track_caller]
        pub fn recv_blocking(&self) -> Option<T> {
            $crate::task::block_on(self.recv())
        }

        /// The receiving half as a [`Stream`](futures_core::Stream), which ends when the channel is closed and drained.
        #[track_caller]
        pub fn into_stream(self) -> $crate::channel::RecvStream<Self, T> {
            $crate::channel::RecvStream::new(self)
        }
    };
}

/// What every handle can be asked about its channel.
macro_rules! observers {
    () => {
        /// Values buffered at this moment: in a concurrent program it may be another the next.
        pub fn len(&self) -> usize {
            self.chan.len()
        }

        /// Whether nothing is buffered at this moment.
        pub fn is_empty(&self) -> bool {
            self.len() == 0
        }

        /// The number of values that the channel buffers; zero for a rendezvous.
        pub fn capacity(&self) -> usize {
            self.chan.capacity()
        }

        /// Whether the channel is closed; what is buffered can still be received.
        pub fn is_closed(&self) -> bool {
            self.chan.is_closed()
        }
    };
}

pub(crate) use {observers, receives, sends};
