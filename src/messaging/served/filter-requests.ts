import { requestCodecs } from '../../avro/index.js';
import { ok } from '../../model/outcome.js';
import type { ListPage } from '../../register/index.js';
import { counted, defineRequest, type ServedRequest, tooLargeFor } from './definition.js';
import { createIdsByVersion } from './ids-by-version.js';
import { findRecord } from './metadata-requests.js';

const codecs = requestCodecs.efmp;
const protocol = 'efmp';
/** A page is in memory with its metadata. */
const PAGE = 1000;

const filtersOfEndpoint = defineRequest({
  protocol,
  name: 'ep-filters-request',
  codec: codecs['ep-filters-request'],
  writes: false,
  async handle({ endpointId, correlationId }, surroundings) {
    const found = await findRecord(endpointId, correlationId, surroundings);
    if (found.kind !== 'ok') return found;
    const filters = await surroundings.register.endpoints.filterIds([found.value]);
    return filters.kind === 'ok' ? ok({ endpointId, filterIds: filters.value[0]! }) : filters;
  },
  echo: ({ endpointId }) => ({ endpointId, filterIds: [] }),
  amount: ({ filterIds }) => counted(filterIds.length, 'filter'),
});

const endpointsOfFilter = defineRequest({
  protocol,
  name: 'ep-list-by-filter-request',
  codec: codecs['ep-list-by-filter-request'],
  writes: false,
  async handle({ filterId, correlationId }, { register, maxBytes }) {
    const known = createIdsByVersion();
    let next: ListPage['next'];
    do {
      const page = await register.endpoints.list(
        { correlationId },
        {
          filterId,
          regex: false,
          sort: { by: 'createdDate', direction: 'desc' },
          offset: 0,
          limit: PAGE,
          ...(next === undefined ? {} : { after: next }),
        },
      );
      if (page.kind !== 'ok') return page;
      known.add(page.value.records);
      next = page.value.next;
      // the rest need not be read
      if (known.bytes > maxBytes) return tooLargeFor(maxBytes, counted(page.value.total, 'endpoint'));
    } while (next !== undefined);
    return ok({ filterId, appVersionsToEndpoints: known.versions });
  },
  echo: ({ filterId }) => ({ filterId, appVersionsToEndpoints: {} }),
  amount: ({ appVersionsToEndpoints }) =>
    counted(
      Object.values<readonly string[]>(appVersionsToEndpoints).reduce((sum, ids) => sum + ids.length, 0),
      'endpoint',
    ),
});

/** EFMP: which filters an endpoint matches, and which endpoints match a filter. */
export const filterRequests: readonly ServedRequest[] = [filtersOfEndpoint, endpointsOfFilter];
