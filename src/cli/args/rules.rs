//! The rules in front of the model: what `filter`, `score`, `capture` and `calibrate` share.

use clap::Args as ClapArgs;
use pairgate_core::language::{Language, Languages};

use crate::cli::args::RulesArg;
use crate::cli::args::headings::PASSES;

/// The rules in front of the model.
#[derive(Debug, Clone, ClapArgs)]
pub struct RuleArgs {
    /// Cheap rules first.
    ///
    /// They are in front of the model. Default: the config's, else basic. The options below change
    /// single ones.
    #[arg(long, value_enum, value_name = "RULES", help_heading = PASSES)]
    pub rules: Option<RulesArg>,
    /// Shortest side of a picture in pixels; 0: any.
    ///
    /// Default: the config's, else 200.
    #[arg(long, value_name = "PX", help_heading = PASSES)]
    pub min_side: Option<u32>,
    /// Fewest words in a caption; 0: any.
    ///
    /// Words are what white space divides. Default: the config's, else 3.
    #[arg(long, value_name = "N", help_heading = PASSES)]
    pub min_words: Option<u32>,
    /// Most words in a caption; 0: any.
    ///
    /// Default: the config's, else any.
    #[arg(long, value_name = "N", help_heading = PASSES)]
    pub max_words: Option<u32>,
    /// Languages of captions, such as en,de; or any.
    ///
    /// Known are ar, de, en, es, fr, hi, it, ja, ko, nl, pt, ru, sv, tr, vi and zh; a caption in
    /// another language is in none of them, or is taken for one that is close. Default: the config's,
    /// else any.
    #[arg(
        long,
        value_name = "CODE,..",
        value_delimiter = ',',
        value_parser = language,
        help_heading = PASSES
    )]
    pub language: Vec<LanguageArg>,
}

/// What `--language` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LanguageArg {
    /// Any of them, and those that are not known.
    Any,
    One(Language),
}

impl RuleArgs {
    /// The languages that were said; `None` where none were.
    pub fn languages(&self) -> Option<Languages> {
        let is_any = self.language.contains(&LanguageArg::Any);
        let add = |languages: Languages, arg: &LanguageArg| match arg {
            LanguageArg::One(language) if !is_any => languages.with(*language),
            _ => languages,
        };
        let said = !self.language.is_empty();
        said.then(|| self.language.iter().fold(Languages::ANY, add))
    }
}

fn language(text: &str) -> Result<LanguageArg, String> {
    match text.trim() {
        "any" => Ok(LanguageArg::Any),
        code => Language::of_code(code)
            .map(LanguageArg::One)
            .ok_or_else(|| format!("not known: it must be any, or {}", Language::EXPECTED)),
    }
}
