//! GELUs and gates, which exporters spell out in elementary operators, and functions of one value
//! that the engine would leave to kernels of its own.

use pairgate_kernels::Activation;
use tract_onnx::pb::NodeProto;

use super::Search;
use crate::model::onnx::lower::float;

/// How far a constant of a quantized graph may be from the number that it stands for.
const TOLERANCE: f32 = 0.01;

/// An activation in a graph.
#[derive(Debug, Clone)]
pub(super) struct FoundActivation {
    pub(super) input: String,
    /// How often its nodes read the input.
    pub(super) reads: usize,
    pub(super) activation: Activation,
}

/// What a function is taken of, how often that is read, and where its result goes on.
struct Match {
    input: String,
    output: String,
    reads: usize,
}

fn is(number: f32, wanted: f32) -> bool {
    (number / wanted - 1.0).abs() < TOLERANCE
}

impl Search {
    /// Finds them all; longer forms go before what they are made of.
    pub(super) fn find_activations(&mut self) {
        let results: Vec<_> =
            self.nodes.iter().flatten().filter_map(|node| self.activation(node)).collect();
        for (output, found) in results {
            self.activation_of.insert(found.input.clone(), output.clone());
            let longer = self.activations.get(&output).is_none_or(|old| old.reads < found.reads);
            if longer {
                self.activations.insert(output, found);
            }
        }
        // A function inside a longer form is found too; the longer form is what counts.
        let inputs: Vec<(String, String)> = self
            .activations
            .iter()
            .map(|(output, found)| (found.input.clone(), output.clone()))
            .collect();
        for (input, output) in inputs {
            let reads =
                |output: &String| self.activations.get(output).map_or(0, |found| found.reads);
            let best = self.activation_of.get(&input).map_or(0, reads);
            if reads(&output) > best {
                self.activation_of.insert(input, output);
            }
        }
    }

    /// The activation that `node` is the heart of, and the name of its result.
    fn activation(&self, node: &NodeProto) -> Option<(String, FoundActivation)> {
        let whole = |activation| {
            let input = node.input.first()?.clone();
            Some((Match { input, output: node.output[0].clone(), reads: 1 }, activation))
        };
        let (found, activation) = match node.op_type.as_str() {
            "Relu" => whole(Activation::Relu),
            "Tanh" => self.tanh_gelu(node).or_else(|| whole(Activation::Tanh)),
            "HardSwish" => whole(Activation::HardSwish),
            "HardSigmoid" => {
                let (alpha, beta) = (float(node, "alpha", 0.2), float(node, "beta", 0.5));
                whole(Activation::HardSigmoid { alpha, beta })
            }
            "Gelu" if is_tanh(node) => whole(Activation::GeluTanh),
            "Gelu" => whole(Activation::Gelu),
            "Erf" => self.erf_gelu(node).or_else(|| whole(Activation::Erf)),
            "Sigmoid" => self.gate(node).or_else(|| whole(Activation::Sigmoid)),
            "Exp" => whole(Activation::Exp),
            "Clip" => self.clip(node).and_then(whole),
            _ => None,
        }?;
        let Match { input, output, reads } = found;
        Some((output, FoundActivation { input, reads, activation }))
    }

    fn clip(&self, node: &NodeProto) -> Option<Activation> {
        let bound = |place: usize, none: f32| match node.input.get(place) {
            Some(name) if !name.is_empty() => self.number(name),
            _ => Some(none),
        };
        let low = bound(1, float(node, "min", f32::MIN))?;
        let high = bound(2, float(node, "max", f32::MAX))?;
        Some(if low == 0.0 && high == f32::MAX {
            Activation::Relu
        } else {
            Activation::Clip { low, high }
        })
    }

    /// `x * (1 + erf(x / sqrt(2))) / 2`
    fn erf_gelu(&self, erf: &NodeProto) -> Option<(Match, Activation)> {
        let (_, scaled) = self.maker(&erf.input[0])?;
        let (x, number) = self.with_number(scaled)?;
        let fits = match scaled.op_type.as_str() {
            "Div" => is(number, std::f32::consts::SQRT_2),
            "Mul" => is(number, std::f32::consts::FRAC_1_SQRT_2),
            _ => false,
        };
        let x = x.to_owned();
        let (output, reads) = fits.then(|| self.half_of_one_plus(&erf.output[0], &x))??;
        Some((Match { input: x, output, reads: reads + 1 }, Activation::Gelu))
    }

    /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2`
    fn tanh_gelu(&self, tanh: &NodeProto) -> Option<(Match, Activation)> {
        let (_, outer) = self.maker_of(&tanh.input[0], "Mul")?;
        let (inner, number) = self.with_number(outer)?;
        let (_, sum) = is(number, (2.0 / std::f32::consts::PI).sqrt())
            .then(|| self.maker_of(inner, "Add"))??;
        let cubed = |name: &str| {
            let (_, scaled) = self.maker_of(name, "Mul")?;
            let (cube, number) = self.with_number(scaled)?;
            let (_, power) = is(number, 0.044_715).then(|| self.maker_of(cube, "Pow"))??;
            (self.number(&power.input[1])? == 3.0).then(|| power.input[0].clone())
        };
        let x = sum.input.iter().find_map(|name| cubed(name))?;
        Self::other(sum, &x).or_else(|| sum.input.contains(&x).then_some(""))?;
        let (output, reads) = self.half_of_one_plus(&tanh.output[0], &x)?;
        Some((Match { input: x, output, reads: reads + 2 }, Activation::GeluTanh))
    }

    /// `x * (1 + f) / 2` in any order: the name of the result, and how often it reads `x`.
    fn half_of_one_plus(&self, f: &str, x: &str) -> Option<(String, usize)> {
        let (_, sum) = self.only_reader_of(f, "Add")?;
        let (_, one) = self.with_number(sum)?;
        let sum = is(one, 1.0).then(|| sum.output[0].as_str())?;
        let (_, first) = self.only_reader_of(sum, "Mul")?;
        let other = Self::other(first, sum)?;
        let product = first.output[0].as_str();
        if other != x && self.number(other).is_none() {
            // (x / 2) * (1 + f)
            let (_, halved) = self.maker_of(other, "Mul")?;
            let (of, number) = self.with_number(halved)?;
            return (of == x && is(number, 0.5)).then(|| (product.to_owned(), 1));
        }
        let (_, second) = self.only_reader(product)?;
        let last = match (second.op_type.as_str(), Self::other(second, product)?) {
            // ((1 + f) / 2) * x
            ("Mul", name) if name == x => self.number(other)?,
            ("Mul", name) if other == x => self.number(name)?,
            ("Div", name) if other == x => 1.0 / self.number(name)?,
            _ => return None,
        };
        is(last, 0.5).then(|| (second.output[0].clone(), 1))
    }

    /// `x * sigmoid(x)` and `x * sigmoid(1.702 x)`
    fn gate(&self, sigmoid: &NodeProto) -> Option<(Match, Activation)> {
        let (_, product) = self.only_reader_of(&sigmoid.output[0], "Mul")?;
        let x = Self::other(product, &sigmoid.output[0])?.to_owned();
        let output = product.output[0].clone();
        if sigmoid.input[0] == x {
            return Some((Match { input: x, output, reads: 2 }, Activation::Silu));
        }
        let (_, scaled) = self.maker_of(&sigmoid.input[0], "Mul")?;
        let (of, number) = self.with_number(scaled)?;
        let fits = of == x && is(number, 1.702);
        fits.then_some((Match { input: x, output, reads: 2 }, Activation::QuickGelu))
    }
}

fn is_tanh(node: &NodeProto) -> bool {
    node.attribute.iter().any(|a| a.name == "approximate" && a.s == b"tanh")
}
