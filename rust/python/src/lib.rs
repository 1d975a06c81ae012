//! Private module `multi_x_serverless._core`: the placement engine for Python.
//!
//! Thin on purpose: documents go in and come out as JSON, errors are mapped once, and the interpreter is free while
//! the engine works. Signatures and docstrings for Python live in `_core.pyi`.

mod errors;
mod metrics;
mod problem;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::errors::{EngineError, InvalidProblemError};
    #[pymodule_export]
    use super::metrics::{Metrics, Summary};
    #[pymodule_export]
    use super::problem::Problem;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("build_profile", if cfg!(debug_assertions) { "debug" } else { "release" })
    }
}
