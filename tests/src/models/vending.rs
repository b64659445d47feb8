//! The vending machine under every interleaving of a few: its three tasks and its customers are many for a model.

use std::pin::pin;
use std::sync::Arc;

use windtunnel::{Sender, channel, spawn, time};
use windtunnel_patterns::vending::{Contents, Fridge, Jam, Machine, Options, OutOfOrder, Shelf, Thermostat, VendError};

use super::begun;
use super::task::forever;

const PRICE: u32 = 2;

/// Cokes at 2, for coins of 1 and 2; `arm` brings them.
fn machine(stock: usize, brings: bool) -> Machine {
    let options = Options { shelves: vec![Shelf { price: PRICE, stock }], coins: vec![1, 2], tray: 2 };
    Machine::new(options, move |_| async move { if brings { Ok(()) } else { Err(Jam) } })
}

async fn press(machine: &Machine) -> Result<(), VendError> {
    machine.select(0).await.expect("there is a shelf");
    machine.vend().await
}

/// The machine as its last customer finds it.
async fn closed(machine: Arc<Machine>) -> Contents {
    Arc::into_inner(machine).expect("the other customers have gone").close().await.expect("it is in order")
}

/// Sufficient coins, the selection, the button to vend, the tray: the story of the talk.
#[windtunnel_model::test(preemptions = 1)]
pub async fn a_customer_buys_a_coke() {
    let machine = machine(1, true);
    assert_eq!(machine.insert(2).await, Ok(2));
    assert_eq!(press(&machine).await, Ok(()));
    assert_eq!((machine.tray(), machine.take().await), (1, Some(0)));
    assert_eq!(machine.close().await, Ok(Contents { takings: 2, change: 0, tray: vec![] }));
}

/// Nothing is vended without a selection or without stock.
#[windtunnel_model::test(preemptions = 1)]
pub async fn nothing_is_vended_without_stock() {
    let machine = machine(0, true);
    assert_eq!(machine.vend().await, Err(VendError::NothingSelected));
    assert_eq!(press(&machine).await, Err(VendError::SoldOut));
}

/// Nothing is vended without sufficient coins, and nothing is paid.
#[windtunnel_model::test(preemptions = 1)]
pub async fn nothing_is_vended_without_credit() {
    let machine = machine(1, true);
    machine.insert(1).await.expect("it is taken");
    assert_eq!(press(&machine).await, Err(VendError::TooLittle { price: PRICE, credit: 1 }));
    assert_eq!(machine.close().await, Ok(Contents { takings: 0, change: 1, tray: vec![] }));
}

/// Two customers press with credit for one coke: there is one.
#[windtunnel_model::test(preemptions = 0)]
pub async fn credit_for_one_is_one_coke() {
    let machine = Arc::new(machine(2, true));
    machine.insert(2).await.expect("it is taken");
    let other = Arc::clone(&machine);
    let pressed = spawn(async move { press(&other).await.is_ok() });
    let cokes = usize::from(press(&machine).await.is_ok()) + usize::from(pressed.await.expect("it ends"));
    assert_eq!(cokes, 1);
    assert_eq!(closed(machine).await, Contents { takings: 2, change: 0, tray: vec![0] });
}

/// The coins are asked back while somebody presses: they come back or a coke does.
#[windtunnel_model::test(preemptions = 0)]
pub async fn coins_come_back_or_a_coke_does() {
    let machine = Arc::new(machine(1, true));
    machine.insert(2).await.expect("it is taken");
    machine.select(0).await.expect("there is a shelf");
    let other = Arc::clone(&machine);
    let given = spawn(async move { other.give_back().await });
    let vended = machine.vend().await;
    match given.await.expect("it ends") {
        Ok(0) => assert_eq!((vended, closed(machine).await.takings), (Ok(()), 2)),
        Ok(2) => assert_eq!(vended, Err(VendError::TooLittle { price: PRICE, credit: 0 })),
        other => panic!("{other:?}"),
    }
}

/// A coin is put in while coins are asked back: it comes back or it is credit.
#[windtunnel_model::test(preemptions = 0)]
pub async fn a_coin_comes_back_or_is_credit() {
    let machine = Arc::new(machine(1, true));
    let other = Arc::clone(&machine);
    let inserted = spawn(async move { other.insert(2).await });
    let given = machine.give_back().await.expect("it is in order");
    assert_eq!(inserted.await.expect("it ends"), Ok(2));
    assert_eq!(machine.credit().await, Ok(2 - given));
}

/// The arm brings nothing: the price is credit again, and can be had back.
#[windtunnel_model::test(preemptions = 1)]
pub async fn what_the_arm_does_not_bring_is_not_paid() {
    let machine = machine(1, false);
    machine.insert(2).await.expect("it is taken");
    assert_eq!(press(&machine).await, Err(VendError::Jammed));
    assert_eq!((machine.credit().await, machine.give_back().await), (Ok(2), Ok(2)));
    assert_eq!(machine.close().await, Ok(Contents { takings: 0, change: 0, tray: vec![] }));
}

/// A customer goes away in the middle of a press: it is paid and fetched, or nothing is.
#[windtunnel_model::test(preemptions = 1)]
pub async fn an_abandoned_press_goes_its_way_or_none() {
    let machine = machine(1, true);
    machine.insert(2).await.expect("it is taken");
    machine.select(0).await.expect("there is a shelf");
    let _ = time::timeout(time::millis(10), machine.vend()).await;
    let Contents { takings, change, tray } = machine.close().await.expect("it is in order");
    assert!(matches!((takings, change, &tray[..]), (2, 0, [0]) | (0, 2, [])), "{takings}, {change}, {tray:?}");
}

/// Hint 8, know why and when each task will exit: with the machine, though the arm is at it.
#[windtunnel_model::test(preemptions = 1)]
pub async fn dropped_it_leaves_no_task() {
    let (held, gone) = channel::<()>(0);
    let options = Options { shelves: vec![Shelf { price: 0, stock: 1 }], coins: vec![], tray: 1 };
    let machine = Machine::new(options, move |_| {
        let held = held.clone();
        async move {
            let _held = held;
            forever().await;
            Ok(())
        }
    });
    machine.select(0).await.expect("there is a shelf");
    begun(pin!(machine.vend()).as_mut()).await;
    drop(machine);
    assert_eq!(gone.recv().await, None);
}

/// Air that is warm for ever, and a compressor that says when it is switched off.
struct Warm(Sender<()>);

impl Fridge for Warm {
    fn temperature(&mut self) -> f64 {
        70.0
    }

    fn cool(&mut self, on: bool) {
        if !on {
            self.0.try_send(()).ok();
        }
    }
}

/// The compressor is off once the machine is.
#[windtunnel_model::test(preemptions = 0)]
pub async fn a_machine_that_is_closed_does_not_cool() {
    let (said, off) = channel(1);
    let thermostat = Thermostat { target: 50.0, tolerance: 1.0, period: time::secs(1) };
    let options = Options { shelves: vec![], coins: vec![], tray: 0 };
    let machine = Machine::new(options, |_| async { Ok(()) }).cooled(thermostat, Warm(said));
    assert_ne!(machine.close().await, Err(OutOfOrder));
    assert_eq!(off.recv().await, Some(()));
}

/// One puts coins in while another presses, who may go away in time: what was paid was vended, and the rest is there.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 300)]
pub async fn a_press_in_time_and_the_coins_for_it() {
    let machine = Arc::new(machine(1, true));
    let coins = Arc::clone(&machine);
    let paying = spawn(async move { coins.insert(2).await.is_ok() });
    let _ = time::timeout(time::millis(10), press(&machine)).await;
    assert!(paying.await.expect("it ends"), "it is taken");
    let Contents { takings, change, tray } = closed(machine).await;
    assert!(takings + change == 2 && takings == 2 * tray.len() as u64, "{takings}, {change}, {tray:?}");
}

/// A coin in time, or given up, and the end: it comes back or it was not taken.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn a_coin_in_time() {
    let machine = machine(1, true);
    let credit = time::timeout(time::millis(10), machine.insert(2)).await;
    assert!(matches!(credit, Ok(Ok(2)) | Err(time::Elapsed)), "{credit:?}");
    let contents = machine.close().await.expect("it is in order");
    assert!(contents.takings == 0 && (contents.change == 2 || credit.is_err()), "{contents:?}");
}
