import { Argument, type Command } from 'commander';
import { SHELLS, completionScript, type Shell } from '../completion/index.js';
import { EXIT_CODES } from './shared.js';

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'for which shell').choices(SHELLS))
    .summary('print a script that completes commands in a shell')
    .description('Prints a script that teaches a shell to complete the commands, options and files of epr.')
    .addHelpText(
      'after',
      `
Examples:
  $ source <(epr completion bash)                                    in ~/.bashrc
  $ source <(epr completion zsh)                                     in ~/.zshrc, after compinit
  $ epr completion fish > ~/.config/fish/completions/epr.fish
${EXIT_CODES}`,
    )
    .action((shell: Shell) => void process.stdout.write(completionScript(program, shell)));
}
