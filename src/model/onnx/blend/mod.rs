//! Graphs of one shape, averaged: each weight becomes the weighted mean of the numbers that it stands
//! for in each of them. What is stored in int8 is rounded anew, each channel by a scale of its own.

mod names;

use std::collections::{BTreeSet, HashMap};

use names::names;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use super::Graph;
use super::constants::{Kind, Values, dims, kind};
use super::half;
use super::lower::{input, int};
use super::quantize::fold;
use super::rounded::rounded;
use super::survey::survey;
use crate::model::ModelError;

/// How weights may be stored that can be averaged; in other forms the range of the activations belongs
/// to the weights, or codes cannot be made anew.
const FORMS: [&str; 3] = ["quantized weights", "float16", "bfloat16"];

/// What became of the constants of a graph.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::model) struct Averaged {
    /// Float weights that were averaged.
    pub(in crate::model) floats: usize,
    /// Int8 weights that were averaged and rounded anew.
    pub(in crate::model) rounded: usize,
    /// Constants that are the same in all graphs and stayed as they are.
    pub(in crate::model) same: usize,
}

/// The weighted mean of graphs of one shape, with what became of their constants. The first graph gives
/// names and order; those of weight 0 are compared and add nothing, so that a weight of 1 gives its graph
/// back bit for bit.
///
/// # Errors
/// [`ModelError::Blend`] that names the graph and the node or weight that differs.
pub(in crate::model) fn average(
    mut parts: Vec<(Graph, f64)>,
) -> Result<(Graph, Averaged), ModelError> {
    for (graph, _) in &mut parts {
        let file = graph.file().to_owned();
        half::widen(&file, graph.proto_mut())?;
    }
    let others: Vec<Other> = {
        let [(first, _), rest @ ..] = &parts[..] else {
            return Err(refused("nothing", "there is no graph to blend"));
        };
        rest.iter()
            .map(|(graph, weight)| Other::of(first, graph, *weight))
            .collect::<Result<_, _>>()?
    };
    let (mut first, weight) = parts.swap_remove(0);
    let form = survey(&first).quantization.into_keys().find(|form| !FORMS.contains(&form.as_str()));
    let mut mean = Mean { others: &others, weight, form, done: Averaged::default() };
    mean.graph(first.proto_mut())?;
    let done = mean.done;
    Ok((first, done))
}

/// A graph beside the first: its constants by the names that the first has for them.
struct Other {
    file: String,
    weight: f64,
    constants: HashMap<String, TensorProto>,
}

impl Other {
    fn of(first: &Graph, graph: &Graph, weight: f64) -> Result<Self, ModelError> {
        let names = names(first, graph).map_err(|why| refused(graph.file(), why))?;
        let held: HashMap<&str, &TensorProto> =
            graph.proto().initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let mut constants = HashMap::new();
        for tensor in &first.proto().initializer {
            let Some(name) = names.get(tensor.name.as_str()) else { continue };
            let found = held.get(name).ok_or_else(|| {
                refused(graph.file(), format!("{name:?} is no constant, in the first graph it is"))
            })?;
            constants.insert(tensor.name.clone(), (*found).clone());
        }
        Ok(Self { file: graph.file().to_owned(), weight, constants })
    }
}

/// A weight in int8: codes with the constants that give them their meaning.
struct Coded {
    codes: String,
    scale: String,
    zero: Option<String>,
    axis: i64,
    block: i64,
}

impl Coded {
    /// All of a graph, each once.
    fn all(graph: &GraphProto) -> Vec<Self> {
        let held: BTreeSet<&str> =
            graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let of = |node: &NodeProto| {
            let [codes, scale] = [input(node, 0)?, input(node, 1)?];
            (held.contains(codes) && held.contains(scale)).then(|| Self {
                codes: codes.to_owned(),
                scale: scale.to_owned(),
                zero: input(node, 2).map(str::to_owned),
                axis: int(node, "axis", 1),
                block: int(node, "block_size", 0),
            })
        };
        graph.node.iter().filter(|node| node.op_type == "DequantizeLinear").filter_map(of).collect()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        [Some(&self.codes), Some(&self.scale), self.zero.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

/// The mean in the making.
struct Mean<'a> {
    others: &'a [Other],
    /// The first graph's.
    weight: f64,
    /// A form of quantization that does not allow it.
    form: Option<String>,
    done: Averaged,
}

impl Mean<'_> {
    fn graph(&mut self, graph: &mut GraphProto) -> Result<(), ModelError> {
        let coded = Coded::all(graph);
        let mut reads: HashMap<&str, usize> = HashMap::new();
        for name in graph.node.iter().flat_map(|node| &node.input) {
            *reads.entry(name).or_default() += 1;
        }
        let place: HashMap<String, usize> =
            graph.initializer.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
        let mut of_coded = BTreeSet::new();
        for one in &coded {
            of_coded.extend(one.names().map(str::to_owned));
            if one
                .names()
                .all(|name| place.get(name).is_none_or(|at| self.is_same(&graph.initializer[*at])))
            {
                self.done.same += 1;
                continue;
            }
            if [&one.codes, &one.scale].into_iter().any(|name| reads.get(name.as_str()) != Some(&1))
            {
                return Err(self.differs(&one.codes, "it is read in two ways"));
            }
            let made = self.coded(graph, one, &place)?;
            for tensor in made {
                let at = place[&tensor.name];
                graph.initializer[at] = tensor;
            }
            self.done.rounded += 1;
        }
        for tensor in graph.initializer.iter_mut().filter(|tensor| !of_coded.contains(&tensor.name))
        {
            if self.is_same(tensor) {
                self.done.same += 1;
            } else {
                *tensor = self.float(tensor)?;
                self.done.floats += 1;
            }
        }
        Ok(())
    }

    /// Whether all graphs that count hold the same, in the same form; or it is read by nothing.
    fn is_same(&self, tensor: &TensorProto) -> bool {
        let same = |other: &Other| {
            other.constants.get(&tensor.name).is_none_or(|held| {
                (kind(held), dims(held)) == (kind(tensor), dims(tensor))
                    && bits(held) == bits(tensor)
            })
        };
        self.others.iter().all(same)
    }

    /// The mean of a float weight.
    fn float(&self, tensor: &TensorProto) -> Result<TensorProto, ModelError> {
        let name = &tensor.name;
        let all = self.tensors(name, tensor)?;
        if let Some(whole) = self.only(&all) {
            return Ok(TensorProto { name: name.clone(), ..whole.clone() });
        }
        if kind(tensor) != Ok(Kind::F32) {
            return Err(self.differs(name, "it is no float weight, and not the same in all"));
        }
        if tensor.dims.is_empty() {
            return Err(self.differs(name, "it is a constant, no weight, and not the same in all"));
        }
        self.may_average(name)?;
        let values = all.iter().map(|tensor| Values::read(tensor)).collect::<Result<Vec<_>, _>>();
        let values = values.map_err(|why| self.differs(name, &why))?;
        let mean = self.mean(&values);
        Ok(mean.into_tensor(name))
    }

    /// The mean of an int8 weight: its codes and scales.
    fn coded(
        &self,
        graph: &GraphProto,
        one: &Coded,
        place: &HashMap<String, usize>,
    ) -> Result<Vec<TensorProto>, ModelError> {
        let held = |name: &str| {
            let tensor = place.get(name).map(|at| &graph.initializer[*at]);
            let tensor = tensor.ok_or_else(|| self.differs(name, "it is no constant"))?;
            self.tensors(name, tensor)
        };
        let (codes, scales) = (held(&one.codes)?, held(&one.scale)?);
        let zeros = one.zero.as_deref().map(held).transpose()?;
        if let (Some(code), Some(scale)) = (self.only(&codes), self.only(&scales)) {
            let zero = zeros.as_deref().and_then(|zeros| self.only(zeros));
            let named = |tensor: &TensorProto, name: &String| TensorProto {
                name: name.clone(),
                ..tensor.clone()
            };
            let zero = zero.zip(one.zero.as_ref()).map(|(tensor, name)| named(tensor, name));
            return Ok([named(code, &one.codes), named(scale, &one.scale)]
                .into_iter()
                .chain(zero)
                .collect());
        }
        self.may_average(&one.codes)?;
        let read = |tensor: &TensorProto| {
            Values::read(tensor).map_err(|why| self.differs(&one.codes, &why))
        };
        let mut real = Vec::new();
        for (i, code) in codes.iter().enumerate() {
            let zero = zeros.as_ref().map(|zeros| read(zeros[i])).transpose()?;
            let symmetric = zero.is_none_or(|zero| zero.data.iter().all(|zero| *zero == 0.0));
            if kind(code) != Ok(Kind::I8) || one.block != 0 || !symmetric {
                return Err(self.differs(&one.codes, "its codes are not symmetric int8, each channel by one scale: blend the float bundles"));
            }
            let folded = fold(read(code)?, &read(scales[i])?, None, one.axis, 0);
            real.push(folded.map_err(|why| self.differs(&one.codes, &why))?);
        }
        let mean = self.mean(&real);
        let scale = read(scales[0])?;
        let (dims, axis) = self.channels(one, &mean, &scale)?;
        let (new_codes, new_scales) = rounded(&mean.data, &dims, axis);
        let coded = TensorProto {
            raw_data: new_codes.into_iter().map(|code| code as u8).collect(),
            int32_data: Vec::new(),
            name: one.codes.clone(),
            ..codes[0].clone()
        };
        let scale = Values { dims: scale.dims, data: new_scales }.into_tensor(&one.scale);
        Ok(vec![coded, scale])
    }

    /// The axes and the one among them along which an int8 weight has its scales.
    fn channels(
        &self,
        one: &Coded,
        mean: &Values,
        scale: &Values,
    ) -> Result<(Vec<usize>, usize), ModelError> {
        if scale.data.len() == 1 {
            return Ok((vec![1, mean.data.len()], 0));
        }
        let rank = mean.dims.len() as i64;
        let axis = if one.axis < 0 { one.axis + rank } else { one.axis };
        let fits = usize::try_from(axis)
            .ok()
            .filter(|axis| mean.dims.get(*axis) == Some(&scale.data.len()));
        let axis =
            fits.ok_or_else(|| self.differs(&one.codes, "its scales do not fit its axis"))?;
        Ok((mean.dims.clone(), axis))
    }

    /// A constant in each graph, the first's first.
    fn tensors<'t>(
        &'t self,
        name: &str,
        first: &'t TensorProto,
    ) -> Result<Vec<&'t TensorProto>, ModelError> {
        let mut all = vec![first];
        for other in self.others {
            let held =
                other.constants.get(name).ok_or_else(|| self.differs(name, "it is missing"))?;
            if kind(held) != kind(first) || dims(held) != dims(first) {
                let why = format!(
                    "the weight {name:?} is {} there, and {} in the first graph",
                    shape(held),
                    shape(first)
                );
                return Err(refused(&other.file, why));
            }
            all.push(held);
        }
        Ok(all)
    }

    /// The one that counts, where only one does.
    fn only<'t>(&self, all: &[&'t TensorProto]) -> Option<&'t TensorProto> {
        let mut counting = self.weights().zip(all).filter(|(weight, _)| *weight != 0.0);
        let (_, found) = counting.next()?;
        counting.next().is_none().then_some(*found)
    }

    fn weights(&self) -> impl Iterator<Item = f64> {
        std::iter::once(self.weight).chain(self.others.iter().map(|other| other.weight))
    }

    /// The weighted mean, place by place, in f64.
    fn mean(&self, all: &[Values]) -> Values {
        let at = |i: usize| -> f64 {
            self.weights().zip(all).map(|(weight, values)| weight * f64::from(values.data[i])).sum()
        };
        let data = (0..all[0].data.len()).map(|i| at(i) as f32).collect();
        Values { dims: all[0].dims.clone(), data }
    }

    fn may_average(&self, name: &str) -> Result<(), ModelError> {
        match &self.form {
            None => Ok(()),
            Some(form) => Err(self.differs(
                name,
                &format!("the graphs are quantized ({form}), with ranges that belong to their own weights: blend the float bundles, then `pairgate model quantize`"),
            )),
        }
    }

    fn differs(&self, name: &str, why: &str) -> ModelError {
        let file = self.others.first().map_or("", |other| other.file.as_str());
        refused(file, format!("the weight {name:?}: {why}"))
    }
}

fn refused(file: &str, why: impl Into<String>) -> ModelError {
    ModelError::Blend { what: file.to_owned(), why: why.into() }
}

/// Type and axes, for errors.
fn shape(tensor: &TensorProto) -> String {
    let kind = kind(tensor).map_or_else(|why| why, |kind| format!("{kind:?}"));
    format!("{kind} {:?}", tensor.dims)
}

/// The values of a constant, however its fields hold them.
fn bits(tensor: &TensorProto) -> Vec<u8> {
    if !tensor.raw_data.is_empty() {
        return tensor.raw_data.clone();
    }
    let mut bytes = Vec::new();
    match kind(tensor) {
        Ok(Kind::F32) => tensor.float_data.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Ok(Kind::F64) => tensor.double_data.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Ok(Kind::I64) => tensor.int64_data.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Ok(Kind::I8 | Kind::U8 | Kind::Bool) => {
            bytes.extend(tensor.int32_data.iter().map(|x| *x as u8));
        }
        _ => tensor.int32_data.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
    }
    bytes
}
