//! A problem held by Python: read once, evaluated and solved as often as needed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::Duration;

use mxs_engine::problem::{Metric, Placement};
use mxs_engine::{Control, Engine, EngineError, ErrorCode, FrontierRequest, Options, Solver};
use numpy::{PyArray1, ToPyArray};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyMapping, PyString};
use serde::Serialize;

use crate::errors::to_python;
use crate::metrics::Metrics;

/// How long the interpreter waits before it looks for signals and reports progress.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// A checked problem with its scenarios.
#[pyclass(frozen, module = "multi_x_serverless._core")]
pub struct Problem {
    engine: Arc<Engine>,
}

#[pymethods]
impl Problem {
    #[staticmethod]
    fn from_json(py: Python<'_>, document: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = document.cast::<PyString>() {
            let text = text.to_cow().map_err(|_| {
                let message = "the text holds a lone surrogate, which no encoding of Unicode can carry";
                to_python(py, &EngineError::new(ErrorCode::MalformedJson, "", message))
            })?;
            return read(py, text.as_bytes());
        }
        read(py, document.cast::<PyBytes>()?.as_bytes())
    }

    #[staticmethod]
    fn from_file(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let bytes = py.detach(|| std::fs::read(path))?;
        read(py, &bytes)
    }

    #[pyo3(signature = (intensity, *, hours = None))]
    fn with_intensity<'py>(
        &self,
        py: Python<'py>,
        intensity: BTreeMap<String, Vec<f64>>,
        hours: Option<Vec<Whole<'py>>>,
    ) -> PyResult<Self> {
        let hours = hours
            .map(|hours| hours.iter().map(|hour| hour.to_u64(py, "hours")).collect::<PyResult<Vec<_>>>())
            .transpose()?;
        // What is no hour of the day is refused as such, and not as a number that is too large.
        let hours: Option<Vec<u8>> =
            hours.map(|hours| hours.into_iter().map(|hour| u8::try_from(hour).unwrap_or(u8::MAX)).collect());
        let engine = py.detach(|| self.engine.with_intensity(&intensity, hours.as_deref()));
        engine.map(|engine| Self { engine: Arc::new(engine) }).map_err(|error| to_python(py, &error))
    }

    #[getter]
    fn workflow(&self) -> &str {
        &self.engine.problem().workflow
    }

    #[getter]
    fn nodes(&self) -> Vec<String> {
        self.engine.problem().graph.names.clone()
    }

    #[getter]
    fn regions(&self) -> Vec<String> {
        self.engine.problem().regions.clone()
    }

    #[getter]
    fn hours(&self) -> Vec<usize> {
        self.engine.problem().hours.clone()
    }

    #[getter]
    fn hash(&self) -> &str {
        &self.engine.problem().hash
    }

    fn evaluate(&self, py: Python<'_>, placement: &Bound<'_, PyMapping>, hour: Whole<'_>) -> PyResult<Metrics> {
        let hour = hour.to_usize(py, "hour")?;
        let placement = self.placement(py, placement)?;
        let metrics = py.detach(|| self.engine.evaluate(&placement, hour));
        metrics.map(Metrics::from).map_err(|error| to_python(py, &error))
    }

    fn samples<'py>(
        &self,
        py: Python<'py>,
        placement: &Bound<'_, PyMapping>,
        hour: Whole<'py>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let hour = hour.to_usize(py, "hour")?;
        let placement = self.placement(py, placement)?;
        let samples = PyDict::new(py);
        for metric in Metric::ALL {
            let sample = py.detach(|| self.engine.sample(&placement, hour, metric));
            let sample = sample.map_err(|error| to_python(py, &error))?;
            let array: Bound<'py, PyArray1<f32>> = sample.to_pyarray(py);
            samples.set_item(metric.name(), array)?;
        }
        Ok(samples)
    }

    #[pyo3(signature = (
        solver = "fine-grained", *, threads = None, deadline_s = None, seed = None, frontier = None, progress = None
    ))]
    #[allow(clippy::too_many_arguments)] // they are keywords in Python
    fn solve<'py>(
        &self,
        py: Python<'py>,
        solver: &str,
        threads: Option<Whole<'py>>,
        deadline_s: Option<f64>,
        seed: Option<Whole<'py>>,
        frontier: Option<f64>,
        progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let solver = Solver::from_name(solver).map_err(|error| to_python(py, &error))?;
        let threads = threads.map(|threads| threads.to_usize(py, "threads")).transpose()?;
        let seed = seed.map(|seed| seed.to_u64(py, "seed")).transpose()?;
        let options = Options { solver, threads, deadline_s, seed, frontier };
        self.answer(py, move |engine, control| engine.solve(options, control), progress.as_ref())
    }

    #[pyo3(signature = (hour, *, tolerance = 0.0, deadline_s = None, seed = None))]
    fn pareto<'py>(
        &self,
        py: Python<'py>,
        hour: Whole<'py>,
        tolerance: f64,
        deadline_s: Option<f64>,
        seed: Option<Whole<'py>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let hour = hour.to_usize(py, "hour")?;
        let seed = seed.map(|seed| seed.to_u64(py, "seed")).transpose()?;
        let request = FrontierRequest { hour, tolerance, deadline_s, seed };
        self.answer(py, move |engine, control| engine.frontier(&request, control), None)
    }

    fn __repr__(&self) -> String {
        let problem = self.engine.problem();
        let (nodes, regions) = (problem.nodes.len(), problem.regions.len());
        format!("Problem({}: {nodes} nodes, {regions} regions, {} hours)", problem.workflow, problem.hours.len())
    }
}

/// A whole number from Python, of any size: out of range it is the engine's error, not an overflow.
struct Whole<'py>(Bound<'py, PyInt>);

impl<'py> FromPyObject<'_, 'py> for Whole<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(object.cast::<PyInt>()?.to_owned()))
    }
}

impl Whole<'_> {
    fn to_u64(&self, py: Python<'_>, name: &str) -> PyResult<u64> {
        self.0.extract().map_err(|_| {
            let message = format!("must be a whole number from 0 to {}", u64::MAX);
            to_python(py, &EngineError::new(ErrorCode::InvalidArgument, name, message))
        })
    }

    fn to_usize(&self, py: Python<'_>, name: &str) -> PyResult<usize> {
        self.to_u64(py, name).map(|value| usize::try_from(value).unwrap_or(usize::MAX))
    }
}

fn read(py: Python<'_>, document: &[u8]) -> PyResult<Problem> {
    let engine = py.detach(|| Engine::from_json(document));
    engine.map(|engine| Problem { engine: Arc::new(engine) }).map_err(|error| to_python(py, &error))
}

impl Problem {
    fn placement(&self, py: Python<'_>, names: &Bound<'_, PyMapping>) -> PyResult<Placement> {
        let names: Vec<(String, String)> = names.items()?.iter().map(|item| item.extract()).collect::<PyResult<_>>()?;
        let names = names.iter().map(|(node, region)| (node.as_str(), region.as_str()));
        self.engine.problem().placement_from_names(names).map_err(|error| to_python(py, &error))
    }

    /// Works on a thread of its own while this one looks for signals and reports progress; the answer as JSON.
    ///
    /// An interrupted call returns at once. Its thread stops when it next looks whether it should, which between two
    /// looks may take it some tenths of a second on the largest problems; until then it keeps the problem alive.
    fn answer<'py, T: Serialize + Send + 'static>(
        &self,
        py: Python<'py>,
        work: impl FnOnce(&Engine, &Control) -> mxs_engine::Result<T> + Send + 'static,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let control = Arc::new(Control::default());
        let (sender, receiver) = channel();
        let (engine, watched) = (Arc::clone(&self.engine), Arc::clone(&control));
        // Nobody may be left to take the answer.
        std::thread::spawn(move || sender.send(work(&engine, &watched)).ok());
        let answer = self.watch(py, receiver, &control, progress).inspect_err(|_| control.interrupt())?;
        let document = answer.map_err(|error| to_python(py, &error))?;
        let document = py
            .detach(move || serde_json::to_vec(&document))
            .map_err(|error| pyo3::exceptions::PyRuntimeError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &document))
    }

    fn watch<T: Send>(
        &self,
        py: Python<'_>,
        mut receiver: Receiver<T>,
        control: &Control,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<T> {
        let total = self.engine.problem().hours.len();
        let mut last_report = None;
        loop {
            let (same_receiver, answer) = py.detach(move || {
                let answer = receiver.recv_timeout(SIGNAL_INTERVAL);
                (receiver, answer)
            });
            receiver = same_receiver;
            py.check_signals()?;
            let done = control.hours_done();
            if let Some(progress) = progress.filter(|_| last_report != Some(done)) {
                progress.call1((done, total))?;
                last_report = Some(done);
            }
            match answer {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(pyo3::exceptions::PyRuntimeError::new_err("the engine ended without an answer"));
                }
            }
        }
    }
}
