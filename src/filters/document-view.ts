import type { JsonObject, JsonValue } from '../model/json.js';
import type { FilterDocument } from './query.js';

/** A document under evaluation, shared by all queries that look at it. */
export class DocumentView implements FilterDocument {
  readonly endpointId: string;
  readonly applicationVersion: string;
  readonly metadata: JsonObject;
  #entries: JsonValue[] | undefined;

  constructor(doc: FilterDocument) {
    this.endpointId = doc.endpointId;
    this.applicationVersion = doc.applicationVersion;
    this.metadata = doc.metadata;
  }

  /** The `[{key, value}]` form of the metadata: built when first asked for, once, because few queries need it. */
  entries(): JsonValue[] {
    return (this.#entries ??= Object.keys(this.metadata).map((key) => ({ key, value: this.metadata[key]! })));
  }
}

/** The view of a document; a view is its own. O(1). */
export function viewOf(doc: FilterDocument): DocumentView {
  return doc instanceof DocumentView ? doc : new DocumentView(doc);
}
