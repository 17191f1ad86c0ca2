//! What a table's columns look like.

use parquet::basic::Repetition;
use parquet::schema::types::{SchemaDescriptor, TypePtr};

/// A column of the table.
#[derive(Debug)]
pub(super) struct Root {
    pub name: String,
    /// Whether rows may have null in its place.
    pub may_be_null: bool,
    pub shape: Shape,
}

/// What a column is made of; numbers are places of leaves in the schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Flat(usize),
    /// A list of values.
    List(usize),
    /// Named values.
    Struct(Vec<(String, usize)>),
    /// What is not read.
    Other,
}

/// The columns of a schema, in its order.
pub(super) fn roots(schema: &SchemaDescriptor) -> Vec<Root> {
    let fields = schema.root_schema().get_fields();
    let mut leaves = vec![Vec::new(); fields.len()];
    for place in 0..schema.num_columns() {
        if let Some(of_root) = leaves.get_mut(schema.get_column_root_idx(place)) {
            of_root.push(place);
        }
    }
    let root = |(field, leaves): (&TypePtr, Vec<usize>)| Root {
        name: field.name().to_owned(),
        may_be_null: field.is_optional(),
        shape: shape(schema, &leaves),
    };
    fields.iter().zip(leaves).map(root).collect()
}

fn shape(schema: &SchemaDescriptor, leaves: &[usize]) -> Shape {
    let depth = |place: usize| schema.column(place).path().parts().len();
    let repeats = |place: usize| schema.column(place).max_rep_level();
    match leaves {
        [place] if depth(*place) == 1 && repeats(*place) == 0 => Shape::Flat(*place),
        [place] if repeats(*place) == 1 && is_list(schema, *place) => Shape::List(*place),
        leaves if leaves.iter().all(|&place| depth(place) == 2 && repeats(place) == 0) => {
            let field = |&place: &usize| {
                (schema.column(place).path().parts().last().cloned().unwrap_or_default(), place)
            };
            Shape::Struct(leaves.iter().map(field).collect())
        }
        _ => Shape::Other,
    }
}

/// Whether the leaf is a list's element, and not a structure's field in a list.
fn is_list(schema: &SchemaDescriptor, place: usize) -> bool {
    let root = schema.get_column_root(place);
    let is_plain = root.is_primitive();
    let is_group = |repetition| root.get_basic_info().repetition() != repetition;
    is_plain || (is_group(Repetition::REPEATED) && schema.column(place).path().parts().len() == 3)
}

impl Root {
    /// The places of its leaves that are read.
    pub fn leaves(&self) -> impl Iterator<Item = usize> {
        let places = match &self.shape {
            Shape::Flat(place) | Shape::List(place) => vec![*place],
            Shape::Struct(fields) => fields.iter().map(|(_, place)| *place).collect(),
            Shape::Other => Vec::new(),
        };
        places.into_iter()
    }
}
