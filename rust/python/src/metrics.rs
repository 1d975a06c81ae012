//! Metrics of a placement as plain read-only objects.

use pyo3::prelude::*;

/// Mean and tail of one metric.
#[pyclass(frozen, get_all, module = "multi_x_serverless._core")]
#[derive(Clone)]
pub struct Summary {
    mean: f64,
    tail: f64,
    tail_upper: Option<f64>,
    tail_lower: Option<f64>,
}

#[pymethods]
impl Summary {
    fn __repr__(&self) -> String {
        let show = |bound: Option<f64>| bound.map_or_else(|| "None".to_owned(), |value| value.to_string());
        let (upper, lower) = (show(self.tail_upper), show(self.tail_lower));
        format!("Summary(mean={}, tail={}, tail_upper={upper}, tail_lower={lower})", self.mean, self.tail)
    }
}

impl From<mxs_engine::evaluation::Summary> for Summary {
    fn from(summary: mxs_engine::evaluation::Summary) -> Self {
        Self { mean: summary.mean, tail: summary.tail, tail_upper: summary.tail_upper, tail_lower: summary.tail_lower }
    }
}

/// All metrics of a placement in one hour.
#[pyclass(frozen, module = "multi_x_serverless._core")]
pub struct Metrics {
    carbon: Summary,
    cost: Summary,
    runtime: Summary,
}

#[pymethods]
impl Metrics {
    #[getter]
    fn carbon(&self) -> Summary {
        self.carbon.clone()
    }

    #[getter]
    fn cost(&self) -> Summary {
        self.cost.clone()
    }

    #[getter]
    fn runtime(&self) -> Summary {
        self.runtime.clone()
    }

    fn __repr__(&self) -> String {
        let (carbon, cost, runtime) = (self.carbon.__repr__(), self.cost.__repr__(), self.runtime.__repr__());
        format!("Metrics(carbon={carbon}, cost={cost}, runtime={runtime})")
    }
}

impl From<mxs_engine::evaluation::Metrics> for Metrics {
    fn from(metrics: mxs_engine::evaluation::Metrics) -> Self {
        Self { carbon: metrics.carbon.into(), cost: metrics.cost.into(), runtime: metrics.runtime.into() }
    }
}
