import type { JsonObject, JsonValue } from '../model/json.js';
import type { FilterDocument } from './query.js';

const GUESSED_LENGTH = 2000;

/** A document under evaluation, shared by all queries that look at it. */
export class DocumentView implements FilterDocument {
  readonly endpointId: string;
  readonly applicationVersion: string;
  readonly #doc: FilterDocument;
  #entries: JsonValue[] | undefined;

  constructor(doc: FilterDocument) {
    this.endpointId = doc.endpointId;
    this.applicationVersion = doc.applicationVersion;
    this.#doc = doc;
  }

  get metadata(): JsonObject {
    return this.#doc.metadata;
  }

  /** Characters of the metadata, or a guess. */
  get length(): number {
    return this.#doc.length ?? GUESSED_LENGTH;
  }

  /** The value of a metadata key; undefined where there is none. */
  value(key: string): JsonValue | undefined {
    const doc = this.#doc;
    if (doc.value !== undefined) return doc.value(key);
    const value = doc.metadata[key];
    // what objects inherit is never a scalar
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
    return Object.hasOwn(doc.metadata, key) ? value : undefined;
  }

  /** The `[{key, value}]` form of the metadata: built when first asked for, once, because few queries need it. */
  entries(): JsonValue[] {
    const { metadata } = this;
    return (this.#entries ??= Object.keys(metadata).map((key) => ({ key, value: metadata[key]! })));
  }
}

/** The view of a document; a view is its own. O(1). */
export function viewOf(doc: FilterDocument): DocumentView {
  return doc instanceof DocumentView ? doc : new DocumentView(doc);
}
