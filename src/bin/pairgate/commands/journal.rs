//! `pairgate journal`: looks into decision journals, and brings damaged ones back.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pairgate::decision::Verdict;
use pairgate::error::RunError;
use pairgate::printable::printable_line;
use pairgate::score_text::shortest;
use pairgate::sink::journal::OwnedRecord;
use pairgate::sink::output::OutputFolder;
use pairgate::sink::salvage::{self, Found, Part, Salvage};
use pairgate::stats::Counts;
use pairgate::wire;
use serde_json::{Map, Value, json};

use crate::args::{CatArgs, JournalArgs, JournalCommand, RepairArgs};
use crate::summary::print;

/// Exit code: a journal is damaged.
const DAMAGED: u8 = 1;

/// Runs the command.
pub fn run(command: &JournalCommand) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        JournalCommand::Ls(args) => ls(args),
        JournalCommand::Cat(args) => cat(args),
        JournalCommand::Check(args) => check(args),
        JournalCommand::Repair(args) => repair(args),
    }
}

/// A folder stands for the journal in it.
pub fn journal_in(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(OutputFolder::JOURNAL) } else { path.to_owned() }
}

/// The same where other inputs are possible: a folder without a journal, or a file of another name,
/// is none.
pub fn journal_at(path: &Path) -> Option<PathBuf> {
    let journal = journal_in(path);
    let named = journal.extension().is_some_and(|extension| extension == "pairgate");
    (named && (journal.is_file() || !path.is_dir())).then_some(journal)
}

/// What a journal comes to.
struct Account {
    path: PathBuf,
    header: wire::Header,
    counts: Counts,
    found: Found,
}

impl Account {
    fn of(path: &Path) -> Result<Self, RunError> {
        let path = journal_in(path);
        let header = *Salvage::open(&path)?.header();
        let mut counts = Counts::default();
        let found = salvage::examine(&path, |record| counts.add(&record.decision()))?;
        Ok(Self { path, header, counts, found })
    }

    fn json(&self) -> Value {
        let reasons = |verdict| -> Map<String, Value> {
            let rows = self.counts.reasons(verdict);
            rows.map(|(reason, count)| (reason.name().to_owned(), count.into())).collect()
        };
        json!({
            "journal": self.path.display().to_string(),
            "records": self.found.records,
            "kept": self.counts.total(Verdict::Kept),
            "rejected": self.counts.total(Verdict::Rejected),
            "failed": self.counts.total(Verdict::Failed),
            "kept_reasons": reasons(Verdict::Kept),
            "rejected_reasons": reasons(Verdict::Rejected),
            "failed_reasons": reasons(Verdict::Failed),
            "threshold": self.header.threshold.map(shortest),
            "follow": self.header.follow,
            "model_digest": self.header.model.to_string(),
            "config_digest": self.header.config.to_string(),
            "damage": self.found.damage,
        })
    }

    fn state(&self) -> String {
        match self.found.damage.as_slice() {
            [] => "whole".into(),
            damage => {
                let bytes: u64 = damage.iter().map(|(from, to)| to - from).sum();
                let (places, first) = (damage.len(), damage[0].0);
                format!("DAMAGED: {bytes} bytes in {places} places, the first at byte {first}")
            }
        }
    }
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
        let threshold = match (account.header.follow, account.header.threshold) {
            (Some(_), _) => "followed".into(),
            (None, threshold) => threshold.map_or("-".into(), |t| format!("{t:.4}")),
        };
        format!(
            "{:>10} {:>10} {:>10} {:>10} {threshold:>9}  {}  {}{}\n",
            account.found.records,
            total(Verdict::Kept),
            total(Verdict::Rejected),
            total(Verdict::Failed),
            &account.header.model.to_string()[..12],
            printable_line(&account.path.to_string_lossy()),
            if account.found.damage.is_empty() { "" } else { " (damaged)" },
        )
    });
    print(&rows.fold(head, |text, row| text + &row))?;
    Ok(ExitCode::SUCCESS)
}

fn accounts(args: &JournalArgs) -> Result<Vec<Account>, RunError> {
    args.journals.iter().map(|path| Account::of(path)).collect()
}

fn json_lines(accounts: &[Account]) -> String {
    accounts.iter().map(|account| format!("{}\n", account.json())).collect()
}

fn cat(args: &CatArgs) -> Result<ExitCode, Box<dyn Error>> {
    let mut code = ExitCode::SUCCESS;
    for path in &args.journals {
        let path = journal_in(path);
        let mut salvage = Salvage::open(&path)?;
        while let Some(part) = salvage.next_part()? {
            match part {
                Part::Whole(record)
                    if args.reason.as_deref().is_none_or(|r| r == record.reason.name()) =>
                {
                    print(&(line(&record).to_string() + "\n"))?;
                }
                Part::Whole(_) => {}
                Part::Damage { from, to } => {
                    log::warn!("{}: bytes {from} to {to} are damaged", path.display());
                    code = ExitCode::from(DAMAGED);
                }
            }
        }
    }
    Ok(code)
}

fn line(record: &OwnedRecord) -> Value {
    let facts = record.facts;
    let mut line = json!({
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
    line
}

fn check(args: &JournalArgs) -> Result<ExitCode, Box<dyn Error>> {
    let accounts = accounts(args)?;
    let mut faults = 0;
    for account in &accounts {
        let beside = shards_beside(account);
        let faulty =
            !account.found.damage.is_empty() || beside.as_ref().is_some_and(Result::is_err);
        faults += usize::from(faulty);
        if !args.json {
            let shards = match beside {
                None => String::new(),
                Some(Ok(samples)) => format!("; its shards hold the {samples} kept pairs"),
                Some(Err(why)) => format!("; {why}"),
            };
            let path = account.path.to_string_lossy();
            let (path, records) = (printable_line(&path), account.found.records);
            print(&format!("{path}: {records} records, {}{shards}\n", account.state()))?;
        }
    }
    if args.json {
        print(&json_lines(&accounts))?;
    }
    Ok(if faults > 0 { ExitCode::from(DAMAGED) } else { ExitCode::SUCCESS })
}

/// Whether the shards beside the journal hold as many samples as it has kept pairs; `None` where
/// there are none.
fn shards_beside(account: &Account) -> Option<Result<u64, String>> {
    let names = std::fs::read_dir(account.path.parent()?).ok()?;
    let samples = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.ok()?.path();
        let is_stats = path.to_str().is_some_and(|name| name.ends_with("_stats.json"));
        let text = is_stats.then(|| std::fs::read(path).ok()).flatten()?;
        serde_json::from_slice::<Value>(&text).ok()?["successes"].as_u64()
    };
    let shards: Vec<u64> = names.filter_map(samples).collect();
    let (stored, kept) = (shards.iter().sum(), account.counts.total(Verdict::Kept));
    match shards.is_empty() {
        true => None,
        false if stored == kept => Some(Ok(stored)),
        false => Some(Err(format!("its shards hold {stored} samples, {kept} pairs were kept"))),
    }
}

fn repair(args: &RepairArgs) -> Result<ExitCode, Box<dyn Error>> {
    let path = journal_in(&args.journal);
    let backup = path.with_extension("damaged");
    let found = salvage::repair(&path, &backup)?;
    let text = if found.damage.is_empty() {
        format!("{}: {} records, whole; nothing is changed\n", path.display(), found.records)
    } else {
        let bytes: u64 = found.damage.iter().map(|(from, to)| to - from).sum();
        format!(
            "{}: {} records kept, {bytes} damaged bytes in {} places left out; as it was: {}\n",
            path.display(),
            found.records,
            found.damage.len(),
            backup.display()
        )
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
