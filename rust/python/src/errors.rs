//! The one place where engine errors become Python exceptions.

use mxs_engine::EngineError as Error;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyKeyboardInterrupt};
use pyo3::prelude::*;

create_exception!(
    multi_x_serverless._core,
    EngineError,
    PyException,
    "An argument or document the engine cannot work with; `code` is stable, `path` names the field."
);
create_exception!(
    multi_x_serverless._core,
    InvalidProblemError,
    EngineError,
    "A problem document that the engine refuses; `path` is the path of the field at fault."
);

/// The Python exception for an engine error, with its code and path as attributes.
pub fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    if error.code == mxs_engine::ErrorCode::Interrupted {
        return PyKeyboardInterrupt::new_err(());
    }
    let message = error.to_string();
    let exception =
        if error.is_about_document() { InvalidProblemError::new_err(message) } else { EngineError::new_err(message) };
    let value = exception.value(py);
    let attributes =
        value.setattr("code", error.code.as_str()).and_then(|()| value.setattr("path", error.path.as_str()));
    match attributes {
        Ok(()) => exception,
        Err(failure) => failure,
    }
}
