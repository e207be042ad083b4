//! Who waits for a partition, and how it is woken.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Locks a mutex whose data stays whole at every step, so that a panic elsewhere does not spread.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A flag that one thread waits for.
#[derive(Default)]
pub(crate) struct Wake {
    raised: Mutex<bool>,
    condvar: Condvar,
}

impl Wake {
    pub(crate) fn raise(&self) {
        let mut raised = lock(&self.raised);
        if !*raised {
            *raised = true;
            self.condvar.notify_one();
        }
    }

    /// Forgets earlier news; whoever looks for news after this misses none.
    pub(crate) fn lower(&self) {
        *lock(&self.raised) = false;
    }

    pub(crate) fn wait_until(&self, deadline: Instant) {
        let mut raised = lock(&self.raised);
        while !*raised {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            raised = self.condvar.wait_timeout(raised, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Those to wake when a partition grows.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<Vec<Arc<Wake>>>);

impl Watchers {
    pub(crate) fn add(&self, wake: &Arc<Wake>) {
        lock(&self.0).push(Arc::clone(wake));
    }
    pub(crate) fn remove(&self, wake: &Arc<Wake>) {
        lock(&self.0).retain(|w| !Arc::ptr_eq(w, wake));
    }
    pub(crate) fn raise(&self) {
        for wake in lock(&self.0).iter() {
            wake.raise();
        }
    }
}
