//! What stands in for `metadata` in a binary without it.

use std::error::Error;

use super::Found;
use super::args::SubsetArgs;

pub fn select(_: &SubsetArgs) -> Result<Found, Box<dyn Error>> {
    Err("this build of pairgate reads no parquet (it was made without the feature parquet): only \
         journals can be made a subset"
        .into())
}
