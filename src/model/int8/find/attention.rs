//! A softmax between two products of activations.

use tract_onnx::pb::NodeProto;

use super::Search;
use crate::model::int8::operators::AttentionOfTensors;
use crate::model::onnx::lower::int;

/// An attention in a graph.
struct FoundAttention {
    query: String,
    /// Transposed.
    key: String,
    value: String,
    mask: Option<String>,
    scale: f32,
    output: String,
}

impl Search {
    /// Finds and places them all.
    pub(super) fn find_attention(&mut self) {
        let found: Vec<_> =
            self.nodes.iter().flatten().filter_map(|node| self.attention(node)).collect();
        for attention in found {
            let FoundAttention { query, key, value, mask, scale, output } = attention;
            let inputs: Vec<&str> =
                [&query, &key, &value].into_iter().chain(&mask).map(String::as_str).collect();
            let operator = AttentionOfTensors { isa: self.isa, scale };
            self.place(&output, &inputs, operator);
        }
    }

    fn attention(&self, softmax: &NodeProto) -> Option<FoundAttention> {
        if softmax.op_type != "Softmax" || int(softmax, "axis", -1) != -1 {
            return None;
        }
        let (_, product) = self.only_reader_of(&softmax.output[0], "MatMul")?;
        let value = (product.input[0] == softmax.output[0]).then(|| product.input[1].clone())?;
        let scores = softmax.input[0].as_str();
        let (mask, (query, key, scale)) = match self.maker_of(scores, "Add") {
            Some((_, sum)) => {
                let [a, b] = &sum.input[..] else { return None };
                match (self.scores(a), self.scores(b)) {
                    (Some(scores), None) => (Some(b.clone()), scores),
                    (None, Some(scores)) => (Some(a.clone()), scores),
                    _ => return None,
                }
            }
            None => (None, self.scores(scores)?),
        };
        let output = product.output[0].clone();
        Some(FoundAttention { query, key, value, mask, scale, output })
    }

    /// `scale * query @ key`, where the factors may stand before or behind the product.
    fn scores(&self, name: &str) -> Option<(String, String, f32)> {
        let (name, scale) = self.unscaled(name);
        let (_, product) = self.maker_of(name, "MatMul")?;
        self.only_reader(name)?;
        let [query, key] = &product.input[..] else { return None };
        if self.weight_dims(query).is_some() || self.weight_dims(key).is_some() {
            return None;
        }
        let (query, query_scale) = self.unscaled(query);
        let (key, key_scale) = self.unscaled(key);
        Some((query.to_owned(), key.to_owned(), scale * query_scale * key_scale))
    }

    /// What `name` is a multiple of, and the factor.
    fn unscaled<'a>(&'a self, name: &'a str) -> (&'a str, f32) {
        let found = || {
            self.only_reader(name)?;
            let (_, node) = self.maker(name)?;
            let (of, number) = self.with_number(node)?;
            match node.op_type.as_str() {
                "Mul" => Some((of, number)),
                "Div" if node.input[0] == of => Some((of, 1.0 / number)),
                _ => None,
            }
        };
        found().unwrap_or((name, 1.0))
    }
}
