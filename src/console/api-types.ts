/** What the interface answers, as far as the console shows it. The OpenAPI document says more. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type Metadata = Record<string, JsonValue>;

export interface Page<T> {
  totalElements: number;
  content: T[];
  nextCursor?: string;
}

export interface Application {
  name: string;
  versions: { name: string; deleted?: true }[];
  deleted?: true;
}

export interface Endpoint {
  endpointId: string;
  createdDate: string;
  appVersion: { name: string; registeredDate: string };
  metadataUpdatedDate?: string;
  metadata?: Metadata;
  /** ids of the active filters that it matches */
  filters?: string[];
}

export interface Filter {
  id: string;
  name: string;
  description: string;
  mongoQuery: JsonValue;
  status: 'pending' | 'active';
  matchedEndpointsCount: number;
  createdDate: string;
  updatedDate: string;
  /** why the query can't be read by this version */
  fault?: string;
  /** of a pending one: endpoints */
  progress?: {
    evaluated: number;
    total: number;
    state: 'waiting' | 'evaluating';
    secondsLeft?: number;
  };
}

export interface Preview {
  matchedEndpointsCount: number;
  sample: Endpoint[];
  explain: Explain;
}

export interface Explain {
  endpoints: number;
  conditions: ExplainedCondition[];
  omittedConditions: number;
  dependsOn: { metadataKeys: string[] | null; applicationVersion: boolean };
  /** where it asks for what no endpoint has; paths lead into the query */
  hints: FaultDetail[];
}

export interface ExplainedCondition {
  /** JSON pointer into the query */
  path: string;
  condition: JsonValue;
  letsThrough: number;
  /** 0 to 1 */
  selectivity: number | null;
  index: string | null;
}

/** One fault in what was sent: a JSON pointer into the body or a parameter's name, and what is wrong there. */
export interface FaultDetail {
  path: string;
  message: string;
}

/** Why a request did not do what it should. */
export interface Fault {
  /** of HTTP; 0: there was no answer */
  status: number;
  code: string;
  message: string;
  details: readonly FaultDetail[];
  /** what to wait before trying again, when that makes sense */
  retryAfterMs?: number;
}

export type Answer<T> = { ok: true; value: T; etag?: string } | { ok: false; fault: Fault };
