//! The vending machine in simulated time, with customers of any kind.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rand::Rng;
use windtunnel::rand::rng;
use windtunnel::spawn;
use windtunnel::sync::Semaphore;
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::vending::{Fridge, Jam, Machine, Options, Shelf, Thermostat};
use windtunnel_sim::Sim;

use super::live_tasks_of_patterns;

/// Air that warms towards that of the room, by a degree in ten minutes at first; the compressor cools it by two a minute.
#[derive(Clone)]
struct Air(Arc<Mutex<State>>);

struct State {
    degrees: f64,
    cools: bool,
    at: Instant,
}

const ROOM: f64 = 75.0;
const THERMOSTAT: Thermostat = Thermostat { target: 50.0, tolerance: 1.0, period: time::secs(10) };

impl Air {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(State { degrees: 50.0, cools: false, at: Instant::now() })))
    }

    /// The temperature, and whether the compressor is on.
    fn now(&self) -> (f64, bool) {
        let mut state = self.0.lock().expect("no panic");
        let minutes = state.at.elapsed().as_secs_f64() / 60.0;
        let cooled = if state.cools { 2.0 * minutes } else { 0.0 };
        state.degrees += (ROOM - state.degrees) * 0.004 * minutes - cooled;
        state.at = Instant::now();
        (state.degrees, state.cools)
    }
}

impl Fridge for Air {
    fn temperature(&mut self) -> f64 {
        self.now().0
    }

    fn cool(&mut self, on: bool) {
        self.now();
        self.0.lock().expect("no panic").cools = on;
    }
}

/// What is to be true of a machine at the end.
#[derive(Default)]
struct Book {
    /// Coins put in.
    inserted: AtomicU64,
    /// Coins given back.
    given: AtomicU64,
    /// The prices of what the arm has brought, and how many that were.
    brought: AtomicU64,
    items: AtomicUsize,
    taken: AtomicUsize,
}

const PRICES: [u32; 3] = [50, 150, 200];

/// An arm that takes any time for a movement, jams at times, and must not be moved while it moves.
async fn fetch(shelf: usize, at_rest: Arc<Semaphore>, book: Arc<Book>) -> Result<(), Jam> {
    let _moving = at_rest.try_acquire().expect("one movement at a time");
    time::sleep(time::millis(rng().random_range(500..5_000))).await;
    if rng().random_bool(0.1) {
        return Err(Jam);
    }
    book.brought.fetch_add(u64::from(PRICES[shelf]), Ordering::Relaxed);
    book.items.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// One who comes now and then, puts in some coins, presses some buttons, and has little patience.
async fn visit(machine: Arc<Machine>, book: Arc<Book>) {
    for _ in 0..20 {
        time::sleep(time::millis(rng().random_range(0..120_000))).await;
        for _ in 0..rng().random_range(0..4) {
            let coin = [3, 50, 100, 200][rng().random_range(0..4)];
            if machine.insert(coin).await.is_ok() {
                book.inserted.fetch_add(coin.into(), Ordering::Relaxed);
            }
        }
        machine.select(rng().random_range(0..PRICES.len())).await.expect("there is such a shelf");
        let patience = || time::millis(rng().random_range(0..10_000));
        let _ = time::timeout(patience(), machine.vend()).await;
        if let Ok(Some(_)) = time::timeout(patience(), machine.take()).await {
            book.taken.fetch_add(1, Ordering::Relaxed);
        }
        if rng().random_bool(0.2) {
            book.given.fetch_add(machine.give_back().await.expect("it is in order"), Ordering::Relaxed);
        }
    }
}

/// Census C19: customers of any kind, for fifty minutes. The air keeps its temperature all the time, the arm makes one movement at a
/// time, and in the end the money and the items add up, the compressor is off and no task is left.
#[windtunnel_sim::test(seeds = 32)]
pub async fn the_air_stays_cold_and_the_money_adds_up(_sim: Sim) {
    let (book, at_rest, air) = (Arc::new(Book::default()), Arc::new(Semaphore::new(1)), Air::new());
    let shelves = PRICES.map(|price| Shelf { price, stock: 20 }).to_vec();
    let fetching = Arc::clone(&book);
    let arm = move |shelf| fetch(shelf, Arc::clone(&at_rest), Arc::clone(&fetching));
    let machine = Machine::new(Options { shelves, coins: vec![50, 100, 200], tray: 3 }, arm);
    let machine = Arc::new(machine.cooled(THERMOSTAT, air.clone()));
    let customers: Vec<_> = (0..5).map(|_| spawn(visit(Arc::clone(&machine), Arc::clone(&book)))).collect();
    for _ in 0..600 {
        time::sleep(time::secs(5)).await;
        let (degrees, _) = air.now();
        assert!((degrees - 50.0).abs() < 1.5, "{degrees} degrees");
        let measured = machine.temperature().await.expect("it is in order");
        assert!((measured - degrees).abs() < 0.1, "{measured} measured, {degrees} degrees");
    }
    for customer in customers {
        customer.await.expect("no panic");
    }
    let contents = Arc::into_inner(machine).expect("they have gone").close().await.expect("it is in order");
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    assert_eq!(contents.takings, read(&book.brought), "the prices of what was vended");
    assert_eq!(read(&book.inserted), contents.takings + contents.change + read(&book.given));
    let (items, taken) = (book.items.load(Ordering::Relaxed), book.taken.load(Ordering::Relaxed));
    assert_eq!(items, taken + contents.tray.len());
    assert!(items > 0, "somebody had something");
    time::sleep(time::millis(1)).await;
    assert_eq!((air.now().1, live_tasks_of_patterns()), (false, 0));
}

/// A machine of one free shelf whose arm takes ten seconds, and whose tray holds one item.
fn slow() -> Arc<Machine> {
    let options = Options { shelves: vec![Shelf { price: 0, stock: 9 }; 2], coins: vec![1], tray: 1 };
    Arc::new(Machine::new(options, |_| async {
        time::sleep(time::secs(10)).await;
        Ok(())
    }))
}

/// Selects a shelf and presses the button to vend; when it is in the tray.
async fn buy(machine: Arc<Machine>, shelf: usize) -> Duration {
    let pressed = Instant::now();
    machine.select(shelf).await.expect("there is such a shelf");
    machine.vend().await.expect("it is free, and there");
    pressed.elapsed()
}

/// Each activity goes on by itself: while the arm moves, coins are taken and buttons pressed without a wait.
#[windtunnel_sim::test(seeds = 16)]
pub async fn coins_and_buttons_are_served_while_the_arm_moves(_sim: Sim) {
    let machine = slow();
    let bought = spawn(buy(Arc::clone(&machine), 0));
    time::sleep(time::secs(1)).await;
    let asked = Instant::now();
    assert_eq!(machine.insert(1).await, Ok(1));
    machine.select(1).await.expect("there is such a shelf");
    assert_eq!((machine.give_back().await, machine.tray()), (Ok(1), 0));
    assert!(asked.elapsed() < time::millis(1), "{:?}", asked.elapsed());
    assert_eq!(bought.await.expect("no panic").as_secs(), 10);
}

/// The tray is full: the arm waits with what it has until somebody takes something, and so does who pressed the button.
#[windtunnel_sim::test(seeds = 16)]
pub async fn a_full_tray_holds_the_arm_back(_sim: Sim) {
    let machine = slow();
    assert_eq!(buy(Arc::clone(&machine), 0).await.as_secs(), 10);
    let bought = spawn(buy(Arc::clone(&machine), 1));
    time::sleep(time::secs(60)).await;
    assert!(!bought.is_finished(), "there is no room for it");
    assert_eq!(machine.take().await, Some(0));
    assert_eq!((bought.await.expect("no panic").as_secs(), machine.take().await), (60, Some(1)));
}
