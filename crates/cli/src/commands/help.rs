//! `help`: show what a command does and which flags it takes.

use clap::Command;

use crate::exit::Failure;

/// Show what a command does and which flags it takes
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A command, and one below it
    #[arg(value_name = "COMMAND")]
    topics: Vec<String>,
}

impl Args {
    /// The help on the topics, as far as there are commands of these names; on the program without a topic.
    ///
    /// # Errors
    /// The first topic is no command.
    pub(crate) fn text(&self, root: &mut Command) -> Result<String, Failure> {
        let mut command = root;
        for (at, topic) in self.topics.iter().enumerate() {
            if command.find_subcommand(topic).is_none() {
                if at == 0 {
                    return Err(self.unknown(command));
                }
                break;
            }
            command = command.find_subcommand_mut(topic).expect("it was just found");
        }
        Ok(command.render_long_help().to_string())
    }

    fn unknown(&self, root: &mut Command) -> Failure {
        let topics: Vec<String> = self.topics.iter().map(|topic| format!("`{topic}`")).collect();
        Failure::plain(format!("Unknown help topic [{}]\n{}", topics.join(" "), root.render_usage()))
    }
}
