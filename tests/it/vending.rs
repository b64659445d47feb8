//! The vending machine: the bodies of its models on tokio and madsim, generated customers, and a panic, which ends a model.

use proptest::prelude::*;
use windtunnel_patterns::vending::{
    Contents, InsertError, Jam, Machine, Options, OutOfOrder, SelectError, Shelf, VendError,
};
use windtunnel_suite::models::vending as models;

use crate::common::{on_one_thread, on_tokio_and_madsim, on_two_threads};

on_tokio_and_madsim! {
    models:
    a_customer_buys_a_coke
    nothing_is_vended_without_stock
    nothing_is_vended_without_credit
    credit_for_one_is_one_coke
    coins_come_back_or_a_coke_does
    a_coin_comes_back_or_is_credit
    what_the_arm_does_not_bring_is_not_paid
    an_abandoned_press_goes_its_way_or_none
    dropped_it_leaves_no_task
    a_machine_that_is_closed_does_not_cool
}

/// What customers do.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Insert(u32),
    Select(usize),
    Vend,
    Take,
    GiveBack,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => (0..5_u32).prop_map(Deed::Insert),
        3 => (0..4_usize).prop_map(Deed::Select),
        4 => Just(Deed::Vend),
        1 => Just(Deed::Take),
        1 => Just(Deed::GiveBack),
    ];
    prop::collection::vec(deed, 0..60)
}

const COINS: [u32; 3] = [1, 2, 4];

/// The last shelf is the one at which the arm jams.
const SHELVES: [Shelf; 3] = [Shelf { price: 1, stock: 3 }, Shelf { price: 5, stock: 2 }, Shelf { price: 2, stock: 2 }];

/// A machine without tasks.
struct Reference {
    shelves: [Shelf; 3],
    selected: Option<usize>,
    contents: Contents,
}

impl Reference {
    fn new() -> Self {
        Self { shelves: SHELVES, selected: None, contents: Contents { takings: 0, change: 0, tray: Vec::new() } }
    }

    fn insert(&mut self, coin: u32) -> Result<u64, InsertError> {
        if !COINS.contains(&coin) {
            return Err(InsertError::Refused(coin));
        }
        self.contents.change += u64::from(coin);
        Ok(self.contents.change)
    }

    fn select(&mut self, number: usize) -> Result<(), SelectError> {
        if number >= self.shelves.len() {
            return Err(SelectError::NoSuchButton(self.shelves.len()));
        }
        self.selected = Some(number);
        Ok(())
    }

    fn vend(&mut self) -> Result<(), VendError> {
        let number = self.selected.ok_or(VendError::NothingSelected)?;
        let (wanted, contents) = (&mut self.shelves[number], &mut self.contents);
        if wanted.stock == 0 {
            return Err(VendError::SoldOut);
        }
        if contents.change < u64::from(wanted.price) {
            return Err(VendError::TooLittle { price: wanted.price, credit: contents.change });
        }
        wanted.stock -= 1;
        self.selected = None;
        if number == 2 {
            return Err(VendError::Jammed);
        }
        contents.change -= u64::from(wanted.price);
        contents.takings += u64::from(wanted.price);
        contents.tray.push(number);
        Ok(())
    }
}

/// Does all of it with both machines, which must agree.
async fn agree(deeds: Vec<Deed>) {
    let options = Options { shelves: SHELVES.to_vec(), coins: COINS.to_vec(), tray: 10 };
    let machine = Machine::new(options, |shelf| async move { if shelf == 2 { Err(Jam) } else { Ok(()) } });
    let (mut reference, mut inserted, mut out) = (Reference::new(), 0, 0);
    for deed in deeds {
        match deed {
            Deed::Insert(coin) => {
                let credit = machine.insert(coin).await;
                inserted += credit.map_or(0, |_| u64::from(coin));
                assert_eq!(credit, reference.insert(coin));
            }
            Deed::Select(shelf) => assert_eq!(machine.select(shelf).await, reference.select(shelf)),
            Deed::Vend => assert_eq!(machine.vend().await, reference.vend()),
            Deed::Take if machine.tray() > 0 => {
                let taken = machine.take().await.unwrap();
                assert_eq!(taken, reference.contents.tray.remove(0));
            }
            Deed::Take => assert!(reference.contents.tray.is_empty()),
            Deed::GiveBack => {
                let given = machine.give_back().await.unwrap();
                assert_eq!(given, std::mem::take(&mut reference.contents.change));
                out += given;
            }
        }
        assert_eq!(machine.credit().await, Ok(reference.contents.change));
        assert_eq!(machine.tray(), reference.contents.tray.len());
    }
    let contents = machine.close().await.unwrap();
    assert_eq!(contents, reference.contents);
    assert_eq!(inserted, contents.takings + contents.change + out);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_was_put_in_is_what_was_vended_given_back_and_left(deeds in deeds()) {
        on_one_thread(agree(deeds));
    }
}

#[test]
fn an_arm_that_panics_is_jammed_and_the_next_press_is_served() {
    on_two_threads(async {
        let options = Options { shelves: vec![Shelf { price: 1, stock: 1 }; 2], coins: vec![1], tray: 1 };
        let machine = Machine::new(options, |shelf| async move {
            assert_eq!(shelf, 1, "a spring is broken");
            Ok(())
        });
        machine.insert(1).await.unwrap();
        for (shelf, vended) in [(0, Err(VendError::Jammed)), (1, Ok(()))] {
            machine.select(shelf).await.unwrap();
            assert_eq!(machine.vend().await, vended);
        }
        assert_eq!(machine.close().await, Ok(Contents { takings: 1, change: 0, tray: vec![1] }));
    });
}

#[test]
fn an_error_says_in_one_line_what_happened() {
    let lines = [
        InsertError::Refused(3).to_string(),
        SelectError::NoSuchButton(2).to_string(),
        VendError::NothingSelected.to_string(),
        VendError::SoldOut.to_string(),
        VendError::TooLittle { price: 150, credit: 100 }.to_string(),
        VendError::Jammed.to_string(),
        VendError::from(OutOfOrder).to_string(),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    a coin of 3 is not taken: try another
    there is no such button: they are numbered from 0, and there are 2
    nothing is selected: press a button first
    it is sold out: select something else
    the price is 150 and the credit 100: put in more coins
    the arm is jammed: press again, or have the coins back
    the machine is out of order
    ");
}
