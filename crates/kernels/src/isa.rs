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
    Scalar(Scalar),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    AvxVnni(AvxVnni),
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni(Avx512Vnni),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    #[cfg(target_arch = "aarch64")]
    DotProd(DotProd),
    #[cfg(target_arch = "aarch64")]
    I8mm(I8mm),
}

/// A kernel with its arguments.
pub trait Task {
    /// What it gives back.
    type Output;

    /// Runs it on an instruction set. Implementations are `#[inline(always)]`, and so is all that
    /// they hand `arch` on to.
    fn run<A: Arch>(self, arch: A) -> Self::Output;
}

impl Isa {
    /// Plain Rust, which every machine has.
    pub const SCALAR: Self = Self(Set::Scalar(Scalar));

    /// The sets that this machine has, slowest first.
    pub fn available() -> Vec<Self> {
        let sets = [
            Some(Set::Scalar(Scalar)),
            #[cfg(target_arch = "x86_64")]
            Avx2::detect().map(Set::Avx2),
            #[cfg(target_arch = "x86_64")]
            AvxVnni::detect().map(Set::AvxVnni),
            #[cfg(target_arch = "x86_64")]
            Avx512Vnni::detect().map(Set::Avx512Vnni),
            #[cfg(target_arch = "aarch64")]
            Neon::detect().map(Set::Neon),
            #[cfg(target_arch = "aarch64")]
            DotProd::detect().map(Set::DotProd),
            #[cfg(target_arch = "aarch64")]
            I8mm::detect().map(Set::I8mm),
        ];
        sets.into_iter().flatten().map(Self).collect()
    }

    /// The names of all sets that this build knows, slowest first.
    pub fn known() -> Vec<&'static str> {
        let names = [
            Scalar::NAME,
            #[cfg(target_arch = "x86_64")]
            Avx2::NAME,
            #[cfg(target_arch = "x86_64")]
            AvxVnni::NAME,
            #[cfg(target_arch = "x86_64")]
            Avx512Vnni::NAME,
            #[cfg(target_arch = "aarch64")]
            Neon::NAME,
            #[cfg(target_arch = "aarch64")]
            DotProd::NAME,
            #[cfg(target_arch = "aarch64")]
            I8mm::NAME,
        ];
        names.to_vec()
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
        struct Name;
        impl Task for Name {
            type Output = &'static str;
            #[inline(always)]
            fn run<A: Arch>(self, _: A) -> &'static str {
                A::NAME
            }
        }
        self.run(Name)
    }

    /// [`Arch::UNIT`] of the set: weights are packed for it.
    pub fn unit(self) -> usize {
        struct Unit;
        impl Task for Unit {
            type Output = usize;
            #[inline(always)]
            fn run<A: Arch>(self, _: A) -> usize {
                A::UNIT
            }
        }
        self.run(Unit)
    }

    /// Runs a kernel.
    #[inline]
    pub fn run<T: Task>(self, task: T) -> T::Output {
        match self.0 {
            Set::Scalar(set) => task.run(set),
            // SAFETY: the machine has the features: `set` proves it.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(set) => unsafe { run_avx2(set, task) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni(set) => unsafe { run_avxvnni(set, task) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni(set) => unsafe { run_avx512vnni(set, task) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::Neon(set) => unsafe { run_neon(set, task) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::DotProd(set) => unsafe { run_dotprod(set, task) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::I8mm(set) => unsafe { run_i8mm(set, task) },
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
#[target_feature(enable = "avx2,fma,bmi1,bmi2")]
fn run_avx2<T: Task>(set: Avx2, task: T) -> T::Output {
    task.run(set)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,avxvnni")]
fn run_avxvnni<T: Task>(set: AvxVnni, task: T) -> T::Output {
    task.run(set)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn run_avx512vnni<T: Task>(set: Avx512Vnni, task: T) -> T::Output {
    task.run(set)
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn run_neon<T: Task>(set: Neon, task: T) -> T::Output {
    task.run(set)
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon,dotprod")]
fn run_dotprod<T: Task>(set: DotProd, task: T) -> T::Output {
    task.run(set)
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn run_i8mm<T: Task>(set: I8mm, task: T) -> T::Output {
    task.run(set)
}
