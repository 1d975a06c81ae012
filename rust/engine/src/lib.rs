//! Placement engine of Multi-X-Serverless.
//!
//! Reads a problem document (a workflow, regions, prices, grids, observed runs, limits), evaluates placements of the
//! workflow's nodes over regions scenario by scenario, and finds the best ones with a proof: a lower bound, the gap to
//! it, and a confidence bound for every percentile limit. No I/O but JSON; the Python binding is another crate.
//!
//! ```text
//! document -> problem -> estimates -> scenarios -> lanes -+-> evaluation (tails, time)
//!                                                        +-> additive  (means) -> elimination -> solver -> document
//! ```

// The generator of random problems is shared with the integration tests, which name the crate.
#[cfg(test)]
extern crate self as mxs_engine;

pub mod accounting;
pub mod additive;
pub mod bounds;
pub mod distribution;
pub mod document;

pub mod elimination;
pub mod error;
pub mod estimates;
pub mod evaluation;
pub mod evidence;
pub mod graph;
pub mod kernels;
pub mod lanes;
pub mod limits;
pub mod link_terms;
pub mod order_statistics;
pub mod problem;
pub mod random;
pub mod scenarios;
pub mod signals;
pub mod solver;
pub mod waiting;

pub use error::{EngineError, ErrorCode, Result};
pub use solver::control::Control;
pub use solver::{Engine, FrontierRequest, Options, Solver};
