//! Addresses and names.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::Location;

use smallvec::SmallVec;

use super::at;
use crate::backend;
use crate::said::say;
use crate::task::Op;

/// What can be made into socket addresses: an address, or a name with a port, such as `"replica1:80"`, which is looked up.
pub trait ToSocketAddrs {
    /// The address, or the name that is to be looked up.
    #[doc(hidden)]
    fn to_target(&self) -> Target;
}

/// See [`ToSocketAddrs`].
#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum Target {
    Addr(SocketAddr),
    Name(String),
}

impl ToSocketAddrs for SocketAddr {
    fn to_target(&self) -> Target {
        Target::Addr(*self)
    }
}

impl<I: Into<IpAddr> + Copy> ToSocketAddrs for (I, u16) {
    fn to_target(&self) -> Target {
        Target::Addr(SocketAddr::new(self.0.into(), self.1))
    }
}

impl ToSocketAddrs for str {
    fn to_target(&self) -> Target {
        self.parse().map_or_else(|_| Target::Name(self.to_owned()), Target::Addr)
    }
}

impl ToSocketAddrs for String {
    fn to_target(&self) -> Target {
        self.as_str().to_target()
    }
}

impl<A: ToSocketAddrs + ?Sized> ToSocketAddrs for &A {
    fn to_target(&self) -> Target {
        (**self).to_target()
    }
}

/// The addresses of `host`, a name or an address with a port. Cancel safe.
///
/// On tokio the operating system looks names up. In a simulation the names are those of the nodes, and `localhost` is the
/// node itself, by its loopback address.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for text without a port. In a simulation, [`io::ErrorKind::NotFound`] for a name that no
/// node has, and [`io::ErrorKind::Other`] while the name's lookups are made to fail; elsewhere what the system says.
#[track_caller]
pub fn lookup_host<A: ToSocketAddrs>(host: A) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + use<A> {
    let caller = Location::caller();
    let target = host.to_target();
    async move { resolve(target, caller).await.map(SmallVec::into_vec) }
}

/// The addresses of a target.
pub(super) async fn resolve(
    target: Target,
    caller: &'static Location<'static>,
) -> io::Result<SmallVec<[SocketAddr; 1]>> {
    match target {
        Target::Addr(addr) => Ok(SmallVec::from_elem(addr, 1)),
        Target::Name(text) => {
            let parts = text.rsplit_once(':').and_then(|(name, port)| Some((name.to_owned(), port.parse().ok()?)));
            let Some((name, port)) = parts.filter(|(name, _)| !name.is_empty()) else {
                let message =
                    format!("`{text}` has no port: write it as NAME:PORT or ADDRESS:PORT, for example [::1]:80");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            };
            let found = at(Op::Lookup, caller, backend::lookup(name.clone(), port)).await;
            let outcome = if found.is_ok() { "" } else { " fails" };
            say!("net", "lookup of {name}{outcome}");
            found.map(SmallVec::from_vec)
        }
    }
}
