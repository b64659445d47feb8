//! A vending machine: "one goroutine for each truly concurrent activity".
//!
//! After the first example of "Golang design4concurrency" (004:30-84, census A10.1), which has no code: "as a customer I put
//! sufficient coins into the vending machine and then press the selection button for coke and then press the button to vend and
//! the robotic arm fetches a coke and dumps it into the pickup tray. The coke is nice and cold because the cooling system keeps
//! the air in the vending machine at 50 degrees."
//!
//! ```
//! use windtunnel::time;
//! use windtunnel_patterns::vending::{Jam, Machine, Options, Shelf, VendError};
//!
//! async fn buy_a_coke() -> Result<Option<usize>, VendError> {
//!     let cokes = Shelf { price: 150, stock: 10 };
//!     let machine = Machine::new(Options { shelves: vec![cokes], coins: vec![50, 100], tray: 1 }, |_shelf| async {
//!         time::sleep(time::secs(3)).await;
//!         Ok::<_, Jam>(())
//!     });
//!     machine.insert(100).await.expect("it takes such coins");
//!     machine.insert(50).await.expect("it takes such coins");
//!     machine.select(0).await.expect("there is such a shelf");
//!     machine.vend().await?;
//!     Ok(machine.take().await)
//! }
//! ```
//!
//! # Contract
//!
//! - *Who owns what.* A task for the coins owns the credit and the takings; one for the buttons the selection and the stock; one
//!   for the arm the arm; one for the [cooling](Machine::cooled) the compressor. Any number of customers may use the machine at
//!   once.
//! - *Money.* What was put in is the prices of what was vended, what was given back, and the credit. A press of the vend button
//!   is paid for before the arm moves, all of it or nothing; what the arm does not bring is credit again.
//! - *Delivery.* At most one item for each press that was paid, in the order of the presses. Nothing is vended without a selection,
//!   without stock or without credit; a press that was paid takes the selection with it.
//! - *When each communication proceeds.* Coins and buttons are served in the order in which customers come, also while the arm
//!   moves; the buttons wait for the coins, and nobody of the three for the cooling. Orders for the arm never wait to be given:
//!   there is room for the whole stock. The arm makes one movement after the other, and waits with what it has while the tray is
//!   full: that is the *back-pressure*.
//! - *When each task exits.* [`close`](Machine::close) ends them one after the other, each once nobody can ask anything of it: the
//!   buttons, the arm with its last order, the coins; and the cooling. A dropped machine is switched off where it stands. In
//!   both cases the compressor is off then ("forever" must have an end).
//! - *Panics.* A movement of the arm that panics is a jam. (In a simulation or a model a panic ends the run.)

mod cooling;
mod tasks;

use std::future::Future;

use windtunnel::channel::{self, Receiver, Sender};

pub use cooling::{Fridge, Thermostat};
use tasks::{Arm, Buttons, Coins, Press};

use crate::ask::ask;
use crate::owned::OwnedTasks;
use cooling::Cooling;

/// Items of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shelf {
    /// What one costs, in the unit of the coins.
    pub price: u32,
    /// How many there are.
    pub stock: usize,
}

/// How a machine is filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What it sells; each has its button, numbered from zero.
    pub shelves: Vec<Shelf>,
    /// The coins that it takes.
    pub coins: Vec<u32>,
    /// How many items the tray holds; none if the arm is to hand each to somebody who takes it.
    pub tray: usize,
}

/// The arm did not bring what it was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the arm is jammed")]
pub struct Jam;

/// A task of the machine is gone, with the runtime or the node that it ran on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the machine is out of order")]
pub struct OutOfOrder;

/// Why a coin was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError {
    /// It is not one of [`Options::coins`].
    #[error("a coin of {0} is not taken: try another")]
    Refused(u32),
    /// See [`OutOfOrder`].
    #[error(transparent)]
    OutOfOrder(#[from] OutOfOrder),
}

/// Why nothing was selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// There are only so many.
    #[error("there is no such button: they are numbered from 0, and there are {0}")]
    NoSuchButton(usize),
    /// See [`OutOfOrder`].
    #[error(transparent)]
    OutOfOrder(#[from] OutOfOrder),
}

/// Why nothing was vended. Nothing was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VendError {
    /// No button was pressed since the last press that was paid.
    #[error("nothing is selected: press a button first")]
    NothingSelected,
    /// The shelf is empty.
    #[error("it is sold out: select something else")]
    SoldOut,
    /// More coins are needed.
    #[error("the price is {price} and the credit {credit}: put in more coins")]
    TooLittle {
        /// What it costs.
        price: u32,
        /// What there is.
        credit: u64,
    },
    /// The arm did not bring it: the price is credit again.
    #[error("the arm is jammed: press again, or have the coins back")]
    Jammed,
    /// See [`OutOfOrder`].
    #[error(transparent)]
    OutOfOrder(#[from] OutOfOrder),
}

/// What a machine had when it was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The prices of what was vended.
    pub takings: u64,
    /// The credit that was left.
    pub change: u64,
    /// What nobody has taken, by its shelf, in the order in which it came.
    pub tray: Vec<usize>,
}

/// A vending machine. See the [module](self).
#[derive(Debug)]
pub struct Machine {
    buttons: Sender<Press>,
    coins: Sender<Coins>,
    tray: Receiver<usize>,
    /// How many buttons there are.
    shelves: usize,
    cooling: Option<Cooling>,
    _tasks: OwnedTasks,
}

impl Machine {
    /// A machine without cooling, whose `arm` fetches one item from the shelf that it is given.
    ///
    /// # Panics
    /// As [`spawn`](windtunnel::spawn).
    pub fn new<A, F>(options: Options, arm: A) -> Self
    where
        A: Fn(usize) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Jam>> + Send + 'static,
    {
        let Options { shelves, coins: accepted, tray } = options;
        let (coins, inserted) = channel::named("coins", 0);
        let (buttons, presses) = channel::named("buttons", 0);
        let stock = shelves.iter().fold(0, |sum: usize, shelf| sum.saturating_add(shelf.stock));
        let (orders, ordered) = channel::named("orders", stock);
        let (dump, tray) = channel::named("tray", tray);
        let count = shelves.len();
        let mut tasks = OwnedTasks::default();
        tasks.spawn("coins", tasks::take_coins(accepted, inserted));
        tasks.spawn("arm", Arm { coins: coins.clone(), tray: dump, fetch: arm }.run(ordered));
        tasks.spawn("buttons", Buttons { shelves, selected: None, coins: coins.clone(), orders }.run(presses));
        Self { buttons, coins, tray, shelves: count, cooling: None, _tasks: tasks }
    }

    /// The same machine, with its air at the temperature of `thermostat`.
    ///
    /// # Panics
    /// As [`spawn`](windtunnel::spawn).
    #[must_use]
    pub fn cooled(self, thermostat: Thermostat, fridge: impl Fridge) -> Self {
        Self { cooling: Some(Cooling::start(thermostat, fridge)), ..self }
    }

    /// Puts a coin into the slot, and gives the credit.
    ///
    /// # Errors
    /// [`InsertError`].
    ///
    /// # Cancel safety
    /// Of a dropped call the coin is taken or not; the [`credit`](Self::credit) tells.
    pub async fn insert(&self, coin: u32) -> Result<u64, InsertError> {
        let credit = ask(&self.coins, |reply| Coins::Insert(coin, reply)).await.ok_or(OutOfOrder)?;
        credit.ok_or(InsertError::Refused(coin))
    }

    /// Presses the button of the shelf of this number; the last that was pressed counts.
    ///
    /// # Errors
    /// [`SelectError`].
    ///
    /// # Cancel safety
    /// Of a dropped call the button is pressed or not.
    pub async fn select(&self, number: usize) -> Result<(), SelectError> {
        if number >= self.shelves {
            return Err(SelectError::NoSuchButton(self.shelves));
        }
        Ok(ask(&self.buttons, |reply| Press::Select(number, reply)).await.ok_or(OutOfOrder)?)
    }

    /// Presses the button to vend: what is selected is paid for and fetched, and when this returns it is in the tray. While that
    /// is full, it waits until somebody takes something.
    ///
    /// # Errors
    /// [`VendError`].
    ///
    /// # Cancel safety
    /// A dropped call has pressed the button or not. If it has, all goes its way: it is paid for and fetched, or nothing is.
    pub async fn vend(&self) -> Result<(), VendError> {
        ask(&self.buttons, Press::Vend).await.ok_or(OutOfOrder)?
    }

    /// Takes an item out of the tray, once there is one, and tells its shelf; `None` if the machine is out of order.
    ///
    /// # Cancel safety
    /// A dropped call takes nothing.
    pub async fn take(&self) -> Option<usize> {
        self.tray.recv().await
    }

    /// Has the credit back.
    ///
    /// # Errors
    /// [`OutOfOrder`].
    ///
    /// # Cancel safety
    /// Of a dropped call the coins may lie there: for whoever comes next, as it is with machines.
    pub async fn give_back(&self) -> Result<u64, OutOfOrder> {
        ask(&self.coins, Coins::GiveBack).await.ok_or(OutOfOrder)
    }

    /// The credit at this moment.
    ///
    /// # Errors
    /// [`OutOfOrder`].
    ///
    /// # Cancel safety
    /// A dropped call changes nothing.
    pub async fn credit(&self) -> Result<u64, OutOfOrder> {
        ask(&self.coins, Coins::Credit).await.ok_or(OutOfOrder)
    }

    /// How many items lie in the tray at this moment.
    pub fn tray(&self) -> usize {
        self.tray.len()
    }

    /// The temperature of the air at this moment; `None` if nobody measures it.
    ///
    /// # Cancel safety
    /// A dropped call changes nothing.
    pub async fn temperature(&self) -> Option<f64> {
        self.cooling.as_ref()?.temperature().await
    }

    /// Lets the arm finish what was paid for, switches everything off, and gives what is in the machine.
    ///
    /// # Errors
    /// [`OutOfOrder`].
    ///
    /// # Cancel safety
    /// Dropped, it drops the machine.
    pub async fn close(self) -> Result<Contents, OutOfOrder> {
        drop((self.buttons, self.cooling));
        let mut left = Vec::new();
        // Until the arm, whose orders have ended, is gone.
        while let Some(item) = self.tray.recv().await {
            left.push(item);
        }
        let (takings, change) = ask(&self.coins, Coins::Close).await.ok_or(OutOfOrder)?;
        Ok(Contents { takings, change, tray: left })
    }
}
