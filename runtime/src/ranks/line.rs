//! What the ranks say to one another beside their tensors: a connection of each with rank 0, over which values, signals and
//! failures go. A process that ends without a word is noticed by its connection, which the system closes.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two signs of life, and without any after which a rank counts as lost: its machine may be gone.
const ALIVE: Duration = Duration::from_secs(5);
const LOST: Duration = Duration::from_secs(60);
/// How long nothing is said while others are waited for at the start.
pub(super) const SOON: Duration = Duration::from_secs(5);
/// Time between two looks for a failure by those who wait.
const LOOK: Duration = Duration::from_millis(50);

/// Who a rank is, and what must be the same on all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Its number.
    pub rank: usize,
    /// How many it takes part in.
    pub ranks: usize,
    /// Its machine and process, for messages.
    pub host: String,
    /// The same.
    pub pid: u32,
    /// What rank 0 has told the others through the store: a stranger does not know it.
    pub token: String,
    /// Version, plan, options.
    pub equal: BTreeMap<String, String>,
}

/// Why the ranks cannot go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// Whose fault it is.
    pub rank: usize,
    /// What happened there, a sentence that goes on after its name: `ended without a word`.
    pub what: String,
    /// Whether that rank has printed it itself.
    pub is_said: bool,
}

/// One line of a connection.
#[derive(Serialize, Deserialize)]
enum Message {
    Hello(Hello),
    Value(serde_json::Value),
    Signal(usize),
    Failed(Failed),
    Alive,
    Done,
}

/// What its reader hands to those who wait.
enum News {
    Value(serde_json::Value),
    Done,
}

/// The connections of one rank.
pub struct Line {
    ranks: usize,
    rank: usize,
    /// Of rank 0 with the others, in their order; of the others with rank 0 alone.
    peers: Vec<Peer>,
    shared: Arc<Shared>,
}

struct Peer {
    rank: usize,
    writer: Arc<Mutex<TcpStream>>,
    inbox: Receiver<News>,
}

#[derive(Default)]
struct Shared {
    failure: Mutex<Option<Failed>>,
    has_failed: Condvar,
    /// All work is done: what ends now ends as it should.
    is_done: AtomicBool,
    /// The last signal that another rank has told of; 0 is none.
    signal: AtomicUsize,
}

/// Where rank 0 waits for the others.
pub struct Host {
    listener: TcpListener,
}

impl Host {
    /// Listens at a free port, on the loopback alone where nobody comes from outside.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(is_local: bool) -> std::io::Result<Self> {
        let listener = if is_local {
            TcpListener::bind("127.0.0.1:0")?
        } else {
            TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"))?
        };
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// Its port.
    ///
    /// # Errors
    /// What the system says.
    pub fn port(&self) -> std::io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Waits until all others have come, and compares what they say with what rank 0 has to say. Where it takes long, `say` is told once
    /// who is waited for.
    ///
    /// # Errors
    /// Ranks that did not come in time, or that run something else.
    pub fn gather(
        self,
        own: &Hello,
        patience: Duration,
        say: &dyn Fn(&str),
    ) -> Result<Line, Failed> {
        let start = Instant::now();
        let until = start + patience;
        let mut is_said = false;
        let mut came: BTreeMap<usize, (TcpStream, Hello)> = BTreeMap::new();
        while came.len() + 1 < own.ranks {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    // Whoever does not say what a rank says is none.
                    if let Some(hello) = greeted(&stream, &own.token) {
                        came.insert(hello.rank, (stream, hello));
                    }
                }
                Err(_) if Instant::now() < until => {
                    if !is_said && start.elapsed() >= SOON {
                        say(&format!(
                            "rank 0 waits for rank {} of {}, for {} s more at most",
                            missing(own, &came).join(", "),
                            own.ranks,
                            patience.saturating_sub(start.elapsed()).as_secs()
                        ));
                        is_said = true;
                    }
                    thread::sleep(LOOK);
                }
                Err(_) => {
                    let failed = Failed {
                        rank: 0,
                        what: format!(
                            "waited {} s for rank {} of {}: look at what they print",
                            patience.as_secs(),
                            missing(own, &came).join(", "),
                            own.ranks
                        ),
                        is_said: true,
                    };
                    for (stream, _) in came.values() {
                        let _ = send(&Mutex::new(stream), &Message::Failed(failed.clone()));
                    }
                    return Err(failed);
                }
            }
        }
        let differing = came.values().find_map(|(_, hello)| {
            Some(Failed {
                rank: hello.rank,
                what: difference(own, hello)?,
                is_said: false,
            })
        });
        let streams = came.into_iter().map(|(rank, (stream, _))| (rank, stream));
        let line = Line::over(own, streams);
        match differing {
            Some(failed) => {
                line.fail(&failed);
                Err(failed)
            }
            None => Ok(line),
        }
    }
}

/// The numbers of the ranks that have not come.
fn missing<T>(own: &Hello, came: &BTreeMap<usize, T>) -> Vec<String> {
    let all = 1..own.ranks;
    let missing = all.filter(|rank| !came.contains_key(rank));
    missing.map(|rank| rank.to_string()).collect()
}

/// What a rank says first. Byte by byte: what it says behind that is for its reader.
fn greeted(mut stream: &TcpStream, token: &str) -> Option<Hello> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(ALIVE)).ok()?;
    let (mut line, mut byte) = (Vec::new(), [0]);
    while byte != *b"\n" && line.len() < LONGEST_GREETING {
        stream.read_exact(&mut byte).ok()?;
        line.extend(byte);
    }
    match serde_json::from_slice(&line).ok()? {
        Message::Hello(hello) if hello.token == token => Some(hello),
        Message::Hello(_)
        | Message::Value(_)
        | Message::Signal(_)
        | Message::Failed(_)
        | Message::Alive
        | Message::Done => None,
    }
}

/// Bytes.
const LONGEST_GREETING: usize = 1 << 16;

/// In what a rank differs from rank 0.
fn difference(own: &Hello, other: &Hello) -> Option<String> {
    if own.ranks != other.ranks {
        return Some(format!(
            "is one of {}, rank 0 one of {}",
            other.ranks, own.ranks
        ));
    }
    let value = |of: &Hello, name: &String| of.equal.get(name).cloned().unwrap_or_default();
    let names = own.equal.keys().chain(other.equal.keys());
    let mut differing = names.filter(|name| value(own, name) != value(other, name));
    differing.next().map(|name| {
        format!(
            "({}) has {name} `{}`, rank 0 ({}) has `{}`: all ranks must run the same command with the same files",
            other.host,
            value(other, name),
            own.host,
            value(own, name)
        )
    })
}

impl Line {
    /// Connects with rank 0.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn join(own: &Hello, host: &str, port: u16) -> Result<Self, Failed> {
        let failed = |cause: &dyn std::fmt::Display| Failed {
            rank: own.rank,
            what: format!("cannot reach rank 0 at {host}:{port}: {cause}"),
            is_said: true,
        };
        let addresses = (host, port)
            .to_socket_addrs()
            .map_err(|cause| failed(&cause))?;
        let mut last = "the name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect_timeout(&address, LOST) {
                Ok(stream) => {
                    let greeting = Message::Hello(own.clone());
                    send(&Mutex::new(&stream), &greeting).map_err(|cause| failed(&cause))?;
                    return Ok(Self::over(own, [(0, stream)]));
                }
                Err(cause) => last = cause.to_string(),
            }
        }
        Err(failed(&last))
    }

    /// Starts listening to these connections.
    fn over(own: &Hello, streams: impl IntoIterator<Item = (usize, TcpStream)>) -> Self {
        let shared = Arc::new(Shared::default());
        let mut readers = Vec::new();
        let mut peers = Vec::new();
        for (rank, stream) in streams {
            let _ = stream.set_nodelay(true);
            let _ = stream.set_read_timeout(Some(LOST));
            let _ = stream.set_write_timeout(Some(LOST));
            let (outbox, inbox) = unbounded();
            if let Ok(reading) = stream.try_clone() {
                readers.push((rank, reading, outbox));
            }
            peers.push(Peer {
                rank,
                writer: Arc::new(Mutex::new(stream)),
                inbox,
            });
        }
        let writers: Vec<_> = peers
            .iter()
            .map(|peer| (peer.rank, Arc::clone(&peer.writer)))
            .collect();
        for (rank, stream, outbox) in readers {
            let (shared, writers) = (Arc::clone(&shared), writers.clone());
            thread::spawn(move || listen(rank, stream, &outbox, &shared, &writers));
        }
        let pulse = Arc::clone(&shared);
        thread::spawn(move || live(&pulse, &writers));
        Self {
            ranks: own.ranks,
            rank: own.rank,
            peers,
            shared,
        }
    }

    /// The values of all ranks, in their order, at rank 0; nothing elsewhere.
    pub fn gather(&self, own: serde_json::Value) -> Result<Option<Vec<serde_json::Value>>, Failed> {
        if self.rank > 0 {
            self.send(&self.peers[0], &Message::Value(own))?;
            return Ok(None);
        }
        let mut all = Vec::with_capacity(self.ranks);
        all.push(own);
        for peer in &self.peers {
            all.push(self.value(peer)?);
        }
        Ok(Some(all))
    }

    /// The value that rank 0 gives, on every rank. The others give nothing.
    pub fn broadcast(&self, own: Option<serde_json::Value>) -> Result<serde_json::Value, Failed> {
        match own {
            None => self.value(&self.peers[0]),
            Some(value) => {
                for peer in &self.peers {
                    self.send(peer, &Message::Value(value.clone()))?;
                }
                Ok(value)
            }
        }
    }

    /// The address of this machine that the others reach, as far as the connections show one.
    pub fn address(&self) -> Option<IpAddr> {
        let of = |peer: &Peer| {
            let stream = peer.writer.lock().unwrap_or_else(PoisonError::into_inner);
            Some(stream.local_addr().ok()?.ip().to_canonical())
        };
        let mut all = self.peers.iter().filter_map(of);
        all.find(|address| !address.is_loopback())
    }

    /// Tells rank 0 of a signal.
    pub fn signal(&self, number: usize) {
        if self.rank > 0 {
            let _ = send(&self.peers[0].writer, &Message::Signal(number));
        }
    }

    /// The last signal that another rank has told of; 0 is none.
    pub fn signalled(&self) -> usize {
        self.shared.signal.load(Ordering::Relaxed)
    }

    /// Tells all others that this rank, or one of them, cannot go on.
    pub fn fail(&self, failed: &Failed) {
        self.shared.fail(failed.clone());
        for peer in &self.peers {
            let _ = send(&peer.writer, &Message::Failed(failed.clone()));
        }
    }

    /// Why the ranks cannot go on, if it is known within this time.
    pub fn failure(&self, patience: Duration) -> Option<Failed> {
        self.shared.failure(patience)
    }

    /// Waits for a failure of any rank; `None` once all work is done.
    pub fn watch(&self) -> impl FnOnce() -> Option<Failed> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        move || loop {
            if let Some(failed) = shared.failure(ALIVE) {
                return Some(failed);
            }
            if shared.is_done.load(Ordering::Relaxed) {
                return None;
            }
        }
    }

    /// Waits until all ranks are done: afterwards each may end when it likes.
    ///
    /// # Errors
    /// A rank that failed instead.
    pub fn finish(&self) -> Result<(), Failed> {
        if self.rank > 0 {
            self.send(&self.peers[0], &Message::Done)?;
        }
        for peer in &self.peers {
            self.news(peer)?;
        }
        self.shared.is_done.store(true, Ordering::Relaxed);
        if self.rank == 0 {
            for peer in &self.peers {
                let _ = send(&peer.writer, &Message::Done);
            }
        }
        Ok(())
    }

    fn send(&self, peer: &Peer, message: &Message) -> Result<(), Failed> {
        send(&peer.writer, message).map_err(|cause| {
            // Its reader knows better why.
            self.shared.failure(LOOK).unwrap_or(Failed {
                rank: peer.rank,
                what: format!("takes nothing any more: {cause}"),
                is_said: false,
            })
        })
    }

    fn value(&self, peer: &Peer) -> Result<serde_json::Value, Failed> {
        match self.news(peer)? {
            News::Value(value) => Ok(value),
            News::Done => Err(Failed {
                rank: peer.rank,
                what: "is done, and rank 0 is not: they took different ways".to_owned(),
                is_said: false,
            }),
        }
    }

    /// What this rank says next.
    fn news(&self, peer: &Peer) -> Result<News, Failed> {
        loop {
            match peer.inbox.recv_timeout(LOOK) {
                Ok(news) => return Ok(news),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(failed) = self.shared.failure(Duration::ZERO) {
                        return Err(failed);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let silent = Failed {
                        rank: peer.rank,
                        what: SILENT.to_owned(),
                        is_said: false,
                    };
                    return Err(self.shared.failure(LOOK).unwrap_or(silent));
                }
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.is_done.store(true, Ordering::Relaxed);
        self.shared.has_failed.notify_all();
        for peer in &self.peers {
            let writer = peer.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = writer.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// What is known of a process whose connection ends.
const SILENT: &str = "ended without a word: it was killed (the kernel kills where memory runs out), or its machine went down";

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Failed>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first failure counts: the others follow from it.
    fn fail(&self, failed: Failed) -> bool {
        let mut known = self.lock();
        let is_first = known.is_none();
        if is_first {
            *known = Some(failed);
            self.has_failed.notify_all();
        }
        is_first
    }

    fn failure(&self, patience: Duration) -> Option<Failed> {
        let waits =
            |known: &mut Option<Failed>| known.is_none() && !self.is_done.load(Ordering::Relaxed);
        let known = self
            .has_failed
            .wait_timeout_while(self.lock(), patience, waits)
            .unwrap_or_else(PoisonError::into_inner);
        known.0.clone()
    }
}

/// Reads what a rank says until it ends.
fn listen(
    rank: usize,
    stream: TcpStream,
    outbox: &Sender<News>,
    shared: &Shared,
    writers: &[(usize, Arc<Mutex<TcpStream>>)],
) {
    let mut lines = BufReader::new(stream).lines();
    let failed = loop {
        let message = match lines.next() {
            Some(Ok(line)) => serde_json::from_str(&line),
            Some(Err(cause)) if is_timeout(&cause) => {
                break Failed {
                    rank,
                    what: format!(
                        "was not heard of for {} s: its machine or the network is down",
                        LOST.as_secs()
                    ),
                    is_said: false,
                };
            }
            Some(Err(_)) | None => {
                break Failed {
                    rank,
                    what: SILENT.to_owned(),
                    is_said: false,
                };
            }
        };
        let is_open = match message {
            Ok(Message::Value(value)) => outbox.send(News::Value(value)).is_ok(),
            Ok(Message::Done) => {
                // Nothing more comes, and whatever ends now ends as it should.
                let _ = outbox.send(News::Done);
                return;
            }
            Ok(Message::Signal(number)) => {
                shared.signal.store(number, Ordering::Relaxed);
                true
            }
            Ok(Message::Failed(failed)) => break failed,
            Ok(Message::Alive) => true,
            Ok(Message::Hello(_)) | Err(_) => {
                break Failed {
                    rank,
                    what: "says what this version does not understand".to_owned(),
                    is_said: false,
                };
            }
        };
        if !is_open {
            return;
        }
    };
    if !shared.is_done.load(Ordering::Relaxed) && shared.fail(failed.clone()) {
        for (_, writer) in writers.iter().filter(|(other, _)| *other != rank) {
            let _ = send(writer, &Message::Failed(failed.clone()));
        }
    }
}

fn is_timeout(cause: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    [TimedOut, WouldBlock].contains(&cause.kind())
}

/// Gives signs of life until all is done or lost.
fn live(shared: &Shared, writers: &[(usize, Arc<Mutex<TcpStream>>)]) {
    while shared.failure(ALIVE).is_none() && !shared.is_done.load(Ordering::Relaxed) {
        for (_, writer) in writers {
            let _ = send(writer, &Message::Alive);
        }
    }
}

/// Writes a message as one line.
fn send<W: Write>(to: &Mutex<W>, message: &Message) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
    to.write_all(&line)
}

/// Whether this host is the machine itself and nobody else can come there.
pub fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(rank: usize, ranks: usize, plan: &str) -> Hello {
        Hello {
            rank,
            ranks,
            host: "here".to_owned(),
            pid: 1,
            token: "token".to_owned(),
            equal: BTreeMap::from([("plan".to_owned(), plan.to_owned())]),
        }
    }

    /// Connected ranks, by their numbers.
    fn lines(ranks: usize) -> Vec<Line> {
        let host = Host::open(true).unwrap();
        let port = host.port().unwrap();
        let others: Vec<_> = (1..ranks)
            .map(|rank| {
                thread::spawn(move || Line::join(&hello(rank, ranks, "p"), "127.0.0.1", port))
            })
            .collect();
        let first = host.gather(&hello(0, ranks, "p"), LOST, &|_| ()).unwrap();
        let others = others
            .into_iter()
            .map(|other| other.join().unwrap().unwrap());
        std::iter::once(first).chain(others).collect()
    }

    #[test]
    fn values_go_to_rank_0_and_from_there_to_all() {
        let lines = lines(3);
        thread::scope(|scope| {
            for (rank, line) in lines.iter().enumerate() {
                scope.spawn(move || {
                    for round in 0..3 {
                        let all = line.gather((10 * round + rank).into()).unwrap();
                        let wanted = [0, 1, 2].map(|rank| (10 * round + rank).into()).to_vec();
                        assert_eq!(all, (rank == 0).then_some(wanted));
                        let own = (rank == 0).then(|| "a\nb".into());
                        assert_eq!(line.broadcast(own).unwrap(), "a\nb");
                    }
                    line.finish().unwrap();
                });
            }
        });
        // Whoever is done may end; nobody takes that for a failure.
        let mut lines = lines.into_iter();
        let last = lines.next().unwrap();
        drop(lines);
        assert_eq!(last.failure(4 * LOOK), None);
    }

    #[test]
    fn a_failure_reaches_all_who_wait() {
        let mut lines = lines(3);
        let failed = Failed {
            rank: 2,
            what: "met a bug".to_owned(),
            is_said: true,
        };
        let third = lines.pop().unwrap();
        thread::scope(|scope| {
            let waiting = lines.iter().enumerate().map(|(rank, line)| {
                scope.spawn(move || match rank {
                    0 => line.gather(0.into()).unwrap_err(),
                    _ => line.broadcast(None).unwrap_err(),
                })
            });
            let waiting: Vec<_> = waiting.collect();
            third.fail(&failed);
            for waits in waiting {
                assert_eq!(waits.join().unwrap(), failed);
            }
        });
        assert_eq!(lines[0].watch()(), Some(failed));
    }

    #[test]
    fn whoever_ends_without_a_word_is_named_to_all() {
        for ends in [0, 2] {
            let mut lines = lines(3);
            drop(lines.remove(ends));
            let start = Instant::now();
            for line in &lines {
                let failed = line.failure(LOST).unwrap();
                assert_eq!(failed.rank, ends);
                assert!(failed.what.starts_with("ended without a word"));
            }
            assert!(start.elapsed() < Duration::from_secs(10));
        }
    }

    #[test]
    fn signals_go_to_rank_0() {
        let lines = lines(2);
        lines[1].signal(15);
        let start = Instant::now();
        while lines[0].signalled() != 15 {
            assert!(start.elapsed() < LOST);
            thread::sleep(LOOK);
        }
    }

    #[test]
    fn ranks_with_another_plan_and_ranks_that_do_not_come_are_named() {
        let host = Host::open(true).unwrap();
        let port = host.port().unwrap();
        let other = thread::spawn(move || {
            let line = Line::join(&hello(1, 2, "q"), "127.0.0.1", port).unwrap();
            line.failure(LOST).unwrap()
        });
        let failed = host.gather(&hello(0, 2, "p"), LOST, &|_| ()).err().unwrap();
        assert!(
            failed.what.contains("plan `q`") && failed.what.contains("`p`"),
            "{failed:?}"
        );
        assert_eq!(other.join().unwrap(), failed);

        let host = Host::open(true).unwrap();
        let failed = host
            .gather(&hello(0, 3, "p"), Duration::from_millis(1), &|_| ())
            .err()
            .unwrap();
        assert!(failed.what.contains("for rank 1, 2 of 3"), "{failed:?}");
    }

    #[test]
    fn a_stranger_is_not_let_in() {
        let host = Host::open(true).unwrap();
        let port = host.port().unwrap();
        let stranger = Hello {
            token: "guessed".to_owned(),
            ..hello(1, 2, "p")
        };
        let stranger = Line::join(&stranger, "127.0.0.1", port).unwrap();
        let failed = host
            .gather(&hello(0, 2, "p"), 4 * LOOK, &|_| ())
            .err()
            .unwrap();
        assert!(failed.what.contains("for rank 1 of 2"));
        drop(stranger);
    }
}
