//! A plan for the eye: as text, as Mermaid, as DOT.

use std::fmt::Write;

use super::{EdgeKind, OperatorNode};

/// The operators of a job, ready to be printed.
pub struct Picture<'a> {
    operators: &'a [OperatorNode],
}

impl EdgeKind {
    fn label(self) -> &'static str {
        match self {
            EdgeKind::Fused => "",
            EdgeKind::Forward => "forward",
            EdgeKind::ByKey => "by key",
            EdgeKind::Rebalance => "rebalance",
            EdgeKind::Broadcast => "broadcast",
        }
    }
}

impl<'a> Picture<'a> {
    pub(super) fn new(operators: &'a [OperatorNode]) -> Self {
        Picture { operators }
    }

    /// One line for each operator, with what it reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for operator in self.operators {
            let detail = if operator.detail.is_empty() {
                String::new()
            } else {
                format!("  {}", operator.detail)
            };
            let _ = writeln!(text, "{} ({}){detail}", operator.name, operator.kind);
            for (input, edge) in &operator.inputs {
                let how = match edge {
                    EdgeKind::Fused => String::new(),
                    _ => format!(", {}", edge.label()),
                };
                let _ = writeln!(text, "  <- {input}{how}");
            }
        }
        text
    }

    /// A Mermaid flowchart.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for (number, operator) in self.operators.iter().enumerate() {
            let name = operator.name.replace('"', "'");
            let _ = writeln!(text, "  n{number}[\"{name}<br/><i>{}</i>\"]", operator.kind);
        }
        self.edges(|from, to, edge| {
            let arrow = match edge {
                EdgeKind::Fused => "-->".to_string(),
                _ => format!("-- {} -->", edge.label()),
            };
            let _ = writeln!(text, "  n{from} {arrow} n{to}");
        });
        text
    }

    /// A Graphviz digraph.
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph job {\n  rankdir=LR;\n  node [shape=box];\n");
        for (number, operator) in self.operators.iter().enumerate() {
            let name = operator.name.replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(text, "  n{number} [label=\"{name}\\n({})\"];", operator.kind);
        }
        self.edges(|from, to, edge| {
            let _ = writeln!(text, "  n{from} -> n{to} [label=\"{}\"];", edge.label());
        });
        text.push_str("}\n");
        text
    }

    fn edges(&self, mut each: impl FnMut(usize, usize, EdgeKind)) {
        for (to, operator) in self.operators.iter().enumerate() {
            for (input, edge) in &operator.inputs {
                let from = self.operators.iter().position(|other| other.name == *input);
                if let Some(from) = from {
                    each(from, to, *edge);
                }
            }
        }
    }
}
