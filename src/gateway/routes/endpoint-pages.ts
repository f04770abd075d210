import { createHash } from 'node:crypto';
import type { Refusal } from '../../model/errors.js';
import type { JsonObject } from '../../model/json.js';
import { ok } from '../../model/outcome.js';
import type { ListQuery } from '../../register/index.js';
import { listingContext, readableIds } from '../authorization.js';
import { readMetadataFilter } from '../table/metadata-filter.js';
import { encodeCursor, readPaging } from '../table/paging.js';
import type { Result } from '../table/reply.js';
import type { Call, RouteDeps } from '../table/route.js';
import { endpointPageParts, type Included } from './endpoint-views.js';

/** Which endpoints are wanted, without where the page starts. */
export type Wanted = Omit<ListQuery, 'sort' | 'offset' | 'limit' | 'after' | 'among'>;

/** What can be wrong with a list as with a search. */
export const pageErrors = [
  'application-not-found',
  'application-version-not-found',
  'filter-not-found',
  'filter-pending',
  'invalid-query',
] as const;

/** What a list and a search name alike. */
interface WantedParameters {
  tenantId?: string | undefined;
  applicationName?: string | undefined;
  applicationVersionName?: string | undefined;
  filterId?: string | undefined;
  multiFilter?: string | undefined;
  metadataFilter?: JsonObject | string | undefined;
}

/** @param endpointIds with `regex`, one pattern */
export function readWanted(
  parameters: WantedParameters,
  regex: boolean,
  endpointIds: string[] | undefined,
): Wanted | Refusal {
  const { tenantId, applicationName, applicationVersionName, filterId, multiFilter, metadataFilter } =
    parameters;
  const wanted: Wanted = { regex };
  if (endpointIds !== undefined) wanted.endpointIds = endpointIds;
  if (tenantId !== undefined) wanted.tenant = tenantId;
  if (applicationName !== undefined) wanted.application = applicationName;
  if (applicationVersionName !== undefined) wanted.version = applicationVersionName;
  if (filterId !== undefined) wanted.filterId = filterId;
  if (multiFilter !== undefined) wanted.multiFilter = multiFilter;
  if (typeof metadataFilter === 'object') wanted.metadataFilter = { kind: 'object', value: metadataFilter };
  else if (metadataFilter !== undefined) {
    const filter = readMetadataFilter(metadataFilter);
    if (filter.kind === 'refused') return filter;
    wanted.metadataFilter = filter;
  }
  return wanted;
}

/** A page of the endpoints that are wanted, of those that the caller may read. */
export async function answerPage(
  call: Pick<Call, 'caller' | 'context'>,
  wanted: Wanted,
  paging: Parameters<typeof readPaging>[0],
  included: Included,
  deps: RouteDeps,
): Promise<Result> {
  const hash = hashOf(wanted);
  const place = readPaging(paging, deps.limits(), hash);
  if ('kind' in place) return place;
  const listing = await listingContext(call, wanted.tenant, deps);
  if ('kind' in listing) return listing;
  const among = listing.isOther ? undefined : await readableIds(call, deps);
  if (among !== undefined && 'kind' in among) return among;
  const answer = await deps.register.endpoints.list(listing.context, {
    ...wanted,
    ...place,
    ...(among === undefined ? {} : { among }),
  });
  if (answer.kind !== 'ok') return answer;
  const { total, next, records } = answer.value;
  const found = included.filters ? await deps.register.endpoints.filterIds(records) : ok([]);
  if (found.kind !== 'ok') return found;
  const filters = found.value;
  const nextCursor = next === undefined ? undefined : encodeCursor(place.sort, next, hash);
  return {
    kind: 'reply',
    status: 200,
    parts: endpointPageParts({ total, records, filters, nextCursor }, included),
  };
}

/** Short, for cursors: a list goes on only with the filters that it began with. */
function hashOf(wanted: Wanted): string {
  const { tenant, application, version, filterId, metadataFilter, multiFilter, query } = wanted;
  const ids = [...(wanted.endpointIds ?? [])].sort();
  const own = [tenant, application, version, filterId, metadataFilter, multiFilter, query];
  const text = JSON.stringify([ids, wanted.regex, ...own]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 8);
}

/** A refusal of a parameter, where the parameters are in the body: details are pointers. */
export function inBody(refusal: Refusal): Refusal {
  const code = refusal.code === 'invalid-parameter' ? 'invalid-body' : refusal.code;
  const { details, ...rest } = refusal;
  if (details === undefined) return { ...rest, code };
  const pointers = details.map(({ path, message }) => ({
    path: path === '' || path.startsWith('/') ? path : `/${path}`,
    message,
  }));
  return { ...rest, code, details: pointers };
}
