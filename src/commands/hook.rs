//! The verbs that ACME clients call: understand, solve, report.

use std::sync::Arc;

use serde_json::json;

use super::Invocation;
use super::context::Context;
use super::stop::{clear_leftovers, run_stoppable};
use crate::cli::{ClientCall, HookArgs};
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::hook::{self, Request, lego::Form};
use crate::order::{Action, Call};
use crate::report::{ProgressReporter, record_entry};
use crate::solver::is_about_upstream;

/// `auth`: certbot's manual auth hook.
pub(super) fn auth(invocation: &Invocation<'_>, args: &HookArgs) -> Result<Exit> {
    if args.identifier || !args.args.is_empty() {
        let hint = "`auth` is certbot's and takes no arguments; use `ipv64-acme present NAME VALUE`";
        return Err(Error::new(Kind::InvalidCall, "`auth` does not take arguments").advise(hint));
    }
    solve(invocation, &hook::certbot::parse(Action::Add, &|name| invocation.environment.get(name))?)
}

/// `present` and `cleanup`: by arguments, or for `cleanup` without any by certbot's variables.
pub(super) fn record(invocation: &Invocation<'_>, action: Action, hook: &HookArgs) -> Result<Exit> {
    let variables = |name: &str| invocation.environment.get(name);
    let args = hook::texts(&hook.args)?;
    let call = if hook.identifier {
        hook::identifier::parse(action, &args)?
    } else if args.is_empty() && action == Action::Remove {
        hook::certbot::parse(action, &variables)?
    } else if args.is_empty() && variables("CERTBOT_DOMAIN").is_some() {
        return Err(hook::certbot::without_verb());
    } else {
        // No name and no value is `--`, so one in argv is the separator that only lego's RAW mode sends.
        let form = if invocation.args.iter().any(|arg| arg == "--") { Form::Raw } else { Form::Record };
        hook::lego::parse(action, form, &args)?
    };
    solve(invocation, &call)
}

/// The verb of one client.
pub(super) fn client(invocation: &Invocation<'_>, call: &ClientCall) -> Result<Exit> {
    let args = hook::texts(&call.args)?;
    let request = call.verb.parse(&args, &|name| invocation.environment.get(name))?;
    if !matches!(request, Request::Nothing(_)) {
        super::warn_of_unknown(invocation.environment, invocation.report);
    }
    match request {
        Request::Solve(call) => solve(invocation, &call),
        Request::Nothing(exit) => Ok(exit),
        Request::RemoveAllAt(name) => {
            let context = Arc::new(Context::open(invocation)?);
            let all = context.solver(&ProgressReporter::new(context.report)).all_at(&name);
            invocation.memory.asked(&all);
            solve_in(invocation, &context, &all)
        }
    }
}

fn solve(invocation: &Invocation<'_>, call: &Call) -> Result<Exit> {
    invocation.memory.asked(call);
    solve_in(invocation, &Arc::new(Context::open(invocation)?), call)
}

fn solve_in(invocation: &Invocation<'_>, context: &Arc<Context>, call: &Call) -> Result<Exit> {
    invocation.memory.opened(context);
    let outcome = run_stoppable(context, call, |call, solver| solver.run(call)).map(|done| context.with_waits(done));
    context.tell_warnings();
    if let Ok(outcome) = &outcome {
        invocation.memory.ended(call, outcome, None);
        context.report.outcome(outcome);
        let records: Vec<_> = outcome.records.iter().map(|solved| record_entry(solved, outcome)).collect();
        context.report.document(&json!({ "records": records }));
    }
    if !outcome.as_ref().is_err_and(is_about_upstream) {
        clear_leftovers(context, call);
    }
    outcome.map(|_| Exit::Done)
}
