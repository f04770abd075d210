import type { StoredEvent } from '../model/event.js';

/** Subjects of one service instance (`epr`). The instance's name is one subject token. */
export interface Subjects {
  /** where an event is published; `source` is its endpoint or filter */
  ofEvent(source: string, event: StoredEvent): string;
  /** every event of this instance */
  allEvents: string;
  /** where a request is served */
  ofRequest: (protocol: string, name: string) => string;
  /** where a replica is handed events to publish by others */
  ofReplica: (replicaId: string) => string;
  deadEvents: string;
  deadConnectivity: string;
  /** the two, as a pattern */
  allDead: string;
  /** whether it is one of those that this instance publishes to of itself */
  isOwn: (subject: string) => boolean;
}

export function createSubjects(instance: string): Subjects {
  const events = `kaa.v1.events.${instance}`;
  const own = [`${events}.`, `kaa.v1.dead-letter.${instance}.`, `kaa.v1.service.${instance}.replica.`];
  const ofFilter = (source: string, event: StoredEvent, name: string) =>
    `${events}.endpoint-filter.${event.filterId ?? source}.${name}`;
  return {
    ofEvent(source, event) {
      switch (event.kind) {
        case 'registered':
          return `${events}.endpoint.lifecycle.registered`;
        case 'appversion-updated':
          return `${events}.endpoint.lifecycle.appversion-updated`;
        case 'unregistered':
          return `${events}.endpoint.lifecycle.unregistered`;
        case 'metadata-updated':
          return `${events}.endpoint.metadata.updated`;
        case 'relations-updated':
          return `${events}.endpoint.relations.updated`;
        case 'ep-matched':
        case 'ep-unmatched':
          return ofFilter(source, event, event.kind);
        case 'filter-pending':
          return ofFilter(source, event, 'pending');
        case 'filter-activated':
          return ofFilter(source, event, 'activated');
        case 'filter-deleted':
          return ofFilter(source, event, 'deleted');
      }
    },
    allEvents: `${events}.>`,
    ofRequest: (protocol, name) => `kaa.v1.service.${instance}.${protocol}.${name}`,
    ofReplica: (replicaId) => `kaa.v1.service.${instance}.replica.${replicaId}.outbox`,
    deadEvents: `kaa.v1.dead-letter.${instance}.events`,
    deadConnectivity: `kaa.v1.dead-letter.${instance}.connectivity`,
    allDead: `kaa.v1.dead-letter.${instance}.*`,
    isOwn: (subject) => own.some((begin) => subject.startsWith(begin)),
  };
}

/** 9/ELCE of the communication service of that name. */
export function connectedSubject(communicationService: string): string {
  return `kaa.v1.events.${communicationService}.endpoint.connectivity.connected`;
}

/** Those, and that endpoints are gone; in one pattern, so that both come in their order. */
export function connectivitySubjects(communicationService: string): string {
  return `kaa.v1.events.${communicationService}.endpoint.connectivity.*`;
}

/** 17/SCMP: what the provider tells every service, and what it tells this one. */
export function configurationSubjects(provider: string, instance: string) {
  const of = (head: string) => ['upsert', 'delete'].map((change) => `${head}.${change}`);
  return {
    toAll: of(`kaa.v1.events.${provider}.service.configuration`),
    toThis: of(`kaa.v1.service.${instance}.scmp.configuration`),
  };
}

/** 21/TLE of the tenant manager of that name. */
export function tenantSubjects(tenantManager: string) {
  const head = `kaa.v1.events.${tenantManager}.tenant.lifecycle`;
  return { updated: `${head}.updated`, unregistered: `${head}.unregistered` };
}

/** Whether a server takes it for a subject or a pattern at all: it has parts between dots, none of them empty. */
export function isSubject(text: string): boolean {
  return text.split('.').every((token) => token !== '');
}

/** Whether a subject pattern (`*` one token, `>` one or more at the end) takes in a subject, or all of a narrower pattern. */
export function covers(pattern: string, subject: string): boolean {
  const parts = pattern.split('.');
  const tokens = subject.split('.');
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] === '>') return tokens.length > i;
    const token = tokens[i];
    if (token === undefined || token === '>') return false;
    if (parts[i] !== '*' && parts[i] !== token) return false;
  }
  return parts.length === tokens.length;
}
