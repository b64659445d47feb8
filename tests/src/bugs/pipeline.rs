//! Bugs of the squares (talk 004), on channels with Go's rules.

use windtunnel::go::{self, Channel};
use windtunnel::sync::WaitGroup;
use windtunnel::task::spawn_named;
use windtunnel::time;
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&CLOSE_WHILE_SENDING, &LOAD_DEADLOCK, &DEADLINE_LOSS, &PRINTER_LEAK];

/// `for value := range input { output <- value * value }`
async fn square(input: Channel<u32>, output: Channel<u32>) {
    while let Some(value) = input.recv().await {
        output.send(value * value).await.expect("send on closed channel");
    }
}

/// `go printResult(output)`
fn print(output: &Channel<u32>) {
    let output = output.clone();
    spawn_named("print", async move { while output.recv().await.is_some() {} });
}

/// `go square(input, output)`, and a group that knows when it has ended.
fn start(input: &Channel<u32>, output: &Channel<u32>) -> WaitGroup {
    let (worker, group) = (square(input.clone(), output.clone()), WaitGroup::new());
    let done = group.clone();
    group.add(1);
    spawn_named("square", async move {
        worker.await;
        done.done();
    });
    group
}

/// Loads `input` and closes it.
async fn load(input: &Channel<u32>, values: u32) {
    for value in 0..values {
        input.send(value).await.expect("not closed yet");
    }
    input.close().expect("closed once");
}

/// Waits as long as the work should take, or until it is done.
async fn end(group: WaitGroup, by_the_clock: bool) {
    if by_the_clock {
        time::sleep(time::secs(15)).await;
    } else {
        group.wait().await;
    }
}

async fn close_at_the_end(by_the_clock: bool) {
    let (input, output) = (go::named("input", 1), go::named("output", 1));
    let group = start(&input, &output);
    load(&input, 1).await;
    print(&output);
    end(group, by_the_clock).await;
    output.close().expect("closed once");
}

static CLOSE_WHILE_SENDING: Bug = Bug {
    id: "square-close-while-sending",
    source: "004:180-182",
    summary: "The output is closed when the work should be done: a worker that is late sends on a closed channel.",
    mend: "Wait for every worker, then close.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(close_at_the_end(true)),
        mended: || Box::pin(close_at_the_end(false)),
        expected: Expected { word: "PANIC", tasks: &[("square", "running")], message: "send on closed channel" },
    }),
};

/// As many values as a worker and main hold, for there are no buffers.
async fn load_and_print(print_first: bool) {
    let (input, output) = (go::named("input", 0), go::named("output", 0));
    let group = start(&input, &output);
    if print_first {
        print(&output);
    }
    load(&input, 2).await;
    if !print_first {
        print(&output);
    }
    group.wait().await;
    output.close().expect("closed once");
}

static LOAD_DEADLOCK: Bug = Bug {
    id: "square-load-deadlock",
    source: "004:174-179, without the buffers",
    summary: "All values are loaded before anybody reads a square: with more of them than there is room for, both sides wait.",
    mend: "Read the results before all the input is loaded.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(load_and_print(false)),
        mended: || Box::pin(load_and_print(true)),
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[("main", "channel send (input)"), ("square", "channel send (output)")],
            message: "",
        },
    }),
};

async fn square_one(by_the_clock: bool) {
    let (input, output) = (go::named("input", 1), go::named("output", 1));
    let group = start(&input, &output);
    load(&input, 1).await;
    end(group, by_the_clock).await;
    assert!(output.try_recv().is_ok(), "a square is missing at the end");
}

static DEADLINE_LOSS: Bug = Bug {
    id: "square-deadline-loss",
    source: "004:181, 208",
    summary: "The program ends when the work should be done: what takes longer is lost.",
    mend: "Wait for the workers and not for a time.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(square_one(true)),
        mended: || Box::pin(square_one(false)),
        expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "a square is missing" },
    }),
};

async fn square_and_print(close: bool) {
    let (input, output) = (go::named("input", 1), go::named("output", 1));
    let group = start(&input, &output);
    load(&input, 1).await;
    print(&output);
    group.wait().await;
    if close {
        output.close().expect("closed once");
    }
}

static PRINTER_LEAK: Bug = Bug {
    id: "square-printer-leak",
    source: "004:196-209",
    summary: "Nobody closes the output: who prints the squares waits for the next one for ever.",
    mend: "Close the results when the last worker is done.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(square_and_print(false)),
        mended: || Box::pin(square_and_print(true)),
        expected: Expected { word: "LEAK", tasks: &[("print", "channel recv (output)")], message: "" },
    }),
};
