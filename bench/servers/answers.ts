import { etagOf } from '../../src/model/record.js';
import { readFleet } from '../fleet.js';

export interface StoredAnswer {
  body: Buffer;
  etag: string;
}

/** The metadata of the fleet as it is answered, by endpoint. */
export function readAnswers(endpoints: number): Map<string, StoredAnswer> {
  const etag = etagOf(Date.UTC(2022, 9, 22), 1);
  return new Map(
    readFleet(endpoints).map(({ endpointId, metadata }) => [
      endpointId,
      { body: Buffer.from(JSON.stringify(metadata)), etag },
    ]),
  );
}
