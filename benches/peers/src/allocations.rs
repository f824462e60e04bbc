//! Counts allocations while it is switched on. Off, as in every timed run, it costs a load of a flag an allocation.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to implement; this one hands everything to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

pub struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Allocations (and reallocations) of the whole process from here on, until `stop`.
pub fn start() {
    ALLOCATIONS.store(0, Relaxed);
    ON.store(true, Relaxed);
}

pub fn stop() -> u64 {
    ON.store(false, Relaxed);
    ALLOCATIONS.load(Relaxed)
}

fn count() {
    if ON.load(Relaxed) {
        ALLOCATIONS.fetch_add(1, Relaxed);
    }
}

// SAFETY: every method is the system allocator's, called with what it was given; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(block, layout, size) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}
