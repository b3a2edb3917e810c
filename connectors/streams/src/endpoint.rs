//! Where a stream comes from: opening it. All of it runs on the thread that waits for what arrives, but for what tells
//! at once that it cannot be.
//!
//! It knows nothing of lines.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use steadfast_core::{Cause, Error, Result};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    StandardInput,
    Connect(Address),
    Listen(Address),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// Host and port.
    Tcp(String),
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::StandardInput => f.write_str("standard input"),
            Endpoint::Connect(address) => write!(f, "{address}"),
            Endpoint::Listen(address) => write!(f, "connections to {address}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "tcp://{address}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An endpoint that a reader has taken.
pub(crate) enum Opened {
    StandardInput(TakenStandardInput),
    /// The connection is made by whoever waits for it.
    Connect(Address),
    Listen(Listener),
}

impl Endpoint {
    /// Takes it, which does not take long.
    pub(crate) fn open(&self) -> Result<Opened> {
        match self {
            Endpoint::StandardInput => Ok(Opened::StandardInput(TakenStandardInput::take()?)),
            Endpoint::Connect(address) => {
                address.check()?;
                Ok(Opened::Connect(address.clone()))
            }
            Endpoint::Listen(address) => {
                address.check()?;
                Listener::bind(address).map(Opened::Listen)
            }
        }
    }
}

/// Whether a reader of this process has standard input.
static STANDARD_INPUT: AtomicBool = AtomicBool::new(false);

/// Standard input as the only reader of this process: two would each get pieces of it. It is free again when this is
/// dropped.
pub(crate) struct TakenStandardInput(());

impl TakenStandardInput {
    fn take() -> Result<Self> {
        if STANDARD_INPUT.swap(true, Ordering::AcqRel) {
            let what = "another source of this process reads standard input";
            return Err(Error::because(Cause::INPUT_UNUSABLE, what)
                .hint("read it once, and share() or union() the stream"));
        }
        Ok(TakenStandardInput(()))
    }

    /// A descriptor of its own. It stays as blocking as it was: other processes may have the same open file.
    pub(crate) fn input(&self) -> Result<File> {
        let input = io::stdin().as_fd().try_clone_to_owned();
        input.map(File::from).map_err(|error| {
            Error::because(Cause::INPUT_AWAY, "standard input cannot be opened").caused_by(error)
        })
    }
}

impl Drop for TakenStandardInput {
    fn drop(&mut self) {
        STANDARD_INPUT.store(false, Ordering::Release);
    }
}

impl Address {
    /// Refuses what no system could make sense of.
    fn check(&self) -> Result<()> {
        let Address::Tcp(address) = self else { return Ok(()) };
        let parts = address.rsplit_once(':');
        if parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
            return Ok(());
        }
        Err(Error::because(Cause::INPUT_UNUSABLE, "this is no address")
            .at(self.to_string())
            .hint("write a host and a port up to 65535, such as 127.0.0.1:9000 or [::1]:9000"))
    }

    /// Makes a connection, for which it may wait.
    pub(crate) fn connect(&self) -> Result<File> {
        let connected = match self {
            Address::Tcp(address) => TcpStream::connect(address).and_then(kept),
            Address::Unix(path) => UnixStream::connect(path).map(OwnedFd::from),
        };
        connected.map(File::from).map_err(|error| {
            Error::because(Cause::INPUT_AWAY, "cannot connect")
                .caused_by(error)
                .at(self.to_string())
                .hint("see that somebody listens there, then run the job again")
        })
    }
}

/// A peer that is gone without a word is noticed by the system some time.
fn kept(stream: TcpStream) -> io::Result<OwnedFd> {
    rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
    Ok(stream.into())
}

/// Takes connections.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn bind(address: &Address) -> Result<Self> {
        let bound = match address {
            Address::Tcp(address) => TcpListener::bind(address)
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                .map(Listener::Tcp),
            Address::Unix(path) => bind_unix(path)
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                .map(Listener::Unix),
        };
        bound.map_err(|error| {
            Error::because(Cause::INPUT_UNUSABLE, "cannot listen")
                .caused_by(error)
                .at(address.to_string())
                .hint("choose an address of this machine that nobody else listens at")
        })
    }

    /// The next connection, and who has made it; none if there is none.
    pub(crate) fn accept(&self) -> io::Result<Option<(File, Option<Arc<str>>)>> {
        let accepted = match self {
            Listener::Tcp(listener) => listener.accept().and_then(|(stream, peer)| {
                Ok((File::from(kept(stream)?), Some(Arc::from(peer.to_string()))))
            }),
            Listener::Unix(listener) => {
                listener.accept().map(|(stream, _)| (File::from(OwnedFd::from(stream)), None))
            }
        };
        match accepted {
            Ok(accepted) => Ok(Some(accepted)),
            // Whoever came is gone again.
            Err(error) if is_passing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    let kinds = [ErrorKind::WouldBlock, ErrorKind::Interrupted, ErrorKind::ConnectionAborted];
    kinds.contains(&error.kind())
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) => listener.as_fd(),
            Listener::Unix(listener) => listener.as_fd(),
        }
    }
}

/// Listens at a path. A socket that a killed process has left there is taken away: nobody listens at it.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_left_over(path) => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

fn is_left_over(path: &Path) -> bool {
    let is_socket = path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket());
    let is_refused = |error: io::Error| error.kind() == ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).is_err_and(is_refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_input_has_one_reader_at_a_time() {
        let taken = TakenStandardInput::take().unwrap();
        let Err(error) = TakenStandardInput::take() else { panic!("it is taken twice") };
        assert!(error.to_string().contains("another source"), "{error}");
        drop(taken);
        assert!(TakenStandardInput::take().is_ok());
    }
}
