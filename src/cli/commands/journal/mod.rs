//! `pairgate journal`: looks into decision journals, and brings damaged ones back.

mod account;
mod args;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::terminal::{print, tell_error};
use crate::disk::Disk;
use crate::journal::{self, Choice, Entry, Part, Reader, Record, Salvage, Stored, Terms};
use crate::printable::printable_line;
use crate::score_text::shortest;
use crate::store::OutputFolder;
use crate::store::one_to_one;
use crate::store::shard_name;
use account::Account;

pub use args::{CatArgs, JournalArgs, JournalCommand, RepairArgs, WhyArgs};
use pairgate_core::decision::{Reason, Verdict};

/// Exit code: a journal is damaged.
const DAMAGED: u8 = 1;
/// Exit code: no pair has the name that was asked for.
const NOT_FOUND: u8 = 1;

/// Runs the command.
pub fn run(command: &JournalCommand) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        JournalCommand::Ls(args) => ls(args),
        JournalCommand::Cat(args) => cat(args),
        JournalCommand::Check(args) => check(args),
        JournalCommand::Why(args) => why(args),
        JournalCommand::Repair(args) => repair(args),
    }
}

/// The path where it is a journal; a folder without one, or a file of another name, is none.
pub fn journal_at(path: &Path) -> Option<PathBuf> {
    let is_journal = if path.is_dir() {
        journal::parts(path).is_ok_and(|parts| !parts.is_empty())
    } else {
        path.extension().is_some_and(|extension| extension == "pairgate")
    };
    is_journal.then(|| path.to_owned())
}

/// The files of a journal.
fn parts(path: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let parts = journal::parts(path).map_err(|why| format!("{}: {why}", path.display()))?;
    if parts.is_empty() {
        return Err(format!("{}: there is no journal in it", path.display()).into());
    }
    Ok(parts)
}

fn ls(args: &JournalArgs) -> Result<ExitCode, Box<dyn Error>> {
    let accounts = accounts(args)?;
    if args.json {
        print(&json_lines(&accounts))?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = format!(
        "{:>10} {:>10} {:>10} {:>10} {:>9}  {:<12}  journal\n",
        "records", "kept", "rejected", "failed", "threshold", "model"
    );
    let rows = accounts.iter().map(|account| {
        let total = |verdict| account.counts.total(verdict);
        let threshold = match (account.terms.tracker, account.terms.threshold) {
            (Some(_), _) => "followed".into(),
            (None, threshold) => threshold.map_or("-".into(), |t| format!("{t:.4}")),
        };
        format!(
            "{:>10} {:>10} {:>10} {:>10} {threshold:>9}  {}  {}{}\n",
            account.records,
            total(Verdict::Kept),
            total(Verdict::Rejected),
            total(Verdict::Failed),
            &account.terms.model().to_string()[..12],
            printable_line(&account.path.to_string_lossy()),
            if account.damage.is_empty() { "" } else { " (damaged)" },
        )
    });
    print(&rows.fold(head, |text, row| text + &row))?;
    Ok(ExitCode::SUCCESS)
}

fn accounts(args: &JournalArgs) -> Result<Vec<Account>, Box<dyn Error>> {
    args.journals.iter().map(|path| Account::of(path)).collect()
}

fn json_lines(accounts: &[Account]) -> String {
    accounts.iter().map(|account| format!("{}\n", account.json())).collect()
}

fn cat(args: &CatArgs) -> Result<ExitCode, Box<dyn Error>> {
    let mut code = ExitCode::SUCCESS;
    for path in &args.journals {
        for part in parts(path)? {
            cat_part(&part, args.reason, &mut code)?;
        }
    }
    Ok(code)
}

fn cat_part(
    path: &Path,
    reason: Option<Reason>,
    code: &mut ExitCode,
) -> Result<(), Box<dyn Error>> {
    let mut salvage = Salvage::open(path)?;
    if salvage.is_headless() {
        log::warn!("{}: its header is damaged", path.display());
        *code = ExitCode::from(DAMAGED);
    }
    while let Some(part) = salvage.next_part()? {
        match part {
            Part::Whole(Entry::Record(record)) => {
                if reason.is_none_or(|reason| reason == record.reason) {
                    print(&(line(&record, path).to_string() + "\n"))?;
                }
            }
            Part::Whole(_) => {}
            Part::Damage { from, to } => {
                log::warn!("{}: bytes {from} to {to} are damaged", path.display());
                *code = ExitCode::from(DAMAGED);
            }
        }
    }
    Ok(())
}

/// The name of the shard that a record of the journal's file `part` tells of.
fn shard_of(part: &Path, stored: &Stored) -> String {
    let single = one_to_one::of_journal(part).map(|names| names.file(one_to_one::DATA));
    single.unwrap_or_else(|| shard_name(stored.shard))
}

fn line(record: &Record, part: &Path) -> Value {
    let facts = record.facts;
    let mut line = json!({
        "ticket": record.ticket,
        "uid": record.uid.to_string(),
        "key": record.key,
        "shard": record.shard,
        "verdict": record.verdict.name(),
        "reason": record.reason.name(),
        "score": facts.score.map(shortest),
        "caption_length": facts.caption_length,
        "width": facts.size.width,
        "height": facts.size.height,
        "sha256": facts.content.to_string(),
    });
    if let Some(threshold) = record.threshold {
        line["threshold"] = shortest(threshold);
    }
    if let Some(group) = &record.group {
        line["group"] = group.as_str().into();
    }
    if !record.broken.is_empty() {
        line["broken"] = record.broken.iter().map(|reason| reason.name()).collect();
    }
    if let Some(choice) = &record.choice {
        line["selection"] = selection(choice);
    }
    if let Some(stored) = &record.stored {
        line["stored"] = json!({ "shard": shard_of(part, stored), "key": stored.key });
    }
    if record.recovered {
        line["recovered"] = true.into();
    }
    line
}

/// All that is known of one pair.
fn why(args: &WhyArgs) -> Result<ExitCode, Box<dyn Error>> {
    let mut found = 0;
    for path in &args.journals {
        let mut journal = Reader::open(path)?;
        while let Some(record) = journal.next().transpose()? {
            if !is_called(&record, &args.name) {
                continue;
            }
            found += 1;
            let text = match args.json {
                true => format!("{}\n", line(&record, journal.part())),
                false => explained(&record, journal.terms(), path, journal.part()),
            };
            print(&text)?;
        }
    }
    if found == 0 {
        tell_error(&format!("no pair is called {:?} there", args.name));
        return Ok(ExitCode::from(NOT_FOUND));
    }
    Ok(ExitCode::SUCCESS)
}

fn is_called(record: &Record, name: &str) -> bool {
    let stored = record.stored.as_ref().is_some_and(|stored| stored.key == name);
    record.key == name || stored || record.uid.to_string() == name
}

/// A record in words, a line for each fact.
fn explained(record: &Record, terms: &Terms, path: &Path, part: &Path) -> String {
    let facts = record.facts;
    let number = |score: f32| shortest(score).to_string();
    let threshold = record.threshold.or(terms.threshold);
    let mut rows = vec![
        ("pair", format!("{} in {}", record.key, record.shard)),
        ("uid", record.uid.to_string()),
        ("verdict", format!("{}, {}", record.verdict.name(), record.reason.name())),
        ("score", facts.score.map_or("none: the model was not asked".into(), number)),
        ("threshold", threshold.map_or("none".into(), number)),
    ];
    let broken: Vec<_> = record.broken.iter().map(|reason| reason.name()).collect();
    rows.push(("rules broken", if broken.is_empty() { "none".into() } else { broken.join(", ") }));
    if let Some(choice) = &record.choice {
        rows.push(("selection", told(choice)));
    }
    let size = facts.size;
    rows.push((
        "picture",
        format!("{} x {} px, {} bytes", size.width, size.height, record.image_bytes),
    ));
    rows.push(("sha256", facts.content.to_string()));
    rows.push(("caption", format!("{} characters", facts.caption_length)));
    rows.push((
        "stored",
        match &record.stored {
            Some(stored) => format!("{} in {}", stored.key, shard_of(part, stored)),
            None => "no".into(),
        },
    ));
    if let Some(group) = &record.group {
        rows.push(("group", printable_line(group).into_owned()));
    }
    if record.recovered {
        rows.push((
            "recovered",
            "its record was lost; this one was made of the stored sample".into(),
        ));
    }
    let models: Vec<_> = terms.models.iter().map(|model| model.name.as_str()).collect();
    rows.push(("decided by", format!("pairgate {}, model {}", terms.program, models.join(", "))));
    if !terms.settings.is_empty() {
        rows.push(("settings", terms.settings.join(", ")));
    }
    rows.push(("journal", format!("{}, number {}", path.display(), record.ticket)));
    let rows = rows.iter().map(|(name, value)| format!("{name:<13} {value}\n"));
    rows.collect::<String>() + "\n"
}

fn check(args: &JournalArgs) -> Result<ExitCode, Box<dyn Error>> {
    let accounts = accounts(args)?;
    let mut faults = 0;
    for account in &accounts {
        let beside = account.shards_beside();
        let faulty = !account.damage.is_empty() || beside.as_ref().is_some_and(Result::is_err);
        faults += usize::from(faulty);
        if !args.json {
            let shards = match beside {
                None => String::new(),
                Some(Ok(found)) => format!("; {found}"),
                Some(Err(why)) => format!("; {why}"),
            };
            let path = account.path.to_string_lossy();
            let (path, records) = (printable_line(&path), account.records);
            print(&format!("{path}: {records} records, {}{shards}\n", account.state()))?;
        }
    }
    if args.json {
        print(&json_lines(&accounts))?;
    }
    Ok(if faults > 0 { ExitCode::from(DAMAGED) } else { ExitCode::SUCCESS })
}

fn is_whole(part: &Path) -> bool {
    journal::examine(part, |_| ()).is_ok_and(|found| found.damage.is_empty())
}

fn repair(args: &RepairArgs) -> Result<ExitCode, Box<dyn Error>> {
    if parts(&args.journal)?.iter().any(|part| one_to_one::of_journal(part).is_some()) {
        let path = args.journal.display();
        return Err(format!(
            "{path}: the marker beside it holds its digest: do the input again, with --overwrite"
        )
        .into());
    }
    if OutputFolder::has_shards(&args.journal)?
        && !parts(&args.journal)?.iter().all(|part| is_whole(part))
    {
        // Left out here, a stored sample's record would not be made again.
        let path = args.journal.display();
        return Err(format!(
            "{path}: there are shards beside it, whose records repairing would lose: give the command that \
             made the folder once more, which keeps what is whole and finds their records again"
        )
        .into());
    }
    let (mut records, mut whole) = (0, true);
    for part in parts(&args.journal)? {
        let (found, aside) = journal::repair(&Disk::system(), &part)?;
        records += found.records;
        if let Some(aside) = aside {
            whole = false;
            let bytes: u64 = found.damage.iter().map(|(from, to)| to - from).sum();
            print(&format!(
                "{}: {} records kept, {bytes} damaged bytes in {} places left out; as it was: {}\n",
                part.display(),
                found.records,
                found.damage.len(),
                aside.display()
            ))?;
        }
    }
    if whole {
        let path = args.journal.display();
        print(&format!("{path}: {records} records, whole; nothing is changed\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a selection rested on.
fn selection(choice: &Choice) -> Value {
    let Choice { measures, group, like, .. } = choice;
    let measures: Vec<Value> = measures.iter().copied().map(shortest).collect();
    json!({ "measures": measures, "group": group, "like": like, "flags": choice.flag_names() })
}

/// The same in words.
fn told(choice: &Choice) -> String {
    let mut told = Vec::new();
    if !choice.measures.is_empty() {
        let measures: Vec<_> = choice.measures.iter().map(|value| format!("{value:.4}")).collect();
        told.push(format!("values {}", measures.join(" ")));
    }
    told.extend(choice.group.map(|group| format!("group {group}")));
    told.extend(choice.like.map(|ticket| format!("like the pair with ticket {ticket}")));
    let flags = choice.flag_names();
    told.extend((!flags.is_empty()).then(|| format!("flagged {}", flags.join(", "))));
    if told.is_empty() { "none".into() } else { told.join("; ") }
}
