//! Whether two graphs compute the same of their weights, and what one calls the names of the other.

use std::collections::{BTreeSet, HashMap};

use tract_onnx::pb::{AttributeProto, NodeProto};

use crate::model::onnx::{Graph, Port};

/// What each name of the first graph is called in another one: exporters number names as they come.
///
/// # Errors
/// A text that names the first thing that differs: inputs, outputs, the number of nodes, a node.
pub(super) fn names<'a>(
    first: &'a Graph,
    other: &'a Graph,
) -> Result<HashMap<&'a str, &'a str>, String> {
    let (a, b) = (first.proto(), other.proto());
    same_ports(&first.inputs(), &other.inputs(), "inputs")?;
    same_ports(&first.outputs(), &other.outputs(), "outputs")?;
    if a.node.len() != b.node.len() {
        let (ours, theirs) = (a.node.len(), b.node.len());
        return Err(format!(
            "it has {theirs} nodes, the first graph has {ours}: networks of one shape, exported alike \
             and all or none of them quantized, can be blended"
        ));
    }
    let mut bound = Bound::default();
    for (one, two) in a.input.iter().zip(&b.input).chain(a.output.iter().zip(&b.output)) {
        bound.bind(&one.name, &two.name)?;
    }
    for (place, (one, two)) in a.node.iter().zip(&b.node).enumerate() {
        let refused = |why: String| format!("node {place} ({}): {why}", two.op_type);
        alike(one, two).map_err(refused)?;
        let inputs = one.input.iter().zip(&two.input);
        for (one, two) in inputs.chain(one.output.iter().zip(&two.output)) {
            bound.bind(one, two).map_err(refused)?;
        }
    }
    Ok(bound.there)
}

fn same_ports(ours: &[Port], theirs: &[Port], what: &str) -> Result<(), String> {
    let kinds = |ports: &[Port]| -> Vec<_> {
        ports.iter().map(|port| (port.element_type.clone(), port.dims.clone())).collect()
    };
    match kinds(ours) == kinds(theirs) {
        true => Ok(()),
        false => Err(format!("its {what} are not those of the first graph")),
    }
}

/// Names bound to each other, one to one.
#[derive(Default)]
struct Bound<'a> {
    there: HashMap<&'a str, &'a str>,
    back: HashMap<&'a str, &'a str>,
}

impl<'a> Bound<'a> {
    fn bind(&mut self, one: &'a str, two: &'a str) -> Result<(), String> {
        let same = *self.there.entry(one).or_insert(two) == two
            && *self.back.entry(two).or_insert(one) == one;
        same.then_some(()).ok_or_else(|| format!("{two:?} stands where the first has {one:?}"))
    }
}

/// Whether two nodes compute the same of their inputs.
fn alike(one: &NodeProto, two: &NodeProto) -> Result<(), String> {
    if (&one.op_type, &one.domain) != (&two.op_type, &two.domain) {
        return Err(format!("the first graph has {} there", one.op_type));
    }
    if (one.input.len(), one.output.len()) != (two.input.len(), two.output.len()) {
        return Err("it has not as many inputs and outputs as in the first graph".into());
    }
    let said = |node: &NodeProto| -> HashMap<String, AttributeProto> {
        node.attribute.iter().map(|attribute| (attribute.name.clone(), plain(attribute))).collect()
    };
    let (ours, theirs) = (said(one), said(two));
    let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    match keys.into_iter().find(|key| ours.get(*key) != theirs.get(*key)) {
        Some(key) => Err(format!("its {key} is not that of the first graph")),
        None => Ok(()),
    }
}

/// An attribute without what says nothing of its value.
fn plain(attribute: &AttributeProto) -> AttributeProto {
    let mut attribute = attribute.clone();
    attribute.doc_string.clear();
    if let Some(tensor) = &mut attribute.t {
        tensor.name.clear();
        tensor.doc_string.clear();
    }
    attribute
}
