//! A history as a picture: a lane for each process, a bar for each operation.

use std::fmt::Write;

use windtunnel_sim::history::{History, Model, Moment, Operation, Verdict};
use windtunnel_sim::text::html;

use super::conflict;
use super::read::printable;

/// Between two events, which are drawn in their order and not to scale.
const STEP_PX: usize = 14;
const LANE_PX: usize = 34;
const NAMES_PX: usize = 120;

const STYLE: &str = "body{font:14px sans-serif;margin:1em}pre{white-space:pre-wrap}svg text{font:11px sans-serif}\
                     rect{fill:#9db8d9;stroke:#456}rect.unknown{fill:#eee;stroke-dasharray:3}rect.conflict{fill:#e5704b;stroke:#912}\
                     .box{overflow-x:auto;border:1px solid #ccc}line{stroke:#ddd}";

/// One file that needs no other.
pub(super) fn page<M: Model>(name: &str, model: &M, history: &History<M::Op, M::Ret>, verdict: &Verdict) -> String {
    let name = html(name);
    let said = match verdict {
        Verdict::Linearizable => "linearizable".into(),
        Verdict::NotLinearizable(counterexample) => html(&counterexample.to_string()),
        Verdict::Undecided => "unknown".into(),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name}</title><style>{STYLE}</style></head>\n\
         <body><h1>{name}</h1><pre>{said}</pre>\n<p>Events in their order, not to scale. Dashed: the outcome is unknown. Red: \
         the operations that conflict.</p>\n<div class=\"box\">{}</div></body></html>\n",
        picture(model, &history.operations, conflict(verdict))
    )
}

fn picture<M: Model>(model: &M, operations: &[Operation<M::Op, M::Ret>], conflict: &[usize]) -> String {
    let returned = |it: &Operation<M::Op, M::Ret>| it.returned.as_ref().map(|(_, at)| *at);
    let mut events: Vec<Moment> = operations.iter().flat_map(|it| [Some(it.invoke), returned(it)]).flatten().collect();
    events.sort();
    events.dedup();
    let x = |at: Moment| NAMES_PX + STEP_PX * events.partition_point(|event| *event < at);
    let mut lanes: Vec<&str> = operations.iter().map(|it| it.process.as_str()).collect();
    lanes.sort_by_key(|name| (name.len(), *name));
    lanes.dedup();
    let end = NAMES_PX + STEP_PX * (events.len() + 1);
    let mut svg = format!("<svg width=\"{end}\" height=\"{}\">", LANE_PX * lanes.len() + 10);
    for (lane, name) in lanes.iter().enumerate() {
        let y = LANE_PX * (lane + 1);
        let name = html(&printable(name));
        write!(
            svg,
            "\n<line x1=\"0\" x2=\"{end}\" y1=\"{y}\" y2=\"{y}\"/><text x=\"4\" y=\"{}\">{name}</text>",
            y - 12
        )
        .expect("a string takes anything");
    }
    for (index, operation) in operations.iter().enumerate() {
        let order = |name: &str| (name.len(), name.to_owned());
        let lane = lanes.partition_point(|name| order(name) < order(&operation.process));
        let from = x(operation.invoke);
        let to = returned(operation).map_or(end, x);
        let (class, height) = match (conflict.contains(&index), returned(operation)) {
            (true, _) => ("conflict", 20),
            (_, None) => ("unknown", 6),
            _ => ("known", 20),
        };
        let y = LANE_PX * (lane + 1) - 6 - height;
        write!(
            svg,
            "\n<rect class=\"{class}\" x=\"{from}\" y=\"{y}\" width=\"{}\" height=\"{height}\"><title>{}</title></rect>",
            (to - from).max(2),
            html(&described(model, operation))
        )
        .expect("a string takes anything");
    }
    svg + "\n</svg>"
}

/// The text that appears over a bar.
fn described<M: Model>(model: &M, operation: &Operation<M::Op, M::Ret>) -> String {
    let Operation { process, op, invoke, returned } = operation;
    let outcome = match returned {
        Some((ret, at)) => format!("{} at {:?}", printable(&format!("{ret:?}")), at.at),
        None => "outcome unknown".into(),
    };
    let key = match format!("{:?}", model.key(op)).as_str() {
        "()" => String::new(),
        key => format!(" on {}", printable(key)),
    };
    let (process, op) = (printable(process), printable(&model.describe(op)));
    format!("{process}: {op}{key} at {:?}, {outcome}", invoke.at)
}
