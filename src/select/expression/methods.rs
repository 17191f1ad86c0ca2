//! The methods by name, and what each may be told.

/// What a method needs and does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodKind {
    /// A number a pair: it is cut, or part of ranks. Whether high numbers are good.
    Scorer {
        /// `keep` keeps the highest, else the lowest.
        high_is_good: bool,
    },
    /// It keeps a share of the pool by more than one number.
    Pool,
    /// It decides by itself, and takes no cut.
    Whole,
}

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParameterKind {
    /// A number from the first to the second.
    Number(f64, f64),
    /// A whole number from the first to the second.
    Count(f64, f64),
    /// A word.
    Word,
}

/// A parameter of a method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: ParameterKind,
    /// What it is where nothing is said; `None` where the method finds it, or it must be said.
    pub default: Option<f64>,
}

/// A method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// What it does.
    pub kind: MethodKind,
    /// What it may be told.
    pub parameters: &'static [Parameter],
}

impl Spec {
    /// The default of a parameter.
    pub fn default_of(&self, name: &str) -> Option<f64> {
        self.parameters.iter().find(|parameter| parameter.name == name)?.default
    }
}

const fn number(name: &'static str, low: f64, high: f64, default: Option<f64>) -> Parameter {
    Parameter { name, kind: ParameterKind::Number(low, high), default }
}

const fn count(name: &'static str, low: f64, high: f64, default: Option<f64>) -> Parameter {
    Parameter { name, kind: ParameterKind::Count(low, high), default }
}

const fn word(name: &'static str) -> Parameter {
    Parameter { name, kind: ParameterKind::Word, default: None }
}

const GOOD: MethodKind = MethodKind::Scorer { high_is_good: true };
const BAD: MethodKind = MethodKind::Scorer { high_is_good: false };

/// Every method.
pub const METHODS: &[Spec] = &[
    Spec { name: "score", about: "the model's own score", kind: GOOD, parameters: &[] },
    Spec {
        name: "contrast",
        about: "the score against a frozen bank of other pairs (negCLIPLoss)",
        kind: GOOD,
        parameters: &[
            number("tau", 1e-4, 10.0, None),
            count("bank", 1.0, 1e6, Some(4096.0)),
            count("batch", 2.0, 1e9, Some(32_768.0)),
        ],
    },
    Spec {
        name: "targets",
        about: "how near the picture is to target pictures (NormSim)",
        kind: GOOD,
        parameters: &[number("p", 1.0, 1000.0, Some(100.0)), count("k", 0.0, 1e6, Some(0.0))],
    },
    Spec {
        name: "vas",
        about: "the same, squared and summed over all targets (VAS)",
        kind: GOOD,
        parameters: &[],
    },
    Spec {
        name: "prototypes",
        about: "the nearest mean of a few good examples",
        kind: GOOD,
        parameters: &[
            number("tau", 0.0, 1e3, Some(crate::score::prototypes::SHARPNESS)),
            number("alpha", 0.0, 1.0, Some(crate::score::prototypes::SHARE)),
        ],
    },
    Spec {
        name: "linear",
        about: "the probability of being bad, from pairs marked good and bad",
        kind: BAD,
        parameters: &[word("features"), number("penalty", 1e-9, 1e9, Some(0.01))],
    },
    Spec {
        name: "unsafe",
        about: "how much lies in the subspace of unsafe phrases",
        kind: BAD,
        parameters: &[],
    },
    Spec {
        name: "perplexity",
        about: "the caption's perplexity by an n-gram model",
        kind: BAD,
        parameters: &[count("order", 1.0, 5.0, Some(3.0))],
    },
    Spec {
        name: "color",
        about: "how much likelier the caption is under a conditional model (CoLoR)",
        kind: GOOD,
        parameters: &[count("order", 1.0, 5.0, Some(3.0))],
    },
    Spec {
        name: "clusters",
        about: "the farthest of each concept cluster, more of complex ones (DBP)",
        kind: MethodKind::Pool,
        parameters: &[
            count("k", 1.0, 1e6, Some(100.0)),
            number("temperature", 1e-3, 1e3, Some(0.1)),
            number("balance", 0.0, 1.0, Some(0.5)),
            count("neighbours", 1.0, 1e6, Some(20.0)),
            count("rounds", 1.0, 1e4, Some(100.0)),
            count("points", 1.0, 1e9, Some(1_048_576.0)),
        ],
    },
    Spec {
        name: "duplicates",
        about: "none that is like another one of its cluster (SemDeDup)",
        kind: MethodKind::Whole,
        parameters: &[
            number("eps", 0.0, 1.0, Some(0.05)),
            count("k", 1.0, 1e6, Some(100.0)),
            count("ring", 1.0, 1e6, Some(64.0)),
            count("rounds", 1.0, 1e4, Some(100.0)),
            count("points", 1.0, 1e9, Some(1_048_576.0)),
        ],
    },
    Spec {
        name: "sources",
        about: "the best of each source, within quotas",
        kind: MethodKind::Pool,
        parameters: &[
            word("by"),
            number("power", 0.0, 1.0, Some(1.0)),
            count("least", 0.0, 1e15, Some(0.0)),
            number("most", 0.0, 1.0, Some(1.0)),
            count("follow", 0.0, 1.0, Some(0.0)),
        ],
    },
    Spec {
        name: "entries",
        about: "captions drawn so that common entries become rarer (MetaCLIP)",
        kind: MethodKind::Whole,
        parameters: &[number("threshold", 0.0, 1e15, None), number("tail", 0.0, 1.0, Some(0.1))],
    },
];

/// The method with this name.
pub fn spec_of(name: &str) -> Option<&'static Spec> {
    METHODS.iter().find(|spec| spec.name == name)
}
