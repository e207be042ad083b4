//! The thin binary: what was typed, the configuration, and which rooms to open.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "println! and eprintln! end the process where nobody reads; see say.rs")]

#[macro_use]
mod say;

mod api;
mod bulk;
mod cli;
mod commands;
mod config;
mod desk;
mod engine;
mod log;
mod oauth;
mod observe;
mod pipeline;
mod registry;
mod stderr;

use anyhow::Result;
use clap::Parser;
use cli::{Cli, Command};
use config::Config;
use std::process::ExitCode;

/// See `fieldline --help`.
const WRONG_COMMAND: u8 = 2;
const FOLDER_IN_USE: u8 = 4;
const FAILED: u8 = 5;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::EngineServe { nice } = cli.command {
        bulk::yield_to_alerts(nice);
        return done(fieldline_sinks::engine::serve().map_err(Into::into));
    }
    let config = match configuration(&cli.common).and_then(|config| stderr::log(&config.log).map(|()| config)) {
        Ok(config) => config,
        Err(error) => {
            remark!("fieldline: {error:#}");
            return ExitCode::from(WRONG_COMMAND);
        }
    };
    match cli.command {
        Command::Demo(arguments) => done(commands::demo::run(&config, &arguments)),
        Command::Import(arguments) => commands::import::run(&config, &arguments).unwrap_or_else(|error| done(Err(error))),
        Command::Simulate(arguments) => done(commands::simulate::run(&config, &arguments)),
        Command::Run(arguments) => done(commands::run::run(&config, &arguments)),
        Command::Sql(arguments) => done(commands::sql::run(&config, &arguments)),
        Command::Backtest(arguments) => {
            let before = configuration(&cli.common.without_thresholds());
            done(before.and_then(|before| commands::backtest::run(&before, &config, &arguments)))
        }
        Command::Alerts { action } => done(commands::alerts::run(&config, &action)),
        Command::Verify(arguments) => commands::verify::run(&config, &arguments).unwrap_or_else(|error| done(Err(error))),
        Command::Recompute(arguments) => done(commands::recompute::run(&config, &arguments)),
        Command::Topics { action } => commands::topics::run(&config, &action).unwrap_or_else(|error| done(Err(error))),
        Command::Migrate => done(commands::migrate_only(&config)),
        Command::Roles(arguments) => done(commands::roles::run(&config, &arguments)),
        Command::Engine { action } => done(commands::engine::run(&config, &action)),
        Command::Config => done(commands::to_stdout(&config::sample())),
        Command::EngineServe { .. } => ExitCode::from(FAILED),
    }
}

fn configuration(common: &cli::Common) -> Result<Config> {
    let mut flags = common.set.clone();
    flags.extend(common.data_dir.as_ref().map(|dir| ("data_dir".to_owned(), dir.to_string_lossy().into_owned())));
    flags.extend(common.log.as_ref().map(|filter| ("log".to_owned(), filter.clone())));
    Config::load(common.config.as_deref(), &flags)
}

/// The exit code of an outcome, with its reason on standard error.
fn done(outcome: Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let is_broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        let kind = cause.downcast_ref().map(std::io::Error::kind);
        kind == Some(std::io::ErrorKind::BrokenPipe) || matches!(cause.downcast_ref(), Some(fieldline_sinks::Answer::ReaderGone))
    };
    if error.chain().any(is_broken_pipe) {
        // Whoever reads has seen enough, as in `fieldline simulate | head`.
        return ExitCode::SUCCESS;
    }
    let in_use = error.chain().any(|cause| matches!(cause.downcast_ref(), Some(fieldline_log::Error::InUse { .. })));
    if in_use {
        remark!(
            "fieldline: {error:#}: stop that process first, or name another folder with --data-dir (`sql` and `alerts` work beside it)"
        );
        return ExitCode::from(FOLDER_IN_USE);
    }
    remark!("fieldline: {error:#}");
    ExitCode::from(if error.is::<commands::WrongCommand>() { WRONG_COMMAND } else { FAILED })
}
