//! A JSON file of a folder, with errors that name file, key and value.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::bundle::read_text;

/// A JSON file and its name.
#[derive(Debug, Clone)]
pub(super) struct Json {
    /// The file's name in its folder.
    pub(super) file: String,
    value: Value,
}

impl Json {
    /// Reads `file` of `folder`; `None` if it is not there.
    ///
    /// # Errors
    /// A text that names the file.
    pub(super) fn open(folder: &Path, file: &str) -> Result<Option<Self>, String> {
        let path = folder.join(file);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_text(&path).map_err(|why| why.to_string())?;
        let value = serde_json::from_slice(&bytes).map_err(|why| format!("{file}: {why}"))?;
        Ok(Some(Self { file: file.to_owned(), value }))
    }

    /// As [`Json::open`], of a file that must be there.
    ///
    /// # Errors
    /// A text that names the file.
    pub(super) fn needed(folder: &Path, file: &str) -> Result<Self, String> {
        Self::open(folder, file)?.ok_or_else(|| format!("{file} is missing"))
    }

    /// The table at `path` as a file of its own name; `None` if it is absent.
    pub(super) fn part(&self, path: &str) -> Option<Self> {
        let value = self.at(path)?.clone();
        Some(Self { file: self.name(path), value })
    }

    /// Three values, or one that stands for three.
    ///
    /// # Errors
    /// A text that names file, key and value.
    pub(super) fn read_three(&self, path: &str) -> Result<Option<Vec<f64>>, String> {
        match self.at(path) {
            Some(Value::Number(_)) => Ok(self.read::<f64>(path)?.map(|value| vec![value; 3])),
            _ => self.read::<Vec<f64>>(path),
        }
    }

    /// The value at a path of keys such as `text_config.hidden_act`; `None` if it is absent or
    /// null.
    pub(super) fn at(&self, path: &str) -> Option<&Value> {
        let value = path.split('.').try_fold(&self.value, |value, key| value.get(key));
        value.filter(|value| !value.is_null())
    }

    /// The value at a path as a `T`; `None` if it is absent or null.
    ///
    /// # Errors
    /// A text that names file, key and value.
    pub(super) fn read<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, String> {
        let Some(value) = self.at(path) else { return Ok(None) };
        let read = serde_json::from_value(value.clone());
        read.map(Some).map_err(|why| format!("{}: {path} = {value}: {why}", self.file))
    }

    /// Names the file and a key of it.
    pub(super) fn name(&self, path: &str) -> String {
        format!("{} {path}", self.file)
    }
}
