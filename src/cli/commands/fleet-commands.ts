import { Option, type Command } from 'commander';
import { parseCount, parseRate } from '../options.js';
import { EXIT_CODES, retryOption, tokenFileOption, tokenOption, urlOption, type Exit } from './shared.js';

export function addImport(program: Command, exit: Exit): void {
  program
    .command('import')
    .argument('<file>', 'NDJSON, plain or gzip; - is standard input')
    .summary('register a fleet, or update metadata, from a file')
    .description(
      `Brings the lines of a file to a running register. A line is a registration, as POST /endpoints takes it,
  {"appVersion":{"name":"demo-v1"},"endpointId":"kettle-1","metadata":{"city":"Kyiv"}}
or a metadata update, as POST /endpoints/metadata/batch takes it,
  {"endpointId":"kettle-1","set":{"temp":4},"unset":["old"]}
Endpoints that are registered already are left as they are. An interrupted import goes on where it was when the same
command runs again.`,
    )
    .addOption(urlOption())
    .addOption(tokenOption())
    .addOption(tokenFileOption())
    .addOption(
      new Option(
        '--as <kind>',
        'what every line is; else each line says it by having appVersion or not',
      ).choices(['registrations', 'metadata']),
    )
    .option('--dry-run', 'check every line here, send nothing, say what would be done')
    .option('--restart', 'begin at the first line, whatever an interrupted import did')
    .option('--keep-going', 'go on though the first thousand lines are all refused for one reason')
    .option('--rate <n/s>', 'at most so many lines a second', parseRate)
    .option('--concurrency <n>', 'thousands of lines on the way at once', parseCount, 4)
    .addOption(retryOption())
    .option('--failures <file>', 'where failed lines go, with the reason (default: <file>.failures.ndjson)')
    .option(
      '--tokens <file>',
      'keep the tokens that the register makes; it forgets them with the task of their batch',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ epr import examples/weather/stations.ndjson.gz
  $ epr import --dry-run fleet.ndjson
  $ zcat updates.ndjson.gz | epr import - --as metadata --rate 500/s
  $ epr import fleet.ndjson --url https://register.example.com/epr --tokens tokens.ndjson
${EXIT_CODES}`,
    )
    .action(async (file: string, options: object) => {
      const { importFile } = await import('../import/index.js');
      exit(await importFile(file, options as Parameters<typeof importFile>[1]));
    });
}

export function addExport(program: Command, exit: Exit): void {
  program
    .command('export')
    .argument('[file]', 'where to, gzip if it ends in .gz; - is standard output', '-')
    .summary('write the fleet to a file that import reads')
    .description(
      `Writes the endpoints of a running register, oldest first, one a line, as import reads them:
  {"appVersion":{"name":"demo-v1"},"endpointId":"kettle-1","metadata":{"city":"Kyiv"}}
Each endpoint that is there all the time is in it once, as it is when its page is read; the register goes on taking
changes. Tokens are not in it, for the register keeps only what is needed to know them again, nor are dates, relations
and filters. The file has its name when it is whole; until then it is <file>.part.`,
    )
    .addOption(urlOption())
    .addOption(tokenOption())
    .addOption(tokenFileOption())
    .option('--application <name>', 'only endpoints of this application')
    .option('--app-version <name>', 'only endpoints of this application version')
    .option('--filter <id>', 'only members of this filter, which must be active')
    .option('--gzip', 'compress, whatever the name of the file')
    .option('--force', 'replace a file of that name, once all is written')
    .option('--resume', 'go on where an export to this file was interrupted, if one was')
    .addOption(retryOption())
    .addHelpText(
      'after',
      `
Examples:
  $ epr export fleet.ndjson.gz
  $ epr export --application weather - | jq -r .endpointId
  $ epr export fleet.ndjson.gz --resume
  $ epr export --url http://old:8080 | epr import - --url http://new:8080
${EXIT_CODES}`,
    )
    .action(async (file: string, options: object) => {
      const { exportFleet } = await import('../export/index.js');
      exit(await exportFleet(file, options as Parameters<typeof exportFleet>[1]));
    });
}
