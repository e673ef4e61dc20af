//! The verbs that ACME clients call: understand, solve, report.

use std::ffi::OsString;
use std::sync::Arc;

use serde_json::json;

use super::context::Context;
use super::stop::{clear_leftovers, run_stoppable};
use crate::cli::{Cli, ClientCall, HookArgs};
use crate::error::Result;
use crate::exit::Exit;
use crate::hook::{self, HookError, Request, lego::Form};
use crate::order::{Action, Call};
use crate::report::{ProgressReporter, Report, record_entry};
use crate::settings::Environment;
use crate::solver::is_about_api;

/// `auth`: certbot's manual auth hook.
pub(super) fn auth(cli: &Cli, args: &HookArgs, environment: &Environment, report: Report) -> Result<Exit> {
    if args.identifier || !args.args.is_empty() {
        let hint = "`auth` is certbot's and takes no arguments; use `ipv64-acme present NAME VALUE`";
        return Err(HookError::new("`auth` does not take arguments", hint).into());
    }
    let call = hook::certbot::parse(Action::Add, &|name| environment.get(name))?;
    solve(cli, &call, environment, report)
}

/// `present` and `cleanup`: by arguments, or for `cleanup` without any by certbot's variables.
pub(super) fn record(
    cli: &Cli,
    (action, hook): (Action, &HookArgs),
    (argv, environment): (&[OsString], &Environment),
    report: Report,
) -> Result<Exit> {
    let args = hook::texts(&hook.args)?;
    let call = if hook.identifier {
        hook::identifier::parse(action, &args)?
    } else if args.is_empty() && action == Action::Remove {
        hook::certbot::parse(action, &|name| environment.get(name))?
    } else if args.is_empty() && environment.get("CERTBOT_DOMAIN").is_some() {
        return Err(hook::certbot::without_verb().into());
    } else {
        // No name and no value is `--`, so one in argv is the separator that only lego's RAW mode sends.
        let form = if argv.iter().any(|arg| arg == "--") { Form::Raw } else { Form::Record };
        hook::lego::parse(action, form, &args)?
    };
    solve(cli, &call, environment, report)
}

/// The verb of one client.
pub(super) fn client(cli: &Cli, call: &ClientCall, environment: &Environment, report: Report) -> Result<Exit> {
    let args = hook::texts(&call.args)?;
    let request = call.verb.parse(&args, &|name| environment.get(name))?;
    if !matches!(request, Request::Nothing(_)) {
        super::warn_of_unknown(environment, report);
    }
    match request {
        Request::Solve(call) => solve(cli, &call, environment, report),
        Request::Nothing(exit) => Ok(exit),
        Request::RemoveAllAt(name) => {
            let context = Context::open(cli, environment, report)?;
            let events = ProgressReporter::new(report);
            let all = context.solver(&events).all_at(&name);
            solve_in(&Arc::new(context), &all)
        }
    }
}

fn solve(cli: &Cli, call: &Call, environment: &Environment, report: Report) -> Result<Exit> {
    solve_in(&Arc::new(Context::open(cli, environment, report)?), call)
}

fn solve_in(context: &Arc<Context>, call: &Call) -> Result<Exit> {
    let work = call.clone();
    let outcome = run_stoppable(context, call, move |solver| solver.run(&work));
    context.tell_warnings();
    if let Ok(outcome) = &outcome {
        context.report.outcome(outcome);
        let records: Vec<_> = outcome.records.iter().map(|solved| record_entry(solved, outcome)).collect();
        context.report.document(&json!({ "records": records }));
    }
    if !outcome.as_ref().is_err_and(is_about_api) {
        clear_leftovers(context, call);
    }
    outcome.map(|_| Exit::Done)
}
