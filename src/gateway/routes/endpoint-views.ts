import type { Refusal } from '../../model/errors.js';
import {
  type RecordHead,
  createdOf,
  headOf,
  metadataBytesOf,
  metadataUpdatedOf,
} from '../../model/record.js';
import { refuseParameters } from '../table/query-parameters.js';
import { Endpoint, pageOf } from '../table/schemas.js';

/** What `include` asks for beside the plain endpoint. */
export interface Included {
  metadata: boolean;
  filters: boolean;
}

export function readInclude(texts: readonly string[] | undefined): Included | Refusal {
  const included: Included = { metadata: false, filters: false };
  for (const word of (texts ?? []).flatMap((text) => text.split(','))) {
    const name = word.trim();
    if (name === 'metadata') included.metadata = true;
    else if (name === 'filters') included.filters = true;
    else if (name !== '') {
      return refuseParameters([
        {
          path: 'include',
          message: `must be "metadata", "filters" or both, separated by a comma; found "${name.slice(0, 80)}".`,
        },
      ]);
    }
  }
  return included;
}

export function appVersionOf(head: RecordHead): { name: string; registeredDate: string } {
  return { name: head.version, registeredDate: new Date(head.versionSinceMs).toISOString() };
}

export const EndpointPage = pageOf('EndpointPage', Endpoint, true);

/** An endpoint as the document of the interface shows it. */
export const appVersionExample = { name: 'demo-v1', registeredDate: '2017-03-17T11:30:02.643Z' };
export const endpointExample = {
  endpointId: 'kettle-1',
  createdDate: '2017-03-17T11:30:02.643Z',
  appVersion: appVersionExample,
};

const PART_BYTES = 128 * 1024;
const METADATA = Buffer.from(',"metadata":');
const COMMA = Buffer.from(',');

/** An Endpoint as JSON, in pieces; the metadata is the record's own bytes. */
function pushEndpoint(
  pieces: Uint8Array[],
  record: Uint8Array,
  included: Included,
  filters: readonly string[],
): void {
  const head = headOf(record);
  let text = `{"endpointId":${JSON.stringify(head.endpointId)},"createdDate":"${new Date(createdOf(record)).toISOString()}"`;
  text += `,"appVersion":${JSON.stringify(appVersionOf(head))}`;
  const updatedMs = metadataUpdatedOf(record);
  if (updatedMs !== undefined) text += `,"metadataUpdatedDate":"${new Date(updatedMs).toISOString()}"`;
  if (included.filters) text += `,"filters":${JSON.stringify(filters)}`;
  if (!included.metadata) {
    pieces.push(Buffer.from(`${text}}`));
    return;
  }
  pieces.push(Buffer.from(text), METADATA, metadataBytesOf(record), Buffer.from('}'));
}

export function endpointJson(record: Uint8Array, included: Included, filters: readonly string[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  pushEndpoint(pieces, record, included, filters);
  return Buffer.concat(pieces);
}

export interface EndpointPageContent {
  total: number;
  records: readonly Uint8Array[];
  /** ids of filters, in the order of the records; `[]` when not asked for */
  filters: readonly (readonly string[])[];
  nextCursor: string | undefined;
}

/** A page as JSON in parts of about 128 KiB, so that a page of 10,000 endpoints is never held twice. */
export function* endpointPageParts(
  page: EndpointPageContent,
  included: Included,
): Generator<Uint8Array, void> {
  let pieces: Uint8Array[] = [Buffer.from(`{"totalElements":${page.total},"content":[`)];
  let size = 0;
  for (let i = 0; i < page.records.length; i++) {
    if (i > 0) pieces.push(COMMA);
    const record = page.records[i]!;
    pushEndpoint(pieces, record, included, page.filters[i] ?? []);
    size += included.metadata ? record.length : 256;
    if (size >= PART_BYTES) {
      yield Buffer.concat(pieces);
      pieces = [];
      size = 0;
    }
  }
  const cursor = page.nextCursor === undefined ? '' : `,"nextCursor":${JSON.stringify(page.nextCursor)}`;
  pieces.push(Buffer.from(`]${cursor}}`));
  yield Buffer.concat(pieces);
}
