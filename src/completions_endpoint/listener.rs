//! The one place where this program listens: on 127.0.0.1, before it gives up networks.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A port of this machine that is listened on.
#[derive(Debug)]
pub struct AtListener {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
}

/// Listens on a port of 127.0.0.1; 0: on one that is free.
///
/// # Errors
/// One sentence.
pub fn listen(port: u16) -> Result<AtListener, String> {
    let fault = |error: std::io::Error| {
        format!("127.0.0.1:{port} can't be listened on ({error}); name another port")
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(fault)?;
    listener.set_nonblocking(true).map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    Ok(AtListener { listener, address })
}

impl AtListener {
    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://{}/v1/completions", self.address)
    }

    /// The descriptor of which the sandbox lets connections be accepted.
    #[cfg(unix)]
    pub fn descriptor(&self) -> Option<i32> {
        use std::os::fd::AsRawFd;
        Some(self.listener.as_raw_fd())
    }

    /// Leaves it to a program that takes the place of this one.
    ///
    /// # Errors
    /// One sentence.
    #[cfg(unix)]
    pub fn left_open(self) -> Result<i32, String> {
        use std::os::fd::IntoRawFd;
        let descriptor = self.listener.into_raw_fd();
        // SAFETY: it is open, and a flag of it is set.
        match unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } {
            0 => Ok(descriptor),
            _ => Err("the port can't be left to another program; try again".to_owned()),
        }
    }

    #[cfg(not(unix))]
    pub fn descriptor(&self) -> Option<i32> {
        None
    }
}
