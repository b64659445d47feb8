//! The three tasks that sell.

use std::future::Future;

use windtunnel::channel::{Receiver, Sender};

use super::{Jam, OutOfOrder, Shelf, VendError};
use crate::ask::{Reply, ask};
use crate::call::caught;

/// What the task of the coins is asked.
pub(super) enum Coins {
    /// Answers with the credit, or nothing for a coin that is not taken.
    Insert(u32, Reply<Option<u64>>),
    /// Answers with the credit if it is too little.
    Pay(u32, Reply<Result<(), u64>>),
    Refund(u32),
    GiveBack(Reply<u64>),
    Credit(Reply<u64>),
    /// Answers with the takings and the credit.
    Close(Reply<(u64, u64)>),
}

/// Owns the credit and the takings. Ends when it is asked to, or when nobody can ask anything any more.
pub(super) async fn take_coins(accepted: Vec<u32>, requests: Receiver<Coins>) {
    let (mut credit, mut takings) = (0_u64, 0_u64);
    while let Some(request) = requests.recv().await {
        match request {
            Coins::Insert(coin, reply) => {
                let taken = accepted.contains(&coin);
                credit += if taken { u64::from(coin) } else { 0 };
                reply.send(taken.then_some(credit));
            }
            Coins::Pay(price, reply) => reply.send(match credit.checked_sub(u64::from(price)) {
                Some(rest) => {
                    (credit, takings) = (rest, takings + u64::from(price));
                    Ok(())
                }
                None => Err(credit),
            }),
            Coins::Refund(price) => {
                (credit, takings) = (credit + u64::from(price), takings - u64::from(price));
            }
            Coins::GiveBack(reply) => reply.send(std::mem::take(&mut credit)),
            Coins::Credit(reply) => reply.send(credit),
            Coins::Close(reply) => return reply.send((takings, credit)),
        }
    }
}

/// How the press of the vend button ended.
type Vended = Reply<Result<(), VendError>>;

/// A press of a button.
pub(super) enum Press {
    Select(usize, Reply<()>),
    Vend(Vended),
}

/// What the arm is to fetch. It was paid for.
pub(super) struct Order {
    /// Of the shelf.
    number: usize,
    price: u32,
    vended: Vended,
}

/// Owns the selection and the stock.
pub(super) struct Buttons {
    pub(super) shelves: Vec<Shelf>,
    pub(super) selected: Option<usize>,
    pub(super) coins: Sender<Coins>,
    pub(super) orders: Sender<Order>,
}

impl Buttons {
    /// Ends when nobody can press a button any more.
    pub(super) async fn run(mut self, presses: Receiver<Press>) {
        while let Some(press) = presses.recv().await {
            match press {
                Press::Select(number, reply) => {
                    self.selected = Some(number);
                    reply.send(());
                }
                Press::Vend(vended) => match self.pay().await {
                    // There is room for the whole stock. If the arm is gone, who pressed the button learns it by the reply.
                    Ok((number, price)) => drop(self.orders.try_send(Order { number, price, vended })),
                    Err(error) => vended.send(Err(error)),
                },
            }
        }
    }

    /// Has what is selected paid, and takes it out of the stock: the number of its shelf, and its price.
    async fn pay(&mut self) -> Result<(usize, u32), VendError> {
        let number = self.selected.ok_or(VendError::NothingSelected)?;
        let wanted = &mut self.shelves[number];
        if wanted.stock == 0 {
            return Err(VendError::SoldOut);
        }
        let price = wanted.price;
        let paid = ask(&self.coins, |reply| Coins::Pay(price, reply)).await.ok_or(OutOfOrder)?;
        paid.map_err(|credit| VendError::TooLittle { price, credit })?;
        wanted.stock -= 1;
        self.selected = None;
        Ok((number, price))
    }
}

/// Owns the arm.
pub(super) struct Arm<A> {
    pub(super) coins: Sender<Coins>,
    pub(super) tray: Sender<usize>,
    pub(super) fetch: A,
}

impl<A, F> Arm<A>
where
    A: Fn(usize) -> F,
    F: Future<Output = Result<(), Jam>>,
{
    /// Ends when there is no order and there can be none, or nobody can take anything any more.
    pub(super) async fn run(self, orders: Receiver<Order>) {
        while let Some(Order { number, price, vended }) = orders.recv().await {
            let fetched = caught(async { (self.fetch)(number).await }).await;
            if fetched == Ok(Ok(())) {
                if self.tray.send(number).await.is_err() {
                    return;
                }
                vended.send(Ok(()));
            } else {
                tracing::warn!("shelf {number}: {fetched:?}");
                // Without the task of the coins there is nobody to give anything back.
                drop(self.coins.send(Coins::Refund(price)).await);
                vended.send(Err(VendError::Jammed));
            }
        }
    }
}
