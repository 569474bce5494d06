//! Connections that can be told to end badly.
//!
//! HTTP libraries end connections politely; a fault must not. So each connection shares a [`Hangup`] with whoever answers
//! its requests, and obeys it when the answer is written.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::sandbox::model::{Response, Time};

/// How a connection is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    /// As HTTP wants it.
    #[default]
    Polite,
    /// Reset, without another byte.
    Reset,
    /// The head of the answer, this many bytes of its body, then the end.
    CutAfter(usize),
}

/// Tells a connection how to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Hangup(Arc<Mutex<Ending>>);

impl Hangup {
    /// Resets the connection; the answer that is returned is never written.
    pub fn reset(&self, now: Time) -> Response {
        self.set(Ending::Reset);
        Response::new(now, 0, "text/plain", Vec::new())
    }

    /// Lets half of the body through, though all of it was announced.
    pub fn cut(&self, response: Response) -> Response {
        self.set(Ending::CutAfter(response.body.len() / 2));
        response
    }

    fn set(&self, ending: Ending) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ending;
    }

    fn get(&self) -> Ending {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connected<IncomingStream<'_, Connections>> for Hangup {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Hangup {
        stream.io().hangup.clone()
    }
}

/// A listener whose connections obey their [`Hangup`].
pub(super) struct Connections(TcpListener);

impl Connections {
    pub fn new(listener: TcpListener) -> Connections {
        Connections(listener)
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Connection, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Connection { stream, hangup: Hangup::default() }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A connection that obeys its [`Hangup`].
pub(super) struct Connection {
    stream: TcpStream,
    hangup: Hangup,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.hangup.get() {
            Ending::Polite => Pin::new(&mut self.stream).poll_write(cx, bytes),
            Ending::Reset => {
                // With zero linger the socket is reset, not closed, when it is dropped.
                let lingers = self.stream.set_zero_linger();
                Poll::Ready(lingers.and(Err(io::ErrorKind::ConnectionReset.into())))
            }
            Ending::CutAfter(0) => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            Ending::CutAfter(left) => {
                // An answer's head is always written whole, in one piece with the beginning of its body.
                let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
                let allowed = bytes.len().min(head + left);
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..allowed]))?;
                self.hangup.set(Ending::CutAfter(left.saturating_sub(written.saturating_sub(head))));
                Poll::Ready(Ok(written))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.hangup.get() == Ending::Reset {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
