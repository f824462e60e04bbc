use std::collections::VecDeque;
use std::sync::Weak;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::*;
use crate::id::{MethodId, ObjectId};
use crate::invoke::remote::{Closed, Renewal, ReplyStatus};

type Outcome = Result<Reply, RemoteError>;

/// An object whose calls end as it is told, and then for ever as in the end.
struct Scripted {
    this: Weak<Self>,
    outcomes: Mutex<VecDeque<Outcome>>,
    /// How often it was called, and looked for anew.
    log: Mutex<Vec<&'static str>>,
    /// Whether it can be looked for anew, and how that ends.
    renewals: Option<Result<(), RemoteError>>,
    node: NodeId,
}

impl Scripted {
    fn new(
        outcomes: impl IntoIterator<Item = Outcome>,
        renewals: Option<Result<(), RemoteError>>,
    ) -> Arc<Self> {
        let outcomes = Mutex::new(outcomes.into_iter().collect());
        let node = NodeId::random();
        Arc::new_cyclic(|this| Self { this: this.clone(), outcomes, log: Mutex::default(), renewals, node })
    }

    async fn call(self: &Arc<Self>, idempotent: bool, own: Option<Duration>) -> Outcome {
        let request = Request {
            method: MethodId(1),
            path: "I/m",
            payload: Vec::new().into(),
            references: Vec::new(),
            deadline: None,
        };
        let remote: Arc<dyn RemoteObject> = self.clone();
        send(&remote, Ok(request), own, idempotent, "I/m").await
    }

    fn log(&self) -> Vec<&'static str> {
        self.log.lock().clone()
    }
}

impl RemoteObject for Scripted {
    fn owner(&self) -> NodeId {
        self.node
    }
    fn object(&self) -> ObjectId {
        ObjectId::from_bytes([1; 16])
    }
    fn addresses(&self) -> Vec<String> {
        Vec::new()
    }
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        tokio::time::sleep_until(deadline)
    }
    fn call_timeout(&self) -> Option<Duration> {
        None
    }
    fn reconnect_window(&self) -> Duration {
        Duration::from_millis(200)
    }
    fn closed(&self) -> Closed<'_> {
        Box::pin(std::future::pending())
    }
    fn start(self: Arc<Self>, _: Request) -> Pending<'static> {
        self.log.lock().push("call");
        let mut outcomes = self.outcomes.lock();
        let outcome = if outcomes.len() > 1 { outcomes.pop_front() } else { outcomes.front().map(again) };
        let (answer, pending) = oneshot::channel();
        answer.send(outcome.expect("there is always one")).expect("somebody waits");
        Pending::new(pending, None)
    }
    fn present(&self) -> Option<Arc<dyn RemoteObject>> {
        self.renewals.as_ref().and(self.this.upgrade()).map(|this| this as Arc<dyn RemoteObject>)
    }
    fn renew(self: Arc<Self>, _: &dyn RemoteObject) -> Option<Renewal> {
        let outcome = self.renewals.clone()?;
        self.log.lock().push("renew");
        Some(Box::pin(async move { outcome }))
    }
}

fn again(outcome: &Outcome) -> Outcome {
    match outcome {
        Ok(_) => reply(),
        Err(error) => Err(error.clone()),
    }
}

fn reply() -> Outcome {
    let from = NodeId::from_bytes([1; 16]);
    Ok(Reply { from, status: ReplyStatus::Ok, payload: Bytes::new().into(), references: Vec::new() })
}

fn unknown() -> Outcome {
    let node = NodeId::from_bytes([1; 16]);
    Err(RemoteError::OutcomeUnknown { node, call: "I/m".into(), reason: "it broke".into() })
}

fn unreachable() -> Outcome {
    Err(RemoteError::Unreachable { target: "it".into(), reason: "nobody is there".into() })
}

fn gone() -> Outcome {
    Err(RemoteError::NoSuchObject { node: NodeId::from_bytes([1; 16]), object: "12".into() })
}

fn overloaded() -> Outcome {
    Err(RemoteError::Overloaded { node: NodeId::from_bytes([1; 16]), what: "it".into() })
}

#[tokio::test]
async fn without_the_attribute_nothing_is_made_twice() {
    for outcome in [unknown, unreachable, gone, overloaded] {
        let object = Scripted::new([outcome(), reply()], None);
        assert_eq!(object.call(false, None).await.unwrap_err(), outcome().unwrap_err());
        assert_eq!(object.log(), ["call"]);
    }
}

#[tokio::test]
async fn idempotent_calls_outlive_what_is_not_definite() {
    let object = Scripted::new([unknown(), unreachable(), unreachable(), reply()], None);
    object.call(true, None).await.unwrap();
    assert_eq!(object.log(), ["call"; 4]);
    for definite in [gone, overloaded] {
        let object = Scripted::new([unreachable(), definite(), reply()], None);
        assert_eq!(object.call(true, None).await.unwrap_err(), definite().unwrap_err());
        assert_eq!(object.log(), ["call"; 2]);
    }
}

#[tokio::test]
async fn an_attempt_that_may_have_been_executed_is_not_forgotten() {
    for last in [gone, overloaded, unreachable] {
        let object = Scripted::new([unknown(), last()], None);
        let error = object.call(true, None).await.unwrap_err();
        let RemoteError::OutcomeUnknown { reason, .. } = &error else { panic!("{error}") };
        assert!(reason.contains("it broke") && reason.contains(&last().unwrap_err().to_string()), "{reason}");
        assert!(error.may_have_executed());
    }
}

#[tokio::test]
async fn attempts_end_with_the_limit_or_the_window() {
    let object = Scripted::new([unreachable()], None);
    assert_eq!(object.call(true, None).await.unwrap_err(), unreachable().unwrap_err());
    // 10 to 20 ms, 20 to 40, 40 to 80, 80 to 160: within 200 there are two at least.
    let calls = object.log().len();
    assert!((2..=6).contains(&calls), "{calls}");
    let object = Scripted::new([unreachable()], None);
    let error = object.call(true, Some(Duration::from_millis(400))).await.unwrap_err();
    assert_eq!(error, RemoteError::TimedOut { call: "I/m".into(), after_ms: 400 });
    let object = Scripted::new([reply()], None);
    assert!(object.call(true, Some(Duration::ZERO)).await.is_err());
    assert!(object.log().is_empty(), "nothing was left");
}

#[tokio::test]
async fn an_object_that_can_be_found_anew_is_called_there() {
    for idempotent in [false, true] {
        for failure in [gone, unreachable] {
            let object = Scripted::new([failure(), reply()], Some(Ok(())));
            object.call(idempotent, None).await.unwrap();
            assert_eq!(object.log(), ["call", "renew", "call"]);
        }
    }
    // Once; and not if it may have been executed.
    let object = Scripted::new([gone()], Some(Ok(())));
    assert_eq!(object.call(false, None).await.unwrap_err(), gone().unwrap_err());
    assert_eq!(object.log(), ["call", "renew", "call"]);
    let object = Scripted::new([gone(), reply()], Some(unreachable().map(drop)));
    assert_eq!(object.call(false, None).await.unwrap_err(), unreachable().unwrap_err(), "why none was found");
    assert_eq!(object.log(), ["call", "renew"]);
    let object = Scripted::new([unknown(), reply()], Some(Ok(())));
    assert_eq!(object.call(false, None).await.unwrap_err(), unknown().unwrap_err());
    assert_eq!(object.log(), ["call"]);
    // As long as there is time, if it may be.
    let object = Scripted::new([unknown(), gone(), gone(), reply()], Some(Ok(())));
    object.call(true, None).await.unwrap();
    assert_eq!(object.log(), ["call", "renew", "call", "renew", "call", "renew", "call"]);
}
