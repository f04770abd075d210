import type { Command } from '../model/command.js';
import type { ErrorCode } from '../model/errors.js';
import type { QueryFault } from '../filters/index.js';
import type { LiveEvents } from '../live/index.js';
import type { SavedFilter } from '../model/filter.js';
import type { JsonObject, JsonValue } from '../model/json.js';
import type { Answer, Outcome, Retry } from '../model/outcome.js';
import type { Catalogue } from '../model/catalogue.js';
import type { OutboxEntry, PagePlace } from '../storage/index.js';
import type { RegistrationRelation, Relations } from './relation-types.js';

/**
 * What every operation of the register means, whoever asks: the gateway and the messaging room call only this.
 * Answers are values; a rejected promise is a fault of ours.
 */
export interface Register {
  readonly catalogue: () => Catalogue;
  readonly endpoints: Endpoints;
  readonly filters: Filters;
  readonly relations: Relations;
  readonly batches: BatchTasks;
  /** what was committed, as it becomes durable */
  readonly live: LiveEvents;
  readonly requests: KeyedRequests;
}

/** What every call says of who asks, and what its events carry. */
export interface CallContext {
  /** absent: any tenant */
  tenant?: string;
  /** who asks, by their token; absent: nobody was asked */
  subject?: string;
  correlationId: string;
  /**
   * Of a request that may come again: a UUID, the same each time. What is made here for it (an endpoint's id and token, a
   * filter's id, a task's) is made of this, and what it did already is its answer, not a conflict.
   */
  requestId?: string;
}

/** Requests that are done once, however often they come. */
export interface KeyedRequests {
  /**
   * Does the work, unless it was done for the same caller under the same key within the last 24 h: then that answer is given again. Calls at
   * the same time wait for the first. `idempotency-key-reused` when the key came with other content.
   *
   * @param request `content` is all that is asked, as a text
   * @param work is given a `requestId` for its context; the answer is kept if it says so
   */
  once(
    context: CallContext,
    request: { key: string; content: string },
    work: (requestId: string) => Promise<{ answer: string; keep: boolean }>,
  ): Promise<Answer<string>>;
}

export interface Endpoints {
  /**
   * Registers one endpoint, with all of its relations or not at all; makes id and token where they are missing. Checks of
   * form are done here, not by the caller. Details of a refusal point into the registration.
   */
  register(context: CallContext, registration: Registration): Promise<Answer<Registered>>;
  /**
   * The way of every other change. Commands on one endpoint take effect in the order of the calls. Answers when the
   * change is durable; with an unregistration go the endpoint's relations. Never rejects.
   */
  submit(command: Command): Promise<Outcome>;
  /**
   * What `submit` would answer, at once: for a version that an endpoint has already, or can't have, where the storage can
   * tell and no command on the endpoint is under way. Undefined: submit it.
   */
  answerNow(command: Command): Exclude<Outcome, Retry> | undefined;
  /** The record's bytes (`model/record.ts`), as stored now, at once where the storage can; `endpoint-not-found` for another tenant's. */
  get(context: CallContext, endpointId: string): Answer<Uint8Array> | Promise<Answer<Uint8Array>>;
  /** Ids of the active filters that each record matches, in the order of `records`. */
  filterIds(records: readonly Uint8Array[]): Promise<Answer<string[][]>>;
  list(context: CallContext, query: ListQuery): Promise<Answer<ListPage>>;
  /** Keys in the metadata of an application's endpoints, sorted, by version: of each version that is configured. */
  metadataKeys(context: CallContext, application: string): Promise<Answer<Map<string, string[]>>>;
}

export interface Registration {
  endpointId?: string;
  endpointToken?: string;
  versionName: string;
  /** JSON object; keys and limits are checked by the pipeline */
  metadata: JsonObject;
  relations?: readonly RegistrationRelation[];
}

export interface Registered {
  endpointId: string;
  /** shown this once; stored as a keyed hash only */
  token: string;
}

/** The list parameters of rest-api.md, read but not interpreted. */
export interface ListQuery {
  tenant?: string;
  /** only these endpoints: those that the caller may read; absent: all */
  among?: ReadonlySet<string>;
  /** with `regex`: one pattern; else exact ids */
  endpointIds?: readonly string[];
  application?: string;
  version?: string;
  filterId?: string;
  /** over metadata keys: a JSON object as it came, or `key:value` pairs */
  metadataFilter?:
    | { kind: 'object'; value: JsonObject }
    | { kind: 'pairs'; pairs: readonly (readonly [key: string, value: string])[] };
  /** text found in the id or any metadata value */
  multiFilter?: string;
  regex: boolean;
  /** a query in the filter language, an object or its JSON text (search only) */
  query?: JsonValue;
  sort: { by: 'createdDate' | 'endpointId'; direction: 'asc' | 'desc' };
  offset: number;
  limit: number;
  after?: PagePlace;
}

export interface ListPage {
  total: number;
  records: Uint8Array[];
  next?: PagePlace;
}

export interface Filters {
  create(context: CallContext, application: string, filter: FilterDraft): Promise<Answer<FilterView>>;
  get(context: CallContext, application: string, id: string): Promise<Answer<FilterView>>;
  /** whether an application that the caller's tenant has has this filter */
  has(context: CallContext, id: string): boolean;
  /** by name, ascending; `name` narrows to names that contain it, whatever the case */
  list(
    context: CallContext,
    application: string,
    page: { name?: string; offset: number; limit: number },
  ): Promise<Answer<{ total: number; filters: FilterView[] }>>;
  /** A changed query makes the filter pending again. Changing nothing keeps the revision. */
  change(
    context: CallContext,
    application: string,
    id: string,
    change: Partial<FilterDraft>,
    ifMatch?: readonly string[],
  ): Promise<Answer<FilterView>>;
  remove(
    context: CallContext,
    application: string,
    id: string,
    ifMatch?: readonly string[],
  ): Promise<Answer<null>>;
  /** What a query would match, without saving it. Reads every endpoint of the application once, unless indexes tell all. */
  preview(
    context: CallContext,
    application: string,
    wanted: {
      mongoQuery: JsonValue;
      sampleSize: number;
      /** counted and shown are only these endpoints; absent: all */
      among?: ReadonlySet<string>;
    },
  ): Promise<Answer<FilterPreview>>;
}

export interface FilterPreview {
  matchedEndpointsCount: number;
  /** records of endpoints that match, the newest first */
  sample: Uint8Array[];
  explain: {
    /** of the application */
    endpoints: number;
    /** how those that match were found; null: the storage does not tell */
    read: {
      /** lists and indexes that it went along */
      by: string[] | null;
      /** endpoints that were read */
      records: number | null;
      /** entries of lists and indexes that were read or counted, also for the conditions */
      entries: number | null;
    };
    conditions: ExplainedCondition[];
    /** conditions beyond those that are counted by themselves */
    omittedConditions: number;
    /** An update that changes none of these does not evaluate the filter, once it is saved. */
    dependsOn: {
      /** sorted; null: any key */
      metadataKeys: string[] | null;
      applicationVersion: boolean;
    };
    /** where the query asks for what no endpoint has; paths are JSON pointers into it */
    hints: QueryFault[];
  };
}

/** A condition by itself, on all endpoints of the application. */
export interface ExplainedCondition {
  /** JSON pointer into the query */
  path: string;
  /** a query of its own */
  condition: JsonObject;
  /** how many endpoints fulfil it */
  letsThrough: number;
  /** that as a share of all, 0 to 1; null when there are none */
  selectivity: number | null;
  /** that told how many; null: it was evaluated on each endpoint */
  index: string | null;
}

export interface FilterDraft {
  name: string;
  description: string;
  /** as it came: an object, or JSON text */
  mongoQuery: JsonValue;
}

export interface FilterView {
  filter: SavedFilter;
  /** entity tag of all that is here, quotes included; as a condition of a change, only the filter's own state counts */
  etag: string;
  matchedEndpointsCount: number;
  /** of a pending filter */
  progress?: FilterProgress;
  /** why this version can't read its query; such a filter stays pending */
  fault?: string;
}

/** How far the evaluation of a pending filter is. */
export interface FilterProgress {
  /** endpoints so far; never goes back */
  evaluated: number;
  /** endpoints that there were, when they were counted last */
  total: number;
  /** `waiting`: it is about to begin, with others that come about now */
  state: 'waiting' | 'evaluating';
  /** at the speed of the last seconds; absent while that is not known */
  secondsLeft?: number;
}

export interface BatchTasks {
  /** `application`: of the version, by which the status is asked for */
  start(
    context: CallContext,
    batch: { versionName: string; endpoints: readonly BatchItem[] },
  ): Promise<Answer<{ taskId: string; application: string }>>;
  status(context: CallContext, application: string, taskId: string): Promise<Answer<BatchStatus>>;
}

export interface BatchItem {
  endpointId?: string;
  endpointToken?: string;
  metadata?: JsonObject;
}

export interface BatchStatus {
  createdCount: number;
  failedCount: number;
  created: { endpointToken: string; endpointId: string; metadata: JsonObject }[];
  /** in the order they were sent */
  failed: FailedItem[];
}

export interface FailedItem {
  /** null when the caller gave none; so is the id */
  endpointToken: string | null;
  endpointId: string | null;
  /** JSON text */
  metadata: string;
  status: 'FAILED';
  /** stable, where the reason's words are not */
  code: ErrorCode;
  statusReason: string;
}

/** Who publishes events. Both are cheap, and return at once. */
export interface EventSink {
  /** Right after a durable commit; one source's entries in the order of its revisions. */
  committed(entries: readonly OutboxEntry[]): void;
  /** The result of a commit is not known: the storage may hold entries that were not told of. It is to be looked through. */
  doubt(): void;
}
