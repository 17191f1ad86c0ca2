//! Tables of Arrow: a gate judges their rows, and what it says is further columns.
//!
//! | file | idea |
//! |---|---|
//! | `ffi` | tables taken over from other libraries: the one file with unsafe code |
//! | `given` | what has Arrow's methods in Python becomes batches of rows |
//! | `cells` | the bytes of a column's rows, shared with the table |
//! | `pairs` | the columns of images and captions |
//! | `judged` | decisions as columns |
//! | `judging` | batch after batch through a gate |
//! | `stream` | what other libraries take a table from |

mod cells;
mod ffi;
mod given;
mod judged;
mod judging;
mod pairs;
mod stream;

pub use judged::judged_names;
pub use judging::judge_arrow;
pub use stream::ArrowStream;
