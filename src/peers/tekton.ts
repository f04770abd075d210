import { Type } from '@sinclair/typebox';
import type { Application } from '../model/catalogue.js';
import type { PeerAnswer, PeerClient } from './types.js';

/** What of the configuration is meant; nothing: all of it. */
export interface ConfigurationScope {
  application?: string;
  /** of the application */
  version?: string;
}

/** What Tekton has for this service. */
export interface ServiceConfiguration {
  /** those of which everything can be read, in Tekton's order */
  applications: ReadonlyMap<string, Application>;
  /** names of those that are there and can't be read */
  faulty: ReadonlySet<string>;
  restrictedMetadataKeys: readonly string[];
  /** what is wrong with parts of it, and what is not taken into account */
  problems: readonly string[];
}

/** Reads what stands under the instance's `kaa`. Undefined: it is no configuration. */
export type ReadConfiguration = (kaa: unknown) => ServiceConfiguration | undefined;

export interface Tekton {
  /** Never rejects. `malformed` also for an answer in which the configuration is not where it must be. */
  read(
    scope: ConfigurationScope,
    correlationId: string,
    signal?: AbortSignal,
  ): Promise<PeerAnswer<ServiceConfiguration>>;
}

const AppConfigs = Type.Record(Type.String(), Type.Unknown());
const EMPTY: ServiceConfiguration = {
  applications: new Map(),
  faulty: new Set(),
  restrictedMetadataKeys: [],
  problems: [],
};

/** @param instance the service instance whose configuration is asked for */
export function createTekton(
  client: PeerClient,
  instance: string,
  readConfiguration: ReadConfiguration,
): Tekton {
  return {
    async read({ application, version }, correlationId, signal) {
      const path = ['api', 'v1', 'app-configs'];
      if (application !== undefined) path.push('applications', application);
      if (application !== undefined && version !== undefined) path.push('app-versions', version);
      const answer = await client.call({
        method: 'GET',
        path,
        query: { serviceInstanceName: instance },
        answer: AppConfigs,
        correlationId,
        ...(signal === undefined ? {} : { signal }),
      });
      if (answer.kind !== 'ok') return answer;
      const { status, value } = answer;
      // nothing for nobody; but an answer about something else says nothing of this service
      if (Object.keys(value).length === 0) return { kind: 'ok', status, value: EMPTY };
      const own = value[instance];
      const configuration = isMapping(own) ? readConfiguration(own['kaa']) : undefined;
      if (configuration !== undefined) return { kind: 'ok', status, value: configuration };
      const wanted = `${JSON.stringify(instance)}: {"kaa": {"applications": {...}}}`;
      return { kind: 'malformed', status, message: `The answer is JSON, but not of the form {${wanted}}.` };
    },
  };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
