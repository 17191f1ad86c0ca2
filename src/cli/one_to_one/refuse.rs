//! What `--one-to-one` cannot be had with, and why.

use pairgate_core::config::{Config, OnFullDisk};

use crate::cli::args::{FormatArg, InputArgs};
use crate::cli::session::Session;
use crate::source::InputFormat;

/// Refuses what carries state from pair to pair, or from input to input.
///
/// # Errors
/// What it is, and what to do instead.
pub fn check_filter(config: &Config, input: &InputArgs) -> Result<(), String> {
    check_input(input)?;
    if config.tracker.enabled {
        return Err(
            "--one-to-one decides each input by itself: a threshold that follows the scores \
                    (--follow) depends on what came before"
                .into(),
        );
    }
    if config.policy.keep.is_some() && config.policy.threshold.is_none() {
        return Err("the threshold of a share rests on all inputs. Find it first:\n\
                    pairgate score IN... --one-to-one -o scores     on each machine, then\n\
                    pairgate merge scores --keep F -o policy.toml   once, then\n\
                    pairgate filter IN... --one-to-one --scores scores --config policy.toml -o kept"
            .into());
    }
    let storage = config.storage;
    let drops = storage.on_full == OnFullDisk::DropOldest || storage.keep_days > 0;
    if storage.max_bytes > 0 || drops {
        return Err(
            "--one-to-one stores all that is kept: storage.max_bytes, on_full and keep_days, \
                    which take shards away, are not for it"
                .into(),
        );
    }
    Ok(())
}

/// Refuses a selection that depends on the pairs before, or on what recorded scores do not tell.
///
/// # Errors
/// What it is, and what to do instead.
pub fn check_selection(session: &Session, has_scores: bool) -> Result<(), String> {
    let Some(state) = &session.selection else { return Ok(()) };
    if let Some(method) = state.moving() {
        return Err(format!(
            "--one-to-one decides each input by itself: the selection's {method} depend on what came \
             before. Use filter without it, or apply the state to the scored pool (pairgate select apply)"
        ));
    }
    if has_scores {
        return Err(
            "--scores tells scores alone, and --select selects by more: leave --scores out, \
                    or apply the state to the scored pool (pairgate select apply)"
                .into(),
        );
    }
    Ok(())
}

/// Refuses inputs that have no end, or cannot be read again.
pub fn check_input(input: &InputArgs) -> Result<(), String> {
    match InputFormat::from(input.format) {
        InputFormat::Auto => Ok(()),
        InputFormat::Frames => {
            debug_assert_eq!(input.format, FormatArg::Frames);
            Err("--one-to-one takes files that can be read again: no frames".into())
        }
    }
}
