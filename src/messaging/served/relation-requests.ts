import { requestCodecs } from '../../avro/index.js';
import { isEndpointId } from '../../model/endpoint.js';
import { refuse } from '../../model/errors.js';
import { ok } from '../../model/outcome.js';
import type { PagePlace } from '../../storage/index.js';
import { counted, defineRequest, type ServedRequest, tooLargeFor } from './definition.js';

const PAGE = 10_000;

const relationsOfEndpoint = defineRequest({
  protocol: 'eprmp',
  name: 'ep-relations-get-request',
  codec: requestCodecs.eprmp['ep-relations-get-request'],
  writes: false,
  async handle({ endpointId, relation: direction, correlationId }, { register, maxBytes }) {
    if (!isEndpointId(endpointId)) return refuse('invalid-endpoint-id');
    if (direction !== 'contains' && direction !== '!contains') {
      return refuse(
        'invalid-parameter',
        `relation is "contains" or "!contains"; found ${JSON.stringify(direction.slice(0, 80))}.`,
      );
    }
    const endpointIds: string[] = [];
    let bytes = 0;
    let after: PagePlace | undefined;
    do {
      const page = { direction, offset: 0, limit: PAGE, ...(after === undefined ? {} : { after }) } as const;
      const answer = await register.relations.list({ correlationId }, endpointId, page);
      if (answer.kind !== 'ok') return answer;
      const { total, endpointIds: some, next } = answer.value;
      for (const id of some) bytes += id.length + 1;
      // the rest need not be read
      if (bytes > maxBytes) return tooLargeFor(maxBytes, counted(total, 'endpoint'));
      for (const id of some) endpointIds.push(id);
      after = next;
    } while (after !== undefined);
    return ok({ endpointIds });
  },
  echo: () => ({ endpointIds: [] }),
  amount: ({ endpointIds }) => counted(endpointIds.length, 'endpoint'),
});

/** EPRMP: what an endpoint contains, and what contains it. */
export const relationRequests: readonly ServedRequest[] = [relationsOfEndpoint];
