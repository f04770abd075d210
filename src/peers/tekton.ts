import { Type } from '@sinclair/typebox';
import type { Application } from '../model/catalogue.js';
import { type JsonFlaw, parseFlawedJson } from '../model/json-flaws.js';
import { excerptOf } from './read-answer.js';
import type { PeerAnswer, PeerClient } from './types.js';

/** What of the configuration is meant; nothing: all of it. */
export interface ConfigurationScope {
  application?: string;
  /** of the application */
  version?: string;
}

/** What Tekton has for this service. */
export interface ServiceConfiguration {
  /** those of which everything can be read but the `faultyVersions` that they name, in Tekton's order */
  applications: ReadonlyMap<string, Application>;
  /** names of those that are there and can't be read */
  faulty: ReadonlySet<string>;
  /** by application: versions that are there and can't be read */
  faultyVersions: ReadonlyMap<string, ReadonlySet<string>>;
  /** undefined: they are there and can't be read */
  restrictedMetadataKeys: readonly string[] | undefined;
  /** what is wrong with parts of it, and what is not taken into account */
  problems: readonly ConfigurationProblem[];
}

export interface ConfigurationProblem {
  message: string;
  /** what can't be read because of it */
  application?: string;
  version?: string;
}

/**
 * Reads what stands under the instance's `kaa`. A text: why it is no configuration.
 *
 * @param flaws of the text, with their places below `kaa`
 */
export type ReadConfiguration = (kaa: unknown, flaws: readonly JsonFlaw[]) => ServiceConfiguration | string;

export interface Tekton {
  /** Never rejects. `malformed` also for an answer in which the configuration is not where it must be. */
  read(
    scope: ConfigurationScope,
    correlationId: string,
    signal?: AbortSignal,
  ): Promise<PeerAnswer<ServiceConfiguration>>;
}

export interface TektonOptions {
  url: string;
  /** the service instance whose configuration is asked for */
  instance: string;
}

interface Body {
  value: unknown;
  flaws: readonly JsonFlaw[];
  excerpt: string;
}

const Body = Type.Unsafe<Body>(Type.Unknown());
const MAX_NESTING = 64;
const EMPTY: ServiceConfiguration = {
  applications: new Map(),
  faulty: new Set(),
  faultyVersions: new Map(),
  restrictedMetadataKeys: [],
  problems: [],
};

export function createTekton(
  client: Pick<PeerClient, 'call'>,
  { url, instance }: TektonOptions,
  readConfiguration: ReadConfiguration,
): Tekton {
  const { origin, pathname } = new URL(url);
  const query = { serviceInstanceName: instance };

  /** A text: why it is no configuration of this instance. */
  function configurationIn({ value, flaws }: Body): ServiceConfiguration | string {
    const wanted = `{${JSON.stringify(instance)}: {"kaa": {"applications": {...}}}}`;
    if (!isMapping(value)) return `it is JSON, but not of the form ${wanted}`;
    // nothing for nobody; but an answer about something else says nothing of this service
    if (Object.keys(value).length === 0) return EMPTY;
    for (const { path, found } of flaws) {
      const isAbove = path.length < 3 && path[0] === instance && (path[1] ?? 'kaa') === 'kaa';
      if (isAbove) return `/${path.join('/')} is ${found}`;
    }
    const own = value[instance];
    if (!isMapping(own) || own['kaa'] === undefined) return `it is JSON, but not of the form ${wanted}`;
    const below = flaws.filter(({ path }) => path[0] === instance && path[1] === 'kaa');
    return readConfiguration(
      own['kaa'],
      below.map((flaw) => ({ ...flaw, path: flaw.path.slice(2) })),
    );
  }

  return {
    async read({ application, version }, correlationId, signal) {
      const path = ['api', 'v1', 'app-configs'];
      if (application !== undefined) path.push('applications', application);
      if (application !== undefined && version !== undefined) path.push('app-versions', version);
      const answer = await client.call({
        method: 'GET',
        path,
        query,
        answer: Body,
        parse: readBody,
        correlationId,
        ...(signal === undefined ? {} : { signal }),
      });
      const place = `${origin}${pathname.replace(/\/+$/, '')}/${path.join('/')}?${new URLSearchParams(query).toString()}`;
      if (answer.kind === 'unavailable') return { ...answer, message: `GET ${place}: ${answer.message}` };
      const { status } = answer;
      if (answer.kind === 'refused')
        return { ...answer, message: `GET ${place} was answered with ${answer.message}` };
      const read = answer.kind === 'ok' ? configurationIn(answer.value) : answer.message;
      if (typeof read !== 'string') return { kind: 'ok', status, value: read };
      const begin = answer.kind === 'ok' ? `; the answer begins ${answer.value.excerpt}` : '';
      return {
        kind: 'malformed',
        status,
        message: `GET ${place} was answered with ${status}, but that is no configuration: ${read}${begin}`,
      };
    },
  };
}

function readBody(body: Uint8Array): { ok: true; value: Body } | { ok: false; fault: string } {
  const parsed = parseFlawedJson(body, MAX_NESTING);
  const excerpt = excerptOf(body);
  if (parsed.ok) return { ok: true, value: { value: parsed.value, flaws: parsed.flaws, excerpt } };
  return {
    ok: false,
    fault: excerpt === '' ? parsed.fault : `${parsed.fault}; the answer begins ${excerpt}`,
  };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
