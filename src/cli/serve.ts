import { isatty } from 'node:tty';
import type { Logger } from 'pino';
import { createLog } from '../observability/index.js';
import type { RunningService } from '../service.js';
import { loadSettings, type ConfigFlags, type Settings } from './config-flags.js';
import { CliFailure, EXIT, codeOf, messageOf } from './failure.js';
import { checkPorts } from './free-ports.js';
import { aborted, onInterrupt } from './interrupt.js';
import { renderStartText, startText, type StartText } from './start-text.js';
import { ownVersion } from '../version.js';

/**
 * `epr serve`: answers when the service has been stopped by a signal. SIGHUP means two things by tradition: to a program
 * started from a terminal that the terminal was closed, and to a daemon that its configuration has changed.
 */
export async function serve(flags: ConfigFlags): Promise<number> {
  const settings = loadSettings(flags);
  const log = createLog(settings.config.logging);
  dieLoudly(log);
  const interrupt = onInterrupt();
  const service = await start(settings, log);
  const hangup = new AbortController();
  // asked now, for a terminal that is closed is none any more
  const hasTerminal = isatty(0) || isatty(1);
  process.on('SIGHUP', () => {
    if (hangup.signal.aborted || interrupt.first.aborted) return;
    if (!hasTerminal) return reload(flags, settings, service, log);
    // nobody reads any more, and a write would fail
    log.level = 'silent';
    hangup.abort();
  });
  announce(settings, service, log);
  await Promise.race([aborted(interrupt.first), aborted(hangup.signal), parentGone()]);
  log.info('stopping; a second signal stops at once');
  const stopped = service.stop().then(() => true);
  const orderly = await Promise.race([stopped, aborted(interrupt.second).then(() => false)]);
  if (!orderly) {
    log.warn('stopped at once; what was not answered may or may not have been done');
    process.exit(EXIT.interrupted);
  }
  log.info('stopped');
  // by the signal itself: Node's own end would put the terminal in order, and abort for it is gone
  if (hangup.signal.aborted) {
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
  }
  interrupt.forget();
  // a channel to the parent would keep the process
  if (process.connected) process.disconnect();
  return EXIT.ok;
}

async function start({ config }: Settings, log: Logger): Promise<RunningService> {
  await checkPorts(config);
  // loaded only now, so that a wrong configuration is told at once
  const { startService } = await import('../service.js');
  try {
    return await startService(config, log);
  } catch (error) {
    log.debug({ err: error }, 'start failed');
    const { host, port } = config.server;
    switch (codeOf(error)) {
      case 'EACCES':
        throw new CliFailure(
          `Not allowed to open what is needed (${host}:${port}, ${config.storage.url}): ${messageOf(error)}`,
        );
      default:
        throw new CliFailure(messageOf(error));
    }
  }
}

function announce({ config, entries, notes }: Settings, service: RunningService, log: Logger): void {
  const demoApplication = entries.some(
    ({ key, source }) => key.startsWith('kaa.applications.demo.versions.') && source === 'default',
  );
  const version = ownVersion();
  const awaits = service.awaits();
  const text = startText({
    version,
    ...(awaits === undefined ? {} : { awaits }),
    config,
    url: service.url,
    managementUrl: service.managementUrl,
    demoApplication,
    epr: howCalled(),
  });
  if (config.logging.format === 'json') {
    logStart(text, version, service, log);
  } else {
    process.stdout.write(renderStartText(text, version));
  }
  const said = demoApplication && config.logging.format !== 'json';
  for (const note of notes) if (!(said && note.includes('demo-v1'))) log.info(note);
}

function logStart(
  { awaits, facts, warnings, next }: StartText,
  version: string,
  { url, managementUrl }: RunningService,
  log: Logger,
): void {
  log.info(
    {
      version,
      url,
      managementUrl,
      ...Object.fromEntries(facts.slice(2).map(({ about, text }) => [about, text])),
      ...(next.length === 0 ? {} : { next }),
    },
    awaits === undefined
      ? 'endpoint register is ready'
      : `endpoint register has started, and is not ready: ${awaits}`,
  );
  for (const warning of warnings) log.warn(warning);
}

/** For a parent that wants its register to end with it, even when it is killed: `epr demo`. */
function parentGone(): Promise<void> {
  return new Promise((resolve) => {
    if (process.env['EPR_STOP_WITH_PARENT'] === '1' && process.connected) process.once('disconnect', resolve);
  });
}

/** How the person who started this calls its other commands. */
function howCalled(): string {
  return process.env['npm_lifecycle_event'] === undefined ? 'epr' : 'npm run epr --';
}

/** A configuration that is wrong changes nothing: the service goes on with the one it has. */
function reload(flags: ConfigFlags, { config }: Settings, service: RunningService, log: Logger): void {
  try {
    const next = loadSettings(flags, config.service.replicaId);
    const { restart, applications } = service.reload(next.config);
    log.info(
      applications === undefined
        ? 'the configuration was read again and is in force'
        : 'the configuration was read again and is in force, but for applications: Tekton is asked for them now',
    );
    applications
      ?.then((came) => {
        if (came.ok) log.info(`Tekton was read: ${came.applications} applications are in force`);
        else
          log.error(
            { error: came.error },
            `Tekton could not be read; trying again, for ever. ${came.inForce}`,
          );
      })
      .catch((error: unknown) =>
        log.error({ err: error }, 'Tekton is not read, by a fault of the register.'),
      );
    if (restart.length > 0) log.warn(`these settings have changed and need a restart: ${restart.join(', ')}`);
    for (const note of next.notes) log.info(note);
  } catch (error) {
    log.error(`The configuration was not taken up: ${messageOf(error)}`);
  }
}

/** What nobody expected ends the process: its state is not known any more. What was answered is on disk. */
function dieLoudly(log: Logger): void {
  const die = (err: unknown, kind: string): void => {
    log.fatal({ err }, kind);
    process.exit(EXIT.failed);
  };
  process.on('uncaughtException', (error) => die(error, 'uncaught exception'));
  process.on('unhandledRejection', (reason) => die(reason, 'unhandled rejection'));
}
