//! Instruction sets: which the machine has, which one is used, and how a kernel is run on it.

use std::fmt;
use std::sync::OnceLock;

use super::arch::{Arch, scalar::Scalar};
#[cfg(target_arch = "x86_64")]
use super::arch::{avx2::Avx2, avx512::Avx512Vnni, vnni256::AvxVnni};
#[cfg(target_arch = "aarch64")]
use super::arch::{dotprod::DotProd, i8mm::I8mm, neon::Neon};

/// Environment variable that lowers the choice: the name of a set.
pub const VARIABLE: &str = "PAIRGATE_ISA";

/// An instruction set that this machine has: it can only be had from [`Isa::available`],
/// [`Isa::chosen`] and [`Isa::SCALAR`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isa(Set);

/// In ascending order of speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Set {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "aarch64")]
    DotProd,
    #[cfg(target_arch = "aarch64")]
    I8mm,
}

/// Every set that this build knows.
const SETS: &[Set] = &[
    Set::Scalar,
    #[cfg(target_arch = "x86_64")]
    Set::Avx2,
    #[cfg(target_arch = "x86_64")]
    Set::AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Set::Avx512Vnni,
    #[cfg(target_arch = "aarch64")]
    Set::Neon,
    #[cfg(target_arch = "aarch64")]
    Set::DotProd,
    #[cfg(target_arch = "aarch64")]
    Set::I8mm,
];

impl Set {
    fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => "avxvnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => "avx512vnni",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Self::DotProd => "dotprod",
            #[cfg(target_arch = "aarch64")]
            Self::I8mm => "i8mm",
        }
    }

    fn is_here(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => Self::Avx2.is_here() && is_x86_feature_detected!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => {
                Self::Avx2.is_here()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(target_arch = "aarch64")]
            Self::DotProd => {
                Self::Neon.is_here() && std::arch::is_aarch64_feature_detected!("dotprod")
            }
            #[cfg(target_arch = "aarch64")]
            Self::I8mm => {
                Self::DotProd.is_here() && std::arch::is_aarch64_feature_detected!("i8mm")
            }
        }
    }
}

/// A kernel with its arguments.
pub trait Task {
    /// What it gives back.
    type Output;

    /// Runs it on an instruction set. Implementations are `#[inline(always)]`, and so is all that
    /// they call with `A`.
    fn run<A: Arch>(self) -> Self::Output;
}

impl Isa {
    /// Plain Rust, which every machine has.
    pub const SCALAR: Self = Self(Set::Scalar);

    /// The sets that this machine has, slowest first.
    pub fn available() -> Vec<Self> {
        SETS.iter().copied().filter(|set| set.is_here()).map(Self).collect()
    }

    /// The names of all sets that this build knows, slowest first.
    pub fn known() -> Vec<&'static str> {
        SETS.iter().map(|set| set.name()).collect()
    }

    /// The set that is used: the fastest that is there, or what `PAIRGATE_ISA` lowers it to. Found
    /// once. A name that the variable has and this machine has not changes nothing, and a log line
    /// says so.
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Isa> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let best = Self::available().pop().unwrap_or(Self::SCALAR);
            let Ok(name) = std::env::var(VARIABLE) else { return best };
            let named = Self::available().into_iter().find(|isa| isa.name() == name);
            named.unwrap_or_else(|| {
                let (known, best_name) = (Self::known().join(", "), best.name());
                log::warn!("{VARIABLE}={name}: this machine has not got it, {best_name} is used; known here: {known}");
                best
            })
        })
    }

    /// Its name, as `PAIRGATE_ISA` takes it.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// [`Arch::UNIT`] of the set: weights are packed for it.
    pub fn unit(self) -> usize {
        struct Unit;
        impl Task for Unit {
            type Output = usize;
            #[inline(always)]
            fn run<A: Arch>(self) -> usize {
                A::UNIT
            }
        }
        self.run(Unit)
    }

    /// Runs a kernel.
    #[inline]
    pub fn run<T: Task>(self, task: T) -> T::Output {
        match self.0 {
            Set::Scalar => task.run::<Scalar>(),
            // SAFETY: an `Isa` exists only for a set that was detected.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { run_avx2(task) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni => unsafe { run_avxvnni(task) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => unsafe { run_avx512vnni(task) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::Neon => unsafe { run_neon(task) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::DotProd => unsafe { run_dotprod(task) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::I8mm => unsafe { run_i8mm(task) },
        }
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<T: Task>(task: T) -> T::Output {
    task.run::<Avx2>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avxvnni")]
fn run_avxvnni<T: Task>(task: T) -> T::Output {
    task.run::<AvxVnni>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn run_avx512vnni<T: Task>(task: T) -> T::Output {
    task.run::<Avx512Vnni>()
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn run_neon<T: Task>(task: T) -> T::Output {
    task.run::<Neon>()
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon,dotprod")]
fn run_dotprod<T: Task>(task: T) -> T::Output {
    task.run::<DotProd>()
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn run_i8mm<T: Task>(task: T) -> T::Output {
    task.run::<I8mm>()
}
