//! `pairgate_dfn._native`: the library's gate, model and program, for Python.
//!
//! | file | idea |
//! |---|---|
//! | `image`, `caption`, `metadata` | Python's objects become what the library reads; what is broken is a reason |
//! | `lists`, `pairs` | many of them, and what a gate finds of them |
//! | `parameters` | what a gate is told, its checks, and the form in which it is pickled |
//! | `loaded` | models, each loaded once a process |
//! | `process`, `pool` | what belongs to the process that asks; examiners are among it |
//! | `spread` | work over threads that end with the call |
//! | `gate`, `deciding` | the gate, and what decides on what it finds |
//! | `decision`, `choice`, `columns` | what it answers |
//! | `state`, `fitting` | frozen selections; fitted on recorded runs, and applied to them |
//! | `waiting` | long work that listens for Ctrl-C |
//! | `model` | embeddings |
//! | `arrow` | tables of Arrow: judged, and made of journals |
//! | `journal`, `sketch` | what runs left behind |
//! | `program` | the command line |

#![deny(unsafe_code)] // it is in `arrow::ffi` alone
#![allow(clippy::doc_lazy_continuation, reason = "examples of Python are no quotes")]

/// What the stub says of an object: see build.rs.
macro_rules! stub {
    ($name:literal) => {
        include_str!(concat!(env!("OUT_DIR"), "/", $name, ".txt"))
    };
}

mod arrow;
mod caption;
mod choice;
mod columns;
mod deciding;
mod decision;
mod fitting;
mod gate;
mod image;
mod journal;
mod lists;
mod loaded;
mod metadata;
mod model;
mod pairs;
mod parameters;
mod pool;
mod process;
mod program;
mod sketch;
mod spread;
mod state;
mod waiting;

/// Native half of `pairgate_dfn`.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::arrow::{ArrowStream, judge_arrow, judged_names};
    #[pymodule_export]
    use super::choice::{Choice, choice_of};
    #[pymodule_export]
    use super::decision::{Decision, decision_of};
    #[pymodule_export]
    use super::fitting::{reason_names, select_apply, select_fit};
    #[pymodule_export]
    use super::gate::{Gate, gate_of};
    #[pymodule_export]
    use super::journal::{Journal, Record, journal_table, read_journal};
    #[pymodule_export]
    use super::loaded::ModelError;
    #[pymodule_export]
    use super::model::{Model, model_of};
    #[pymodule_export]
    use super::program::run_cli;
    #[pymodule_export]
    use super::sketch::{Sketch, read_sketch};
    #[pymodule_export]
    use super::state::{State, StateError, state_of};

    use pyo3::prelude::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
