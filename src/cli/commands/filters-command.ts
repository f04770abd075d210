import { Option, type Command } from 'commander';
import { EXIT_CODES, retryOption, tokenFileOption, tokenOption, urlOption, type Exit } from './shared.js';

export function addFilters(program: Command, exit: Exit): void {
  program
    .command('filters')
    .argument('<file>', 'JSON or YAML; - is standard input')
    .summary('save the filters of a file')
    .description(
      `Makes the saved filters of an application those of a file, which has the form
  {"applicationName":"demo","filters":[{"name":"hot","description":"90 degrees and more","mongoQuery":{...}}]}
or the same as YAML. Shows the difference and asks; then saves what is new or has changed, and waits until all are
active. Filters are the same by their name; those that the file does not name stay, unless --prune deletes them.
Where a query asks for a field that no endpoint has, a hint says so.`,
    )
    .addOption(urlOption())
    .addOption(tokenOption())
    .addOption(tokenFileOption())
    .option('--application <name>', 'of this application, whatever the file says')
    .option('--prune', 'delete the filters of the application that are not in the file')
    .addOption(new Option('--dry-run', 'only show the difference').conflicts('yes'))
    .option('-y, --yes', 'make the changes without asking')
    .option('--no-wait', 'do not wait until the filters are active')
    .addOption(retryOption())
    .addHelpText(
      'after',
      `
Examples:
  $ epr filters examples/weather/filters.json
  $ epr filters filters.yaml --prune --dry-run
  $ epr filters filters.yaml --yes --url https://register.example.com/epr
${EXIT_CODES}
Of this command: 0 nothing is left to do; 1 also when the file is wrong, or the answer was no;
2 with --dry-run also when there is a difference.`,
    )
    .action(async (file: string, options: object) => {
      const { applyFilters } = await import('../filters/index.js');
      exit(await applyFilters(file, options as Parameters<typeof applyFilters>[1]));
    });
}
