//! One line of the log, for people or as JSON. It knows nothing of where lines come from or go to.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use steadfast_core::time::Timestamp;

/// Names that a line has of its own: a field of such a name gets an underscore behind it.
const RESERVED: [&str; 5] = ["timestamp", "level", "target", "event", "message"];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub at: Timestamp,
    pub level: &'static str,
    /// Which part of the program tells it.
    pub target: &'static str,
    /// The name of the event, if it has one: it stays the same when the message changes.
    pub event: Option<&'static str>,
    pub message: String,
    pub fields: Fields,
}

/// Fields in the order in which they were set, each name once.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, Value)>);

impl Fields {
    /// Sets a field; one that is there is replaced.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        let name = if RESERVED.contains(&name) { format!("{name}_") } else { name.to_string() };
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets what `others` have.
    pub(super) fn extend(&mut self, others: &Fields) {
        others.0.iter().for_each(|(name, value)| self.set(name, value.clone()));
    }
}

impl Line {
    /// As one JSON object, without a line end.
    pub(super) fn json(&self) -> String {
        let own = [
            ("timestamp", Some(Value::from(self.time()))),
            ("level", Some(Value::from(self.level))),
            ("target", Some(Value::from(self.target))),
            ("event", self.event.map(Value::from)),
            ("message", Some(Value::from(self.message.as_str()))),
        ];
        let own = own.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?)));
        let fields = self.fields.0.iter().map(|(name, value)| (name.as_str(), value));
        let each = |(name, value): (&str, &Value)| format!("{}:{value}", Value::from(name));
        let all: Vec<_> = own.chain(fields).map(each).collect();
        format!("{{{}}}", all.join(","))
    }

    /// For people, without a line end.
    pub(super) fn text(&self) -> String {
        let message = match (self.message.is_empty(), self.event) {
            (true, Some(event)) => event,
            _ => &self.message,
        };
        let message = message.replace('\n', " ");
        let mut text = format!("{} {:5} {message}", self.time(), self.level);
        for (name, value) in &self.fields.0 {
            text += &format!(" {name}={}", shown(value));
        }
        text
    }

    fn time(&self) -> String {
        let at = Duration::from_millis(u64::try_from(self.at.0).unwrap_or(0));
        humantime::format_rfc3339_millis(UNIX_EPOCH + at).to_string()
    }
}

/// A value so that one sees where it ends.
fn shown(value: &Value) -> String {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"\\=".contains(c);
    match value {
        Value::String(text) if !text.is_empty() && text.chars().all(is_plain) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line() -> Line {
        let mut fields = Fields::default();
        fields.set("job", "sums".into());
        fields.set("checkpoint", 6.into());
        fields.set("checkpoint", 7.into());
        fields.set("level", "mine".into());
        fields.set("error", "a \"b\"\nc".into());
        Line {
            at: Timestamp(1_500),
            level: "INFO",
            target: "engine",
            event: Some("checkpoint_committed"),
            message: "a checkpoint is committed".to_string(),
            fields,
        }
    }

    #[test]
    fn a_line_is_one_object_in_which_no_field_hides_another() {
        let told: Value = serde_json::from_str(&line().json()).unwrap();
        let expected = json!({
            "timestamp": "1970-01-01T00:00:01.500Z", "level": "INFO", "target": "engine",
            "event": "checkpoint_committed", "message": "a checkpoint is committed",
            "job": "sums", "checkpoint": 7, "level_": "mine", "error": "a \"b\"\nc",
        });
        assert_eq!(told, expected);
        assert_eq!(line().json().lines().count(), 1);
    }

    #[test]
    fn people_read_one_line_and_see_where_a_value_ends() {
        let expected = "1970-01-01T00:00:01.500Z INFO  a checkpoint is committed job=sums \
                        checkpoint=7 level_=mine error=\"a \\\"b\\\"\\nc\"";
        assert_eq!(line().text(), expected);
        let unsaid = Line { message: String::new(), ..line() };
        assert!(unsaid.text().contains("INFO  checkpoint_committed job=sums"));
    }
}
