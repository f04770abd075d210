import { Type } from '@sinclair/typebox';
import { type Refusal, refuse } from '../../model/errors.js';
import type { ListQuery } from '../../register/index.js';
import type { PagePlace } from '../../storage/index.js';
import type { GatewayLimits } from '../types.js';
import { documented } from './described.js';
import { refuseParameters } from './query-parameters.js';

type Sort = ListQuery['sort'];

/** Where a page starts and how long it is. */
export interface Paging {
  sort: Sort;
  offset: number;
  limit: number;
  after?: PagePlace;
}

interface PagingParameters {
  sort?: string | undefined;
  offset?: number | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** An offset that stores take as a 32-bit number; a larger one is past the end of any list as well. */
const MAX_OFFSET = 0x7fffffff;

export function readOffset(offset: number | undefined): number {
  return Math.min(offset ?? 0, MAX_OFFSET);
}

export function readLimit(limit: number | undefined, limits: GatewayLimits): number | Refusal {
  if (limit === undefined) return limits.pageDefault;
  if (limit <= limits.pageMax) return limit;
  return refuseParameters([{ path: 'limit', message: `must be 1 to ${limits.pageMax}; found ${limit}.` }]);
}

export function readPaging(
  parameters: PagingParameters,
  limits: GatewayLimits,
  filters: string,
): Paging | Refusal {
  const limit = readLimit(parameters.limit, limits);
  if (typeof limit !== 'number') return limit;
  const sort = parameters.sort === undefined ? undefined : readSort(parameters.sort);
  if (parameters.cursor === undefined) {
    return {
      sort: sort ?? { by: 'createdDate', direction: 'desc' },
      offset: readOffset(parameters.offset),
      limit,
    };
  }
  if (parameters.offset !== undefined) {
    return refuse(
      'invalid-parameter',
      'A cursor says where the page starts: leave "offset" out, or leave "cursor" out.',
    );
  }
  const place = decodeCursor(parameters.cursor);
  if (place === undefined) {
    return refuse(
      'invalid-parameter',
      'The cursor is not one that this service gave: take "nextCursor" of the page before as it is, or start without it.',
    );
  }
  if (place.filters !== filters) {
    return refuse(
      'invalid-parameter',
      'The cursor belongs to a list with other filters: give the same ones as for the page before, or start without the cursor.',
    );
  }
  if (sort !== undefined && (sort.by !== place.sort.by || sort.direction !== place.sort.direction)) {
    return refuse(
      'invalid-parameter',
      `The cursor belongs to a list in the order "${place.sort.by},${place.sort.direction}": leave "sort" out, or start without the cursor.`,
    );
  }
  return { sort: place.sort, offset: 0, limit, after: place.after };
}

/** The schema let through only `createdDate` and `endpointId`, each with an optional direction. */
function readSort(text: string): Sort {
  const [by, direction = 'asc'] = text.split(',');
  return { by: by as Sort['by'], direction: direction as Sort['direction'] };
}

/** Opaque to clients; it holds the order and the last record's sort keys, so that a page costs the same at any depth. */
export function encodeCursor(sort: Sort, place: PagePlace, filters: string): string {
  return Buffer.from(
    JSON.stringify([2, sort.by, sort.direction, place.createdMs, place.endpointId, filters]),
  ).toString('base64url');
}

function decodeCursor(text: string): { sort: Sort; after: PagePlace; filters: unknown } | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts) || parts.length !== 6) return undefined;
  const [version, by, direction, createdMs, endpointId, filters] = parts as unknown[];
  if (
    version !== 2 ||
    (by !== 'createdDate' && by !== 'endpointId') ||
    (direction !== 'asc' && direction !== 'desc')
  )
    return undefined;
  if (typeof createdMs !== 'number' || !Number.isSafeInteger(createdMs) || typeof endpointId !== 'string')
    return undefined;
  return { sort: { by, direction }, after: { createdMs, endpointId }, filters };
}

export const cursorParameter = Type.Optional(
  documented(
    Type.String({
      description: '`nextCursor` of the page before; not with `offset`.',
      examples: [
        encodeCursor(
          { by: 'createdDate', direction: 'desc' },
          { createdMs: 1489750202643, endpointId: 'kettle-1' },
          '',
        ),
      ],
    }),
    () => ({ pattern: '^[A-Za-z0-9_-]+$' }),
  ),
);
