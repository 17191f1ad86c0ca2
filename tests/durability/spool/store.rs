//! Between a spool and an output folder: each pair is decided once, whatever is cut.
