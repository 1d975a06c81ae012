//! The one error type of the engine: a stable code, the field it is about, a sentence a person can act on.

use std::fmt;

/// Stable machine-readable kind of an [`EngineError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The bytes are not a JSON document.
    MalformedJson,
    /// `schema` names another kind of document.
    UnknownSchema,
    /// `version` is newer (or older) than the ones this engine reads.
    UnsupportedVersion,
    /// A field is unknown, missing or of the wrong type.
    InvalidField,
    /// A number lies outside the range its field allows (negative, infinite, above one ...).
    OutOfRange,
    /// A name refers to a region or node that the document does not list.
    UnknownName,
    /// A name or hour is listed twice.
    DuplicateName,
    /// The nodes and edges do not form a workflow graph (cycle, several entries ...).
    InvalidGraph,
    /// A column has the wrong length, or a run contradicts the graph.
    InconsistentObservations,
    /// Neither observations nor priors say what a node does.
    MissingEstimates,
    /// A setting that this version of the engine does not support.
    UnsupportedSetting,
    /// An argument of a call (placement, hour, solver name) does not fit the problem.
    InvalidArgument,
    /// The caller interrupted the call.
    Interrupted,
}

impl ErrorCode {
    /// The code as it appears in other languages and in tests, in `kebab-case`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed-json",
            Self::UnknownSchema => "unknown-schema",
            Self::UnsupportedVersion => "unsupported-version",
            Self::InvalidField => "invalid-field",
            Self::OutOfRange => "out-of-range",
            Self::UnknownName => "unknown-name",
            Self::DuplicateName => "duplicate-name",
            Self::InvalidGraph => "invalid-graph",
            Self::InconsistentObservations => "inconsistent-observations",
            Self::MissingEstimates => "missing-estimates",
            Self::UnsupportedSetting => "unsupported-setting",
            Self::InvalidArgument => "invalid-argument",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What went wrong, where in the document, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError {
    /// Kind of the error.
    pub code: ErrorCode,
    /// Path of the field in the document (`nodes[2].memory_mb`), or name of the argument; empty if there is none.
    pub path: String,
    /// One sentence for a person.
    pub message: String,
}

impl EngineError {
    /// An error about the field at `path`.
    pub fn new(code: ErrorCode, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, path: path.into(), message: message.into() }
    }

    /// Whether the problem document is at fault (and not an argument or an interruption).
    #[must_use]
    pub fn is_about_document(&self) -> bool {
        !matches!(self.code, ErrorCode::InvalidArgument | ErrorCode::Interrupted)
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(formatter, "{}", self.message)
        } else {
            write!(formatter, "{}: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for EngineError {}

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, EngineError>;
