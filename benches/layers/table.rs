//! The tables of the collection, with one entry and with a million: what an entry more costs beside them.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use rmi::ObjectId;
use rmi_core::internal::gc::{Imports, Listing};

const SIZES: [u64; 2] = [1, 1_000_000];

/// Numbers that are as far from each other as ids are.
fn id(number: u64) -> ObjectId {
    let spread = u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    ObjectId::from_bytes(spread.to_be_bytes())
}

/// The ids that come and go, each a little later than the one before.
fn others(size: u64) -> impl Iterator<Item = ObjectId> {
    (size..).map(id)
}

/// At the owner: the objects that a peer has references to.
pub fn listing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table/listing");
    for size in SIZES {
        let mut listing = Listing::default();
        for number in 0..size {
            listing.sent(id(number), number, 1);
        }
        let mut known = (0..size).cycle().map(|number| id(number * 31 % size));
        group.bench_function(BenchmarkId::new("look up", size), |b| {
            b.iter(|| listing.frame(black_box(known.next().unwrap())).unwrap());
        });
        let mut others = others(size);
        group.bench_function(BenchmarkId::new("insert and remove", size), |b| {
            b.iter(|| {
                let id = others.next().unwrap();
                let refused = listing.sent(id, 7, 2);
                (refused, listing.clean(id, 2).unwrap())
            });
        });
    }
    group.finish();
}

/// At the holder: the objects of a peer that are held.
pub fn imports(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table/imports");
    for size in SIZES {
        let mut imports = Imports::default();
        let arrive = |imports: &mut Imports<u64>, id| {
            imports.arrive_from_owner(id, |weak| Some(*weak), || (7, 7));
        };
        (0..size).for_each(|number| arrive(&mut imports, id(number)));
        let mut known = (0..size).cycle().map(|number| id(number * 31 % size));
        group.bench_function(BenchmarkId::new("look up", size), |b| {
            b.iter(|| imports.confirmed(black_box(known.next().unwrap())).unwrap());
        });
        let mut others = others(size);
        group.bench_function(BenchmarkId::new("insert and remove", size), |b| {
            b.iter(|| {
                let id = others.next().unwrap();
                arrive(&mut imports, id);
                assert!(imports.dropped(id));
            });
        });
    }
    group.finish();
}
