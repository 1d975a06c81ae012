//! Deadline, interruption and progress of a call that solves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Shared between the caller and the threads that solve.
#[derive(Debug, Default)]
pub struct Control {
    interrupted: AtomicBool,
    hours_started: AtomicUsize,
    hours_done: AtomicUsize,
}

/// Why a search stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The caller interrupted.
    Interrupted,
    /// Time was up.
    Deadline,
}

impl Control {
    /// Asks all threads to stop soon.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Whether the caller interrupted.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Hours that are solved.
    #[must_use]
    pub fn hours_done(&self) -> usize {
        self.hours_done.load(Ordering::Relaxed)
    }

    /// Counts an hour as solved.
    pub(super) fn finish_hour(&self) {
        self.hours_done.fetch_add(1, Ordering::Relaxed);
    }

    /// Grants the next hour an equal share of the thread time that is left.
    pub(super) fn start_hour(&self, deadline: Instant, hours: usize, threads: usize) -> Budget<'_> {
        let waiting = hours - self.hours_started.fetch_add(1, Ordering::Relaxed).min(hours - 1);
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let share = left.mul_f64((threads as f64 / waiting as f64).min(1.0));
        Budget { control: self, deadline: now + share }
    }
}

/// What one hour may use.
#[derive(Clone, Copy, Debug)]
pub struct Budget<'a> {
    control: &'a Control,
    deadline: Instant,
}

impl Budget<'_> {
    /// Why to stop now, if there is a reason.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        if self.control.is_interrupted() {
            Some(Stop::Interrupted)
        } else if Instant::now() >= self.deadline {
            Some(Stop::Deadline)
        } else {
            None
        }
    }

    /// A budget over the given part of what is left.
    #[must_use]
    pub fn part(&self, fraction: f64) -> Self {
        let now = Instant::now();
        let left: Duration = self.deadline.saturating_duration_since(now);
        Self { control: self.control, deadline: now + left.mul_f64(fraction) }
    }
}
