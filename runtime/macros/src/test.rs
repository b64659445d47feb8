//! The test attributes: a registration that the command line finds, and a `#[test]` that runs it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Ident, ItemFn, Lit, Meta, MetaNameValue, Token};

/// The `name = value` arguments of an attribute, each of which must be known.
fn arguments(tokens: TokenStream, known: &[&str]) -> syn::Result<Vec<MetaNameValue>> {
    let arguments = Punctuated::<MetaNameValue, Token![,]>::parse_terminated.parse2(tokens)?;
    for argument in &arguments {
        if !known.iter().any(|name| argument.path.is_ident(name)) {
            let message = format!("unknown argument; the arguments are: {}", known.join(", "));
            return Err(syn::Error::new_spanned(&argument.path, message));
        }
    }
    Ok(arguments.into_iter().collect())
}

fn value<'a>(arguments: &'a [MetaNameValue], name: &str) -> Option<&'a Expr> {
    arguments.iter().find(|argument| argument.path.is_ident(name)).map(|argument| &argument.value)
}

/// The first line of the doc comment: what lists show.
fn summary(attributes: &[Attribute]) -> String {
    attributes
        .iter()
        .find_map(|attribute| match &attribute.meta {
            Meta::NameValue(MetaNameValue { path, value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }), .. })
                if path.is_ident("doc") =>
            {
                Some(text.value().trim().to_owned())
            }
            _ => None,
        })
        .unwrap_or_default()
}

fn check_signature(function: &ItemFn, parameters: usize, expected: &str) -> syn::Result<()> {
    let signature = &function.sig;
    if signature.asyncness.is_none() || signature.inputs.len() != parameters || !signature.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(signature, format!("expected `{expected}`")));
    }
    Ok(())
}

/// The name of the static that describes a test function.
fn entry_name(prefix: &str, function: &Ident) -> Ident {
    format_ident!("{prefix}_{}", function.to_string().to_uppercase())
}

pub(crate) fn sim(tokens: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let arguments = arguments(tokens, &["seeds"])?;
    let function: ItemFn = syn::parse2(item)?;
    check_signature(&function, 1, "async fn name(sim: Sim)")?;
    let seeds = value(&arguments, "seeds").map_or_else(|| quote!(256), |seeds| quote!(#seeds));
    let summary = summary(&function.attrs);
    let name = &function.sig.ident;
    let entry = entry_name("__SCENARIO", name);
    Ok(quote! {
        #function

        #[doc(hidden)]
        static #entry: ::windtunnel_sim::Scenario = ::windtunnel_sim::Scenario {
            module: ::core::module_path!(),
            function: ::core::stringify!(#name),
            package: ::core::env!("CARGO_PKG_NAME"),
            summary: #summary,
            seeds: #seeds,
            body: |sim| ::std::boxed::Box::pin(#name(sim)),
        };
        ::windtunnel_sim::submit!(&#entry);

        #[cfg(test)]
        mod #name {
            #[test]
            fn sweep() {
                ::windtunnel_sim::run_test_beside(&super::#entry, ::core::file!(), ::core::env!("CARGO_MANIFEST_DIR"));
            }
        }
    })
}

/// The call that sets a limit of a model, or its engine.
fn setter(MetaNameValue { path, value, .. }: &MetaNameValue) -> syn::Result<TokenStream> {
    if !path.is_ident("engine") {
        return Ok(quote!(.#path(#value)));
    }
    let named = |name: &str| matches!(value, Expr::Path(value) if value.path.is_ident(name));
    if named("loom") {
        Ok(quote!(.engine(::windtunnel_model::Engine::Loom)))
    } else if named("explore") {
        Ok(quote!(.engine(::windtunnel_model::Engine::Explore)))
    } else {
        Err(syn::Error::new_spanned(value, "the engines are: loom, explore"))
    }
}

pub(crate) fn model(tokens: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    const KNOWN: [&str; 11] = [
        "engine",
        "preemptions",
        "delays",
        "sample",
        "seed",
        "max_executions",
        "max_seconds",
        "max_tasks",
        "max_steps",
        "max_ticks",
        "test_executions",
    ];
    let mut arguments = arguments(tokens, &KNOWN)?;
    let in_test = match value(&arguments, "test_executions") {
        Some(most) => quote!(::core::option::Option::Some(#most)),
        None => quote!(::core::option::Option::None),
    };
    arguments.retain(|argument| !argument.path.is_ident("test_executions"));
    let function: ItemFn = syn::parse2(item)?;
    check_signature(&function, 0, "async fn name()")?;
    let setters = arguments.iter().map(setter).collect::<syn::Result<Vec<_>>>()?;
    let summary = summary(&function.attrs);
    let name = &function.sig.ident;
    let entry = entry_name("__MODEL", name);
    Ok(quote! {
        #function

        #[doc(hidden)]
        static #entry: ::windtunnel_model::Model = ::windtunnel_model::Model {
            module: ::core::module_path!(),
            function: ::core::stringify!(#name),
            package: ::core::env!("CARGO_PKG_NAME"),
            summary: #summary,
            builder: || ::windtunnel_model::Builder::new()#(#setters)*,
            test_executions: #in_test,
            body: || ::std::boxed::Box::pin(#name()),
        };
        ::windtunnel_model::submit!(&#entry);

        #[cfg(test)]
        mod #name {
            #[test]
            fn check() {
                ::windtunnel_model::run_test(&super::#entry);
            }
        }
    })
}
