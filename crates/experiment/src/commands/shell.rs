//! `thawline completions` and `thawline man`: shell completions and manual pages.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use crate::system::{
    console,
    failure::{Failure, Kind, Result},
};

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// The subcommand whose page to print, such as sweep or data info [default: the program's own page]
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "thawline", &mut script);
    console::write(&String::from_utf8_lossy(&script))
}

pub fn man(args: &ManArgs) -> Result<()> {
    let mut program = Cli::command();
    program.build();
    let command = args.command.iter().try_fold(&program, |command, name| {
        let known = command.get_bin_name().unwrap_or("thawline");
        let unknown = || Failure::usage(format!("man: no subcommand '{name}'; see {known} --help"));
        command.find_subcommand(name).ok_or_else(unknown)
    })?;
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
    console::write(&String::from_utf8_lossy(&page))
}
