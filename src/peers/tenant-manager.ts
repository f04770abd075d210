import { createHash } from 'node:crypto';
import { Type } from '@sinclair/typebox';
import { createAnswerReader } from './read-answer.js';
import type { PeerAnswer, PeerClient, PeerLimits } from './types.js';

/** A tenant as the tenant manager has it. */
export interface ListedTenant {
  id: string;
  /** http or https, with neither user nor query nor fragment */
  issuer: string;
  clientId: string;
  /** absent: this service has no client of its own there */
  clientSecret?: string;
}

/** What the tenant manager has. */
export interface TenantList {
  /** those that are available and can be read; no id and no issuer is there twice */
  tenants: readonly ListedTenant[];
  /** ids of those that are available and can't be read, or share an issuer with another one: as far as they are known */
  faulty: ReadonlySet<string>;
  /** what is wrong with parts of it; no secrets */
  problems: readonly string[];
}

export interface TenantManager {
  /** Never rejects. `malformed` where the whole says nothing: what is known stays. */
  read(correlationId: string, signal?: AbortSignal): Promise<PeerAnswer<TenantList>>;
}

/** Tenants beyond this are no answer but a fault. */
export const MAX_TENANTS = 20_000;

/** Of the client. One tenant is some 700 bytes. */
export const TENANT_MANAGER_LIMITS: Partial<PeerLimits> = {
  connections: 2,
  attemptMs: 5_000,
  callMs: 10_000,
  attempts: 2,
  maxAnswerBytes: 32 * 1024 * 1024,
  // one reading at a time, with pauses of its own, which an announcement may end
  failuresToOpen: Infinity,
};

/** What is looked at of a tenant; the published interface has more. */
const Listed = Type.Object({
  count: Type.Optional(Type.Integer({ minimum: 0 })),
  results: Type.Array(Type.Record(Type.String(), Type.Unknown())),
});
const Read = Type.Unsafe<TenantList>(Type.Unknown());
const AVAILABLE = 'AVAILABLE';
/** It stands in headers and in metrics. */
const ID = /^[A-Za-z0-9_-]{1,128}$/;
const MAX_ISSUER = 2048;
const MAX_CREDENTIAL = 1024;
const SHOWN = 200;
const PRINTABLE = /^[\x20-\x7e]+$/;

/** Tenants by `GET {url}/api/v1/tenants?limit=0`. What can't be read of one tenant is no fault of the others. */
export function createTenantManager(
  client: Pick<PeerClient, 'call'>,
  { url }: { url: string },
): TenantManager {
  const { origin, pathname } = new URL(url);
  const place = `${origin}${pathname.replace(/\/+$/, '')}/api/v1/tenants?limit=0`;

  const readAnswer = createAnswerReader();
  let last: { digest: string; list: TenantList } | undefined;

  /** Thousands of tenants are long to read, and most often they are what they were. */
  function parse(body: Uint8Array): { ok: true; value: TenantList } | { ok: false; fault: string } {
    const digest = createHash('sha256').update(body).digest('base64');
    if (last?.digest === digest) return { ok: true, value: last.list };
    const listed = readAnswer(Listed, body);
    if (!listed.ok) return listed;
    const list = readList(listed.value);
    if (typeof list === 'string') return { ok: false, fault: list };
    last = { digest, list };
    return { ok: true, value: list };
  }

  return {
    async read(correlationId, signal) {
      const answer = await client.call({
        method: 'GET',
        path: ['api', 'v1', 'tenants'],
        query: { limit: '0' },
        answer: Read,
        parse,
        correlationId,
        ...(signal === undefined ? {} : { signal }),
      });
      const { kind } = answer;
      if (kind === 'unavailable') return { ...answer, message: `GET ${place}: ${answer.message}` };
      const { status } = answer;
      if (kind === 'refused') {
        const remedy =
          status === 401 || status === 403
            ? '; the client of this service in the system tenant needs kaa:tenant:read on kaa-system'
            : '';
        // an answer may hold secrets of tenants
        return { kind, status, message: `GET ${place} was answered with ${status}${remedy}` };
      }
      if (kind === 'ok') return answer;
      const why = `but that is no list of tenants: ${answer.message}`;
      return { kind, status, message: `GET ${place} was answered with ${status}, ${why}` };
    },
  };
}

/** A text: why it is none. */
function readList({ count, results }: typeof Listed.static): TenantList | string {
  if (results.length > MAX_TENANTS) return `it has ${results.length} tenants, more than ${MAX_TENANTS}`;
  // a page of it would delete the others
  if (count !== undefined && count > results.length)
    return `it says that there are ${count}, and has ${results.length}`;
  const faulty = new Set<string>();
  const problems: string[] = [];
  const read = new Map<string, ListedTenant>();
  const seen = new Set<string>();
  const owners = new Map<string, string>();
  const spoil = (id: string, why: string) => {
    faulty.add(id);
    problems.push(`tenant ${id}: ${why}`);
  };
  results.forEach((row, at) => {
    const { id, status } = row;
    if (typeof id !== 'string' || !ID.test(id))
      return problems.push(`results/${at}: its id is not of 1 to 128 letters, digits, _ and -`);
    if (seen.has(id)) {
      read.delete(id);
      return spoil(id, 'it is there twice');
    }
    seen.add(id);
    if (status !== AVAILABLE) return;
    const tenant = readTenant(id, row);
    if (typeof tenant === 'string') spoil(id, tenant);
    else read.set(id, tenant);
  });
  for (const { id, issuer } of [...read.values()]) {
    const owner = owners.get(issuer);
    if (owner === undefined) owners.set(issuer, id);
    else {
      // nobody can tell whose tokens they are
      spoil(id, `its issuer ${issuer.slice(0, SHOWN)} is that of ${owner}, too`);
      faulty.add(owner);
    }
  }
  for (const id of faulty) read.delete(id);
  return { tenants: [...read.values()], faulty, problems };
}

/** A text: why it can't be one. */
function readTenant(id: string, row: Record<string, unknown>): ListedTenant | string {
  const { issuer, client_backend_id: clientId, client_backend_secret: clientSecret } = row;
  const fault = faultOfIssuer(issuer);
  if (fault !== undefined) return `its issuer ${fault}`;
  if (!isCredential(clientId)) return 'its client_backend_id is no id of a client';
  if (clientSecret === undefined || clientSecret === null || clientSecret === '')
    return { id, issuer: issuer as string, clientId };
  if (!isCredential(clientSecret)) return 'its client_backend_secret is no secret of a client';
  return { id, issuer: issuer as string, clientId, clientSecret };
}

function faultOfIssuer(issuer: unknown): string | undefined {
  if (typeof issuer !== 'string' || issuer === '') return 'is no text';
  if (issuer.length > MAX_ISSUER) return `has more than ${MAX_ISSUER} characters`;
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(issuer) || !URL.canParse(issuer)) return 'is no http or https URL';
  if (/^https?:\/\/[^/]*@/.test(issuer)) return 'has a user in it';
  if (!/^[a-z0-9.:[\]-]+$/.test(new URL(issuer).host)) return 'is of no host';
  if (/\/(\.|%2e){1,2}(\/|$)/i.test(issuer)) return 'has a . or .. segment';
  // what is behind them would be part of no address that is made of it, and \ is / to some
  return /[?#\\]/.test(issuer) ? 'has ?, # or \\ in it' : undefined;
}

function isCredential(value: unknown): value is string {
  return (
    typeof value === 'string' && value.length >= 1 && value.length <= MAX_CREDENTIAL && PRINTABLE.test(value)
  );
}
