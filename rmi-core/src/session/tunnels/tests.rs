use bytes::BytesMut;

use super::*;
use crate::session::testing::{self, NOW, Numbers};
use crate::wire::{Limits, split};

const WINDOW: usize = TUNNEL_WINDOW as usize;

/// Two sides whose handshake is over: the second one, which lets `ring` bytes be unacknowledged.
fn pair(ring: u64) -> (Session<Numbers>, Session<Numbers>) {
    testing::pair(Limits { ring, ..Limits::default() })
}

/// What `to` sees of what `from` has to send, all of it if there is room.
fn pass(from: &mut Session<Numbers>, to: &mut Session<Numbers>) -> Vec<(u64, Tunneled)> {
    let mut seen = Vec::new();
    while let Some(output) = from.poll_output(NOW) {
        let mut bytes = BytesMut::from(output.concat());
        while let Some(frame) = split(&mut bytes, 1 << 20).unwrap() {
            let (len, frame) = (frame.len(), Frame::decode(frame, &Limits::default()).unwrap());
            match to.handle(NOW, frame, len, |_| ((), ())).expect("nobody breaks the protocol") {
                Event::Tunnel { tunnel, what } => seen.push((tunnel, what)),
                Event::Nothing => {}
                other => panic!("{other:?}"),
            }
        }
    }
    seen
}

/// `to` gets a frame that no honest peer sends.
fn breach(to: &mut Session<Numbers>, tunnel: u64, op: RelayOp) -> String {
    match to.handle(NOW, relay(tunnel, op), 10, |_| ((), ())) {
        Err(SessionError::Violation(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn target() -> NodeId {
    NodeId::from_bytes([9; 16])
}

fn object() -> ObjectId {
    ObjectId::from_bytes([7; 16])
}

fn open() -> RelayOp {
    RelayOp::Open { target: target(), object: object() }
}

fn data(len: usize) -> RelayOp {
    RelayOp::Data(vec![7; len].into())
}

fn received(seen: &[(u64, Tunneled)]) -> usize {
    let len = |(_, what): &(u64, Tunneled)| if let Tunneled::Data(data) = what { data.len() } else { 0 };
    seen.iter().map(len).sum()
}

#[test]
fn bytes_go_both_ways_in_order_and_close_comes_last() {
    let (mut a, mut b) = pair(1 << 24);
    let tunnel = a.open_tunnel(target(), object()).unwrap();
    assert_eq!(a.send_in_tunnel(tunnel, b"one"), Some(3));
    assert_eq!(a.send_in_tunnel(tunnel, b"two"), Some(3));
    let other = b.open_tunnel(target(), object()).unwrap();
    let opened = || Tunneled::Opened { target: target(), object: object() };
    let text = |text: &'static str| Tunneled::Data(Bytes::from_static(text.as_bytes()));
    assert_eq!(pass(&mut a, &mut b), [(1, opened()), (1, text("one")), (1, text("two"))]);
    assert_eq!((tunnel, other), (0, 0), "each side numbers its own");
    assert_eq!(b.send_in_tunnel(1, b"back"), Some(4));
    b.close_tunnel(1, "enough".into());
    assert_eq!(b.send_in_tunnel(1, b"late"), None);
    let closed = Tunneled::Closed("enough".into());
    assert_eq!(pass(&mut b, &mut a), [(1, opened()), (0, text("back")), (0, closed)]);
    assert_eq!((a.tunnels(), b.tunnels()), (1, 1));
    assert_eq!(a.send_in_tunnel(tunnel, b"late"), None);
    // It closes too: there is nothing to close.
    a.close_tunnel(tunnel, String::new());
    assert_eq!(pass(&mut a, &mut b), []);
}

#[test]
fn no_more_is_sent_than_there_is_credit() {
    let (mut a, mut b) = pair(1 << 24);
    let tunnel = a.open_tunnel(target(), object()).unwrap();
    let much = vec![7; 2 * WINDOW];
    let mut sent = 0;
    while let Some(len @ 1..) = a.send_in_tunnel(tunnel, &much) {
        assert!(len <= Limits::default().frame as usize);
        sent += len;
    }
    assert_eq!(sent, WINDOW);
    assert_eq!(received(&pass(&mut a, &mut b)), WINDOW);
    b.consumed_in_tunnel(1, 1_000);
    assert_eq!(pass(&mut b, &mut a), [(0, Tunneled::Room)]);
    assert_eq!(a.send_in_tunnel(tunnel, &much), Some(1_000));
    assert_eq!(received(&pass(&mut a, &mut b)), 1_000);
}

#[test]
fn who_sends_more_than_its_credit_breaks_the_protocol() {
    let (_, mut b) = pair(1 << 24);
    b.handle(NOW, relay(0, open()), 10, |_| ((), ())).unwrap();
    b.handle(NOW, relay(0, data(WINDOW)), 10, |_| ((), ())).unwrap();
    assert!(breach(&mut b, 0, data(1)).contains("credit"));
}

#[test]
fn who_gives_more_credit_than_it_was_sent_breaks_the_protocol() {
    let (_, mut b) = pair(1 << 24);
    b.handle(NOW, relay(0, open()), 10, |_| ((), ())).unwrap();
    assert_eq!(b.send_in_tunnel(1, &[0; 10]), Some(10));
    b.handle(NOW, relay(0, RelayOp::Credit(10)), 10, |_| ((), ())).unwrap();
    assert!(breach(&mut b, 0, RelayOp::Credit(1)).contains("credit"));
    let (_, mut b) = pair(1 << 24);
    b.handle(NOW, relay(0, open()), 10, |_| ((), ())).unwrap();
    assert!(breach(&mut b, 0, RelayOp::Credit(u64::MAX)).contains("credit"));
}

#[test]
fn numbers_are_used_once_and_in_order() {
    for (tunnel, op) in [
        (0, open()),
        (4, open()),
        (1, open()),
        (u64::MAX, open()),
        (2, data(1)),
        (1, data(1)),
        (2, RelayOp::Credit(1)),
        (3, RelayOp::Close(String::new())),
    ] {
        let (_, mut b) = pair(1 << 24);
        b.handle(NOW, relay(0, open()), 10, |_| ((), ())).unwrap();
        let text = breach(&mut b, tunnel, op.clone());
        assert!(text.contains("tunnel"), "{tunnel} {op:?}: {text}");
    }
    // Not even when it is over.
    let (_, mut b) = pair(1 << 24);
    b.handle(NOW, relay(0, open()), 10, |_| ((), ())).unwrap();
    b.handle(NOW, relay(0, RelayOp::Close(String::new())), 10, |_| ((), ())).unwrap();
    assert!(breach(&mut b, 0, open()).contains("number"));
}

#[test]
fn what_crosses_a_close_is_dropped_and_bounded() {
    let (_, mut b) = pair(1 << 24);
    let mut feed = |op| b.handle(NOW, relay(0, op), 10, |_| ((), ()));
    feed(open()).unwrap();
    feed(data(1_000)).unwrap();
    b.close_tunnel(1, String::new());
    let mut feed = |op| b.handle(NOW, relay(0, op), 10, |_| ((), ()));
    for op in [data(WINDOW - 1_000), RelayOp::Credit(1), RelayOp::Close(String::new())] {
        assert!(matches!(feed(op), Ok(Event::Nothing)));
    }
    assert!(breach(&mut b, 0, data(1)).contains("credit"), "the peer never had credit for more");
}

#[test]
fn more_tunnels_than_there_may_be_are_refused() {
    let (mut a, mut b) = pair(1 << 24);
    for _ in 0..MAX_TUNNELS {
        a.open_tunnel(target(), object()).unwrap();
    }
    assert_eq!(a.open_tunnel(target(), object()), Err(NoTunnel::TooMany));
    assert_eq!(pass(&mut a, &mut b).len(), MAX_TUNNELS);
    // One that does not count.
    let over = 2 * MAX_TUNNELS as u64;
    let event = b.handle(NOW, relay(over, open()), 10, |_| ((), ())).unwrap();
    assert!(matches!(event, Event::Nothing));
    assert_eq!(b.tunnels(), MAX_TUNNELS);
    // Those of this side are counted apart.
    assert_eq!(b.open_tunnel(target(), object()), Ok(0));
    a.close_tunnel(0, String::new());
    assert!(a.open_tunnel(target(), object()).is_ok(), "a place is free again");
}

#[test]
fn who_opens_and_closes_without_end_does_not_fill_the_ring() {
    let (mut a, _) = pair(65_536);
    let opened = (0..100_000).take_while(|_| match a.open_tunnel(target(), object()) {
        Ok(tunnel) => {
            a.close_tunnel(tunnel, "x".repeat(100));
            let _ = a.poll_output(NOW);
            true
        }
        Err(why) => {
            assert_eq!(why, NoTunnel::Full);
            false
        }
    });
    assert!(opened.count() < 65_536 / 100);
}

#[test]
fn data_waits_for_the_ring_and_close_behind_it() {
    let (mut a, mut b) = pair(65_536);
    let tunnel = a.open_tunnel(target(), object()).unwrap();
    let much = vec![7; WINDOW];
    while let Some(1..) = a.send_in_tunnel(tunnel, &much) {}
    a.close_tunnel(tunnel, "done".into());
    let (mut frames, mut seen) = (0, Vec::new());
    while seen.last() != Some(&(1, Tunneled::Closed("done".into()))) {
        let before = seen.len();
        seen.extend(pass(&mut a, &mut b));
        frames += seen.len() - before;
        assert!(frames < 100 && seen.len() > before, "it makes no progress");
        // Nothing is acknowledged before this.
        assert!(a.ring.unacknowledged() < 3 * 65_536);
        pass(&mut b, &mut a);
    }
    assert_eq!(received(&seen), WINDOW);
    assert_eq!((a.tunnels(), b.tunnels()), (0, 0));
}

#[test]
fn the_end_of_a_session_ends_its_tunnels() {
    let (mut a, _) = pair(1 << 24);
    let tunnel = a.open_tunnel(target(), object()).unwrap();
    a.bye(0, String::new());
    assert_eq!(a.open_tunnel(target(), object()), Err(NoTunnel::NoSession));
    let _ = a.end();
    assert_eq!((a.tunnels(), a.send_in_tunnel(tunnel, b"x")), (0, None));
}
