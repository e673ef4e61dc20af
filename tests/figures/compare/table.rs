//! The outcomes as Markdown: a table for each scenario, and below it why a method failed.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::Outcome;
use super::plan::{Delays, Method, Run, Scenario, Window};

const HEAD: &str = "| method | certificates | time | × floor | API calls | refused | DNS questions | lag | too early | \
                    left | CPU | memory |\n|---|---|---|---|---|---|---|---|---|---|---|---|";

/// Prints all tables.
pub(crate) fn print(outcomes: &BTreeMap<Run, Outcome>) {
    let scenarios: BTreeSet<Scenario> = outcomes.keys().map(|run| run.scenario).collect();
    for scenario in scenarios {
        println!("### {}\n\n{HEAD}", title(&scenario));
        let mut failures = Vec::new();
        for method in Method::ALL {
            let of_method = |(run, _): &(&Run, &Outcome)| run.scenario == scenario && run.method == method;
            let runs: Vec<_> = outcomes.iter().filter(of_method).collect();
            if !runs.is_empty() {
                println!("{}", row(method, &runs));
            }
            let reason = runs.iter().find_map(|(_, outcome)| outcome.failure.as_ref());
            failures.extend(reason.map(|reason| format!("- {}: `{}`", method.words(), reason.replace('`', "'"))));
        }
        if !failures.is_empty() {
            println!("\nWhy there was no certificate:\n\n{}", failures.join("\n"));
        }
        println!();
    }
}

fn title(scenario: &Scenario) -> String {
    let names = match scenario.names {
        1 => "One name".to_owned(),
        2 => "A domain and its wildcard".to_owned(),
        more => format!("{more} names"),
    };
    let delays = match scenario.delays {
        Delays::Fixed => "3 s and 5 s",
        Delays::Random => "1 to 20 s",
    };
    let window = if scenario.window == Window::On { "limits enforced" } else { "no limits" };
    let floor = match scenario.delays {
        Delays::Fixed => format!(" (floor {:.0} s)", scenario.floor(0)),
        Delays::Random => String::new(),
    };
    format!("{names}, delays of {delays}, {window}{floor}")
}

fn row(method: Method, runs: &[(&Run, &Outcome)]) -> String {
    let middle =
        |value: &dyn Fn(&Run, &Outcome) -> f64| median(runs.iter().map(|(run, outcome)| value(run, outcome)).collect());
    let whole = |value: fn(&Outcome) -> usize| {
        middle(&|_, outcome| value(outcome) as f64).map_or_else(none, |value| format!("{value:.0}"))
    };
    let sum = |value: fn(&Outcome) -> usize| runs.iter().map(|(_, outcome)| value(outcome)).sum::<usize>();
    let obtained = runs.iter().filter(|(_, outcome)| outcome.failure.is_none()).count();
    let lags = runs.iter().flat_map(|(_, outcome)| outcome.lags.iter().copied()).collect();
    let memory = runs.iter().map(|(_, outcome)| outcome.memory).max().unwrap_or_default();
    [
        String::new(),
        method.words().to_owned(),
        format!("{obtained} of {}", runs.len()),
        seconds(middle(&|_, outcome| outcome.seconds), 0),
        // Who has no certificate was not fast.
        match middle(&|run, outcome| outcome.seconds / run.scenario.floor(run.repetition)) {
            Some(ratio) if obtained > 0 => format!("{ratio:.2}"),
            _ => none(),
        },
        whole(|outcome| outcome.calls),
        whole(|outcome| outcome.refused),
        whole(|outcome| outcome.questions),
        seconds(median(lags), 1),
        sum(|outcome| outcome.premature).to_string(),
        sum(|outcome| outcome.left).to_string(),
        seconds(middle(&|_, outcome| outcome.cpu), 1),
        format!("{} MB", memory / 1024),
        String::new(),
    ]
    .join(" | ")
    .trim()
    .to_owned()
}

fn seconds(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(none, |value| format!("{value:.digits$} s"))
}

fn none() -> String {
    "–".to_owned()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
