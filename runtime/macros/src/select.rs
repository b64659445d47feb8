//! `select!`: the arms, pinned in place; one poll function over them; the output of the chosen one, outside their scope.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, Pat, Token};

struct Arm {
    pattern: Pat,
    operation: Expr,
    body: Expr,
}

struct Select {
    arms: Vec<Arm>,
    default: Option<Expr>,
    biased: bool,
}

impl Parse for Select {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut select = Self { arms: Vec::new(), default: None, biased: false };
        if input.peek(Ident) && input.peek2(Token![;]) && input.fork().parse::<Ident>()? == "biased" {
            input.parse::<Ident>()?;
            input.parse::<Token![;]>()?;
            select.biased = true;
        }
        while !input.is_empty() {
            if input.peek(Ident) && input.peek2(Token![=>]) && input.fork().parse::<Ident>()? == "default" {
                let keyword = input.parse::<Ident>()?;
                input.parse::<Token![=>]>()?;
                if select.default.replace(body(input)?).is_some() {
                    return Err(syn::Error::new(keyword.span(), "a select! has at most one `default` arm"));
                }
                continue;
            }
            let pattern = Pat::parse_multi_with_leading_vert(input)?;
            input.parse::<Token![=]>()?;
            let operation = input.parse()?;
            input.parse::<Token![=>]>()?;
            select.arms.push(Arm { pattern, operation, body: body(input)? });
        }
        if select.arms.is_empty() {
            return Err(input.error("a select! needs at least one arm: `pattern = operation => body`"));
        }
        Ok(select)
    }
}

/// A body: followed by a comma, unless it is a block or the last.
fn body(input: ParseStream<'_>) -> syn::Result<Expr> {
    let body: Expr = if input.peek(syn::token::Brace) { Expr::Block(input.parse()?) } else { input.parse()? };
    let needs_comma = !matches!(body, Expr::Block(_)) && !input.is_empty();
    if needs_comma || input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
    }
    Ok(body)
}

pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let Select { arms, default, biased } = syn::parse2(input)?;
    let operations = arms.iter().map(|arm| &arm.operation);
    let patterns = arms.iter().map(|arm| &arm.pattern);
    let bodies = arms.iter().map(|arm| &arm.body);
    let names: Vec<Ident> = (0..arms.len()).map(|i| format_ident!("__arm{i}")).collect();
    let variants: Vec<Ident> = (0..arms.len()).map(|i| format_ident!("__Arm{i}")).collect();
    let numbers: Vec<usize> = (0..arms.len()).collect();
    let has_default = default.is_some();
    let otherwise = default
        .map_or_else(|| quote!(::core::unreachable!("a select without default commits an arm")), |body| quote!(#body));
    Ok(quote! {{
        enum __Chosen<#(#variants),*> { #(#variants(#variants),)* __Default }
        let __chosen = {
            #[allow(unused_imports)]
            use ::windtunnel::select::{ViaArm as _, ViaFuture as _};
            let mut __select = ::core::pin::pin!(::windtunnel::select::Select::new(#has_default, #biased));
            #(let mut #names = ::core::pin::pin!(
                (&mut ::windtunnel::select::Probe(::core::option::Option::Some(#operations))).arm()
            );)*
            let __number = ::core::future::poll_fn(|cx| {
                __select.as_mut().poll(&mut [#(#names.as_mut() as ::core::pin::Pin<&mut dyn ::windtunnel::select::Arm>),*], cx)
            })
            .await;
            match __number {
                #(#numbers => __Chosen::#variants(::windtunnel::select::Take::take(#names.as_mut())),)*
                _ => __Chosen::__Default,
            }
        };
        match __chosen {
            #(__Chosen::#variants(#patterns) => #bodies,)*
            __Chosen::__Default => #otherwise,
        }
    }})
}
