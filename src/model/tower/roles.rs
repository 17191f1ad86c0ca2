//! What a tower's inputs are given: which of pixels, ids, mask and positions each one is.

use std::fmt;

use tract_core::internal::format_err;
use tract_onnx::prelude::*;

use crate::model::ModelError;
use crate::model::onnx::{Graph, Port};

/// Which of the two towers a graph is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Pixels to an embedding.
    Image,
    /// Token ids to an embedding.
    Text,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "image",
            Self::Text => "text",
        })
    }
}

/// What a graph's input is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `[1, 3, S, S]` f32.
    Pixels,
    /// `[1, L]` token ids.
    Ids,
    /// `[1, L]`: 1 for a token, 0 for padding.
    Mask,
    /// `[1, L]`: 0, 1, ... L - 1.
    Positions,
}

/// What a tower is run on.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) enum Feed<'a> {
    /// `[images, 3, S, S]`.
    Pixels { pixels: &'a [f32], images: usize },
    /// `[captions, L]` ids, and how many of each caption are not padding.
    Tokens { ids: &'a [i64], tokens: &'a [usize] },
}

impl Feed<'_> {
    /// Shape of the tower's first input.
    pub(super) fn shape(&self) -> Vec<usize> {
        match self {
            Self::Pixels { pixels, images } => {
                let side = (pixels.len() / (3 * images)).isqrt();
                vec![*images, 3, side, side]
            }
            Self::Tokens { ids, tokens } => vec![tokens.len(), ids.len() / tokens.len()],
        }
    }
}

/// What each input of a graph is given, in their order.
pub(super) fn roles(graph: &Graph, side: Side) -> Result<Vec<(Role, DatumType)>, ModelError> {
    let inputs = graph.inputs();
    let refused = |wanted: &str| ModelError::Tower {
        file: graph.file().to_owned(),
        side,
        wanted: wanted.to_owned(),
        found: listed(&inputs),
    };
    let wanted = match side {
        Side::Image => "one input [N, 3, S, S] FLOAT",
        Side::Text => {
            "one input [N, L] of token ids, and none but attention_mask and position_ids beside it"
        }
    };
    let roles: Option<Vec<_>> = inputs.iter().map(role).collect();
    let roles = roles.ok_or_else(|| refused(wanted))?;
    let count = |wanted: Role| roles.iter().filter(|(role, _)| *role == wanted).count();
    let fits = match side {
        Side::Image => count(Role::Pixels) == 1 && roles.len() == 1,
        Side::Text => count(Role::Ids) == 1 && count(Role::Pixels) == 0,
    };
    fits.then_some(roles).ok_or_else(|| refused(wanted))
}

pub(super) fn any_roles(graph: &Graph) -> Vec<(Role, DatumType)> {
    graph.inputs().iter().filter_map(role).collect()
}

fn role(port: &Port) -> Option<(Role, DatumType)> {
    let kind = match port.element_type.as_str() {
        "FLOAT" => f32::datum_type(),
        "INT64" => i64::datum_type(),
        "INT32" => i32::datum_type(),
        _ => return None,
    };
    let role = match port.name.as_str() {
        _ if kind == f32::datum_type() => Role::Pixels,
        "attention_mask" => Role::Mask,
        "position_ids" => Role::Positions,
        _ => Role::Ids,
    };
    Some((role, kind))
}

fn listed(inputs: &[Port]) -> String {
    let one = |port: &Port| {
        let dims: Vec<_> =
            port.dims.iter().map(|d| d.map_or("?".into(), |d| d.to_string())).collect();
        format!("{} [{}] {}", port.name, dims.join(", "), port.element_type)
    };
    inputs.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What the file declares must allow the shape that the manifest asks for.
pub(super) fn check_shape(graph: &Graph, shape: &[usize]) -> Result<(), ModelError> {
    let inputs = graph.inputs();
    let fits = |port: &Port| {
        let same = |(dim, size): (&Option<usize>, &usize)| dim.is_none_or(|dim| dim == *size);
        port.dims.is_empty()
            || port.dims.len() == shape.len() && port.dims.iter().zip(shape).all(same)
    };
    if inputs.iter().all(fits) {
        return Ok(());
    }
    Err(ModelError::Shape {
        file: graph.file().to_owned(),
        wanted: format!("inputs {shape:?}"),
        found: listed(&inputs),
    })
}

pub(super) fn tensor(role: Role, kind: DatumType, feed: Feed<'_>) -> TractResult<Tensor> {
    let shape = feed.shape();
    let tensor = match (role, feed) {
        (Role::Pixels, Feed::Pixels { pixels, .. }) => Tensor::from_shape(&shape, pixels)?,
        (Role::Ids, Feed::Tokens { ids, .. }) => Tensor::from_shape(&shape, ids)?,
        (Role::Mask, Feed::Tokens { tokens, .. }) => {
            let row = |tokens: &usize| (0..shape[1]).map(|i| i64::from(i < *tokens)).collect();
            let mask: Vec<i64> = tokens.iter().flat_map::<Vec<_>, _>(row).collect();
            Tensor::from_shape(&shape, &mask)?
        }
        (Role::Positions, Feed::Tokens { tokens, .. }) => {
            let row = |_| 0..shape[1] as i64;
            let positions: Vec<i64> = tokens.iter().flat_map(row).collect();
            Tensor::from_shape(&shape, &positions)?
        }
        // `roles` gives each side its own roles.
        (role, _) => return Err(format_err!("{role:?} has no such input")),
    };
    if tensor.datum_type() == kind { Ok(tensor) } else { Ok(tensor.cast_to_dt(kind)?.into_owned()) }
}
