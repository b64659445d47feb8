//! The macros of windtunnel: `select!` and the two test attributes. Use them through the crates that re-export them.

mod select;
mod test;

use proc_macro::TokenStream;

/// Waits for the first of several operations and runs its body.
///
/// ```ignore
/// select! {
///     n = numbers.recv() => total += n.unwrap_or(0),
///     sent = totals.send(total) => sent?,
///     () = time::sleep(time::secs(1)) => break,
///     default => return,
/// }
/// ```
///
/// Each arm is `pattern = expression => body`. The expression is a channel operation, an `Option` of one (`None` is never
/// ready, as a nil channel in Go), or any other future. All expressions are evaluated, in order, before anything is waited
/// for. Exactly one arm commits; if several are ready, one of them is chosen at random (in a model, each is explored). With
/// a `default` arm nothing is waited for. Patterns must be irrefutable. After a leading `biased;` the first ready arm, from
/// the top, is taken instead: then an arm that is always ready starves those below it. For a number of arms known only at run
/// time there is `windtunnel::select::first`.
///
/// # Cancel safety
/// The other channel operations have not happened: no message is lost, and a value to be sent is dropped with its arm. Other
/// futures are dropped: they must be cancel safe. The same holds if the whole select is dropped.
#[proc_macro]
pub fn select(input: TokenStream) -> TokenStream {
    expand(select::expand(input.into()))
}

/// See `windtunnel_sim::test`.
#[proc_macro_attribute]
pub fn sim_test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(test::sim(arguments.into(), item.into()))
}

/// See `windtunnel_model::test`.
#[proc_macro_attribute]
pub fn model_test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(test::model(arguments.into(), item.into()))
}

fn expand(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error).into()
}
