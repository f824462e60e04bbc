//! The workloads, by name. docs/PERFORMANCE.md says what each one is.

use clap::{Args, ValueEnum};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Workload {
    /// `add(u64, u64)`, one in flight
    Lat,
    /// the same, all processes on one core: no wake-ups across cores, so that each peer's own cost shows
    Lat1,
    /// `add`, 64 callers that share a connection
    Tput64,
    /// `add`, 512 callers
    Tput512,
    /// echo of 64 KiB, 8 in flight
    Blob,
    /// echo of 1 MiB, 4 in flight
    Mb,
    /// calls of an object in the same process
    Local,
    /// many remote objects made, held, dropped
    Memobj,
    /// a reference given on to a third process, which calls it
    Handoff,
    /// small calls beside four transfers of 16 MiB in the same connection
    Mixed,
    /// a call with 1 and with many exported objects
    GrowthObjects,
    /// a call with 1 and with many idle sessions
    GrowthSessions,
}

/// Concurrent callers of one kind on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub inflight: usize,
    /// 0: `add`; otherwise `echo` of this many bytes.
    pub payload: usize,
}

pub const SMALL: Shape = Shape { inflight: 1, payload: 0 };
pub const TRANSFERS: Shape = Shape { inflight: 4, payload: 16 * 1024 * 1024 };

impl Workload {
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The callers of workloads that consist of calls alone.
    pub fn shape(self) -> Option<Shape> {
        let (inflight, payload) = match self {
            Self::Lat | Self::Lat1 => (1, 0),
            Self::Tput64 => (64, 0),
            Self::Tput512 => (512, 0),
            Self::Blob => (8, 64 * 1024),
            Self::Mb => (4, 1024 * 1024),
            _ => return None,
        };
        Some(Shape { inflight, payload })
    }

    /// All processes on one core?
    pub fn is_pinned(self) -> bool {
        matches!(self, Self::Lat1 | Self::Local | Self::Handoff | Self::GrowthObjects | Self::GrowthSessions)
    }

    pub fn has_server(self) -> bool {
        self != Self::Local
    }
}

/// How long and how much.
#[derive(Args, Clone, Debug)]
pub struct Amount {
    /// Seconds that are measured
    #[arg(long, env = "MEASURE_S", default_value_t = 3.0)]
    pub seconds: f64,
    /// Seconds before that
    #[arg(long, env = "WARM_S", default_value_t = 1.0)]
    pub warm: f64,
    /// Objects made in memobj
    #[arg(long, env = "OBJECTS", default_value_t = 100_000)]
    pub objects: usize,
    /// Objects exported in growth-objects
    #[arg(long, default_value_t = 1_000_000)]
    pub exports: usize,
    /// Idle sessions in growth-sessions
    #[arg(long, default_value_t = 1_000)]
    pub sessions: usize,
    /// References given on in handoff
    #[arg(long, default_value_t = 5_000)]
    pub handoffs: usize,
}

impl Amount {
    pub const QUICK: Self =
        Self { seconds: 1.0, warm: 0.4, objects: 20_000, exports: 100_000, sessions: 100, handoffs: 1_000 };

    /// As a client is told.
    pub fn arguments(&self) -> Vec<String> {
        let pairs = [
            ("--seconds", self.seconds.to_string()),
            ("--warm", self.warm.to_string()),
            ("--objects", self.objects.to_string()),
            ("--exports", self.exports.to_string()),
            ("--sessions", self.sessions.to_string()),
            ("--handoffs", self.handoffs.to_string()),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

/// What a client is to do.
#[derive(Clone, Debug)]
pub struct Job {
    pub workload: Workload,
    pub amount: Amount,
    pub server: u32,
}
