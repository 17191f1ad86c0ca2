//! The team of the run that this thread is in.

use std::cell::RefCell;

use pairgate_kernels::Team;

thread_local! {
    static CURRENT: RefCell<Team> = const { RefCell::new(Team::ALONE) };
}

/// Runs `work` on `team`: the operators in it split what they do over its threads.
pub(in crate::model) fn run<T: Send>(team: &Team, work: impl FnOnce() -> T + Send) -> T {
    team.run(|| {
        let before = CURRENT.replace(team.clone());
        let result = work();
        CURRENT.set(before);
        result
    })
}

/// The current team.
pub(super) fn with<T>(work: impl FnOnce(&Team) -> T) -> T {
    let team = CURRENT.with_borrow(Team::clone);
    work(&team)
}
