//! Layer norms, as one operator or spelled out as older exporters do.

use tract_onnx::pb::NodeProto;

use super::Search;
use crate::model::int8::operators::NormWeights;
use crate::model::onnx::lower::{float, input, int, ints};

/// A layer norm in a graph, along the last axis.
#[derive(Debug, Clone)]
pub(super) struct FoundNorm {
    pub(super) input: String,
    pub(super) weights: super::Shared<NormWeights>,
}

impl Search {
    /// Finds them all.
    pub(super) fn find_norms(&mut self) {
        let found: Vec<_> =
            self.nodes.iter().flatten().filter_map(|node| self.norm(node)).collect();
        self.norms.extend(found);
    }

    fn norm(&self, node: &NodeProto) -> Option<(String, FoundNorm)> {
        match node.op_type.as_str() {
            "LayerNormalization" => self.whole_norm(node),
            "Sqrt" => self.spelled_norm(node),
            _ => None,
        }
    }

    fn whole_norm(&self, node: &NodeProto) -> Option<(String, FoundNorm)> {
        let gain = self.values(input(node, 1)?)?;
        let bias = match input(node, 2) {
            Some(name) => self.values(name)?.data,
            None => vec![0.0; gain.data.len()],
        };
        let last =
            int(node, "axis", -1) == -1 && gain.dims.len() == 1 && bias.len() == gain.data.len();
        let epsilon = float(node, "epsilon", 1e-5);
        let weights = NormWeights { gain: gain.data, bias, epsilon };
        let input = node.input[0].clone();
        last.then(|| {
            (node.output[0].clone(), FoundNorm { input, weights: super::Shared::new(weights) })
        })
    }

    /// `d = x - mean(x); d / sqrt(mean(d^2) + epsilon) * gain + bias`
    fn spelled_norm(&self, sqrt: &NodeProto) -> Option<(String, FoundNorm)> {
        let (_, sum) = self.maker_of(&sqrt.input[0], "Add")?;
        let (variance, epsilon) = self.with_number(sum)?;
        let (_, mean) = self.maker_of(variance, "ReduceMean")?;
        let (_, square) = self.along_last(mean).then(|| self.maker(&mean.input[0]))??;
        let squared = match square.op_type.as_str() {
            "Pow" => self.number(&square.input[1])? == 2.0,
            "Mul" => square.input[0] == square.input[1],
            _ => false,
        };
        let difference = squared.then(|| square.input[0].as_str())?;
        let (_, sub) = self.maker_of(difference, "Sub")?;
        let (_, mean) = self.maker_of(&sub.input[1], "ReduceMean")?;
        let x = (self.along_last(mean) && mean.input[0] == sub.input[0])
            .then(|| sub.input[0].clone())?;
        let (_, quotient) = self.only_reader_of(&sqrt.output[0], "Div")?;
        let quotient = (quotient.input[0] == difference).then(|| quotient.output[0].as_str())?;
        let (_, scaled) = self.only_reader_of(quotient, "Mul")?;
        let gain = self.values(Self::other(scaled, quotient)?)?;
        let (_, moved) = self.only_reader_of(&scaled.output[0], "Add")?;
        let bias = self.values(Self::other(moved, &scaled.output[0])?)?;
        let fits = gain.dims.last() == Some(&gain.data.len()) && gain.data.len() == bias.data.len();
        let weights = NormWeights { gain: gain.data, bias: bias.data, epsilon };
        fits.then(|| {
            (moved.output[0].clone(), FoundNorm { input: x, weights: super::Shared::new(weights) })
        })
    }

    /// Whether a reduction is along the last axis and keeps it.
    fn along_last(&self, node: &NodeProto) -> bool {
        let axes = match input(node, 1) {
            Some(name) => self.values(name).map(|v| v.data.iter().map(|a| *a as i64).collect()),
            None => Some(ints(node, "axes").to_vec()),
        };
        axes.is_some_and(|axes| axes == [-1]) && int(node, "keepdims", 1) == 1
    }
}
