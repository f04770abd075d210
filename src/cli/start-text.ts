import type { Config } from '../config/index.js';
import { isLoopback } from '../model/loopback.js';
import { grouped } from './text.js';

export interface StartFacts {
  version: string;
  config: Config;
  url: string;
  managementUrl: string;
  /** nothing was configured, and the demo application stands in */
  demoApplication: boolean;
  /** how the person at the terminal calls this program */
  epr: string;
  /** why it is not ready yet */
  awaits?: string;
}

export interface StartText {
  /** why it is not ready yet */
  awaits?: string;
  /** what is so, by subject */
  facts: { about: string; text: string }[];
  warnings: string[];
  /** lines to copy */
  next: string[];
}

const LISTED_APPLICATIONS = 5;

/** What a person should know when the register has started. */
export function startText({
  config,
  url,
  managementUrl,
  demoApplication,
  epr,
  awaits,
}: StartFacts): StartText {
  const facts = [
    { about: 'REST and live events', text: url },
    { about: 'health and metrics', text: managementUrl },
    { about: 'console', text: consoleUrl(config, url) },
    { about: 'stores', text: storesText(config) },
    { about: 'authentication', text: authenticationText(config) },
    { about: 'NATS', text: natsText(config, epr) },
    { about: 'applications', text: applicationsText(config, demoApplication) },
  ];
  const warnings: string[] = [];
  if (!config.kaa.security.authentication.enabled && !isLoopback(config.server.host)) {
    warnings.push(
      `Authentication is off and ${config.server.host} is not the loopback address: whoever reaches port ${portOf(url)} may read and change everything. Keep it behind what does authenticate, or set server.host to 127.0.0.1.`,
    );
  }
  if (config.storage.durability === 'async') {
    warnings.push('storage.durability is async: answered writes may be lost when the machine loses power.');
  }
  const next = nextSteps(config, url, epr);
  return { ...(awaits === undefined ? {} : { awaits }), facts, warnings, next };
}

/** For a terminal. */
export function renderStartText(text: StartText, version: string): string {
  const width = Math.max(...text.facts.map(({ about }) => about.length));
  const state = text.awaits === undefined ? 'is ready' : `has started, and is not ready: ${text.awaits}`;
  const lines = [`Endpoint register ${version} ${state}`];
  for (const { about, text: fact } of text.facts) lines.push(`  ${about.padEnd(width)}  ${fact}`);
  for (const warning of text.warnings) lines.push('', `WARNING  ${warning}`);
  if (text.next.length > 0) lines.push('', 'Try');
  for (const step of text.next) lines.push(`  ${step}`);
  return `${lines.join('\n')}\n\n`;
}

/** Where people sign in, the auth server leads them back to the addresses that it knows, and to no other. */
function consoleUrl({ server, kaa }: Config, url: string): string {
  const prefix = server.pathPrefixes[0] ?? '';
  const known = kaa.security.authentication.enabled ? server.publicUrl?.replace(/\/+$/, '') : undefined;
  if (known === undefined) return `${url}${prefix}/console`;
  return `${prefix !== '' && known.endsWith(prefix) ? known : known + prefix}/console`;
}

function storesText({ storage }: Config): string {
  const sync = storage.durability === 'sync';
  if (storage.url.startsWith('file:')) {
    const folder = storage.url.slice('file:'.length);
    return `endpoints, filters and unpublished events in ${folder} (embedded store${sync ? '; an answer means it is on disk' : ''})`;
  }
  return `endpoints, filters and unpublished events in ${withoutUser(storage.url)}${sync ? ' (an answer means a majority has it in its journal)' : ''}`;
}

function authenticationText(config: Config): string {
  const { authentication, authorization } = config.kaa.security;
  if (authentication.enabled)
    return authorization.enabled
      ? 'on, and so is authorization'
      : 'on; authorization is off: who has a token of a tenant may do everything in it';
  if (isLoopback(config.server.host))
    return `off; safe, for only programs on this machine can reach ${config.server.host}`;
  return `OFF, and other machines can reach ${config.server.host}`;
}

function natsText({ nats }: Config, epr: string): string {
  if (nats.urls.length === 0)
    return `not configured (nats.urls): events reach the live stream (${epr} watch) and the log, no other service`;
  const stream = nats.jetstream.eventsStream;
  return `${nats.urls.join(', ')}${stream === undefined ? '' : `, events kept in the stream ${stream}`}`;
}

function applicationsText({ applications, kaa }: Config, demoApplication: boolean): string {
  if (kaa.tekton.enabled) return `from Tekton at ${withoutUser(kaa.tekton.url)}`;
  const all = Object.entries(applications);
  const listed = all
    .slice(0, LISTED_APPLICATIONS)
    .map(([name, { versions }]) => `${name} (${versions.join(', ') || 'no versions'})`);
  if (all.length > LISTED_APPLICATIONS) listed.push(`and ${grouped(all.length - LISTED_APPLICATIONS)} more`);
  if (all.length === 0) return 'none: nothing can register (kaa.applications)';
  return (
    listed.join(', ') +
    (demoApplication ? ': none is configured, so this one is there to try things out' : '')
  );
}

function nextSteps(config: Config, url: string, epr: string): string[] {
  if (config.kaa.tekton.enabled) return [];
  const version = Object.values(config.applications).flatMap(({ versions }) => versions)[0];
  if (version === undefined || config.kaa.security.authentication.enabled) return [];
  const base = `${url}${config.server.pathPrefixes[0] ?? ''}/api/v1`;
  const body = `{"appVersion":{"name":"${version}"},"endpointId":"kettle-1","metadata":{"city":"Kyiv"}}`;
  const elsewhere = portOf(url) === '8080' ? '' : ` --url ${url}`;
  return [
    `curl -H 'Content-Type: application/json' -d '${body}' ${base}/endpoints`,
    `curl '${base}/endpoints?include=metadata'`,
    `${epr} watch${elsewhere}`,
  ];
}

function withoutUser(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}

function portOf(url: string): string {
  const { port, protocol } = new URL(url);
  return port !== '' ? port : protocol === 'https:' ? '443' : '80';
}
