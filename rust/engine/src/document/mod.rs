//! The two documents that pass through the engine, as they are written in JSON.

pub mod problem;
pub mod solution;

pub use problem::ProblemDocument;
pub use solution::SolutionDocument;
